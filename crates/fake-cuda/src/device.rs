//! One device: what it is, its memory, and what became of it.

use std::collections::BTreeMap;

use crate::code::{Answer, is_for_good};
use crate::memory::Memory;

/// Where the memory of the first device begins; no address of a Linux process on x86-64 or AArch64 is that low.
const FIRST_ADDRESS: u64 = 1 << 40;

/// A device of the kind that this project is made for, in small.
const ATTRIBUTES: [(i32, i32); 21] = [
    (1, 1024),       // MAX_THREADS_PER_BLOCK
    (2, 1024),       // MAX_BLOCK_DIM_X
    (3, 1024),       // MAX_BLOCK_DIM_Y
    (4, 64),         // MAX_BLOCK_DIM_Z
    (5, i32::MAX),   // MAX_GRID_DIM_X
    (6, 65_535),     // MAX_GRID_DIM_Y
    (7, 65_535),     // MAX_GRID_DIM_Z
    (8, 49_152),     // MAX_SHARED_MEMORY_PER_BLOCK
    (10, 32),        // WARP_SIZE
    (12, 65_536),    // MAX_REGISTERS_PER_BLOCK
    (13, 1_980_000), // CLOCK_RATE
    (16, 132),       // MULTIPROCESSOR_COUNT
    (19, 1),         // CAN_MAP_HOST_MEMORY
    (32, 1),         // ECC_ENABLED
    (38, 8_388_608), // L2_CACHE_SIZE
    (40, 3),         // ASYNC_ENGINE_COUNT
    (41, 1),         // UNIFIED_ADDRESSING
    (75, 9),         // COMPUTE_CAPABILITY_MAJOR
    (76, 0),         // COMPUTE_CAPABILITY_MINOR
    (83, 1),         // MANAGED_MEMORY
    (89, 1),         // CONCURRENT_MANAGED_ACCESS
];
/// `CU_DEVICE_ATTRIBUTE_MAX` of CUDA 13: numbers from here on are refused.
const ATTRIBUTES_END: i32 = 150;
/// What a device has unless a test says otherwise: 1 GiB.
const CAPACITY: u64 = 1 << 30;

/// A device.
pub(crate) struct Device {
    pub(crate) name: Vec<u8>,
    pub(crate) uuid: [u8; 16],
    pub(crate) total_bytes: u64,
    /// What other processes use of it.
    pub(crate) used_elsewhere: u64,
    attributes: BTreeMap<i32, i32>,
    pub(crate) memory: Memory,
    /// The handle of the primary context while somebody holds it, and by how many it is held.
    pub(crate) context: usize,
    pub(crate) retained: u64,
    /// The handle of the context's default stream.
    pub(crate) default_stream: usize,
    /// The code of work that failed and that nobody has waited for.
    pending: Option<u32>,
    /// The code that every call gets from now on.
    lost: Option<u32>,
}

impl Device {
    pub(crate) fn new(index: usize) -> Self {
        let place = u8::try_from(index).unwrap_or(u8::MAX);
        let mut uuid = *b"fake-cuda device";
        if let Some(last) = uuid.last_mut() {
            *last = place;
        }
        let start = FIRST_ADDRESS.saturating_mul(u64::from(place).saturating_add(1));
        Self {
            name: format!("Fake GPU {index}").into_bytes(),
            uuid,
            total_bytes: CAPACITY,
            used_elsewhere: 0,
            attributes: ATTRIBUTES.into(),
            memory: Memory::new(start),
            context: 0,
            retained: 0,
            default_stream: 0,
            pending: None,
            lost: None,
        }
    }

    /// `None` for a number that is no attribute. One that nobody set is 0.
    pub(crate) fn attribute(&self, number: i32) -> Option<i32> {
        (1..ATTRIBUTES_END).contains(&number).then(|| self.attributes.get(&number).copied().unwrap_or(0))
    }

    pub(crate) fn set_attribute(&mut self, number: i32, value: i32) {
        self.attributes.insert(number, value);
    }

    pub(crate) fn free_bytes(&self) -> u64 {
        self.total_bytes.saturating_sub(self.used_elsewhere).saturating_sub(self.memory.used_bytes())
    }

    /// Work on the device failed: whoever waits next learns of the first failure.
    pub(crate) fn fail_later(&mut self, code: u32) {
        self.pending.get_or_insert(code);
    }

    /// A call failed with `code`.
    pub(crate) fn failed(&mut self, code: u32) {
        if is_for_good(code) {
            self.lost.get_or_insert(code);
        }
    }

    pub(crate) fn is_lost(&self) -> bool {
        self.lost.is_some()
    }

    /// Whether the device can be used at all.
    pub(crate) fn usable(&self) -> Answer {
        self.lost.map_or(Ok(()), Err)
    }

    /// What somebody who waits is told: the failure of earlier work, once, or the one that is for good.
    pub(crate) fn surface(&mut self) -> Answer {
        self.usable()?;
        match self.pending.take() {
            Some(code) => {
                self.failed(code);
                Err(code)
            }
            None => Ok(()),
        }
    }
}
