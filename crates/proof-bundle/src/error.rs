//! What can go wrong with a bundle, and what to do about it.

use std::io;
use std::path::{Path, PathBuf};

use crate::exit::Exit;

/// Why a bundle could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The file system refused.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// What was tried: a verb phrase.
        action: &'static str,
        /// Where.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// A value has no JSON form, or a file does not hold the JSON that it should.
    #[error("{file} is not the JSON it should be")]
    Json {
        /// The file's name.
        file: String,
        /// What the parser said.
        source: serde_json::Error,
    },
    /// A specification does not follow its format (`specs/README.md`).
    #[error("{}:{line}: {problem}", file.display())]
    Specification {
        /// The document.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A line of a test's spool is not evidence.
    #[error("spool of {binary} {test}, line {line}: {problem}")]
    Spool {
        /// The test binary's id.
        binary: String,
        /// The test's listed name.
        test: String,
        /// The line, from 1; 0 for the file as a whole.
        line: usize,
        /// What is wrong.
        problem: String,
    },
    /// The JUnit file cannot be used.
    #[error("{file}: {problem}")]
    Junit {
        /// The file's name.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// The commit could not be read; a run id ends in it.
    #[error("cannot read the commit of {}: {problem}", directory.display())]
    Commit {
        /// The directory asked about.
        directory: PathBuf,
        /// What git said, and what to do.
        problem: String,
    },
    /// A name that cannot be a file of a bundle.
    #[error("`{}` cannot name a file of a bundle: use letters, digits, `_`, `-` and `.`, no path, at most 64 characters", name.escape_default())]
    FileName {
        /// The name given.
        name: String,
    },
    /// A name that the proof run keeps for what it derives.
    #[error("`{name}` is written by the proof run from observations: choose another name")]
    ReservedFile {
        /// The name given.
        name: String,
    },
    /// A member of a declared record that only the writer sets.
    #[error("`{member}` is set by the writer of `{file}`: leave it out")]
    ReservedMember {
        /// The file's name.
        file: String,
        /// The member.
        member: String,
    },
    /// A record or a file that has to be a JSON object is none.
    #[error("`{file}` holds JSON objects: wrap the value in one")]
    NotAnObject {
        /// The file's name.
        file: String,
    },
    /// Something else than the run wrote into its bundle, so it must not be published.
    #[error("`{}` in this bundle is not what its run wrote: let nothing else write there and start a new run", name.escape_debug())]
    Foreign {
        /// The file's name.
        name: String,
    },
    /// A key cannot be used.
    #[error("{problem}")]
    Key {
        /// What it is instead of the key wanted, and what to do.
        problem: String,
    },
    /// A bundle must not be signed.
    #[error("{} is not signed: {problem}", bundle.display())]
    Unsignable {
        /// The bundle's directory.
        bundle: PathBuf,
        /// The exit code that says why.
        exit: Exit,
        /// Why, and what to do.
        problem: String,
    },
    /// Bundles cannot be merged, or a merged bundle is not what was asked for.
    #[error("{problem}")]
    Merge {
        /// Which one, why, and what to do.
        problem: String,
    },
    /// An earlier write into the bundle failed, so it must not be published.
    #[error("an earlier write into this bundle failed: start a new run")]
    Incomplete,
}

impl Error {
    /// Makes the error of a file system operation.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// Makes the error of a JSON file.
    pub(crate) fn json(file: &str) -> impl FnOnce(serde_json::Error) -> Self {
        let file = file.to_owned();
        move |source| Self::Json { file, source }
    }
}
