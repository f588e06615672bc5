//! What a run came to, as the user sees it: figures from the coverage that the bundle holds, and the bundle's path last.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use proof_bundle::coverage::{Coverage, Problem, RequirementCoverage, Status, StatusCount, TestCount};
use proof_bundle::junit::NEEDS_A_GPU;
use proof_bundle::verify::one_line;
use serde::Serialize;
use serde_json::Value;

use crate::device::Chosen;
use crate::error::XtaskError;
use crate::exit::Exit;
use crate::live::{Live, Ran};

/// The summary; its JSON form is what `--json` prints.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    result: String,
    exit_code: u8,
    run_id: String,
    device: Device,
    commit: String,
    /// Whether the working tree differed from the commit.
    dirty: bool,
    tests: TestCount,
    /// How many tests left records of each class of device.
    tests_on: BTreeMap<String, usize>,
    requirements: StatusCount,
    needs_gpu: Vec<String>,
    scenarios: Scenarios,
    not_proven: Vec<NotProven>,
    tests_not_passed: Vec<NotPassed>,
    problems: Vec<Problem>,
    live_operations: Vec<Ran>,
    notes: Vec<String>,
    bundle: PathBuf,
    /// Whether it was signed with the keys that were given, if any were.
    signed: bool,
    #[serde(skip)]
    exit: Exit,
}

#[derive(Debug, Serialize)]
struct Device {
    class: String,
    reason: String,
}

#[derive(Debug, Serialize)]
struct Scenarios {
    total: usize,
    run: usize,
    passed: usize,
}

#[derive(Debug, Serialize)]
struct NotProven {
    id: String,
    status: Status,
    reasons: Vec<String>,
}

#[derive(Debug, Serialize)]
struct NotPassed {
    test: String,
    result: proof_bundle::coverage::TestOutcome,
    reason: String,
}

impl Summary {
    pub(super) fn new(
        coverage: &Coverage,
        device: &Chosen,
        commit: &str,
        dirty: bool,
        live: &Live,
        bundle: &Path,
    ) -> Self {
        let verdict = coverage.verdict();
        let (exit, result) = (Exit::from(verdict), verdict.meaning().to_owned());
        let sum = |count: fn(&proof_bundle::coverage::FeatureCoverage) -> usize| {
            coverage.features.iter().map(count).fold(0_usize, usize::saturating_add)
        };
        let with = |status: Status| coverage.requirements.iter().filter(move |one| one.status == status);
        let not_proven = [Status::Failed, Status::NotRun, Status::Vacuous, Status::Unmapped].into_iter().flat_map(with);
        Self {
            result,
            exit_code: exit.code(),
            run_id: coverage.run_id.clone(),
            device: Device { class: device.class.to_string(), reason: device.reason.clone() },
            commit: commit.to_owned(),
            dirty,
            tests: coverage.summary.tests.clone(),
            tests_on: coverage.summary.tests_on.clone(),
            requirements: coverage.summary.requirements.clone(),
            needs_gpu: with(Status::NeedsGpu).map(|one| one.id.clone()).collect(),
            scenarios: Scenarios {
                total: sum(|feature| feature.scenarios),
                run: sum(|feature| feature.run),
                passed: sum(|feature| feature.passed),
            },
            not_proven: not_proven.map(NotProven::of).collect(),
            tests_not_passed: coverage
                .tests_not_passed
                .iter()
                .map(|test| NotPassed {
                    test: test.test.to_string(),
                    result: test.result,
                    reason: test.reason.clone().unwrap_or_default(),
                })
                .collect(),
            problems: coverage.problems.clone(),
            live_operations: live.ran.clone(),
            notes: live.notes.clone(),
            bundle: bundle.to_owned(),
            signed: false,
            exit,
        }
    }

    /// The same of a bundle that was to be signed.
    pub(super) fn with_signature(mut self, signed: &Result<String, XtaskError>) -> Self {
        self.signed = signed.is_ok();
        if let Err(error) = signed {
            self.result.push_str(", and signing failed");
            self.exit = error.exit();
            self.exit_code = self.exit.code();
        }
        self
    }

    pub(super) fn exit(&self) -> Exit {
        self.exit
    }

    pub(super) fn to_json(&self) -> Value {
        serde_json::json!(self)
    }
}

impl NotProven {
    fn of(requirement: &RequirementCoverage) -> Self {
        Self { id: requirement.id.clone(), status: requirement.status, reasons: requirement.reasons.clone() }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tests, requirements, scenarios, .. } = self;
        writeln!(f, "device        {}: {}", self.device.class, one_line(&self.device.reason))?;
        let tree = if self.dirty { ", and the working tree differs from it" } else { "" };
        writeln!(f, "commit        {}{tree}", self.commit)?;
        writeln!(
            f,
            "tests         {} listed, {} run, {} passed, {} failed, {} not run, {} dead",
            tests.listed, tests.run, tests.passed, tests.failed, tests.not_run, tests.dead
        )?;
        if !self.tests_on.is_empty() {
            let on: Vec<String> = self.tests_on.iter().map(|(device, count)| format!("{count} on {device}")).collect();
            writeln!(f, "records       left by {} tests", on.join(", "))?;
        }
        writeln!(f, "scenarios     {} of {} run, {} passed", scenarios.run, scenarios.total, scenarios.passed)?;
        writeln!(
            f,
            "requirements  {} of {} proven, {} failed, {} not run, {} unmapped, {} vacuous, {} need a GPU",
            requirements.proven,
            requirements.total,
            requirements.failed,
            requirements.not_run,
            requirements.unmapped,
            requirements.vacuous,
            requirements.needs_gpu
        )?;
        if !self.needs_gpu.is_empty() {
            writeln!(f, "needs a GPU   {}", self.needs_gpu.join(", "))?;
        }
        let records = self.live_operations.iter().map(|ran| ran.records).fold(0_usize, usize::saturating_add);
        let broken: Vec<&str> = self.live_operations.iter().flat_map(|ran| &ran.broken).map(String::as_str).collect();
        let holding = records.saturating_sub(broken.len());
        writeln!(f, "live          {} operations, {holding} of {records} records hold", self.live_operations.len())?;
        for name in broken {
            writeln!(f, "  does not hold: {}", one_line(name))?;
        }
        for text in &self.notes {
            writeln!(f, "  note: {}", one_line(text))?;
        }
        for one in &self.not_proven {
            writeln!(f, "{} {}", one.id, one.status.as_str())?;
            for reason in &one.reasons {
                writeln!(f, "  {}", lines(reason))?;
            }
        }
        let (waiting, not_passed): (Vec<_>, Vec<_>) =
            self.tests_not_passed.iter().partition(|test| test.reason == NEEDS_A_GPU);
        if !waiting.is_empty() {
            writeln!(f, "not run       {} tests that need a GPU", waiting.len())?;
        }
        if !not_passed.is_empty() {
            writeln!(f, "tests that did not pass")?;
            for test in not_passed {
                writeln!(f, "  {}: {}", one_line(&test.test), lines(&test.reason))?;
            }
        }
        for problem in &self.problems {
            writeln!(f, "problem: {}", one_line(&problem.message))?;
        }
        writeln!(f, "result        {} (exit code {})", self.result, self.exit_code)?;
        write!(f, "{}", self.bundle.display())
    }
}

/// What a test said, indented below its first line.
fn lines(text: &str) -> String {
    text.lines().map(one_line).collect::<Vec<_>>().join("\n    ")
}
