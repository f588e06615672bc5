//! `mutants.json`: what became of small faults planted in the library crates one at a time (mutants), and which mapped tests
//! noticed each. It is made apart from the run that a bundle holds, from sources that it names by their digests.

use serde::{Deserialize, Serialize};

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
    /// SHA-256 of that file as it was without the mutant, lower-case hexadecimal.
    pub source_sha256: String,
    /// What became of it.
    pub outcome: MutantOutcome,
    /// The tests that failed or timed out on it, as indices into [`Mutants::tests`], ascending.
    pub killed_by: Vec<usize>,
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
