//! SHA-256 and the fs-verity tree over SHA-256, on the host.
//!
//! A shard has two digests. The plain SHA-256 ([`Sha256Stream`], FIPS 180-4) is what publishers print and what
//! `sha256sum` reproduces; it is sequential. The tree digest ([`TreeHasher`], the Linux kernel's fs-verity
//! format) can be taken in parallel and in place, `fsverity digest` reproduces it, and two trees tell *which*
//! 4 KiB block differs.
#![forbid(unsafe_code)]

mod block;
mod digest;
mod error;
mod flat;
mod hasher;
mod parallel;
mod tree;

pub use block::BLOCK_BYTES;
pub use digest::{Sha256Digest, TreeDigest};
pub use error::DigestError;
pub use flat::{Sha256Stream, sha256};
pub use hasher::{TreeHasher, tree_digest};
pub use tree::Tree;
