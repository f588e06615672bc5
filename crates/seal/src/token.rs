//! The secret that a worker is given.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

use crate::SealError;

/// The shortest token, in bytes: as long as the keys that are derived from it.
pub const MIN_TOKEN_BYTES: usize = 32;
/// The longest token, in bytes: more is a wrong file rather than a token.
pub const MAX_TOKEN_BYTES: usize = 4096;

/// The secret that a worker is given, and that all its keys are derived from.
///
/// The token should be random, as from `openssl rand -hex 32`: HKDF does not make a password strong (RFC 5869,
/// section 4). Its bytes are overwritten when it is dropped.
pub struct SecretToken(Zeroizing<Vec<u8>>);

impl SecretToken {
    /// Takes `bytes` as the token, as they are.
    ///
    /// # Errors
    ///
    /// [`SealError::TokenTooShort`] or [`SealError::TokenTooLong`]; `bytes` are overwritten then too.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Self, SealError> {
        Self::checked(Zeroizing::new(bytes))
    }

    /// Reads the token from a file that only its owner can read, without the newline that may end it.
    ///
    /// # Errors
    ///
    /// [`SealError::TokenFile`] when the file cannot be read, [`SealError::TokenNotAFile`] for a directory, a
    /// pipe or a device, on Unix [`SealError::TokenFileOpenToOthers`] unless its mode is 0600 or stricter, and
    /// the errors of [`SecretToken::from_bytes`].
    pub fn from_file(path: &Path) -> Result<Self, SealError> {
        let unreadable = |source: io::Error| SealError::TokenFile { path: path.to_owned(), source };
        // Looked at before opening, because opening a pipe would wait for its writer.
        if !fs::metadata(path).map_err(unreadable)?.is_file() {
            return Err(SealError::TokenNotAFile { path: path.to_owned() });
        }
        let file = File::open(path).map_err(unreadable)?;
        // Asked of the open file, not of the path, which may name another file by now.
        refuse_open_to_others(path, &file.metadata().map_err(unreadable)?)?;

        // Room for the longest token, its newline and one byte more: the buffer never grows, so it leaves no copy.
        let limit = MAX_TOKEN_BYTES.saturating_add(3);
        let mut bytes = Zeroizing::new(Vec::with_capacity(limit.saturating_add(1)));
        file.take(u64::try_from(limit).unwrap_or(u64::MAX)).read_to_end(&mut bytes).map_err(unreadable)?;
        trim_newline(&mut bytes);
        Self::checked(bytes)
    }

    /// Takes the token from the environment variable `name`, as it is.
    ///
    /// A process cannot wipe its environment, and the system shows it to the same user: prefer a file.
    ///
    /// # Errors
    ///
    /// [`SealError::TokenVariableMissing`], and the errors of [`SecretToken::from_bytes`].
    pub fn from_env(name: &str) -> Result<Self, SealError> {
        let value = std::env::var_os(name).ok_or_else(|| SealError::TokenVariableMissing { name: name.to_owned() })?;
        Self::from_bytes(value.into_encoded_bytes())
    }

    /// The secret bytes, for key derivation.
    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }

    fn checked(bytes: Zeroizing<Vec<u8>>) -> Result<Self, SealError> {
        if bytes.len() < MIN_TOKEN_BYTES {
            return Err(SealError::TokenTooShort { bytes: bytes.len() });
        }
        if bytes.len() > MAX_TOKEN_BYTES {
            return Err(SealError::TokenTooLong);
        }
        Ok(Self(bytes))
    }
}

impl fmt::Debug for SecretToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretToken(secret)")
    }
}

/// Removes one `\n` or `\r\n` from the end, as editors and `echo` leave it.
fn trim_newline(bytes: &mut Vec<u8>) {
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
}

#[cfg(unix)]
fn refuse_open_to_others(path: &Path, metadata: &fs::Metadata) -> Result<(), SealError> {
    use std::os::unix::fs::PermissionsExt as _;

    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(SealError::TokenFileOpenToOthers { path: path.to_owned(), mode });
    }
    Ok(())
}

#[cfg(not(unix))]
fn refuse_open_to_others(_path: &Path, _metadata: &fs::Metadata) -> Result<(), SealError> {
    Ok(())
}
