//! `coverage.json`: what the run shows of each requirement, derived from what it left and from nothing else.

mod current;
mod derive;
mod evidence;
mod inputs;
mod mutation;
mod requirement;
mod summary;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::junit::Outcome;
use crate::test_map::TestId;

pub use current::derive_current;
pub use derive::derive;
pub(crate) use derive::groups;
pub use inputs::Inputs;
pub use mutation::{MatrixState, Mutation, Survivor};
pub(crate) use summary::needing_gpu;

/// What is known of a requirement after a run, from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Every mapped test ran, claimed it, left a record and passed, on the kind of device that it needs.
    Proven,
    /// It needs a GPU, and a mapped test waits for one, none left a record from one, or one used another device only. Nothing
    /// worse is known of it.
    NeedsGpu,
    /// Every mapped test passed, and one of them recorded nothing for it, or none of them notices any fault.
    Vacuous,
    /// What a run shows of it was shown of another text: it was reworded since. Only [`derive_current`] finds this.
    Stale,
    /// A mapped test did not run to its claim (one that waits for a GPU, of a requirement that needs one, apart), or a named
    /// test does not exist.
    NotRun,
    /// No test is mapped to it.
    Unmapped,
    /// A mapped test failed, or a record did not hold.
    Failed,
}

impl Status {
    /// All, from best to worst.
    pub const ALL: [Self; 7] =
        [Self::Proven, Self::NeedsGpu, Self::Vacuous, Self::Stale, Self::NotRun, Self::Unmapped, Self::Failed];

    /// How reports write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::NeedsGpu => "needs a GPU",
            Self::Vacuous => "vacuous",
            Self::Stale => "stale",
            Self::NotRun => "not run",
            Self::Unmapped => "unmapped",
            Self::Failed => "failed",
        }
    }
}

/// What a run as a whole comes to; `xtask` makes its exit code of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every requirement is proven or needs a GPU, and nothing is wrong with the input: exit code 0.
    Proven,
    /// A requirement or a test failed, or a record does not hold: exit code 10.
    Failed,
    /// A mapped test did not run, or a requirement is unmapped, vacuous or stale: exit code 11.
    NotRun,
    /// An input is missing, empty, dead or contradicts another: exit code 12.
    #[serde(rename = "bad_input")]
    Input,
}

impl Verdict {
    /// In words, as summaries end.
    #[must_use]
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Proven => "all that this host can prove is proven",
            Self::Failed => "a requirement or a test failed",
            Self::NotRun => "a requirement has tests that did not run, or none, or none that observes",
            Self::Input => "an input is missing, empty or dead",
        }
    }
}

/// `coverage.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// The version of what derived this and rendered the reports beside it ([`report::RENDERER_VERSION`](crate::report::RENDERER_VERSION)).
    pub renderer_version: u32,
    /// The bundle's run id.
    pub run_id: String,
    /// The figures of the whole run.
    pub summary: Summary,
    /// The requirements, in the order of the documents.
    pub requirements: Vec<RequirementCoverage>,
    /// The roll-ups.
    pub roll_ups: Vec<GroupCoverage>,
    /// The vulnerabilities.
    pub vulnerabilities: Vec<GroupCoverage>,
    /// The behaviour features, by name.
    pub features: Vec<FeatureCoverage>,
    /// Every test that did not pass, by binary and name.
    pub tests_not_passed: Vec<TestCoverage>,
    /// The records of each `.jsonl` file.
    pub records: Vec<RecordCount>,
    /// Which planted faults the tests noticed; null where that was not measured.
    #[serde(default)]
    pub mutation: Option<Mutation>,
    /// What is wrong with the input of this derivation.
    pub problems: Vec<Problem>,
}

/// The figures of a run. Each percentage in a report is made of two of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// All documents.
    pub requirements: StatusCount,
    /// Document by document.
    pub by_document: Vec<DocumentCount>,
    /// Requirements that need a GPU, by id.
    pub needs_gpu: Vec<String>,
    /// All tests.
    pub tests: TestCount,
    /// How many tests left observed records of each class of device, by class.
    #[serde(default)]
    pub tests_on: BTreeMap<String, usize>,
    /// The classes of device of observed records, sorted.
    pub devices: Vec<String>,
}

/// The requirements of one document.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentCount {
    /// The document's file name.
    pub document: String,
    /// Its requirements.
    #[serde(flatten)]
    pub count: StatusCount,
}

/// How many requirements there are of each status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusCount {
    /// All.
    pub total: usize,
    /// With at least one mapped test.
    pub mapped: usize,
    /// With every mapped test run.
    pub run: usize,
    /// [`Status::Proven`]
    pub proven: usize,
    /// [`Status::NeedsGpu`]
    pub needs_gpu: usize,
    /// [`Status::Vacuous`]
    pub vacuous: usize,
    /// [`Status::Stale`]; none in a bundle, whose requirements are those that its run judged.
    #[serde(default)]
    pub stale: usize,
    /// [`Status::NotRun`]
    pub not_run: usize,
    /// [`Status::Unmapped`]
    pub unmapped: usize,
    /// [`Status::Failed`]
    pub failed: usize,
}

/// How many tests ended in each way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestCount {
    /// All that exist.
    pub listed: usize,
    /// Passed or failed.
    pub run: usize,
    /// Passed.
    pub passed: usize,
    /// Failed.
    pub failed: usize,
    /// Did not run.
    pub not_run: usize,
    /// Left no verdict.
    pub dead: usize,
}

