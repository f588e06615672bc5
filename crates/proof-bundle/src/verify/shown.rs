//! What a run shows, from what was derived again: figures with their denominators.

use facts::DeviceFacts;
use serde::Serialize;

use crate::coverage::{Coverage, Status, StatusCount, TestCount, Verdict};
use crate::exit::Exit;
use crate::merge::{Input, MergedCoverage, RunFigures};
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
    /// When the run ended, RFC 3339; of a merged bundle, when the first of its runs ended.
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
    /// Where the binaries were built, when the run was one of a kit; none when they were built where they ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kit: Option<String>,
    /// Records whose status follows from what was observed.
    pub records_observed: usize,
    /// How many of those hold.
    pub records_holding: usize,
    /// Records that a caller wrote; they count for nothing.
    pub records_declared: usize,
    /// What is wrong with what the run left.
    pub problems: Vec<String>,
    /// The runs of a merged bundle, each with what it comes to by itself; none for a run.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<ShownRun>,
}

/// A run of a merged bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ShownRun {
    /// Its run id.
    pub run_id: String,
    /// What it comes to, in words.
    pub result: &'static str,
    /// The exit code that it ended with.
    pub exit_code: u8,
    /// Its requirements.
    pub requirements: StatusCount,
    /// Its devices.
    pub devices: Vec<String>,
    /// Where its binaries were built, when it was the run of a kit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kit: Option<String>,
}

impl Shown {
    pub(super) fn of(coverage: &Coverage, provenance: &Provenance) -> Self {
        let sum = |figure: fn(&crate::coverage::RecordCount) -> usize| {
            coverage.records.iter().fold(0_usize, |sum, count| sum.saturating_add(figure(count)))
        };
        let verdict = coverage.verdict();
        let (needs_gpu, open) = open(coverage.requirements.iter().map(|one| (&*one.id, one.status)));
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
                verdict => in_words(verdict),
            },
            exit_code: Exit::from(verdict).code(),
            requirements: coverage.summary.requirements.clone(),
            needs_gpu,
            open,
            tests: coverage.summary.tests.clone(),
            device_classes: coverage.summary.devices.clone(),
            devices: devices(&provenance.devices),
            kit: provenance.kit.as_ref().map(|kit| format!("{}; kit {}", kit.sentence(), kit.sha256)),
            records_observed: sum(|count| count.observed),
            records_holding: sum(|count| count.holding),
            records_declared: sum(|count| count.declared),
            problems: coverage.problems.iter().map(|problem| problem.message.clone()).collect(),
            runs: Vec::new(),
        }
    }

    /// What the runs of a merged bundle show together; `inputs` are those that `coverage` was derived from.
    pub(super) fn of_merged(coverage: &MergedCoverage, inputs: &[Input]) -> Self {
        let sum = |figure: fn(&RunFigures) -> usize| {
            coverage.runs.iter().fold(0_usize, |sum, run| sum.saturating_add(figure(run)))
        };
        let verdict = coverage.verdict();
        let (needs_gpu, open) = open(coverage.requirements.iter().map(|one| (&*one.id, one.status)));
        let mut devices: Vec<String> =
            inputs.iter().flat_map(|input| self::devices(&input.provenance.devices)).collect();
        devices.sort();
        devices.dedup();
        let runs = inputs.iter().map(|input| {
            let Self { run_id, result, exit_code, requirements, devices, kit, .. } =
                Self::of(&input.coverage, &input.provenance);
            ShownRun { run_id, result, exit_code, requirements, devices, kit }
        });
        Self {
            run_id: coverage.run_id.clone(),
            commit: coverage.commit.clone(),
            dirty: inputs.iter().any(|input| input.provenance.commit.dirty),
            finished: inputs.iter().map(|input| input.provenance.timings.finished.clone()).min().unwrap_or_default(),
            nonce: None,
            result: match verdict {
                Verdict::Proven if coverage.summary.requirements.needs_gpu > 0 => {
                    "all that these hosts can prove is proven"
                }
                verdict => in_words(verdict),
            },
            exit_code: Exit::from(verdict).code(),
            requirements: coverage.summary.requirements.clone(),
            needs_gpu,
            open,
            tests: coverage.summary.tests.clone(),
            device_classes: coverage.summary.devices.clone(),
            devices,
            kit: None,
            records_observed: sum(|run| run.records_observed),
            records_holding: sum(|run| run.records_holding),
            records_declared: sum(|run| run.records_declared),
            problems: coverage.problems.iter().map(|problem| problem.message.clone()).collect(),
            runs: runs.collect(),
        }
    }

    /// Whether any record comes from a GPU.
    #[must_use]
    pub fn has_gpu(&self) -> bool {
        self.device_classes.iter().any(|class| class == GPU)
    }
}

fn in_words(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Proven => "every requirement is proven",
        Verdict::Failed => "a requirement or a test failed",
        Verdict::NotRun => "a mapped test did not run, or a requirement has no test or no record",
        Verdict::Input => "an input is missing, empty, dead or contradicts another",
    }
}

/// The requirements that wait for a GPU, and those that are open otherwise.
fn open<'a>(statuses: impl Iterator<Item = (&'a str, Status)>) -> (Vec<String>, Vec<String>) {
    let (mut needs_gpu, mut open) = (Vec::new(), Vec::new());
    for (id, status) in statuses {
        match status {
            Status::Proven => {}
            Status::NeedsGpu => needs_gpu.push(id.to_owned()),
            _ => open.push(id.to_owned()),
        }
    }
    (needs_gpu, open)
}

fn devices(devices: &[DeviceFacts]) -> Vec<String> {
    devices.iter().map(|device| format!("{} {} ({})", device.class, device.name, device.uuid)).collect()
}
