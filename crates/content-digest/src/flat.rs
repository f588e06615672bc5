//! Plain SHA-256 over a stream of bytes.

use std::fmt;

use ring::digest;

use crate::Sha256Digest;

/// Takes the SHA-256 (FIPS 180-4, section 6.2) of bytes that arrive in pieces.
#[derive(Clone)]
pub struct Sha256Stream(digest::Context);

impl Sha256Stream {
    /// Starts a digest over no bytes.
    #[must_use]
    pub fn new() -> Self {
        Self(digest::Context::new(&digest::SHA256))
    }

    /// Appends `bytes`; how they are cut into pieces does not matter.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of everything appended.
    #[must_use]
    pub fn finish(self) -> Sha256Digest {
        Sha256Digest::from_bytes(to_array(&self.0.finish()))
    }
}

impl Default for Sha256Stream {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Sha256Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sha256Stream").finish_non_exhaustive()
    }
}

/// The SHA-256 of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> Sha256Digest {
    Sha256Digest::from_bytes(hash(bytes))
}

/// SHA-256 of one piece, as plain bytes.
pub(crate) fn hash(bytes: &[u8]) -> [u8; 32] {
    to_array(&digest::digest(&digest::SHA256, bytes))
}

fn to_array(digest: &digest::Digest) -> [u8; 32] {
    let mut array = [0_u8; 32];
    // The lengths are equal: ring's SHA-256 output is always 32 bytes.
    array.copy_from_slice(digest.as_ref());
    array
}