/// What the run shows of one requirement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequirementCoverage {
    /// The requirement's id.
    pub id: String,
    /// Its document's file name.
    pub document: String,
    /// SHA-256 of the text that was judged.
    pub text_sha256: String,
    /// What follows.
    pub status: Status,
    /// How many tests are mapped to it.
    pub mapped: usize,
    /// How many of them ran to their claim.
    pub run: usize,
    /// How many of those passed.
    pub passed: usize,
    /// How many of those failed.
    pub failed: usize,
    /// How many mapped tests did not run to their claim.
    pub absent: usize,
    /// The mapped tests, sorted.
    pub tests: Vec<TestCoverage>,
    /// How many mutants at least one of its mapped tests noticed; null where no matrix knows its tests.
    #[serde(default)]
    pub kills: Option<usize>,
    /// The classes of device of its records, sorted.
    pub devices: Vec<String>,
    /// Its observed records as `file:line`.
    pub evidence: Vec<String>,
    /// Why it is not proven; each names the test, record or device.
    pub reasons: Vec<String>,
}

/// What became of a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestCoverage {
    /// The test.
    #[serde(flatten)]
    pub test: TestId,
    /// How it ended.
    pub result: TestOutcome,
    /// Why it did not pass.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// How a test ended, as far as a requirement is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestOutcome {
    /// It passed.
    Passed,
    /// It failed.
    Failed,
    /// It did not run.
    NotRun,
    /// It left no verdict.
    Dead,
    /// It passed without ever claiming the requirement.
    Unclaimed,
    /// The run does not list it.
    Absent,
}

impl TestOutcome {
    pub(crate) fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Passed => Self::Passed,
            Outcome::Failed(_) => Self::Failed,
            Outcome::NotRun(_) => Self::NotRun,
            Outcome::Dead(_) => Self::Dead,
        }
    }
}

/// What the run shows of a roll-up or of a vulnerability: the worst of its members.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupCoverage {
    /// The roll-up's id or the vulnerability's name.
    pub name: String,
    /// The worst status of a member.
    pub status: Status,
    /// The members' ids.
    pub requirements: Vec<String>,
    /// The members that are not proven.
    pub open: Vec<String>,
}

/// What the run shows of a behaviour feature.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeatureCoverage {
    /// The feature's file name.
    pub feature: String,
    /// How many scenarios it has.
    pub scenarios: usize,
    /// How many ran.
    pub run: usize,
    /// How many passed.
    pub passed: usize,
    /// The titles of those that did not pass.
    pub open: Vec<String>,
}

/// The records of one `.jsonl` file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordCount {
    /// The file's name.
    pub file: String,
    /// Records whose status follows from what was observed.
    pub observed: usize,
    /// How many of those hold.
    pub holding: usize,
    /// Records that a caller wrote; they count for nothing.
    pub declared: usize,
}

/// Something that is wrong with the input.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// What kind of thing.
    pub kind: ProblemKind,
    /// Which test, file or id.
    pub message: String,
}

impl Problem {
    pub(crate) fn new(kind: ProblemKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

/// The kinds of [`Problem`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// A file is missing or empty.
    Absent,
    /// A test or its binary left no verdict.
    Dead,
    /// A record is not what the collector wrote.
    Record,
    /// A record does not hold, or a test failed, that no requirement stands for.
    Unmapped,
    /// Map, claims and specifications contradict one another.
    Map,
}

impl StatusCount {
    /// Counts a requirement in.
    pub(crate) fn add(&mut self, status: Status, is_mapped: bool, has_run: bool) {
        let increase = |figure: &mut usize| *figure = figure.saturating_add(1);
        increase(&mut self.total);
        if is_mapped {
            increase(&mut self.mapped);
            if has_run {
                increase(&mut self.run);
            }
        }
        increase(match status {
            Status::Proven => &mut self.proven,
            Status::NeedsGpu => &mut self.needs_gpu,
            Status::Vacuous => &mut self.vacuous,
            Status::Stale => &mut self.stale,
            Status::NotRun => &mut self.not_run,
            Status::Unmapped => &mut self.unmapped,
            Status::Failed => &mut self.failed,
        });
    }

    /// How many requirements have this status.
    #[must_use]
    pub fn of(&self, status: Status) -> usize {
        match status {
            Status::Proven => self.proven,
            Status::NeedsGpu => self.needs_gpu,
            Status::Vacuous => self.vacuous,
            Status::Stale => self.stale,
            Status::NotRun => self.not_run,
            Status::Unmapped => self.unmapped,
            Status::Failed => self.failed,
        }
    }
}

impl TestCount {
    /// The sum of both.
    pub(crate) fn plus(&self, other: &Self) -> Self {
        Self {
            listed: self.listed.saturating_add(other.listed),
            run: self.run.saturating_add(other.run),
            passed: self.passed.saturating_add(other.passed),
            failed: self.failed.saturating_add(other.failed),
            not_run: self.not_run.saturating_add(other.not_run),
            dead: self.dead.saturating_add(other.dead),
        }
    }
}

impl Coverage {
    /// The requirement `id`.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&RequirementCoverage> {
        self.requirements.iter().find(|requirement| requirement.id == id)
    }

    /// What the run comes to: what failed goes before what is missing, and that before what did not run, since tests
    /// whose input is missing do not run either.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let failed = self.summary.requirements.failed > 0 || self.summary.tests.failed > 0;
        let unmapped_failure = self.problems.iter().any(|problem| problem.kind == ProblemKind::Unmapped);
        if failed || unmapped_failure {
            Verdict::Failed
        } else if !self.problems.is_empty() || self.requirements.is_empty() {
            Verdict::Input
        } else if self.requirements.iter().all(|one| matches!(one.status, Status::Proven | Status::NeedsGpu)) {
            Verdict::Proven
        } else {
            Verdict::NotRun
        }
    }
}
