//! What a matrix of mutants shows of the tests: how many planted faults they notice.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::mutants::{Mutant, MutantOutcome, Mutants};
use crate::provenance::{FileDigest, Provenance};
use crate::requirement::{Kind, RequirementsFile};
use crate::test_map::TestId;

/// How much a matrix covers of the sources that the run tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatrixState {
    /// No mutant in it is of these sources.
    Empty,
    /// Some mutants were not tried, or not on these sources, or a library crate has none in it.
    Partial,
    /// Every mutant of every library crate was tried, on these sources.
    Complete,
}

impl MatrixState {
    /// How reports write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Partial => "partial",
            Self::Complete => "complete",
        }
    }
}

/// What the matrix comes to. Only mutants of the run's own sources count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mutation {
    /// How much it covers.
    pub state: MatrixState,
    /// The full id of the commit that was mutated, hexadecimal.
    pub commit: String,
    /// Whether the tree differed from that commit.
    pub dirty: bool,
    /// When the last mutant was tried; RFC 3339 in UTC.
    pub generated_at: String,
    /// What made the mutants.
    pub tool: String,
    /// How many mutants there are.
    pub listed: usize,
    /// How many of them were tried on these sources; the next four add up to it.
    pub tried: usize,
    /// A test failed on them.
    pub killed: usize,
    /// A test ran past its time on them.
    pub timeout: usize,
    /// No test noticed them.
    pub survived: usize,
    /// They do not compile.
    pub unviable: usize,
    /// How many were tried on another state of the file that they change.
    pub of_other_sources: usize,
    /// The library crates of the run that the matrix says nothing of, sorted.
    pub crates_missing: Vec<String>,
    /// The library source files that are not as they were, new and removed ones included.
    pub sources_changed: Vec<String>,
    /// The tests of product requirements that did not run on the mutants as they are now.
    pub tests_unknown: Vec<TestId>,
    /// The mutants that no test noticed.
    pub survivors: Vec<Survivor>,
}

/// A mutant that no test noticed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survivor {
    /// Where it is and what it changes.
    pub name: String,
    /// Why nobody minds; null where nobody said.
    pub reason: Option<String>,
}

/// A matrix, arranged for look-up.
pub(super) struct Kills<'a> {
    mutants: &'a Mutants,
    /// The mutants of the run's own sources.
    current: Vec<&'a Mutant>,
    /// The tests that are as they were, each with the mutants that it noticed, as indices into `current`.
    by_test: HashMap<&'a TestId, Vec<usize>>,
    sources_changed: Vec<String>,
    crates_missing: Vec<String>,
}

impl<'a> Kills<'a> {
    pub(super) fn new(mutants: &'a Mutants, provenance: &'a Provenance) -> Self {
        let changed = changed(&mutants.sources, &provenance.sources);
        let is_changed: HashSet<&str> = changed.iter().copied().collect();
        let current: Vec<&Mutant> =
            mutants.mutants.iter().filter(|mutant| !is_changed.contains(mutant.file.as_str())).collect();
        let other_tests: HashSet<&str> =
            self::changed(&mutants.test_sources, &provenance.test_sources).into_iter().collect();
        let is_known = |test: &TestId| !other_tests.contains(test.binary.as_str());
        let mut by_test: HashMap<&TestId, Vec<usize>> =
            mutants.tests.iter().filter(|test| is_known(test)).map(|test| (test, Vec::new())).collect();
        for (index, mutant) in current.iter().enumerate() {
            for test in mutant.killed_by.iter().filter_map(|test| mutants.tests.get(*test)) {
                if let Some(noticed) = by_test.get_mut(test) {
                    noticed.push(index);
                }
            }
        }
        Self {
            mutants,
            current,
            by_test,
            sources_changed: changed.into_iter().map(str::to_owned).collect(),
            crates_missing: crates_missing(mutants, &provenance.sources),
        }
    }

    fn state(&self) -> MatrixState {
        if self.current.is_empty() {
            MatrixState::Empty
        } else if self.current.len() == self.mutants.listed
            && self.sources_changed.is_empty()
            && self.crates_missing.is_empty()
        {
            MatrixState::Complete
        } else {
            MatrixState::Partial
        }
    }

