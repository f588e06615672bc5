//! `coverage.json` of a merged bundle: what several runs of one commit show of each requirement, taken together.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::Input;
use crate::coverage::{
    Coverage, DocumentCount, GroupCoverage, MatrixState, Mutation, Problem, RequirementCoverage, Status, StatusCount,
    TestCount, Verdict, groups, needing_gpu,
};
use crate::report::RENDERER_VERSION;
use crate::requirement::{Kind, MappedRequirement, RequirementsFile};

/// `coverage.json` of a merged bundle. It has a type of its own: what a run shows is not what several runs show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MergedCoverage {
    /// The version of what derived this and rendered the reports beside it ([`RENDERER_VERSION`]).
    pub renderer_version: u32,
    /// The merged bundle's run id.
    pub run_id: String,
    /// The commit of all runs.
    pub commit: String,
    /// The figures of all runs together.
    pub summary: MergedSummary,
    /// The runs, by run id.
    pub runs: Vec<RunFigures>,
    /// The requirements, in the order of the documents.
    pub requirements: Vec<MergedRequirement>,
    /// The roll-ups.
    pub roll_ups: Vec<GroupCoverage>,
    /// The vulnerabilities.
    pub vulnerabilities: Vec<GroupCoverage>,
    /// What is wrong with the input of the runs; each begins with the run id.
    pub problems: Vec<Problem>,
}

/// The figures of all runs together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MergedSummary {
    /// All documents.
    pub requirements: StatusCount,
    /// Document by document.
    pub by_document: Vec<DocumentCount>,
    /// Requirements that need a GPU, by id.
    pub needs_gpu: Vec<String>,
    /// The tests of all runs: one that three runs list counts three times.
    pub tests: TestCount,
    /// The classes of device of observed records, sorted.
    pub devices: Vec<String>,
}

/// The figures of one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunFigures {
    /// Its run id: its bundle is `inputs/<run id>/`.
    pub run_id: String,
    /// What it comes to by itself.
    pub verdict: Verdict,
    /// Its requirements.
    pub requirements: StatusCount,
    /// Its tests.
    pub tests: TestCount,
    /// Records whose status follows from what was observed.
    pub records_observed: usize,
    /// How many of those hold.
    pub records_holding: usize,
    /// Records that a caller wrote; they count for nothing.
    pub records_declared: usize,
    /// The classes of device of its observed records, sorted.
    pub devices: Vec<String>,
}

/// What all runs show of one requirement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MergedRequirement {
    /// The requirement's id.
    pub id: String,
    /// Its document's file name.
    pub document: String,
    /// SHA-256 of the text that was judged.
    pub text_sha256: String,
    /// What follows from all runs.
    pub status: Status,
    /// The run that decides: the first with this status.
    pub decided_by: String,
    /// The most mutants that its mapped tests noticed in any run; null where no run knows.
    pub kills: Option<usize>,
    /// What each run shows, by run id.
    pub runs: Vec<RunStatus>,
    /// Why it is not proven; each begins with the run id.
    pub reasons: Vec<String>,
}

/// What one run shows of one requirement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunStatus {
    /// The run's id.
    pub run_id: String,
    /// What it shows by itself.
    pub status: Status,
    /// How many tests are mapped to the requirement.
    pub mapped: usize,
    /// How many of them ran to their claim.
    pub run: usize,
    /// How many of those passed.
    pub passed: usize,
    /// How many of those failed.
    pub failed: usize,
    /// How many mapped tests did not run to their claim.
    pub absent: usize,
    /// The classes of device of its records for the requirement, sorted.
    pub devices: Vec<String>,
}

impl MergedRequirement {
    /// What the run that decides shows of it.
    #[must_use]
    pub fn deciding(&self) -> Option<&RunStatus> {
        self.runs.iter().find(|run| run.run_id == self.decided_by)
    }
}

impl MergedCoverage {
    /// The requirement `id`.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&MergedRequirement> {
        self.requirements.iter().find(|requirement| requirement.id == id)
    }

    /// What the runs come to together. A run that failed or whose input is bad is not made good by another.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let any = |verdict| self.runs.iter().any(|run| run.verdict == verdict);
        if any(Verdict::Failed) || self.summary.requirements.failed > 0 {
            Verdict::Failed
        } else if any(Verdict::Input) || !self.problems.is_empty() || self.requirements.is_empty() {
            Verdict::Input
        } else if self.requirements.iter().all(|one| matches!(one.status, Status::Proven | Status::NeedsGpu)) {
            Verdict::Proven
        } else {
            Verdict::NotRun
        }
    }
}

