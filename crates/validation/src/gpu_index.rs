//! The number of a device.

use std::fmt;

use serde::Serialize;

use crate::ValidationError;

/// The number of a device in use, as the driver counts from 0.
///
/// An index says where a device is now and can be renumbered; what names a device for good is its uuid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct GpuIndex(u32);

impl GpuIndex {
    /// Takes `index` as the number of one of the devices in use.
    ///
    /// # Errors
    ///
    /// [`ValidationError::GpuIndexNotInUse`] unless `index` is one of `in_use`.
    pub fn parse(index: u32, in_use: &[u32]) -> Result<Self, ValidationError> {
        if in_use.contains(&index) {
            return Ok(Self(index));
        }
        Err(ValidationError::GpuIndexNotInUse { index, in_use: in_use.to_vec() })
    }

    /// The number, counted from 0.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for GpuIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
