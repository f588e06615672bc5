//! The derivation: from what a run left to what it shows.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::evidence::{Evidence, ids_of};
use super::requirement::judge;
use super::{
    Coverage, FeatureCoverage, GroupCoverage, Inputs, Problem, ProblemKind, RequirementCoverage, Status, TestCoverage,
    TestOutcome, summary,
};
use crate::junit::{Outcome, TestResult};
use crate::records::{Class, GPU, LIVE, Record};
use crate::report::RENDERER_VERSION;
use crate::requirement::RequirementsFile;
use crate::test_map::TestId;

/// Derives what the run shows.
///
/// A requirement is proven only if every test mapped to it ran in this run, claimed it, left a record for it and passed,
/// if every test that the specification names is among them, and if it needs a GPU, each of those tests that used a device left
/// a record from one. Declared records count for nothing. Where a complete matrix of mutants says that its tests notice no
/// fault at all, it is vacuous.
#[must_use]
pub fn derive(inputs: &Inputs) -> Coverage {
    let ids = ids_of(Some(inputs));
    let evidence = Evidence::new(Some(inputs), &ids);
    let mut problems = inputs.problems.clone();
    problems.extend(contradictions(inputs, &evidence));
    problems.extend(dead_or_unmapped(inputs));
    judge_all(&inputs.requirements, Some(inputs), &evidence, problems)
}

/// Judges `requirements` by the evidence of `run`.
pub(super) fn judge_all(
    file: &RequirementsFile,
    run: Option<&Inputs>,
    evidence: &Evidence<'_>,
    mut problems: Vec<Problem>,
) -> Coverage {
    let (tests, records): (&[TestResult], &[Record]) = run.map(|run| (&*run.tests, &*run.records)).unwrap_or_default();
    let requirements: Vec<RequirementCoverage> =
        file.requirements.iter().map(|mapped| judge(mapped, evidence)).collect();
    let (roll_ups, vulnerabilities) = groups(file, requirements.iter().map(|one| (one.id.as_str(), one.status)));
    problems.sort();
    problems.dedup();
    Coverage {
        renderer_version: RENDERER_VERSION,
        run_id: run.map(|run| run.provenance.run_id.clone()).unwrap_or_default(),
        summary: summary::of(file, tests, records, &requirements),
        roll_ups,
        vulnerabilities,
        features: features(file, evidence),
        tests_not_passed: not_passed(tests),
        records: summary::records(records),
        mutation: evidence.kills.as_ref().map(|kills| kills.summary(file)),
        requirements,
        problems,
    }
}

/// What is wrong with the claims of tests: they name what no specification defines.
pub(super) fn unresolved(file: &RequirementsFile) -> impl Iterator<Item = Problem> {
    file.unresolved.iter().flat_map(|test| {
        test.requirements.iter().map(|id| {
            let message = format!("{} says it proves {id}, which no specification defines", test.id());
            Problem::new(ProblemKind::Map, message)
        })
    })
}

/// The roll-ups and the vulnerabilities, by the statuses of the requirements.
pub(crate) fn groups<'a>(
    file: &RequirementsFile,
    statuses: impl Iterator<Item = (&'a str, Status)>,
) -> (Vec<GroupCoverage>, Vec<GroupCoverage>) {
    let statuses: HashMap<&str, Status> = statuses.collect();
    let group = |name: &str, members: &[String]| group(name, members, &statuses);
    (
        file.roll_ups.iter().map(|one| group(&one.id, &one.requirements)).collect(),
        file.vulnerabilities.iter().map(|one| group(&one.name, &one.requirements)).collect(),
    )
}

fn group(name: &str, members: &[String], statuses: &HashMap<&str, Status>) -> GroupCoverage {
    let status_of = |id: &String| statuses.get(id.as_str()).copied().unwrap_or(Status::Unmapped);
    GroupCoverage {
        name: name.to_owned(),
        status: members.iter().map(status_of).max().unwrap_or(Status::Unmapped),
        requirements: members.to_vec(),
        open: members.iter().filter(|id| status_of(id) != Status::Proven).cloned().collect(),
    }
}

