//! The name of a shard.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ValidationError;

/// The name of a shard: 1 to 256 ASCII letters, digits, `-` or `_`.
///
/// The set leaves no room for path parts, NUL, control characters or look-alikes, so an id can be a file name,
/// a log field or a JSON string as it stands.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ShardId(String);

impl ShardId {
    /// The most characters that an id can have.
    pub const MAX_CHARACTERS: usize = 256;

    /// Takes `text` as an id.
    ///
    /// # Errors
    ///
    /// [`ValidationError::ShardIdEmpty`], [`ValidationError::ShardIdTooLong`] or
    /// [`ValidationError::ShardIdCharacter`], looked for in this order.
    pub fn parse(text: &str) -> Result<Self, ValidationError> {
        let characters = text.chars().count();
        if characters == 0 {
            return Err(ValidationError::ShardIdEmpty);
        }
        if characters > Self::MAX_CHARACTERS {
            return Err(ValidationError::ShardIdTooLong { characters });
        }
        for (position, character) in (1..).zip(text.chars()) {
            if !(character.is_ascii_alphanumeric() || character == '-' || character == '_') {
                return Err(ValidationError::ShardIdCharacter { character, position });
            }
        }
        Ok(Self(text.to_owned()))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for ShardId {
    type Error = ValidationError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<ShardId> for String {
    fn from(id: ShardId) -> Self {
        id.0
    }
}
