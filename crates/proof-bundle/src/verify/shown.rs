//! What a run shows, from what was derived again: figures with their denominators.

use serde::Serialize;

use crate::coverage::{Coverage, Status, StatusCount, TestCount, Verdict};
use crate::exit::Exit;
use crate::provenance::Provenance;
use crate::records::GPU;

/// What the run shows; it holds as far as the checks of the bundle hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// The bundle's run id.
    pub run_id: String,
    /// The commit's full id.
    pub commit: String,
    /// Whether the tree differed from it.
    pub dirty: bool,
    /// When the run ended, RFC 3339.
    pub finished: String,
    /// The nonce that it was asked for with.
    pub nonce: Option<String>,
    /// What the run comes to, in words.
    pub result: &'static str,
    /// The exit code that the run ended with, and that a verified bundle gives.
    pub exit_code: u8,
    /// The requirements.
    pub requirements: StatusCount,
    /// The requirements that wait for a GPU.
    pub needs_gpu: Vec<String>,
    /// The requirements that are neither proven nor wait for a GPU.
    pub open: Vec<String>,
    /// The tests.
    pub tests: TestCount,
    /// The classes of device that records come from.
    pub device_classes: Vec<String>,
    /// The devices, as their drivers reported them: class, name, uuid.
    pub devices: Vec<String>,
    /// Records whose status follows from what was observed.
    pub records_observed: usize,
    /// How many of those hold.
    pub records_holding: usize,
    /// Records that a caller wrote; they count for nothing.
    pub records_declared: usize,
    /// What is wrong with what the run left.
    pub problems: Vec<String>,
}

impl Shown {
    pub(super) fn of(coverage: &Coverage, provenance: &Provenance) -> Self {
        let having = |wanted: fn(Status) -> bool| {
            let found = coverage.requirements.iter().filter(|one| wanted(one.status));
            found.map(|one| one.id.clone()).collect()
        };
        let sum = |figure: fn(&crate::coverage::RecordCount) -> usize| {
            coverage.records.iter().fold(0_usize, |sum, count| sum.saturating_add(figure(count)))
        };
        let verdict = coverage.verdict();
        Self {
            run_id: coverage.run_id.clone(),
            commit: provenance.commit.sha.clone(),
            dirty: provenance.commit.dirty,
            finished: provenance.timings.finished.clone(),
            nonce: provenance.nonce.clone(),
            result: match verdict {
                Verdict::Proven if coverage.summary.requirements.needs_gpu > 0 => {
                    "all that its host can prove is proven"
                }
                Verdict::Proven => "every requirement is proven",
                Verdict::Failed => "a requirement or a test failed",
                Verdict::NotRun => "a mapped test did not run, or a requirement has no test or no record",
                Verdict::Input => "an input is missing, empty, dead or contradicts another",
            },
            exit_code: exit_of(verdict).code(),
            requirements: coverage.summary.requirements.clone(),
            needs_gpu: having(|status| status == Status::NeedsGpu),
            open: having(|status| !matches!(status, Status::Proven | Status::NeedsGpu)),
            tests: coverage.summary.tests.clone(),
            device_classes: coverage.summary.devices.clone(),
            devices: provenance
                .devices
                .iter()
                .map(|device| format!("{} {} ({})", device.class, device.name, device.uuid))
                .collect(),
            records_observed: sum(|count| count.observed),
            records_holding: sum(|count| count.holding),
            records_declared: sum(|count| count.declared),
            problems: coverage.problems.iter().map(|problem| problem.message.clone()).collect(),
        }
    }

    /// Whether any record comes from a GPU.
    #[must_use]
    pub fn has_gpu(&self) -> bool {
        self.device_classes.iter().any(|class| class == GPU)
    }
}

/// The exit code of a run of this verdict.
pub(super) fn exit_of(verdict: Verdict) -> Exit {
    match verdict {
        Verdict::Proven => Exit::Proven,
        Verdict::Failed => Exit::Failed,
        Verdict::NotRun => Exit::NotRun,
        Verdict::Input => Exit::BadInput,
    }
}