/// Where the map, the claims, the records and the specifications do not fit together.
fn contradictions(inputs: &Inputs, evidence: &Evidence<'_>) -> Vec<Problem> {
    let mut problems: Vec<Problem> = unresolved(&inputs.requirements).collect();
    let mut say = |message: String| problems.push(Problem::new(ProblemKind::Map, message));
    let mapped: HashMap<&str, HashSet<&TestId>> = inputs
        .requirements
        .requirements
        .iter()
        .map(|one| (one.requirement.id.as_str(), one.mapped_tests.iter().collect()))
        .collect();
    for (test, result) in &evidence.tests {
        for id in &result.claims {
            match mapped.get(id.as_str()) {
                None => say(format!("{test} claimed {id}, which no specification defines")),
                Some(tests) if !tests.contains(test) => {
                    say(format!("{test} claimed {id}, which the map does not say"));
                }
                Some(_) => {}
            }
        }
    }
    for scenario in &inputs.requirements.scenarios {
        if !evidence.tests.contains_key(&scenario.id()) {
            say(format!("{}: no test runs the scenario `{}`", scenario.feature, scenario.scenario));
        }
    }
    let lives = evidence.tests.keys().copied().chain(mapped.values().flatten().copied());
    if let Some(test) = lives.filter(|test| test.binary == LIVE).min() {
        say(format!("{test} has the name of a live operation, and only tests are listed or mapped"));
    }
    for record in inputs.records.iter().filter(|record| record.class == Class::Observed) {
        let location = &record.location;
        let listed = |test: &TestId| test.binary == LIVE || evidence.tests.contains_key(test);
        if let Some(test) = record.test.as_deref().filter(|test| !listed(test)) {
            say(format!("{location}: {test} is not among the tests of the run"));
        }
        let result = record.test.as_deref().and_then(|test| evidence.tests.get(test));
        if result.is_some_and(|result| matches!(result.outcome, Outcome::NotRun(_))) {
            say(format!("{location}: a record of a test that did not run"));
        }
        for id in record.requirements.iter() {
            // A live operation may say what it bears on: it is no test, and no requirement is proven by it.
            let is_mapped = |tests: &HashSet<&TestId>| {
                record.test.as_deref().is_some_and(|test| test.binary == LIVE || tests.contains(test))
            };
            match mapped.get(id.as_str()) {
                None => say(format!("{location}: evidence for {id}, which no specification defines")),
                Some(tests) if !is_mapped(tests) => {
                    say(format!("{location}: evidence for {id} from a test that is not mapped to it"));
                }
                Some(_) => {}
            }
        }
        if record.device == GPU && !evidence.has_gpu {
            say(format!("{location}: a record from a GPU, and provenance.json names none"));
        }
    }
    problems
}

/// Tests without a verdict, and failed observations that no requirement stands for.
fn dead_or_unmapped(inputs: &Inputs) -> Vec<Problem> {
    let dead = inputs.tests.iter().filter_map(|result| match &result.outcome {
        Outcome::Dead(reason) => {
            Some(Problem::new(ProblemKind::Dead, format!("{} left no verdict: {reason}", result.id())))
        }
        _ => None,
    });
    let unmapped = inputs
        .records
        .iter()
        .filter(|record| record.class == Class::Observed && !record.holds && record.requirements.is_empty())
        .map(|record| Problem::new(ProblemKind::Unmapped, format!("{} does not hold", record.location)));
    dead.chain(unmapped).collect()
}

fn not_passed(tests: &[TestResult]) -> Vec<TestCoverage> {
    tests
        .iter()
        .filter(|result| result.outcome != Outcome::Passed)
        .map(|result| TestCoverage {
            test: result.id(),
            result: TestOutcome::of(&result.outcome),
            reason: result.outcome.reason().map(str::to_owned),
        })
        .collect()
}

fn features(file: &RequirementsFile, evidence: &Evidence<'_>) -> Vec<FeatureCoverage> {
    let mut features: BTreeMap<&str, FeatureCoverage> = BTreeMap::new();
    for scenario in &file.scenarios {
        let feature = features.entry(&scenario.feature).or_insert_with(|| FeatureCoverage {
            feature: scenario.feature.clone(),
            scenarios: 0,
            run: 0,
            passed: 0,
            open: Vec::new(),
        });
        feature.scenarios = feature.scenarios.saturating_add(1);
        let outcome = evidence.tests.get(&scenario.id()).map(|result| &result.outcome);
        if matches!(outcome, Some(Outcome::Passed | Outcome::Failed(_))) {
            feature.run = feature.run.saturating_add(1);
        }
        if outcome == Some(&Outcome::Passed) {
            feature.passed = feature.passed.saturating_add(1);
        } else {
            feature.open.push(scenario.scenario.clone());
        }
    }
    features.into_values().collect()
}
