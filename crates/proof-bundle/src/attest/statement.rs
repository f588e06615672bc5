//! The two in-toto statements (version 1) about a bundle, made of its files and of nothing else.

use std::collections::BTreeSet;
use std::path::Path;

use facts::DeviceFacts;
use serde::Serialize;

use super::{RESIDENCY, TEST_RESULT};
use crate::Error;
use crate::coverage::{Coverage, RequirementCoverage, Status, StatusCount, TestCount, TestCoverage, Verdict};
use crate::hash::sha256_file;
use crate::json::{json_text, read_json};
use crate::junit::{self, Outcome, TestResult};
use crate::merge::{self, Merged, MergedCoverage, MergedInput, MergedRequirement, RunStatus};
use crate::provenance::{Commit, Provenance};
use crate::report::NON_CLAIMS;
use crate::sums;

/// The type of a statement.
const STATEMENT: &str = "https://in-toto.io/Statement/v1";

/// in-toto's own predicate for what tests came to.
pub const TEST_RESULT_PREDICATE: &str = "https://in-toto.io/attestation/test-result/v0.1";

/// Our predicate: per-requirement statuses and device facts. An informal name, registered nowhere;
/// `proof_bundles/README.md` says what it holds.
pub const RESIDENCY_PREDICATE: &str = "urn:vram-residency:residency:v1";

/// The files that say how the tests were run: what had to be shown by which tests, the build and the devices, the seeds.
const CONFIGURATION: [&str; 3] = ["requirements.json", "provenance.json", "seeds.txt"];

#[derive(Serialize)]
struct Statement<'a, P> {
    #[serde(rename = "_type")]
    statement_type: &'static str,
    subject: &'a [Descriptor<'a>],
    #[serde(rename = "predicateType")]
    predicate_type: &'static str,
    predicate: P,
}

/// in-toto's ResourceDescriptor, as far as it is needed.
#[derive(Serialize)]
struct Descriptor<'a> {
    name: &'a str,
    digest: Digest,
}

#[derive(Serialize)]
enum Digest {
    #[serde(rename = "sha256")]
    Sha256(String),
    #[serde(rename = "gitCommit")]
    GitCommit(String),
}

/// in-toto's test-result, version 0.1, with nothing added.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TestResultPredicate<'a> {
    result: &'static str,
    configuration: Vec<Descriptor<'a>>,
    passed_tests: Vec<String>,
    warned_tests: Vec<String>,
    failed_tests: Vec<String>,
}

/// Our predicate. The members of a requirement, a device and a test have the names that they have in `coverage.json` and
/// `provenance.json`, so that they can be compared by eye. The counts and classes of device are those of `summary` there.
#[derive(Serialize)]
struct ResidencyPredicate<'a> {
    run_id: &'a str,
    #[serde(flatten)]
    commit: &'a Commit,
    nonce: Option<&'a str>,
    verdict: Verdict,
    requirement_counts: &'a StatusCount,
    test_counts: &'a TestCount,
    /// The classes of device that records come from.
    device_classes: &'a [String],
    devices: &'a [DeviceFacts],
    requirements: Vec<RequirementStatus<'a>>,
    tests_not_passed: &'a [TestCoverage],
    /// What was merged; only a merged bundle has this.
    #[serde(skip_serializing_if = "Option::is_none")]
    runs: Option<&'a [MergedInput]>,
    non_claims: &'a [&'a str],
}

#[derive(Serialize)]
struct RequirementStatus<'a> {
    id: &'a str,
    document: &'a str,
    text_sha256: &'a str,
    status: Status,
    mapped: usize,
    run: usize,
    passed: usize,
    failed: usize,
    absent: usize,
    kills: Option<usize>,
    devices: &'a [String],
}

