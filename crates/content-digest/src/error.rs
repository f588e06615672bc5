//! Why a text is not a digest.

use thiserror::Error;

/// Why a text was refused as a digest.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DigestError {
    /// The text is not 64 hex digits.
    #[error("not a digest: give exactly 64 hex digits")]
    NotHex,
}
