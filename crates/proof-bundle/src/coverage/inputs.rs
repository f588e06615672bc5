//! What coverage is derived from: the files of a bundle, read back.

use std::path::Path;

use super::{Problem, ProblemKind};
use crate::Error;
use crate::json::read_json;
use crate::junit::{self, TestResult};
use crate::mutants::Mutants;
use crate::provenance::Provenance;
use crate::records::{self, Record};
use crate::requirement::RequirementsFile;

/// What a run left.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// What had to be shown, and with which tests.
    pub requirements: RequirementsFile,
    /// Every test, as observed.
    pub tests: Vec<TestResult>,
    /// Every record, as observed or declared.
    pub records: Vec<Record>,
    /// Where it ran.
    pub provenance: Provenance,
    /// Which faults the mapped tests noticed, where the bundle says so.
    pub mutants: Option<Mutants>,
    /// What was wrong with the files.
    pub problems: Vec<Problem>,
}

impl Inputs {
    /// Reads `requirements.json`, `provenance.json`, `tests.junit.xml`, the six `.jsonl` files, and `mutants.json` where there
    /// is one, of the bundle at `directory`. What is missing, empty or wrong of them becomes
    /// [`problems`](Self::problems).
    ///
    /// # Errors
    ///
    /// [`Error::Io`] or [`Error::Json`] when `requirements.json` or `provenance.json` cannot be read: without them
    /// nothing can be said.
    pub fn read(directory: impl AsRef<Path>) -> Result<Self, Error> {
        let directory = directory.as_ref();
        let provenance: Provenance = read_json(directory, "provenance.json")?;
        let (records, faults) = records::read(directory, &provenance.run_id);
        Self::with_records(directory, records, faults)
    }

    /// The same with records that were read already, and what was wrong with them.
    pub(crate) fn with_records(directory: &Path, records: Vec<Record>, faults: Vec<String>) -> Result<Self, Error> {
        let requirements: RequirementsFile = read_json(directory, "requirements.json")?;
        let provenance: Provenance = read_json(directory, "provenance.json")?;
        let mut problems: Vec<Problem> =
            faults.into_iter().map(|fault| Problem::new(ProblemKind::Record, fault)).collect();
        let tests = junit::read(directory.join(junit::FILE)).unwrap_or_else(|error| {
            let problem = match error {
                Error::Io { source, .. } => format!("{}: cannot be read: {source}", junit::FILE),
                other => other.to_string(),
            };
            problems.push(Problem::new(ProblemKind::Absent, problem));
            Vec::new()
        });
        let mutants = Mutants::read(directory).unwrap_or_else(|error| {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            problems.push(Problem::new(ProblemKind::Absent, format!("{error}{cause}")));
            None
        });
        Ok(Self { requirements, tests, records, provenance, mutants, problems })
    }
}
