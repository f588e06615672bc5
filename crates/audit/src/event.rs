//! The events: what happened to which shard on which device.

use facts::{DeviceClass, DeviceUuid};
use serde::{Deserialize, Serialize};
use validation::{DigestHex, ShardId};

/// One security event. Events carry ids, sizes and public digests; never a key, a token, an address or weights.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Event {
    /// A manager started on these devices: what follows in the log, up to the next such event, is of them. Ids that the manager
    /// chooses start again.
    Started {
        /// What kind of device it is: simulated as soon as one device is.
        device_class: DeviceClass,
        /// The devices, in order of their index.
        devices: Vec<StartedDevice>,
    },
    /// A shard was written to device memory, read back by digest, and sealed.
    Sealed {
        /// The shard.
        shard_id: ShardId,
        /// The device's index.
        gpu_device: u32,
        /// Size in bytes.
        vram_bytes: u64,
        /// Plain SHA-256 of the contents.
        digest: DigestHex,
    },
    /// A model was not what it should be, or not what was written to device memory, so nothing was sealed. Critical.
    SealRefused {
        /// The id that the shard would have had.
        shard_id: ShardId,
        /// The device's index.
        gpu_device: u32,
        /// What did not hold.
        reason: String,
    },
    /// A shard's handle, tag, residency and bytes were checked and hold.
    Verified {
        /// The shard.
        shard_id: ShardId,
        /// The device's index.
        gpu_device: u32,
    },
    /// A check of a shard failed. Critical.
    VerificationFailed {
        /// The id that the handle claims, as text because it may be anything.
        shard_id: String,
        /// The device's index that the handle claims.
        gpu_device: u32,
        /// What did not hold.
        reason: String,
    },
    /// A verified shard was lent for execution.
    Lent {
        /// The shard.
        shard_id: ShardId,
        /// The device's index.
        gpu_device: u32,
    },
    /// The guard of a lent shard was dropped.
    Returned {
        /// The shard.
        shard_id: ShardId,
        /// The device's index.
        gpu_device: u32,
    },
    /// A shard's memory was overwritten and given back to the driver.
    Deallocated {
        /// The shard.
        shard_id: ShardId,
        /// The device's index.
        gpu_device: u32,
        /// Size in bytes.
        vram_bytes: u64,
    },
    /// Device memory could not be had.
    AllocationFailed {
        /// The device's index.
        gpu_device: u32,
        /// Bytes asked for.
        needed_bytes: u64,
        /// Bytes that were available by the ledger.
        available_bytes: u64,
        /// What refused.
        reason: String,
    },
    /// Device memory could not be overwritten or freed, so it is kept out of use and the device is stopped. Critical.
    Quarantined {
        /// The shard.
        shard_id: ShardId,
        /// The device's index.
        gpu_device: u32,
        /// Size in bytes.
        vram_bytes: u64,
        /// What failed.
        reason: String,
    },
    /// The driver lost a device, which is stopped: an error of its memory that nothing corrects, say. What lies in it can be
    /// neither verified nor overwritten. Written at most once for a device, and not where an overwrite or a free finds the loss:
    /// [`Event::Quarantined`] says that. Critical.
    DeviceStopped {
        /// The device's index.
        gpu_device: u32,
        /// What the driver said.
        reason: String,
    },
    /// A device or an allocation does not meet the VRAM-only policy; the manager is stopped. Critical.
    PolicyViolation {
        /// The device's index.
        gpu_device: u32,
        /// The broken rules, such as `VP-002`.
        rules: Vec<String>,
        /// What each of them found.
        findings: Vec<String>,
    },
}

/// A device that a manager started on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartedDevice {
    /// The device's index.
    pub gpu_device: u32,
    /// The device's UUID, which stays when devices are renumbered.
    pub device_uuid: DeviceUuid,
}

impl Event {
    /// Whether the event must be on stable storage before the operation goes on.
    #[must_use]
    pub const fn is_critical(&self) -> bool {
        matches!(
            self,
            Self::SealRefused { .. }
                | Self::VerificationFailed { .. }
                | Self::Quarantined { .. }
                | Self::DeviceStopped { .. }
                | Self::PolicyViolation { .. }
        )
    }

    /// The event's name as it stands in a log, such as `verification_failed`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Started { .. } => "started",
            Self::Sealed { .. } => "sealed",
            Self::SealRefused { .. } => "seal_refused",
            Self::Verified { .. } => "verified",
            Self::VerificationFailed { .. } => "verification_failed",
            Self::Lent { .. } => "lent",
            Self::Returned { .. } => "returned",
            Self::Deallocated { .. } => "deallocated",
            Self::AllocationFailed { .. } => "allocation_failed",
            Self::Quarantined { .. } => "quarantined",
            Self::DeviceStopped { .. } => "device_stopped",
            Self::PolicyViolation { .. } => "policy_violation",
        }
    }
}
