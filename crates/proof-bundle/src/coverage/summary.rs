//! The figures of a run.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use evidence::Stream;

use super::{DocumentCount, RecordCount, RequirementCoverage, StatusCount, Summary, TestCount};
use crate::junit::{Outcome, TestResult};
use crate::records::{Class, Record, file_of};
use crate::requirement::RequirementsFile;
use crate::test_map::TestId;

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
        for count in [&mut all, documents.entry(&requirement.document).or_default()] {
            count.add(requirement.status, requirement.mapped > 0, requirement.absent == 0);
        }
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
        needs_gpu: needing_gpu(file),
        tests: tests(results),
        tests_on: tests_on(results, records),
        devices: devices.into_iter().map(str::to_owned).collect(),
    }
}

/// The ids of the requirements that need a GPU.
pub(crate) fn needing_gpu(file: &RequirementsFile) -> Vec<String> {
    let needing = file.requirements.iter().map(|one| &one.requirement).filter(|one| one.needs_gpu);
    needing.map(|one| one.id.clone()).collect()
}

/// How many tests left observed records of each class of device; one may have used several.
fn tests_on(results: &[TestResult], records: &[Record]) -> BTreeMap<String, usize> {
    let listed: HashSet<TestId> = results.iter().map(TestResult::id).collect();
    let mut tests: BTreeMap<&str, BTreeSet<&TestId>> = BTreeMap::new();
    for record in records.iter().filter(|record| record.class == Class::Observed) {
        // A live operation is no test.
        if let Some(test) = record.test.as_deref().filter(|test| listed.contains(test)) {
            tests.entry(record.device).or_default().insert(test);
        }
    }
    tests.into_iter().map(|(device, tests)| (device.to_owned(), tests.len())).collect()
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
