//! Why a token, a key or a tag was refused.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::{MAX_TOKEN_BYTES, MIN_TOKEN_BYTES};

/// Why a token, a key or a tag was refused. No variant carries any byte of a secret.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SealError {
    /// The token has fewer than [`MIN_TOKEN_BYTES`] bytes.
    #[error("token has {bytes} bytes: use at least {MIN_TOKEN_BYTES}, for example from `openssl rand -hex 32`")]
    TokenTooShort {
        /// The token's length in bytes.
        bytes: usize,
    },
    /// The token has more than [`MAX_TOKEN_BYTES`] bytes.
    #[error("token has more than {MAX_TOKEN_BYTES} bytes: is this the right file or variable?")]
    TokenTooLong,
    /// The token's file cannot be read.
    #[error("cannot read the token file {path:?}: {source}; check the path and who may read it")]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The token's path is a directory, a pipe or a device.
    #[error("{path:?} is not a regular file: give the path of the file that holds the token")]
    TokenNotAFile {
        /// The path.
        path: PathBuf,
    },
    /// Others than the owner can read or write the token's file.
    #[error("token file {path:?} is open to others (mode {mode:03o}): run `chmod 600` on it")]
    TokenFileOpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The environment variable is not set.
    #[error("environment variable {name:?} is not set: put the token there")]
    TokenVariableMissing {
        /// The variable's name.
        name: String,
    },
    /// The operating system gave no random bytes.
    #[error("the operating system gave no random bytes for a key: start the worker again where getrandom(2) works")]
    NoRandomness,
    /// HKDF refused to derive a key.
    #[error("no key could be derived from the token: this is a defect, report it")]
    Derivation,
    /// A tag's text is not 64 hex digits.
    #[error("not a tag: give exactly 64 hex digits")]
    TagNotHex,
    /// The tag was not made with this key over these fields.
    #[error("the tag does not match: the fields were changed, or another key made it")]
    TagMismatch,
}
