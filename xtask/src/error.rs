//! Why a command could not do its work, and the exit code that says so.

use std::error::Error;
use std::path::{Path, PathBuf};

use proof_bundle::verify::one_line;
use vram_residency::VramError;

use crate::exit::Exit;

/// What stopped a command. Each message is one line that says what to do; [`XtaskError::line`] adds the causes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum XtaskError {
    /// The command line asks for something that does not exist.
    #[error("{0}")]
    Usage(String),
    /// Something that the command needs is missing, empty, malformed or dead.
    #[error("{0}")]
    Input(String),
    /// A file that the command needs could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file or directory of the command's own could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A program could not be started.
    #[error("cannot start {program}: is it installed and on PATH?")]
    Start {
        /// The program's name.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// The specifications or a bundle could not be read or written.
    #[error(transparent)]
    Bundle(#[from] proof_bundle::Error),
    /// The library under test refused what the proof needs.
    #[error(transparent)]
    Vram(#[from] VramError),
    /// The user pressed Ctrl-C, or the process was told to end.
    #[error("interrupted: the child processes were stopped and nothing half-written is left behind")]
    Interrupted,
}

impl XtaskError {
    /// For `map_err` on reads.
    pub(crate) fn read(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Read { path, source }
    }

    /// For `map_err` on writes.
    pub(crate) fn write(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Write { path, source }
    }

    /// The exit code that this error ends the process with.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) => Exit::Usage,
            Self::Bundle(proof_bundle::Error::Unsignable { exit, .. }) => *exit,
            Self::Write { .. } | Self::Bundle(proof_bundle::Error::Io { action: "create" | "write", .. }) => {
                Exit::Found
            }
            Self::Input(_) | Self::Read { .. } | Self::Start { .. } | Self::Bundle(_) | Self::Vram(_) => Exit::BadInput,
            Self::Interrupted => Exit::Interrupted,
        }
    }

    /// The message with its causes, on one line.
    pub(crate) fn line(&self) -> String {
        let mut line = self.to_string();
        let mut cause = self.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // Some messages hold their cause already.
            if !line.contains(&text) {
                line = format!("{line}: {text}");
            }
            cause = error.source();
        }
        // A path can hold anything, and a terminal obeys some of it.
        one_line(&line.replace('\n', " "))
    }
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_one_line_that_no_terminal_obeys() {
        let path = Path::new("a\u{1b}[31m\u{9b}\u{202e}\u{2028}\nb");
        let error = XtaskError::read(path)(std::io::Error::other("no\r\nway"));
        assert_eq!(error.line(), "cannot read a\\u{1b}[31m\\u{9b}\\u{202e}\\u{2028} b: no\\u{d} way");
    }
}
