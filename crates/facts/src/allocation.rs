//! What the driver reports of memory: one allocation, a probe of it, and the device's capacity.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where the driver says that an allocation lies (`CUmemorytype`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemoryType {
    /// `CU_MEMORYTYPE_DEVICE`.
    Device,
    /// `CU_MEMORYTYPE_HOST`.
    Host,
    /// `CU_MEMORYTYPE_ARRAY`.
    Array,
    /// `CU_MEMORYTYPE_UNIFIED`.
    Unified,
    /// Not found out, or a type that is not in the list.
    Unknown,
}

impl fmt::Display for MemoryType {
    /// The word that JSON uses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Device => "device",
            Self::Host => "host",
            Self::Array => "array",
            Self::Unified => "unified",
            Self::Unknown => "unknown",
        })
    }
}

/// What the driver reports of one allocation, over its whole range. It holds no address: the range's start is given as a
/// distance from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllocationFacts {
    /// How many bytes were asked for.
    pub requested_bytes: u64,
    /// `CU_POINTER_ATTRIBUTE_MEMORY_TYPE`.
    pub memory_type: MemoryType,
    /// `CU_POINTER_ATTRIBUTE_IS_MANAGED`: managed memory can move between device and host.
    pub is_managed: bool,
    /// Whether `CU_POINTER_ATTRIBUTE_HOST_POINTER` exists: the host can reach the memory (zero copy).
    pub has_host_pointer: bool,
    /// `CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL`: the device that the memory belongs to.
    pub device_ordinal: u32,
    /// How many bytes the allocation begins after `CU_POINTER_ATTRIBUTE_RANGE_START_ADDR`.
    pub range_offset_bytes: u64,
    /// `CU_POINTER_ATTRIBUTE_RANGE_SIZE` in bytes.
    pub range_bytes: u64,
}

/// What a latency probe found: dependent loads in every chunk of an allocation, against two controls of the same run.
///
/// Attributes tell what the driver believes; latency tells where the bytes are. Times are the device's clock cycles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeFacts {
    /// The length of a chunk in bytes.
    pub chunk_bytes: u64,
    /// How many chunks were probed, from the allocation's start, without a gap.
    pub chunks: u64,
    /// Which chunk was the slowest, counted from zero.
    pub slowest_chunk: u64,
    /// The slowest chunk's latency, in cycles for a load.
    pub slowest_cycles: u64,
    /// The latency of memory that is known to lie in the device, in cycles for a load.
    pub device_control_cycles: u64,
    /// The latency of mapped host memory, in cycles for a load.
    pub host_control_cycles: u64,
}

impl ProbeFacts {
    /// The latency midway between the two controls, in cycles for a load: a chunk at or above it is taken for host memory.
    pub fn threshold_cycles(&self) -> u64 {
        self.device_control_cycles.midpoint(self.host_control_cycles)
    }
}

/// How much memory a device has and how much of it is free (`cuMemGetInfo_v2`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    /// All of the device's memory, in bytes.
    pub total_bytes: u64,
    /// What is free now, in bytes, whoever uses the rest.
    pub free_bytes: u64,
}
