//! What a simulated device is made of, and what tests can change about it.

use facts::{DeviceClass, DeviceFacts, DeviceUuid, DriverModel, EccMode, MemoryType};

use crate::Operation;

/// The length of a chunk that a probe measures, in bytes: 2 MiB, the page size of device memory.
pub const PROBE_CHUNK_BYTES: u64 = 2 * 1024 * 1024;

const DEFAULT_CAPACITY_BYTES: u64 = 8 * 1024 * 1024 * 1024;

/// A simulated device: its memory and what it reports of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimulatedConfig {
    /// The device's memory in bytes. Host memory is taken only for what is allocated.
    pub capacity_bytes: u64,
    /// What the device reports. `total_bytes` follows `capacity_bytes`, and the class is always `simulated`.
    pub device_facts: DeviceFacts,
}

impl SimulatedConfig {
    /// The device at `index`: 8 GiB, a discrete device's facts, and a uuid that follows from the index.
    pub fn for_index(index: u32) -> Self {
        let mut uuid = *b"simulated\0\0\0\0\0\0\0";
        for (to, from) in uuid.iter_mut().rev().zip(index.to_le_bytes()) {
            *to = from;
        }
        Self {
            capacity_bytes: DEFAULT_CAPACITY_BYTES,
            device_facts: DeviceFacts {
                index,
                class: DeviceClass::Simulated,
                name: "Simulated GPU".to_owned(),
                uuid: DeviceUuid::from_bytes(uuid),
                total_bytes: DEFAULT_CAPACITY_BYTES,
                driver_version: None,
                driver_model: DriverModel::Linux,
                compute_capability: None,
                integrated: false,
                unified_addressing: true,
                managed_memory: true,
                concurrent_managed_access: true,
                pageable_memory_access: false,
                pageable_memory_access_uses_host_page_tables: false,
                can_map_host_memory: true,
                ecc_mode: EccMode::Unsupported,
                ecc_errors: None,
                mig_enabled: None,
                compute_processes: None,
                confidential_computing: None,
            },
        }
    }

    /// The same device with `bytes` bytes of memory.
    pub fn capacity(self, bytes: u64) -> Self {
        Self { capacity_bytes: bytes, ..self }
    }
}

impl Default for SimulatedConfig {
    /// The device at index 0.
    fn default() -> Self {
        Self::for_index(0)
    }
}

/// A failure that a test asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// The operation that is to fail.
    pub operation: Operation,
    /// Which call of it, counted from this one on: 1 is the next. Zero is taken for 1.
    pub nth: u64,
    /// The driver's code (`CUresult`) that the call returns.
    pub code: u32,
}

/// Facts that the device reports of every allocation in place of the true ones; `None` leaves a fact as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AllocationOverride {
    /// In place of [`MemoryType::Device`].
    pub memory_type: Option<MemoryType>,
    /// In place of `false`.
    pub is_managed: Option<bool>,
    /// In place of `false`.
    pub has_host_pointer: Option<bool>,
    /// In place of the device's index.
    pub device_ordinal: Option<u32>,
    /// In place of 0.
    pub range_offset_bytes: Option<u64>,
    /// In place of the allocation's length.
    pub range_bytes: Option<u64>,
}
