//! The figures of a run.

use std::collections::BTreeSet;

use evidence::Stream;

use super::{DocumentCount, Inputs, RecordCount, RequirementCoverage, Status, StatusCount, Summary, TestCount};
use crate::junit::{Outcome, TestResult};
use crate::records::{Class, Record};

/// The figures of the whole run.
pub(super) fn of(inputs: &Inputs, requirements: &[RequirementCoverage]) -> Summary {
    let document = |name: &str| DocumentCount {
        document: name.to_owned(),
        count: count(requirements.iter().filter(|one| one.document == name)),
    };
    let observed = inputs.records.iter().filter(|record| record.class == Class::Observed);
    Summary {
        requirements: count(requirements.iter()),
        by_document: inputs.requirements.documents.iter().map(|one| document(&one.file)).collect(),
        needs_gpu: inputs
            .requirements
            .requirements
            .iter()
            .filter(|one| one.requirement.needs_gpu)
            .map(|one| one.requirement.id.clone())
            .collect(),
        tests: tests(&inputs.tests),
        devices: observed.map(|record| record.device.clone()).collect::<BTreeSet<_>>().into_iter().collect(),
    }
}

fn count<'a>(requirements: impl Iterator<Item = &'a RequirementCoverage> + Clone) -> StatusCount {
    let having = |status: Status| requirements.clone().filter(|one| one.status == status).count();
    StatusCount {
        total: requirements.clone().count(),
        mapped: requirements.clone().filter(|one| one.mapped > 0).count(),
        run: requirements.clone().filter(|one| one.mapped > 0 && one.absent == 0).count(),
        proven: having(Status::Proven),
        needs_gpu: having(Status::NeedsGpu),
        vacuous: having(Status::Vacuous),
        not_run: having(Status::NotRun),
        unmapped: having(Status::Unmapped),
        failed: having(Status::Failed),
    }
}

fn tests(results: &[TestResult]) -> TestCount {
    let having = |wanted: fn(&Outcome) -> bool| results.iter().filter(|result| wanted(&result.outcome)).count();
    let passed = having(|outcome| matches!(outcome, Outcome::Passed));
    let failed = having(|outcome| matches!(outcome, Outcome::Failed(_)));
    TestCount {
        listed: results.len(),
        run: passed.saturating_add(failed),
        passed,
        failed,
        not_run: having(|outcome| matches!(outcome, Outcome::NotRun(_))),
        dead: having(|outcome| matches!(outcome, Outcome::Dead(_))),
    }
}

/// The records of each file.
pub(super) fn records(records: &[Record]) -> Vec<RecordCount> {
    Stream::ALL
        .into_iter()
        .map(|stream| {
            let file = format!("{}.jsonl", stream.as_str());
            let having = |wanted: fn(&Record) -> bool| {
                records.iter().filter(|record| record.location.file == file && wanted(record)).count()
            };
            RecordCount {
                observed: having(|record| record.class == Class::Observed),
                holding: having(|record| record.class == Class::Observed && record.holds),
                declared: having(|record| record.class == Class::Declared),
                file: file.clone(),
            }
        })
        .collect()
}