impl<'a> RequirementStatus<'a> {
    fn of(one: &'a RequirementCoverage) -> Self {
        Self {
            id: &one.id,
            document: &one.document,
            text_sha256: &one.text_sha256,
            status: one.status,
            mapped: one.mapped,
            run: one.run,
            passed: one.passed,
            failed: one.failed,
            absent: one.absent,
            kills: one.kills,
            devices: &one.devices,
        }
    }

    fn of_merged(one: &'a MergedRequirement) -> Option<Self> {
        let RunStatus { mapped, run, passed, failed, absent, ref devices, .. } = *one.deciding()?;
        Some(Self {
            id: &one.id,
            document: &one.document,
            text_sha256: &one.text_sha256,
            status: one.status,
            mapped,
            run,
            passed,
            failed,
            absent,
            kills: one.kills,
            devices,
        })
    }
}

/// The statements about the bundle at `bundle`: the name of the envelope that holds each, and its exact bytes. The same
/// files always give the same bytes, as long as the renderer's version
/// ([`RENDERER_VERSION`](crate::report::RENDERER_VERSION)) is the same.
///
/// `result` of the test result is `PASSED` only when every requirement is proven, so that every test that is mapped to one ran
/// and passed, on the kind of device that it needs, and on the commit that the statement names. It is `WARNED` when nothing
/// failed and yet something is open: a mapped test did not run, also where it waits for a GPU, a requirement still needs one or
/// has no test or no record, or the tree differed from the commit. It is `FAILED` when a test failed, a record
/// does not hold, or an input is missing or dead. A test that left no verdict is among the failed ones; a test that did not
/// run is in none of the lists, since that predicate has none for it. The residency statement names it.
///
/// # Errors
///
/// [`Error::Io`], [`Error::Json`] or [`Error::Junit`] when a file is missing or not what it should be.
pub fn statements(bundle: &Path) -> Result<Vec<(&'static str, Vec<u8>)>, Error> {
    if merge::is_merged(bundle) {
        return of_merged(bundle);
    }
    let provenance: Provenance = read_json(bundle, "provenance.json")?;
    let coverage: Coverage = read_json(bundle, "coverage.json")?;
    let tests = tests(bundle, &coverage)?;
    let residency = ResidencyPredicate {
        run_id: &coverage.run_id,
        commit: &provenance.commit,
        nonce: provenance.nonce.as_deref(),
        verdict: coverage.verdict(),
        requirement_counts: &coverage.summary.requirements,
        test_counts: &coverage.summary.tests,
        device_classes: &coverage.summary.devices,
        devices: &provenance.devices,
        requirements: coverage.requirements.iter().map(RequirementStatus::of).collect(),
        tests_not_passed: &coverage.tests_not_passed,
        runs: None,
        non_claims: &NON_CLAIMS,
    };
    let configuration = CONFIGURATION.map(str::to_owned);
    both(bundle, &configuration, tests.iter().map(|test| (test.id().to_string(), &test.outcome)), residency)
}

/// The statements about a merged bundle. A test's name begins with the id of its run; a requirement's figures are those of
/// the run that decides its status.
fn of_merged(bundle: &Path) -> Result<Vec<(&'static str, Vec<u8>)>, Error> {
    let Merged { merge, inputs, .. } = Merged::read(bundle)?;
    let coverage: MergedCoverage = read_json(bundle, "coverage.json")?;
    let mut named = Vec::new();
    let mut configuration = vec![merge::FILE.to_owned(), "requirements.json".to_owned()];
    let mut not_passed = Vec::new();
    for input in &inputs {
        let run_id = &input.provenance.run_id;
        for test in tests(&merge::input_path(bundle, run_id), &input.coverage)? {
            named.push((format!("{run_id} {}", test.id()), test.outcome));
        }
        configuration.extend(["provenance.json", "seeds.txt"].map(|name| format!("{}/{run_id}/{name}", merge::INPUTS)));
        not_passed.extend(input.coverage.tests_not_passed.iter().cloned().map(|mut one| {
            one.test.binary = format!("{run_id} {}", one.test.binary);
            one
        }));
    }
    // Two runs on one GPU are no two GPUs.
    let mut seen = BTreeSet::new();
    let mut devices = Vec::new();
    for device in inputs.iter().flat_map(|input| &input.provenance.devices) {
        if seen.insert(json_text(device).map_err(Error::json("provenance.json"))?) {
            devices.push(device.clone());
        }
    }
    let residency = ResidencyPredicate {
        run_id: &coverage.run_id,
        commit: &Commit { sha: coverage.commit.clone(), dirty: false },
        nonce: None,
        verdict: coverage.verdict(),
        requirement_counts: &coverage.summary.requirements,
        test_counts: &coverage.summary.tests,
        device_classes: &coverage.summary.devices,
        devices: &devices,
        requirements: coverage.requirements.iter().filter_map(RequirementStatus::of_merged).collect(),
        tests_not_passed: &not_passed,
        runs: Some(&merge.inputs),
        non_claims: &NON_CLAIMS,
    };
    both(bundle, &configuration, named.iter().map(|(name, outcome)| (name.clone(), outcome)), residency)
}

