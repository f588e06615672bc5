//! How large a model is.

use std::fmt;

use serde::Serialize;

use crate::ValidationError;

/// The maximum model size unless another is configured: 100 GiB, in bytes.
pub const DEFAULT_MAX_MODEL_BYTES: u64 = 100 * 1024 * 1024 * 1024;

/// The size of a model in bytes: at least 1 and at most a configured maximum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ModelSize(u64);

impl ModelSize {
    /// Takes `bytes` as a size of at most `max_bytes`.
    ///
    /// # Errors
    ///
    /// [`ValidationError::ModelSizeZero`] or [`ValidationError::ModelSizeTooLarge`].
    pub fn parse(bytes: u64, max_bytes: u64) -> Result<Self, ValidationError> {
        if bytes == 0 {
            return Err(ValidationError::ModelSizeZero);
        }
        if bytes > max_bytes {
            return Err(ValidationError::ModelSizeTooLarge { bytes, max_bytes });
        }
        Ok(Self(bytes))
    }

    /// The size in bytes.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ModelSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
