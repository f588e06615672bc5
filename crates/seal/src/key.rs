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
    use evidence::{Stream, check, proves};
    use validation::{ShardId, TensorParallel};

    use super::*;
    use crate::compare::counted;

    /// `bytes` with each of their bits flipped in turn.
    fn each_bit_flipped(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
        (0..bytes.len() * 8).map(|bit| {
            let mut flipped = bytes.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            flipped
        })
    }

    #[test]
    fn test_timing_safe_comparison() {
        proves!("CI-003");
        // No stopwatch: `counted` is told of every comparison and notes what it was given.
        let mut flips = 0;
        let mut found = 0;
        for length in 0..=64 {
            let bytes: Vec<u8> = (0..length).map(|i| (i as u8).wrapping_mul(37)).collect();
            counted::take();
            assert!(digests_equal(&bytes, &bytes.clone()), "{length} equal bytes");
            assert_eq!(counted::take(), [(length, length)], "asked once, with all {length} bytes");
            for flipped in each_bit_flipped(&bytes) {
                flips += 1;
                found += usize::from(!digests_equal(&bytes, &flipped) && !digests_equal(&flipped, &bytes));
                assert_eq!(counted::take(), [(length, length); 2]);
            }
            for other in (0..=64).filter(|other| *other != length) {
                assert!(!digests_equal(&bytes, &vec![0; other]), "{length} bytes and {other}");
            }
        }
        check(Stream::CryptoValidation, "flipped_bits_of_all_lengths_to_64", 8 * 64 * 65 / 2, flips);
        check(Stream::CryptoValidation, "flipped_bits_that_compare_unequal", flips, found);
        // `==` would give the same answers, so the source says which comparison is shipped.
        let shipped = include_str!("compare.rs").matches("\n    ::constant_time_eq::constant_time_eq(a, b)\n}").count();
        check(Stream::CryptoValidation, "comparisons_by_constant_time_eq", 1, shipped);

        let key = SealKey::derive(&SecretToken::from_bytes((0..32).collect()).unwrap()).unwrap();
        let id = ShardId::parse("shard-1").unwrap();
        let fields = SealedFields {
            shard_id: &id,
            vram_bytes: 1,
            gpu_device: 0,
            sha256: &[1; 32],
            tree_digest: &[2; 32],
            device_uuid: &[3; 16],
            sealed_at_unix_nanos: 4,
            tensor_parallel: TensorParallel::default(),
        };
        let seal = key.sign(&fields);
        let message = key.sign_message("attestation", b"hello");
        counted::take();
        check(Stream::CryptoValidation, "seal_verifies", true, key.verify(&fields, &seal).is_ok());
        check(Stream::CryptoValidation, "seal_comparisons_in_bytes", [(32, 32)], counted::take());
        check(
            Stream::CryptoValidation,
            "message_verifies",
            true,
            key.verify_message("attestation", b"hello", &message).is_ok(),
        );
        check(Stream::CryptoValidation, "message_comparisons_in_bytes", [(32, 32)], counted::take());
        check(Stream::CryptoValidation, "tags_are_unequal", true, seal != message);
        check(Stream::CryptoValidation, "tag_comparisons_in_bytes", [(32, 32)], counted::take());

        let refused = |tag: &Tag, verify: &dyn Fn(&Tag) -> Result<(), SealError>| {
            each_bit_flipped(tag.as_bytes())
                .map(|bytes| Tag::from_bytes(bytes.try_into().unwrap()))
                .filter(|tag| matches!(verify(tag), Err(SealError::TagMismatch)))
                .count()
        };
        let seals = refused(&seal, &|tag| key.verify(&fields, tag));
        check(Stream::CryptoValidation, "seals_with_a_flipped_bit_refused", 256, seals);
        let messages = refused(&message, &|tag| key.verify_message("attestation", b"hello", tag));
        check(Stream::CryptoValidation, "messages_with_a_flipped_bit_refused", 256, messages);
        let whole = counted::take().iter().filter(|lengths| **lengths == (32, 32)).count();
        check(Stream::CryptoValidation, "comparisons_of_flipped_tags_in_whole", 512, whole);
    }
}
