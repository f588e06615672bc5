//! `mutants.json`: what became of small faults planted in the library crates one at a time (mutants), and which mapped tests
//! noticed each. It is made apart from the run that a bundle holds, from sources that it names by their digests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::de::Error as _;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::json::read_json;
use crate::provenance::FileDigest;
use crate::test_map::TestId;

/// The file's name in a bundle.
pub const FILE: &str = "mutants.json";

/// The kill matrix, mutant by mutant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutants {
    /// The full id of the commit that was mutated, hexadecimal.
    pub commit: String,
    /// Whether the tree differed from that commit.
    pub dirty: bool,
    /// When the last result was made; RFC 3339 in UTC.
    pub generated_at: String,
    /// What made the mutants, with its version.
    pub tool: String,
    /// The crates that are mutated, each with the number of its mutants.
    pub packages: Vec<PackageMutants>,
    /// How many mutants there are in all of them; fewer in [`mutants`](Self::mutants) make the matrix partial.
    pub listed: usize,
    /// The source files of these crates as they are without a mutant, sorted by name: the path from the workspace's root.
    pub sources: Vec<FileDigest>,
    /// What the tests were built from, sorted by name: the id of the binary that holds them.
    pub test_sources: Vec<FileDigest>,
    /// The mapped tests that ran on each mutant, sorted.
    pub tests: Vec<TestId>,
    /// The mutants that were tried, sorted by name.
    pub mutants: Vec<Mutant>,
}

/// A crate that is mutated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PackageMutants {
    /// The package's name.
    pub package: String,
    /// How many mutants of it there are.
    pub listed: usize,
}

/// One mutant that was tried.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mutant {
    /// Where it is and what it changes, as the tool says it.
    pub name: String,
    /// The package that it is in.
    pub package: String,
    /// The file that it changes, from the workspace's root.
    pub file: String,
    /// What became of it.
    pub outcome: MutantOutcome,
    /// The tests that failed or timed out on it, as indices into [`Mutants::tests`], ascending.
    pub killed_by: Vec<usize>,
    /// Why nobody minds that it survived.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
}

/// What became of a mutant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MutantOutcome {
    /// A test failed on it.
    Killed,
    /// No test failed on it, and one ran past its time.
    Timeout,
    /// Every test passed on it.
    Survived,
    /// It does not compile, so it says nothing of the tests.
    Unviable,
}

impl Mutants {
    /// Reads the file of the bundle at `directory`; none when there is no such file.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be read, [`Error::Json`] when it is not such a file or contradicts itself.
    pub fn read(directory: impl AsRef<Path>) -> Result<Option<Self>, Error> {
        Self::read_file(directory, FILE)
    }

    /// Reads a file of this kind that may have another name; none when there is no such file.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn read_file(directory: impl AsRef<Path>, file: &str) -> Result<Option<Self>, Error> {
        let directory = directory.as_ref();
        if !directory.join(file).exists() {
            return Ok(None);
        }
        let mutants: Self = read_json(directory, file)?;
        match mutants.contradiction() {
            None => Ok(Some(mutants)),
            Some(problem) => Err(Error::json(file)(serde_json::Error::custom(problem))),
        }
    }

    /// What in it cannot be so; none when it can be used.
    #[must_use]
    pub fn contradiction(&self) -> Option<String> {
        let names: BTreeSet<&str> = self.mutants.iter().map(|mutant| mutant.name.as_str()).collect();
        if names.len() != self.mutants.len() {
            return Some("a mutant is there twice".to_owned());
        }
        let listed = self.packages.iter().map(|package| package.listed).fold(0, usize::saturating_add);
        if listed != self.listed || self.mutants.len() > self.listed {
            return Some(format!("{} mutants of {}, in crates with {listed}", self.mutants.len(), self.listed));
        }
        let mut left: BTreeMap<&str, usize> =
            self.packages.iter().map(|package| (package.package.as_str(), package.listed)).collect();
        if left.len() != self.packages.len() {
            return Some("a crate is there twice".to_owned());
        }
        for mutant in &self.mutants {
            let package = mutant.package.escape_debug();
            match left.get_mut(mutant.package.as_str()) {
                None => return Some(format!("a mutant of {package}, which is not among the crates")),
                Some(0) => return Some(format!("more mutants of {package} than it has")),
                Some(left) => *left = left.saturating_sub(1),
            }
        }
        if let Some(one) =
            self.mutants.iter().find(|one| one.reason.is_some() && one.outcome != MutantOutcome::Survived)
        {
            return Some(format!("{} has a reason to survive and did not", one.name.escape_debug()));
        }
        let files: BTreeSet<&str> = self.sources.iter().map(|file| file.name.as_str()).collect();
        let odd = self.mutants.iter().find(|mutant| {
            let noticed = matches!(mutant.outcome, MutantOutcome::Killed | MutantOutcome::Timeout);
            let in_order = mutant.killed_by.is_sorted_by(|a, b| a < b);
            let known = mutant.killed_by.last().is_none_or(|last| *last < self.tests.len());
            let has_file = files.contains(mutant.file.as_str());
            noticed == mutant.killed_by.is_empty() || !in_order || !known || !has_file
        });
        odd.map(|mutant| format!("{} is not what its tests say, or of an unknown file", mutant.name.escape_debug()))
    }
}
