//! HKDF with SHA-256 (RFC 5869).

use ring::hkdf::{HKDF_SHA256, KeyType, Salt};

use crate::SealError;

/// Extracts from `secret` with `salt` and expands with `info` into the whole of `output`.
///
/// # Errors
///
/// [`SealError::Derivation`] when `output` is longer than 255 × 32 bytes (RFC 5869, section 2.3).
pub(crate) fn hkdf_sha256(secret: &[u8], salt: &[u8], info: &[u8], output: &mut [u8]) -> Result<(), SealError> {
    Salt::new(HKDF_SHA256, salt)
        .extract(secret)
        .expand(&[info], Length(output.len()))
        .and_then(|expanded| expanded.fill(output))
        .map_err(|_unspecified| SealError::Derivation)
}

/// How many bytes to expand to, in ring's terms.
struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}