/// Both statements about a bundle, of the tests by name and the residency predicate.
fn both<'a>(
    bundle: &Path,
    configuration: &'a [String],
    tests: impl Iterator<Item = (String, &'a Outcome)> + Clone,
    residency: ResidencyPredicate<'_>,
) -> Result<Vec<(&'static str, Vec<u8>)>, Error> {
    let digest = |name: &str| sha256_file(&bundle.join(name)).map(Digest::Sha256);
    let subject = [
        Descriptor { name: sums::FILE, digest: digest(sums::FILE)? },
        Descriptor { name: "source", digest: Digest::GitCommit(residency.commit.sha.clone()) },
    ];
    let describe = |name: &'a String| digest(name).map(|digest| Descriptor { name, digest });
    let named = |wanted: fn(&Outcome) -> bool| {
        tests.clone().filter(|(_, outcome)| wanted(outcome)).map(|(name, _)| name).collect()
    };
    let test_result = TestResultPredicate {
        result: result(&residency),
        configuration: configuration.iter().map(describe).collect::<Result<_, _>>()?,
        passed_tests: named(|outcome| matches!(outcome, Outcome::Passed)),
        warned_tests: Vec::new(),
        failed_tests: named(|outcome| matches!(outcome, Outcome::Failed(_) | Outcome::Dead(_))),
    };
    Ok(vec![
        (TEST_RESULT, to_bytes(TEST_RESULT, TEST_RESULT_PREDICATE, &subject, test_result)?),
        (RESIDENCY, to_bytes(RESIDENCY, RESIDENCY_PREDICATE, &subject, residency)?),
    ])
}

/// The tests of the run. A run whose JUnit is missing or wrong has none, and `coverage.json` says so: its verdict is no good
/// one, and that can be signed as well.
fn tests(bundle: &Path, coverage: &Coverage) -> Result<Vec<TestResult>, Error> {
    match junit::read(bundle.join(junit::FILE)) {
        Err(_) if coverage.verdict() == Verdict::Input => Ok(Vec::new()),
        read => read,
    }
}

/// A verdict may be good while a requirement waits for a GPU, since its host cannot do better. This word says nothing of hosts.
fn result(residency: &ResidencyPredicate<'_>) -> &'static str {
    let count = residency.requirement_counts;
    match residency.verdict {
        Verdict::Failed | Verdict::Input => "FAILED",
        Verdict::Proven if count.proven == count.total && !residency.commit.dirty => "PASSED",
        Verdict::Proven | Verdict::NotRun => "WARNED",
    }
}

fn to_bytes<P: Serialize>(
    file: &str,
    predicate_type: &'static str,
    subject: &[Descriptor<'_>],
    predicate: P,
) -> Result<Vec<u8>, Error> {
    let statement = Statement { statement_type: STATEMENT, subject, predicate_type, predicate };
    serde_json::to_vec(&statement).map_err(Error::json(file))
}
