//! Requirements as the specifications define them, and `requirements.json`, which holds them with their tests.
//!
//! The format is described in `specs/README.md`; [`parse_specs`] accepts nothing else.

mod draft;
mod parse;
mod table;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::hash::sha256_hex;
use crate::test_map::{MappedTest, Scenario, TestId};

pub use parse::parse_specs;

/// What a requirement is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// What the software does.
    Product,
    /// How the project is tested.
    Process,
}

/// One requirement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// `00§2.1`, `MS-001`.
    pub id: String,
    /// The document's file name.
    pub document: String,
    /// The heading that it stands under.
    pub section: String,
    /// Its own heading, without the id.
    pub title: String,
    /// Its sentence (RFC 2119), white space normalised.
    pub text: String,
    /// SHA-256 of `text`, lower-case hexadecimal: older coverage of another text is stale.
    pub text_sha256: String,
    /// What it is about.
    pub kind: Kind,
    /// Whether only a GPU can prove it.
    pub needs_gpu: bool,
    /// Tests that must exist under these names and claim this requirement.
    pub named_tests: Vec<String>,
    /// What it does not claim even when proven.
    pub non_claims: Vec<String>,
}

/// A name for a set of requirements.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollUp {
    /// `VR-001`.
    pub id: String,
    /// What the set is called.
    pub title: String,
    /// Its members' ids.
    pub requirements: Vec<String>,
}

/// A kind of attack or fault, and the requirements that meet it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vulnerability {
    /// What it is called.
    pub name: String,
    /// `CRITICAL`, `HIGH`, `MEDIUM`, `LOW`.
    pub severity: String,
    /// What meets it, in words.
    pub mitigation: String,
    /// The requirements that meet it.
    pub requirements: Vec<String>,
}

/// One specification document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Its file name.
    pub file: String,
    /// Its first heading.
    pub title: String,
}

/// All that the specification documents define.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Specifications {
    /// The documents, by name.
    pub documents: Vec<Document>,
    /// The requirements, in the order of the documents.
    pub requirements: Vec<Requirement>,
    /// The roll-ups.
    pub roll_ups: Vec<RollUp>,
    /// The vulnerabilities.
    pub vulnerabilities: Vec<Vulnerability>,
}

impl Specifications {
    /// The requirement `id`.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Requirement> {
        self.requirements.iter().find(|requirement| requirement.id == id)
    }
}

/// `requirements.json`: what the run has to show, and with which tests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequirementsFile {
    /// The documents, by name.
    pub documents: Vec<Document>,
    /// The requirements, each with the tests mapped to it.
    pub requirements: Vec<MappedRequirement>,
    /// The roll-ups.
    pub roll_ups: Vec<RollUp>,
    /// The vulnerabilities.
    pub vulnerabilities: Vec<Vulnerability>,
    /// The behaviour scenarios.
    pub scenarios: Vec<Scenario>,
    /// Mapped tests with those of their ids that no document defines.
    pub unresolved: Vec<MappedTest>,
}

/// A requirement with its tests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedRequirement {
    /// The requirement.
    #[serde(flatten)]
    pub requirement: Requirement,
    /// The tests mapped to it, sorted.
    pub mapped_tests: Vec<TestId>,
}

impl RequirementsFile {
    /// Joins what the specifications ask for with what the tests say they prove.
    #[must_use]
    pub fn new(specifications: Specifications, map: &[MappedTest], scenarios: &[Scenario]) -> Self {
        let known: BTreeSet<&str> =
            specifications.requirements.iter().map(|requirement| requirement.id.as_str()).collect();
        let mut unresolved: Vec<MappedTest> = map
            .iter()
            .map(|test| MappedTest {
                requirements: test.requirements.iter().filter(|id| !known.contains(id.as_str())).cloned().collect(),
                ..test.clone()
            })
            .filter(|test| !test.requirements.is_empty())
            .collect();
        unresolved.sort();
        let mut scenarios = scenarios.to_vec();
        scenarios.sort();
        let requirements = specifications
            .requirements
            .into_iter()
            .map(|requirement| {
                let tests: BTreeSet<TestId> =
                    map.iter().filter(|test| test.requirements.contains(&requirement.id)).map(MappedTest::id).collect();
                MappedRequirement { requirement, mapped_tests: tests.into_iter().collect() }
            })
            .collect();
        Self {
            documents: specifications.documents,
            requirements,
            roll_ups: specifications.roll_ups,
            vulnerabilities: specifications.vulnerabilities,
            scenarios,
            unresolved,
        }
    }
}

/// One blank between words, none around.
pub(crate) fn normalise(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The hash that tells whether a requirement still says the same; `text` is normalised.
pub(crate) fn text_sha256(text: &str) -> String {
    sha256_hex(text.as_bytes())
}
