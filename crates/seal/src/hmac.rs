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
