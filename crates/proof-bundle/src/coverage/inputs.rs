//! What coverage is derived from: the files of a bundle, read back.

use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::{Problem, ProblemKind};
use crate::Error;
use crate::junit::{self, TestResult};
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
    /// What was wrong with the files.
    pub problems: Vec<Problem>,
}

impl Inputs {
    /// Reads `requirements.json`, `provenance.json`, `tests.junit.xml` and the six `.jsonl` files of the bundle at
    /// `directory`. A JUnit file or records that are missing, empty or wrong become [`problems`](Self::problems).
    ///
    /// # Errors
    ///
    /// [`Error::Io`] or [`Error::Json`] when `requirements.json` or `provenance.json` cannot be read: without them
    /// nothing can be said.
    pub fn read(directory: impl AsRef<Path>) -> Result<Self, Error> {
        let directory = directory.as_ref();
        let requirements: RequirementsFile = read_json(directory, "requirements.json")?;
        let provenance: Provenance = read_json(directory, "provenance.json")?;
        let (records, faults) = records::read(directory, &provenance.run_id);
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
        Ok(Self { requirements, tests, records, provenance, problems })
    }
}

/// Reads a JSON file of a bundle.
pub(crate) fn read_json<T: DeserializeOwned>(directory: &Path, file: &str) -> Result<T, Error> {
    let path = directory.join(file);
    let text = fs::read(&path).map_err(Error::io("read", &path))?;
    serde_json::from_slice(&text).map_err(Error::json(file))
}
