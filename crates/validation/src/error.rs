//! What was wrong with an input, and what is accepted instead.

use thiserror::Error;

/// Why an input was refused.
///
/// Messages never repeat an input as a whole: at most one character of it, escaped to printable ASCII, so that
/// a hostile input can neither forge log lines nor fill them.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ValidationError {
    /// The shard id has no characters.
    #[error("shard id is empty: use 1 to 256 letters, digits, '-' or '_'")]
    ShardIdEmpty,
    /// The shard id has more than 256 characters.
    #[error("shard id has {characters} characters: use at most 256")]
    ShardIdTooLong {
        /// How many characters the id has.
        characters: usize,
    },
    /// The shard id has a character outside the accepted set.
    #[error(
        "shard id has '{}' as character {position}: use only ASCII letters, digits, '-' and '_'",
        .character.escape_default()
    )]
    ShardIdCharacter {
        /// The first character that is not accepted.
        character: char,
        /// Which character it is, counted from 1.
        position: usize,
    },
    /// No device in use has this index.
    #[error("gpu index {index} is not in use: choose one of {in_use:?}")]
    GpuIndexNotInUse {
        /// The index asked for.
        index: u32,
        /// The indices of the devices in use.
        in_use: Vec<u32>,
    },
    /// The model has no bytes.
    #[error("model is empty: give at least 1 byte")]
    ModelSizeZero,
    /// The model is larger than the configured maximum.
    #[error(
        "model has {bytes} bytes, more than the configured maximum of {max_bytes}: raise the maximum or split the model"
    )]
    ModelSizeTooLarge {
        /// The model's size in bytes.
        bytes: u64,
        /// The configured maximum in bytes.
        max_bytes: u64,
    },
    /// The digest has another length than 64 hex digits.
    #[error("digest has {characters} characters: give exactly 64 hex digits")]
    DigestLength {
        /// How many characters the digest has.
        characters: usize,
    },
    /// The digest has a character that is not a hex digit.
    #[error(
        "digest has '{}' as character {position}: use only hex digits, 0-9 and a-f",
        .character.escape_default()
    )]
    DigestCharacter {
        /// The first character that is not a hex digit.
        character: char,
        /// Which character it is, counted from 1.
        position: usize,
    },
    /// A tensor-parallel group without members.
    #[error("tensor-parallel count is 0: a model has at least 1 part")]
    TensorParallelCountZero,
    /// A tensor-parallel index outside its group.
    #[error("tensor-parallel index {index} does not exist: the model has {count}, numbered from 0")]
    TensorParallelIndexOutOfRange {
        /// The index given.
        index: u32,
        /// How many parts the model has.
        count: u32,
    },
}
