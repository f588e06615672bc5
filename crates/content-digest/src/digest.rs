//! The two kinds of digest, kept apart as types so that one cannot stand in for the other.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

use crate::DigestError;

/// Defines a 32-byte digest type with its hex form; both kinds behave alike and differ only in what they mean.
macro_rules! digest_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name([u8; 32]);

        impl $name {
            /// Takes 32 bytes as a digest that was computed elsewhere.
            #[must_use]
            pub fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// Reads 64 hex digits, in either case.
            ///
            /// # Errors
            ///
            /// [`DigestError::NotHex`] when `text` is anything else.
            pub fn from_hex(text: &str) -> Result<Self, DigestError> {
                parse_hex(text).map(Self)
            }

            /// The 32 bytes.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// The digest as 64 lower-case hex digits.
            #[must_use]
            pub fn to_hex(&self) -> String {
                self.to_string()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write_hex(&self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($name), "("))?;
                write_hex(&self.0, f)?;
                f.write_char(')')
            }
        }

        impl TryFrom<String> for $name {
            type Error = DigestError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::from_hex(&text)
            }
        }

        impl From<$name> for String {
            fn from(digest: $name) -> Self {
                digest.to_hex()
            }
        }
    };
}

digest_type! {
    /// A plain SHA-256 digest (FIPS 180-4, section 6.2), as `sha256sum` prints it.
    Sha256Digest
}

digest_type! {
    /// An fs-verity file digest: SHA-256 of the descriptor that binds the tree's root to the data's length
    /// (Linux kernel documentation, fs-verity, "File digest computation").
    TreeDigest
}

fn write_hex(bytes: &[u8; 32], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

fn parse_hex(text: &str) -> Result<[u8; 32], DigestError> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return Err(DigestError::NotHex);
    };
    if pairs.len() != 32 {
        return Err(DigestError::NotHex);
    }
    let mut bytes = [0_u8; 32];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = (hex_value(*high)? << 4) | hex_value(*low)?;
    }
    Ok(bytes)
}

fn hex_value(digit: u8) -> Result<u8, DigestError> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok()).ok_or(DigestError::NotHex)
}
