//! What a run shows of one requirement.

use std::collections::{BTreeSet, HashSet};

use super::evidence::Evidence;
use super::{RequirementCoverage, Status, TestCoverage, TestOutcome};
use crate::junit::{NEEDS_A_GPU, Outcome};
use crate::records::{GPU, HOST};
use crate::requirement::{Kind, MappedRequirement};
use crate::test_map::TestId;

/// Judges one requirement by its mapped tests and its observed records.
pub(super) fn judge(mapped: &MappedRequirement, evidence: &Evidence<'_>) -> RequirementCoverage {
    let requirement = &mapped.requirement;
    let records = evidence.records.get(requirement.id.as_str()).map(Vec::as_slice).unwrap_or_default();
    let tests: Vec<TestCoverage> =
        mapped.mapped_tests.iter().map(|test| look_at(test, &requirement.id, evidence)).collect();
    let count = |results: &[TestOutcome]| tests.iter().filter(|test| results.contains(&test.result)).count();
    let passed = count(&[TestOutcome::Passed]);
    let failed = count(&[TestOutcome::Failed]);
    let run = passed.saturating_add(failed);

    let mut findings = Findings::default();
    if let Some(problem) = evidence.of_another_text(requirement) {
        findings.add(Status::Stale, problem);
    }
    for record in records.iter().filter(|record| !record.holds) {
        findings.add(Status::Failed, format!("{} does not hold", record.location));
    }
    if mapped.mapped_tests.is_empty() {
        findings.add(Status::Unmapped, "no test is mapped to it".to_owned());
    }
    for test in &tests {
        if requirement.needs_gpu && !evidence.has_gpu && waits_for_a_gpu(test) {
            findings.add(Status::NeedsGpu, format!("{} needs a GPU to run", test.test));
        } else {
            findings.add_test(test);
        }
    }
    let functions: HashSet<&str> = mapped.mapped_tests.iter().map(TestId::function).collect();
    for name in &requirement.named_tests {
        if !functions.contains(name.as_str()) {
            let what = if evidence.functions.contains(name.as_str()) {
                "is not mapped to it"
            } else if !evidence.has_run {
                "is not among the tests that claim it"
            } else {
                "does not exist"
            };
            findings.add(Status::NotRun, format!("named test {name} {what}"));
        }
    }
    let recorded: HashSet<&TestId> = records.iter().filter_map(|record| record.test.as_deref()).collect();
    for test in tests.iter().filter(|test| test.result == TestOutcome::Passed) {
        if !recorded.contains(&test.test) {
            findings.add(Status::Vacuous, format!("{} passed and recorded nothing for it", test.test));
        }
    }
    if requirement.needs_gpu {
        // A test that used no device at all, such as one of a rule on given facts, has to pass and proves nothing here.
        let (on_gpu, elsewhere): (Vec<_>, Vec<_>) = records
            .iter()
            .filter(|record| record.device != HOST)
            .filter_map(|record| Some((record.test.as_deref()?, record.device)))
            .filter(|(test, _)| mapped.mapped_tests.contains(test))
            .partition(|(_, device)| evidence.has_gpu && *device == GPU);
        let on_gpu: BTreeSet<&TestId> = on_gpu.into_iter().map(|(test, _)| test).collect();
        let elsewhere: BTreeSet<&TestId> = elsewhere.into_iter().map(|(test, _)| test).collect();
        if on_gpu.is_empty() {
            findings.add(Status::NeedsGpu, "it needs a GPU, and no record comes from one".to_owned());
        } else {
            for test in elsewhere.difference(&on_gpu) {
                findings.add(Status::NeedsGpu, format!("it needs a GPU, and {test} used another device only"));
            }
        }
    }

    let kills = evidence.kills.as_ref();
    if let Some(tried) =
        kills.filter(|_| requirement.kind == Kind::Product).and_then(|kills| kills.none_of(&mapped.mapped_tests))
    {
        findings.add(Status::Vacuous, format!("its tests notice none of {tried} faults planted in the library crates"));
    }
    let devices: BTreeSet<&str> = records.iter().map(|record| record.device).collect();
    RequirementCoverage {
        id: requirement.id.clone(),
        document: requirement.document.clone(),
        text_sha256: requirement.text_sha256.clone(),
        status: findings.worst(),
        mapped: tests.len(),
        run,
        passed,
        failed,
        absent: tests.len().saturating_sub(run),
        kills: kills.and_then(|kills| kills.of(&mapped.mapped_tests)),
        devices: devices.into_iter().map(str::to_owned).collect(),
        evidence: records.iter().map(|record| record.location.to_string()).collect(),
        reasons: findings.reasons(),
        tests,
    }
}

/// Whether a test was not run for the one reason that a host without a GPU is excused for.
fn waits_for_a_gpu(test: &TestCoverage) -> bool {
    test.result == TestOutcome::NotRun && test.reason.as_deref() == Some(NEEDS_A_GPU)
}

/// What became of a mapped test.
fn look_at(test: &TestId, requirement: &str, evidence: &Evidence<'_>) -> TestCoverage {
    let (result, reason) = match evidence.tests.get(test) {
        None if !evidence.has_run => (TestOutcome::Absent, Some("there is no run".to_owned())),
        None => (TestOutcome::Absent, Some("the run does not list it".to_owned())),
        Some(result) if result.outcome == Outcome::Passed && !evidence.claims.contains(&(test, requirement)) => {
            (TestOutcome::Unclaimed, Some(format!("it passed without claiming {requirement}")))
        }
        Some(result) => (TestOutcome::of(&result.outcome), result.outcome.reason().map(str::to_owned)),
    };
    TestCoverage { test: test.clone(), result, reason }
}

/// What speaks against a requirement.
#[derive(Default)]
struct Findings(Vec<(Status, String)>);

impl Findings {
    fn add(&mut self, status: Status, reason: String) {
        self.0.push((status, reason));
    }

    fn add_test(&mut self, test: &TestCoverage) {
        let (status, what) = match test.result {
            TestOutcome::Passed => return,
            TestOutcome::Failed => (Status::Failed, "failed"),
            TestOutcome::NotRun => (Status::NotRun, "did not run"),
            TestOutcome::Dead => (Status::NotRun, "left no verdict"),
            TestOutcome::Unclaimed | TestOutcome::Absent => (Status::NotRun, "did not run to its claim"),
        };
        let reason = test.reason.as_deref().unwrap_or_default();
        let first_line = reason.lines().next().unwrap_or_default();
        self.add(status, format!("{} {what}: {first_line}", test.test));
    }

    fn worst(&self) -> Status {
        self.0.iter().map(|(status, _)| *status).max().unwrap_or(Status::Proven)
    }

    /// The worst first; those of one status in the order found.
    fn reasons(mut self) -> Vec<String> {
        self.0.sort_by_key(|(status, _)| std::cmp::Reverse(*status));
        self.0.into_iter().map(|(_, reason)| reason).collect()
    }
}
