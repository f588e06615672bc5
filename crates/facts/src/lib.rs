//! What a driver reports of a device and of an allocation: plain data that a verifier can judge again.
#![forbid(unsafe_code)]