    /// How many mutants at least one of `tests` noticed; none when the matrix knows none of them.
    pub(super) fn of(&self, tests: &[TestId]) -> Option<usize> {
        let known: Vec<&Vec<usize>> = tests.iter().filter_map(|test| self.by_test.get(test)).collect();
        if known.is_empty() || self.current.is_empty() {
            return None;
        }
        Some(known.into_iter().flatten().collect::<HashSet<_>>().len())
    }

    /// How many mutants that compile were tried, if it is sure that `tests` notice none of them: the matrix is complete and
    /// knows all of these tests.
    pub(super) fn none_of(&self, tests: &[TestId]) -> Option<usize> {
        let knows_all = tests.iter().all(|test| self.by_test.contains_key(test));
        let viable = self.current.len().saturating_sub(self.count(MutantOutcome::Unviable));
        let sure = knows_all && self.state() == MatrixState::Complete && viable > 0 && self.of(tests) == Some(0);
        sure.then_some(viable)
    }

    fn count(&self, outcome: MutantOutcome) -> usize {
        self.current.iter().filter(|mutant| mutant.outcome == outcome).count()
    }

    /// What the matrix comes to, beside the requirements in `file`.
    pub(super) fn summary(&self, file: &RequirementsFile) -> Mutation {
        let product = file.requirements.iter().filter(|one| one.requirement.kind == Kind::Product);
        let mapped: BTreeSet<&TestId> = product.flat_map(|one| &one.mapped_tests).collect();
        let survivors = self.current.iter().filter(|mutant| mutant.outcome == MutantOutcome::Survived);
        let Mutants { commit, dirty, generated_at, tool, listed, mutants, .. } = self.mutants;
        Mutation {
            state: self.state(),
            commit: commit.clone(),
            dirty: *dirty,
            generated_at: generated_at.clone(),
            tool: tool.clone(),
            listed: *listed,
            tried: self.current.len(),
            killed: self.count(MutantOutcome::Killed),
            timeout: self.count(MutantOutcome::Timeout),
            survived: self.count(MutantOutcome::Survived),
            unviable: self.count(MutantOutcome::Unviable),
            of_other_sources: mutants.len().saturating_sub(self.current.len()),
            crates_missing: self.crates_missing.clone(),
            sources_changed: self.sources_changed.clone(),
            tests_unknown: mapped.into_iter().filter(|test| !self.by_test.contains_key(test)).cloned().collect(),
            survivors: survivors
                .map(|mutant| Survivor { name: mutant.name.clone(), reason: mutant.reason.clone() })
                .collect(),
        }
    }
}

/// The library crates that have sources and are not among those mutated. The run names the sources, so that a matrix does
/// not say itself what it leaves out.
fn crates_missing(mutants: &Mutants, sources: &[FileDigest]) -> Vec<String> {
    let mutated: HashSet<&str> = mutants.packages.iter().map(|package| package.package.as_str()).collect();
    let crates: BTreeSet<&str> = sources.iter().filter_map(|file| crate_of(&file.name)).collect();
    crates.into_iter().filter(|name| !mutated.contains(name)).map(str::to_owned).collect()
}

/// The crate that a source file is of: `crates/NAME/…`. One elsewhere is of the package at the root, if there is one, whose
/// name a path does not tell.
fn crate_of(file: &str) -> Option<&str> {
    file.strip_prefix("crates/")?.split_once('/').map(|(name, _)| name)
}

/// The names whose digests differ, or that only one of the two has; sorted.
fn changed<'a>(before: &'a [FileDigest], after: &'a [FileDigest]) -> Vec<&'a str> {
    let by_name = |digests: &'a [FileDigest]| -> BTreeMap<&'a str, &'a str> {
        digests.iter().map(|file| (file.name.as_str(), file.sha256.as_str())).collect()
    };
    let (before, after) = (by_name(before), by_name(after));
    let names: BTreeSet<&str> = before.keys().chain(after.keys()).copied().collect();
    names.into_iter().filter(|name| before.get(name) != after.get(name)).collect()
}
