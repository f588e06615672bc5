//! The file that a test's lines go to.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

/// Why a spool could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpoolError {
    /// The file exists already, or its directory does not, or the disk refuses.
    #[error("cannot create the spool file: choose a new name in a writable directory")]
    Create(#[source] io::Error),
}

/// A spool file: NDJSON, one claim or record per line, appended to and flushed line by line, so
/// that a process that dies leaves what it had observed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spool {
    path: PathBuf,
}

impl Spool {
    /// The spool that the environment variable `PROOF_SPOOL` names; `None` outside a proof run.
    /// The first line written creates the file.
    #[must_use]
    pub fn from_env() -> Option<Self> {
        std::env::var_os("PROOF_SPOOL").filter(|path| !path.is_empty()).map(|path| Self { path: path.into() })
    }

    /// Creates a new, empty spool file.
    ///
    /// # Errors
    ///
    /// [`SpoolError::Create`] when the file exists or cannot be created.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, SpoolError> {
        let path = path.as_ref();
        OpenOptions::new().write(true).create_new(true).open(path).map_err(SpoolError::Create)?;
        Ok(Self { path: path.to_owned() })
    }

    #[allow(clippy::panic, reason = "evidence that cannot be written fails the test")]
    pub(crate) fn write_line(&self, line: &impl Serialize) {
        if let Err(error) = self.append(line) {
            panic!(
                "cannot write evidence to {}: {error}: free space there or correct PROOF_SPOOL",
                self.path.display()
            );
        }
    }

    /// One `write` call for the whole line, on a file opened for appending: threads and child
    /// processes of the test may share the spool.
    fn append(&self, line: &impl Serialize) -> io::Result<()> {
        let mut text = serde_json::to_vec(line)?;
        text.push(b'\n');
        OpenOptions::new().append(true).create(true).open(&self.path)?.write_all(&text)
    }
}
