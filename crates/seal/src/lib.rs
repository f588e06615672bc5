//! Key derivation, canonical encoding, HMAC-SHA256 tags and their constant-time comparison.
#![forbid(unsafe_code)]
