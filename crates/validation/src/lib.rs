//! Newtypes that parse untrusted input: past this crate an invalid value cannot exist.
#![forbid(unsafe_code)]
