//! SHA-256 (FIPS 180-4) in lower-case hexadecimal.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use ring::digest::{Context, Digest, SHA256, digest};

use crate::Error;

/// The digest of `bytes`.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    hex(&digest(&SHA256, bytes))
}

/// The digest of bytes that come one after another.
pub(crate) struct Sha256(Context);

impl Sha256 {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of what came so far.
    pub(crate) fn to_hex(&self) -> String {
        hex(&self.0.clone().finish())
    }
}

impl Default for Sha256 {
    fn default() -> Self {
        Self(Context::new(&SHA256))
    }
}

/// The digest of a file, read in chunks.
pub(crate) fn sha256_file(path: &Path) -> Result<String, Error> {
    digest_file(path).map(|digest| hex(&digest))
}

/// The same, before it is written down.
pub(crate) fn digest_file(path: &Path) -> Result<Digest, Error> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let mut sha256 = Context::new(&SHA256);
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer).map_err(Error::io("read", path))?;
        match buffer.get(..read) {
            Some(chunk) if !chunk.is_empty() => sha256.update(chunk),
            _ => return Ok(sha256.finish()),
        }
    }
}

pub(crate) fn hex(digest: &Digest) -> String {
    // One for each line of a bundle: digit by digit is several times as fast as `write!`.
    let nibbles = digest.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles.filter_map(|nibble| char::from_digit(u32::from(nibble), 16)).collect()
}
