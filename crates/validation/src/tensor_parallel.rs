//! Which part of a split model a shard holds.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ValidationError;

/// Which part of a model that is split over several devices: `index` of `count`, counted from 0.
///
/// The default, part 0 of 1, is a model that is not split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct TensorParallel {
    index: u32,
    count: u32,
}

impl TensorParallel {
    /// Takes `index` as the number of one of `count` parts.
    ///
    /// # Errors
    ///
    /// [`ValidationError::TensorParallelCountZero`] or [`ValidationError::TensorParallelIndexOutOfRange`].
    pub fn parse(index: u32, count: u32) -> Result<Self, ValidationError> {
        if count == 0 {
            return Err(ValidationError::TensorParallelCountZero);
        }
        if index >= count {
            return Err(ValidationError::TensorParallelIndexOutOfRange { index, count });
        }
        Ok(Self { index, count })
    }

    /// Which part, counted from 0.
    #[must_use]
    pub fn index(self) -> u32 {
        self.index
    }

    /// How many parts the model has.
    #[must_use]
    pub fn count(self) -> u32 {
        self.count
    }
}

impl Default for TensorParallel {
    fn default() -> Self {
        Self { index: 0, count: 1 }
    }
}

impl fmt::Display for TensorParallel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "part {} of {}", self.index, self.count)
    }
}

/// The fields as they arrive, before [`TensorParallel::parse`] has looked at them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    index: u32,
    count: u32,
}

impl TryFrom<Unchecked> for TensorParallel {
    type Error = ValidationError;

    fn try_from(fields: Unchecked) -> Result<Self, Self::Error> {
        Self::parse(fields.index, fields.count)
    }
}
