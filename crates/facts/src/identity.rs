//! Which device it is, and of which kind.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What went wrong while reading a fact from text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FactsError {
    /// The text is not a device uuid.
    #[error("not a device uuid: write GPU- and 32 hexadecimal digits grouped 8-4-4-4-12, as nvidia-smi -L prints them")]
    DeviceUuid,
    /// The text is not a class of device.
    #[error("not a device class: use simulated, fake-driver or gpu")]
    DeviceClass,
}

/// The kind of device that a record comes from. Records of different kinds are never merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceClass {
    /// Host memory that plays the part of a device.
    Simulated,
    /// The real driver code path over a test library that stands in for the driver.
    FakeDriver,
    /// A GPU behind its own driver.
    Gpu,
}

impl DeviceClass {
    /// The word that records and JSON use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Simulated => "simulated",
            Self::FakeDriver => "fake-driver",
            Self::Gpu => "gpu",
        }
    }
}

impl fmt::Display for DeviceClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DeviceClass {
    type Err = FactsError;

    fn from_str(text: &str) -> Result<Self, FactsError> {
        [Self::Simulated, Self::FakeDriver, Self::Gpu]
            .into_iter()
            .find(|class| class.as_str() == text)
            .ok_or(FactsError::DeviceClass)
    }
}

/// A device's universally unique id (`cuDeviceGetUuid_v2`): it stays with the board while the index can be renumbered.
///
/// Written as `nvidia-smi -L` does: `GPU-8-4-4-4-12` in lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeviceUuid([u8; 16]);

impl DeviceUuid {
    /// The uuid with these 16 bytes, in the order in which the driver gives them.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The 16 bytes, in the order in which the driver gives them.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Whether all bytes are zero, which identifies no device.
    pub fn is_zero(&self) -> bool {
        self.0 == [0; 16]
    }
}

impl fmt::Display for DeviceUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GPU")?;
        for (position, byte) in self.0.iter().enumerate() {
            if matches!(position, 0 | 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for DeviceUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for DeviceUuid {
    type Err = FactsError;

    fn from_str(text: &str) -> Result<Self, FactsError> {
        let digits = text.strip_prefix("GPU-").ok_or(FactsError::DeviceUuid)?;
        if !digits.split('-').map(str::len).eq([8, 4, 4, 4, 12]) {
            return Err(FactsError::DeviceUuid);
        }
        let mut nibbles = digits.chars().filter(|c| *c != '-').map(|c| c.to_digit(16));
        let mut bytes = [0; 16];
        for byte in &mut bytes {
            let (Some(Some(high)), Some(Some(low))) = (nibbles.next(), nibbles.next()) else {
                return Err(FactsError::DeviceUuid);
            };
            *byte = u8::try_from(high << 4 | low).map_err(|_| FactsError::DeviceUuid)?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for DeviceUuid {
    type Error = FactsError;

    fn try_from(text: String) -> Result<Self, FactsError> {
        text.parse()
    }
}

impl From<DeviceUuid> for String {
    fn from(uuid: DeviceUuid) -> Self {
        uuid.to_string()
    }
}
