//! How much may follow from a bundle. What is derived repeats names and reasons wherever they bear, and looks names up in
//! lists: a bundle of a few megabytes could come to terabytes or to years. So it is reckoned first.

use std::collections::{BTreeSet, HashMap};

use super::findings::Findings;
use crate::junit::{self, TestResult};
use crate::mutants::{self, Mutants};
use crate::requirement::RequirementsFile;
use crate::test_map::TestId;

/// More requirements, documents, scenarios or members of groups than any specification has.
const LIST_LIMIT: usize = 10_000;

/// More bytes than are in the names and the reasons of any coverage, and more steps than any matrix of mutants takes.
const LIMIT: usize = 64 << 20;

/// What is written beside every name, in bytes; about.
const BESIDE: usize = 100;

const REQUIREMENTS: &str = "requirements.json";

/// Whether nothing may be derived from this; the findings say why.
pub(super) fn exceeded(
    file: &RequirementsFile,
    tests: &[TestResult],
    mutants: Option<&Mutants>,
    findings: &mut Findings,
) -> bool {
    let mut exceeded = false;
    let mut say = |name: &str, problem: String| {
        findings.add(name, None, problem);
        exceeded = true;
    };
    if lists(file).into_iter().any(|length| length > LIST_LIMIT) {
        say(REQUIREMENTS, format!("a list has more than {LIST_LIMIT} entries"));
    }
    if let Some(name) = twice(file) {
        say(REQUIREMENTS, format!("{name} is there twice"));
    }
    let of_tests: HashMap<TestId, &TestResult> = tests.iter().map(|result| (result.id(), result)).collect();
    if of_claims(tests) > LIMIT {
        say(junit::FILE, format!("its claims come to more than {LIMIT} bytes"));
    }
    if of_requirements(file, &of_tests) > LIMIT {
        say(REQUIREMENTS, format!("what became of its tests comes to more than {LIMIT} bytes"));
    }
    if mutants.is_some_and(|mutants| of_kills(file, mutants) > LIMIT) {
        say(mutants::FILE, format!("it takes more than {LIMIT} steps to look at"));
    }
    exceeded
}

fn lists(file: &RequirementsFile) -> [usize; 6] {
    let members = file.roll_ups.iter().map(|one| one.requirements.len());
    let members = members.chain(file.vulnerabilities.iter().map(|one| one.requirements.len()));
    [
        file.requirements.len(),
        file.documents.len(),
        file.roll_ups.len(),
        file.vulnerabilities.len(),
        file.scenarios.len(),
        members.fold(0, usize::saturating_add),
    ]
}

/// A name that is there twice in a list in which names are looked up.
fn twice(file: &RequirementsFile) -> Option<&str> {
    fn first<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
        let mut seen = BTreeSet::new();
        names.into_iter().find(|name| !seen.insert(*name))
    }
    first(file.requirements.iter().map(|one| one.requirement.id.as_str()))
        .or_else(|| first(file.documents.iter().map(|one| one.file.as_str())))
        .or_else(|| first(file.roll_ups.iter().map(|one| one.id.as_str())))
        .or_else(|| first(file.vulnerabilities.iter().map(|one| one.name.as_str())))
}

/// The bytes of every claim with its test.
fn of_claims(tests: &[TestResult]) -> usize {
    let claims = tests.iter().flat_map(|test| {
        let name = length(&test.binary, &test.test);
        test.claims.iter().map(move |claim| name.saturating_add(claim.len()))
    });
    claims.fold(0, usize::saturating_add)
}

/// The bytes of every requirement's tests, each with its reason, and of what no specification defines.
fn of_requirements(file: &RequirementsFile, tests: &HashMap<TestId, &TestResult>) -> usize {
    let mapped = file.requirements.iter().flat_map(|one| &one.mapped_tests).map(|test| {
        let reason = tests.get(test).and_then(|result| result.outcome.reason()).unwrap_or_default();
        // It is there as a whole, and its first line again.
        length(&test.binary, &test.test).saturating_add(reason.len().saturating_mul(2))
    });
    let unresolved = file.unresolved.iter().flat_map(|test| {
        let name = length(&test.binary, &test.test);
        test.requirements.iter().map(move |id| name.saturating_add(id.len()))
    });
    // A group shows the tests of its members.
    let by_id: HashMap<&str, usize> =
        file.requirements.iter().map(|one| (one.requirement.id.as_str(), one.mapped_tests.len())).collect();
    let members = file.roll_ups.iter().flat_map(|one| &one.requirements);
    let members = members.chain(file.vulnerabilities.iter().flat_map(|one| &one.requirements));
    let shown = members.map(|id| by_id.get(id.as_str()).map_or(0, |tests| tests.saturating_mul(BESIDE)));
    mapped.chain(unresolved).chain(shown).fold(0, usize::saturating_add)
}

/// How many kills there are of every requirement's tests.
fn of_kills(file: &RequirementsFile, mutants: &Mutants) -> usize {
    let mut kills: HashMap<&TestId, usize> = HashMap::new();
    for test in mutants.mutants.iter().flat_map(|mutant| &mutant.killed_by).filter_map(|test| mutants.tests.get(*test))
    {
        let count = kills.entry(test).or_default();
        *count = count.saturating_add(1);
    }
    let mapped = file.requirements.iter().flat_map(|one| &one.mapped_tests);
    mapped.filter_map(|test| kills.get(test).copied()).fold(0, usize::saturating_add)
}

fn length(binary: &str, test: &str) -> usize {
    BESIDE.saturating_add(binary.len()).saturating_add(test.len())
}
