//! SHA-256 and the fs-verity tree over SHA-256, on the host.
#![forbid(unsafe_code)]
