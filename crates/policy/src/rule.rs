//! The rules' names and texts.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A rule of the VRAM-only policy (`specs/20_security.md`, VP-001 to VP-006).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Rule {
    /// Weights lie in device memory, all of them, on the device we chose.
    #[serde(rename = "VP-001")]
    Vp001,
    /// Device memory is not the host's memory, and no allocation is managed.
    #[serde(rename = "VP-002")]
    Vp002,
    /// The host has no pointer into an allocation (zero copy).
    #[serde(rename = "VP-003")]
    Vp003,
    /// What was asked for fits into the memory that is free.
    #[serde(rename = "VP-004")]
    Vp004,
    /// Where attributes do not settle that device memory stays in the device, a latency probe does.
    #[serde(rename = "VP-005")]
    Vp005,
    /// The device is identified, so that an attestation can be bound to it.
    #[serde(rename = "VP-006")]
    Vp006,
}

impl Rule {
    /// Every rule, in the order in which findings come.
    pub const ALL: [Self; 6] = [Self::Vp001, Self::Vp002, Self::Vp003, Self::Vp004, Self::Vp005, Self::Vp006];

    /// The requirement's id, such as `VP-001`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vp001 => "VP-001",
            Self::Vp002 => "VP-002",
            Self::Vp003 => "VP-003",
            Self::Vp004 => "VP-004",
            Self::Vp005 => "VP-005",
            Self::Vp006 => "VP-006",
        }
    }

    /// What a finding expects: the rule in one line.
    pub fn expectation(self) -> &'static str {
        match self {
            Self::Vp001 => "every allocation is device memory of the chosen device over its whole range",
            Self::Vp002 => "the device is not integrated and no allocation is managed",
            Self::Vp003 => "no allocation has a host pointer",
            Self::Vp004 => "the requested bytes are free on the device",
            Self::Vp005 => "device memory is known to stay in the device, or a probe of every chunk shows it",
            Self::Vp006 => "the device has a uuid and is the chosen device",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
