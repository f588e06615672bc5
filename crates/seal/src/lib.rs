//! Key derivation, canonical encoding, HMAC-SHA256 tags and their constant-time comparison.
//!
//! A worker's [`SecretToken`] gives a [`SealKey`], which tags the [`SealedFields`] of a shard, and an
//! [`AuditKey`], which chains the audit log; neither tells anything of the other (HKDF, RFC 5869). What is
//! tagged is the [`canonical`] encoding, in which no two different sets of fields look alike.
//!
//! Token and keys live in memory that is overwritten when they are dropped. ring does not overwrite the key
//! objects that it computes with; they are built for one call and their residue on the stack is not claimed.
#![forbid(unsafe_code)]

mod canonical;
mod compare;
mod error;
mod hkdf;
mod hmac;
mod key;
mod tag;
mod token;

pub use canonical::{SealedFields, canonical};
pub use compare::digests_equal;
pub use error::SealError;
pub use key::{AuditKey, SealKey};
pub use tag::Tag;
pub use token::{MAX_TOKEN_BYTES, MIN_TOKEN_BYTES, SecretToken};
