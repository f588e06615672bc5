//! A SHA-256 digest as text.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

use crate::ValidationError;

/// 32 bytes written as 64 hex digits, as `sha256sum` prints them.
///
/// Upper case is accepted and stored as lower case, so that two texts of one digest are equal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DigestHex {
    hex: String,
    bytes: [u8; 32],
}

impl DigestHex {
    /// Takes `text` as a digest.
    ///
    /// # Errors
    ///
    /// [`ValidationError::DigestLength`] or [`ValidationError::DigestCharacter`], looked for in this order.
    pub fn parse(text: &str) -> Result<Self, ValidationError> {
        let characters = text.chars().count();
        if characters != 64 {
            return Err(ValidationError::DigestLength { characters });
        }
        let mut bytes = [0_u8; 32];
        let mut digits = (1..).zip(text.chars());
        for byte in &mut bytes {
            for (position, character) in digits.by_ref().take(2) {
                let digit = character
                    .to_digit(16)
                    .and_then(|digit| u8::try_from(digit).ok())
                    .ok_or(ValidationError::DigestCharacter { character, position })?;
                *byte = (*byte << 4) | digit;
            }
        }
        Ok(Self::from_bytes(bytes))
    }

    /// Writes `bytes` as hex digits.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let mut hex = String::with_capacity(64);
        for byte in bytes {
            // Writing to a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        Self { hex, bytes }
    }

    /// The 32 bytes that the digits stand for.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        self.bytes
    }

    /// The 64 digits, in lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.hex
    }
}

impl fmt::Display for DigestHex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex)
    }
}

impl TryFrom<String> for DigestHex {
    type Error = ValidationError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<DigestHex> for String {
    fn from(digest: DigestHex) -> Self {
        digest.hex
    }
}
