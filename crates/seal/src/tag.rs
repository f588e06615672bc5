//! An authentication tag.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};
use validation::DigestHex;

use crate::{SealError, digests_equal};

/// An HMAC-SHA256 tag. It is public: whoever holds a shard's handle holds its tag.
///
/// Tags compare in constant time, and serialise as 64 hex digits.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Tag([u8; 32]);

impl Tag {
    /// Takes 32 bytes as a tag that was made elsewhere.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads 64 hex digits, in either case.
    ///
    /// # Errors
    ///
    /// [`SealError::TagNotHex`] when `text` is anything else.
    pub fn from_hex(text: &str) -> Result<Self, SealError> {
        DigestHex::parse(text).map(|hex| Self(hex.to_bytes())).map_err(|_validation| SealError::TagNotHex)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The tag as 64 lower-case hex digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        DigestHex::from_bytes(self.0).into()
    }
}

impl PartialEq for Tag {
    fn eq(&self, other: &Self) -> bool {
        digests_equal(&self.0, &other.0)
    }
}

impl Eq for Tag {}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tag(")?;
        f.write_str(&self.to_hex())?;
        f.write_char(')')
    }
}

impl TryFrom<String> for Tag {
    type Error = SealError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::from_hex(&text)
    }
}

impl From<Tag> for String {
    fn from(tag: Tag) -> Self {
        tag.to_hex()
    }
}