/// Derives what `inputs`, sorted by run id, show together of `requirements`, which is that of each of them.
pub(crate) fn derive(run_id: &str, inputs: &[Input], requirements: &RequirementsFile) -> MergedCoverage {
    let shown: Vec<Shown<'_>> = inputs.iter().map(Shown::of).collect();
    let merged: Vec<MergedRequirement> =
        requirements.requirements.iter().filter_map(|mapped| judge(mapped, &shown)).collect();
    let mut all = StatusCount::default();
    let mut documents: HashMap<&str, StatusCount> = HashMap::new();
    for one in &merged {
        let has_run = one.runs.iter().any(|run| run.absent == 0);
        let is_mapped = one.runs.iter().any(|run| run.mapped > 0);
        for count in [&mut all, documents.entry(&one.document).or_default()] {
            count.add(one.status, is_mapped, has_run);
        }
    }
    let document = |name: &str| DocumentCount {
        document: name.to_owned(),
        count: documents.get(name).cloned().unwrap_or_default(),
    };
    let by_document = requirements.documents.iter().map(|one| document(&one.file)).collect();
    let mut devices: Vec<String> = inputs.iter().flat_map(|input| input.coverage.summary.devices.clone()).collect();
    devices.sort();
    devices.dedup();
    let runs: Vec<RunFigures> = inputs.iter().map(|input| figures(&input.coverage)).collect();
    let (roll_ups, vulnerabilities) = groups(requirements, merged.iter().map(|one| (one.id.as_str(), one.status)));
    MergedCoverage {
        renderer_version: RENDERER_VERSION,
        run_id: run_id.to_owned(),
        commit: inputs.first().map(|input| input.provenance.commit.sha.clone()).unwrap_or_default(),
        summary: MergedSummary {
            requirements: all,
            by_document,
            needs_gpu: needing_gpu(requirements),
            tests: runs.iter().fold(TestCount::default(), |sum, run| sum.plus(&run.tests)),
            devices,
        },
        runs,
        requirements: merged,
        roll_ups,
        vulnerabilities,
        problems: inputs.iter().flat_map(problems).collect(),
    }
}

/// An input, arranged for look-up.
struct Shown<'a> {
    input: &'a Input,
    by_id: HashMap<&'a str, &'a RequirementCoverage>,
}

impl<'a> Shown<'a> {
    fn of(input: &'a Input) -> Self {
        Self { input, by_id: input.coverage.requirements.iter().map(|one| (one.id.as_str(), one)).collect() }
    }
}

/// What the runs show of one requirement; nothing where no run knows it.
fn judge(mapped: &MappedRequirement, inputs: &[Shown<'_>]) -> Option<MergedRequirement> {
    let requirement = &mapped.requirement;
    let shown: Vec<(&Input, &RequirementCoverage)> =
        inputs.iter().filter_map(|one| Some((one.input, *one.by_id.get(requirement.id.as_str())?))).collect();
    let statuses = || shown.iter().map(|(_, one)| one.status);
    // A matrix of mutants is about the tests, not about the host that they ran on.
    let unnoticed = |(input, one): &&(&Input, &RequirementCoverage)| {
        requirement.kind == Kind::Product && notice_nothing(one, input.coverage.mutation.as_ref())
    };
    let floor = if shown.iter().any(|pair| unnoticed(&pair)) { Status::Vacuous } else { Status::Proven };
    let status = match statuses().any(|status| status == Status::Failed) {
        true => Status::Failed,
        false => statuses().min()?.max(floor),
    };
    let decided_by = shown.iter().find(|(_, one)| one.status == status).or_else(|| shown.iter().find(unnoticed))?.0;
    let reasons = shown
        .iter()
        .filter(|_| status != Status::Proven)
        .flat_map(|(input, one)| one.reasons.iter().map(|reason| format!("{}: {reason}", input.provenance.run_id)));
    Some(MergedRequirement {
        id: requirement.id.clone(),
        document: requirement.document.clone(),
        text_sha256: requirement.text_sha256.clone(),
        status,
        decided_by: decided_by.provenance.run_id.clone(),
        kills: shown.iter().filter_map(|(_, one)| one.kills).max(),
        runs: shown.iter().map(|(input, one)| run_status(&input.provenance.run_id, one)).collect(),
        reasons: reasons.collect(),
    })
}

/// Whether a complete matrix knows all tests of a requirement and none of them notices any fault.
fn notice_nothing(one: &RequirementCoverage, mutation: Option<&Mutation>) -> bool {
    mutation.is_some_and(|matrix| {
        matrix.state == MatrixState::Complete
            && matrix.tried > matrix.unviable
            && one.kills == Some(0)
            && one.tests.iter().all(|test| !matrix.tests_unknown.contains(&test.test))
    })
}

fn run_status(run_id: &str, one: &RequirementCoverage) -> RunStatus {
    RunStatus {
        run_id: run_id.to_owned(),
        status: one.status,
        mapped: one.mapped,
        run: one.run,
        passed: one.passed,
        failed: one.failed,
        absent: one.absent,
        devices: one.devices.clone(),
    }
}

fn figures(coverage: &Coverage) -> RunFigures {
    let sum = |figure: fn(&crate::coverage::RecordCount) -> usize| {
        coverage.records.iter().fold(0_usize, |sum, count| sum.saturating_add(figure(count)))
    };
    RunFigures {
        run_id: coverage.run_id.clone(),
        verdict: coverage.verdict(),
        requirements: coverage.summary.requirements.clone(),
        tests: coverage.summary.tests.clone(),
        records_observed: sum(|count| count.observed),
        records_holding: sum(|count| count.holding),
        records_declared: sum(|count| count.declared),
        devices: coverage.summary.devices.clone(),
    }
}

fn problems(input: &Input) -> impl Iterator<Item = Problem> + '_ {
    let prefixed = |one: &Problem| Problem::new(one.kind, format!("{}: {}", input.provenance.run_id, one.message));
    input.coverage.problems.iter().map(prefixed)
}
