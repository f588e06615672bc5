//! The number of a device.

use std::fmt;

use serde::Serialize;

use crate::ValidationError;

/// The number of a device that exists, counted from 0.
///
/// An index says where a device is now and can be renumbered; what names a device for good is its uuid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct GpuIndex(u32);

impl GpuIndex {
    /// Takes `index` as the number of one of `device_count` devices.
    ///
    /// # Errors
    ///
    /// [`ValidationError::GpuIndexOutOfRange`] unless `index` is below `device_count`.
    pub fn parse(index: u32, device_count: u32) -> Result<Self, ValidationError> {
        if index >= device_count {
            return Err(ValidationError::GpuIndexOutOfRange { index, device_count });
        }
        Ok(Self(index))
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
