//! `code_coverage.json`: how many lines of each crate the tests ran, as a coverage tool counted them. A bundle has it only when
//! its run measured it; nothing is derived from it.

use std::path::Path;

use serde::de::Error as _;
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::json::read_json;

/// The file's name.
pub const FILE: &str = "code_coverage.json";

/// What a coverage tool counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeCoverage {
    /// The tool's name and version.
    pub tool: String,
    /// The command that measured, without directories of the host.
    pub command: String,
    /// The commit that was measured, hexadecimal.
    pub commit: String,
    /// Whether the working tree differed from it.
    pub dirty: bool,
    /// The crates, by name.
    pub modules: Vec<ModuleCoverage>,
}

/// The lines of one crate that can be run, its tests' own lines apart.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModuleCoverage {
    /// The crate's name.
    pub module: String,
    /// How many lines there are; 0 when the tool saw none.
    pub lines: usize,
    /// How many of them a test ran.
    pub tested: usize,
}

impl CodeCoverage {
    /// Reads the file of the bundle at `directory`; none when there is no such file.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when it cannot be read, [`Error::Json`] when it is not such a file or counts more lines as tested than
    /// there are.
    pub fn read(directory: impl AsRef<Path>) -> Result<Option<Self>, Error> {
        let directory = directory.as_ref();
        if !directory.join(FILE).exists() {
            return Ok(None);
        }
        let coverage: Self = read_json(directory, FILE)?;
        match coverage.modules.iter().find(|one| one.tested > one.lines) {
            None => Ok(Some(coverage)),
            Some(ModuleCoverage { module, lines, tested }) => {
                let problem = format!("{tested} of {lines} lines of {} are tested", module.escape_debug());
                Err(Error::json(FILE)(serde_json::Error::custom(problem)))
            }
        }
    }

    /// The sum over all crates.
    #[must_use]
    pub fn total(&self) -> ModuleCoverage {
        let sum = |of: fn(&ModuleCoverage) -> usize| self.modules.iter().map(of).fold(0, usize::saturating_add);
        ModuleCoverage { module: "TOTAL".to_owned(), lines: sum(|one| one.lines), tested: sum(|one| one.tested) }
    }
}
