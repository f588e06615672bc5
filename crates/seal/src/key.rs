//! The keys that a token gives.

use std::fmt;

use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::canonical::{SealedFields, canonical, canonical_message};
use crate::hkdf::hkdf_sha256;
use crate::hmac::hmac_sha256;
use crate::{SealError, SecretToken, Tag, digests_equal};

/// HKDF's salt: keys of this product differ from keys that another derives from the same token.
const SALT: &[u8] = b"vram-residency/hkdf/v1";
/// HKDF's info for each key: the keys of one token are independent of each other (RFC 5869, section 3.2).
const SEAL_INFO: &[u8] = b"vram-residency/seal-key/v1";
const AUDIT_INFO: &[u8] = b"vram-residency/audit-key/v1";

/// 32 secret bytes in one place of their own, so that moving a key leaves no copy behind.
type KeyBytes = Box<Zeroizing<[u8; 32]>>;

/// The key that seals are made and verified with.
pub struct SealKey(KeyBytes);

impl SealKey {
    /// Derives the seal key of `token`; the same token always gives the same key.
    ///
    /// # Errors
    ///
    /// [`SealError::Derivation`].
    pub fn derive(token: &SecretToken) -> Result<Self, SealError> {
        derive(token, SEAL_INFO).map(Self)
    }

    /// Makes a key that nothing outside this process knows.
    ///
    /// # Errors
    ///
    /// [`SealError::NoRandomness`].
    pub fn random() -> Result<Self, SealError> {
        random().map(Self)
    }

    /// The tag of `fields`: HMAC-SHA256 over their [`canonical`] encoding.
    #[must_use]
    pub fn sign(&self, fields: &SealedFields<'_>) -> Tag {
        self.tag(&canonical(fields))
    }

    /// Checks that `tag` is the tag of `fields`, in constant time.
    ///
    /// # Errors
    ///
    /// [`SealError::TagMismatch`] when any field or the key differs.
    pub fn verify(&self, fields: &SealedFields<'_>, tag: &Tag) -> Result<(), SealError> {
        self.check(&canonical(fields), tag)
    }

    /// The tag of `message` in `domain`. Tags of different domains, and of seals, never stand in for each other.
    #[must_use]
    pub fn sign_message(&self, domain: &str, message: &[u8]) -> Tag {
        self.tag(&canonical_message(domain, message))
    }

    /// Checks that `tag` is the tag of `message` in `domain`, in constant time.
    ///
    /// # Errors
    ///
    /// [`SealError::TagMismatch`] when the message, the domain or the key differs.
    pub fn verify_message(&self, domain: &str, message: &[u8], tag: &Tag) -> Result<(), SealError> {
        self.check(&canonical_message(domain, message), tag)
    }

    fn tag(&self, encoded: &[u8]) -> Tag {
        Tag::from_bytes(hmac_sha256(self.0.as_slice(), encoded))
    }

    fn check(&self, encoded: &[u8], tag: &Tag) -> Result<(), SealError> {
        let expected = self.tag(encoded);
        if digests_equal(expected.as_bytes(), tag.as_bytes()) { Ok(()) } else { Err(SealError::TagMismatch) }
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(secret)")
    }
}

/// The key that the lines of the audit log are chained with.
pub struct AuditKey(KeyBytes);

impl AuditKey {
    /// Derives the audit key of `token`; the same token always gives the same key, and never the seal key.
    ///
    /// # Errors
    ///
    /// [`SealError::Derivation`].
    pub fn derive(token: &SecretToken) -> Result<Self, SealError> {
        derive(token, AUDIT_INFO).map(Self)
    }

    /// Makes a key that nothing outside this process knows.
    ///
    /// # Errors
    ///
    /// [`SealError::NoRandomness`].
    pub fn random() -> Result<Self, SealError> {
        random().map(Self)
    }

    /// The secret bytes, for the audit log to compute with. Whoever copies them wipes the copy.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditKey(secret)")
    }
}

fn derive(token: &SecretToken, info: &[u8]) -> Result<KeyBytes, SealError> {
    let mut key = KeyBytes::default();
    hkdf_sha256(token.expose(), SALT, info, key.as_mut_slice())?;
    Ok(key)
}

fn random() -> Result<KeyBytes, SealError> {
    let mut key = KeyBytes::default();
    SystemRandom::new().fill(key.as_mut_slice()).map_err(|_unspecified| SealError::NoRandomness)?;
    Ok(key)
}
