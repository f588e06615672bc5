//! Everything that the rules read, in one value that can be kept beside the decision.

use facts::{AllocationFacts, Capacity, DeviceFacts, ProbeFacts};
use serde::{Deserialize, Serialize};

use crate::Decision;

/// The facts that are judged together: one device and the allocations in question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRecord {
    /// What the driver reports of the device now.
    pub device: DeviceFacts,
    /// What the driver reports of each allocation now. Without any, the outcome is never [`Enforced`](crate::Outcome::Enforced).
    pub allocations: Vec<AllocationFacts>,
    /// A latency probe of the allocations, where one was made: of several, their probes joined. It has to reach every byte of
    /// every allocation in this record. A probe that is present must pass.
    pub probe: Option<ProbeFacts>,
    /// How much memory was free before the request, where that was asked.
    pub capacity: Option<Capacity>,
    /// How many bytes are being asked for, to be compared with what is free in `capacity`.
    pub requested_bytes: u64,
    /// The ordinal of the device that was chosen.
    pub ordinal: u32,
}

impl PolicyRecord {
    /// Judges the facts by every rule. Pure: it reads this record and nothing else.
    pub fn judge(&self) -> Decision {
        Decision::of(self)
    }
}
