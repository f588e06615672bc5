//! The figures of a run.

use std::collections::{BTreeMap, BTreeSet};

use evidence::Stream;

use super::{DocumentCount, RecordCount, RequirementCoverage, Status, StatusCount, Summary, TestCount};
use crate::junit::{Outcome, TestResult};
use crate::records::{Class, Record, file_of};
use crate::requirement::RequirementsFile;

/// The figures of the whole run.
pub(super) fn of(
    file: &RequirementsFile,
    results: &[TestResult],
    records: &[Record],
    requirements: &[RequirementCoverage],
) -> Summary {
    let mut all = StatusCount::default();
    let mut documents: BTreeMap<&str, StatusCount> = BTreeMap::new();
    for requirement in requirements {
        add(&mut all, requirement);
        add(documents.entry(&requirement.document).or_default(), requirement);
    }
    let document = |name: &str| DocumentCount {
        document: name.to_owned(),
        count: documents.get(name).cloned().unwrap_or_default(),
    };
    let observed = records.iter().filter(|record| record.class == Class::Observed);
    let devices: BTreeSet<&str> = observed.map(|record| record.device).collect();
    Summary {
        requirements: all,
        by_document: file.documents.iter().map(|one| document(&one.file)).collect(),
        needs_gpu: file
            .requirements
            .iter()
            .filter(|one| one.requirement.needs_gpu)
            .map(|one| one.requirement.id.clone())
            .collect(),
        tests: tests(results),
        devices: devices.into_iter().map(str::to_owned).collect(),
    }
}

fn add(count: &mut StatusCount, requirement: &RequirementCoverage) {
    let increase = |figure: &mut usize| *figure = figure.saturating_add(1);
    increase(&mut count.total);
    if requirement.mapped > 0 {
        increase(&mut count.mapped);
        if requirement.absent == 0 {
            increase(&mut count.run);
        }
    }
    increase(match requirement.status {
        Status::Proven => &mut count.proven,
        Status::NeedsGpu => &mut count.needs_gpu,
        Status::Vacuous => &mut count.vacuous,
        Status::Stale => &mut count.stale,
        Status::NotRun => &mut count.not_run,
        Status::Unmapped => &mut count.unmapped,
        Status::Failed => &mut count.failed,
    });
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
            let file = file_of(stream);
            let having = |wanted: fn(&Record) -> bool| {
                records.iter().filter(|record| record.location.file == file && wanted(record)).count()
            };
            RecordCount {
                observed: having(|record| record.class == Class::Observed),
                holding: having(|record| record.class == Class::Observed && record.holds),
                declared: having(|record| record.class == Class::Declared),
                file: file.to_owned(),
            }
        })
        .collect()
}
