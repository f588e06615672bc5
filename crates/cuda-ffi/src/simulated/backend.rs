//! The device's operations over host memory.

use std::sync::{Arc, RwLock};

use content_digest::{Tree, TreeHasher};
use facts::{AllocationFacts, Capacity, DeviceClass, DeviceFacts, MemoryType, ProbeFacts};

use super::{Memory, PROBE_CHUNK_BYTES, SimulatedDevice};
use crate::pages::Pages;
use crate::{Device, DeviceAddress, DriverError, MemoryId, Operation};

/// Latencies of the order that an H100 shows, in cycles for a load: device memory, and host memory over PCIe.
const DEVICE_CYCLES: u64 = 700;
const HOST_CYCLES: u64 = 2_500;

/// With this bit set and those above it clear a pointer is not canonical on x86-64 and not a program's on AArch64, so the
/// made-up addresses point nowhere.
const ADDRESS_BASE: u64 = 1 << 55;

impl Device for SimulatedDevice {
    fn facts(&self) -> Result<DeviceFacts, DriverError> {
        let state = self.begin(Operation::Facts)?;
        // Whatever facts a test sets, a simulated device does not pass for another.
        Ok(DeviceFacts { class: DeviceClass::Simulated, ..state.device_facts.clone() })
    }

    fn capacity(&self) -> Result<Capacity, DriverError> {
        let state = self.begin(Operation::Capacity)?;
        Ok(Capacity { total_bytes: self.capacity_bytes, free_bytes: state.free_bytes })
    }

    fn allocate(&self, bytes: u64) -> Result<MemoryId, DriverError> {
        let error = |code| DriverError::new(Operation::Allocate, code);
        {
            let mut state = self.begin(Operation::Allocate)?;
            if bytes == 0 {
                return Err(error(DriverError::INVALID_VALUE));
            }
            state.free_bytes = state.free_bytes.checked_sub(bytes).ok_or(error(DriverError::OUT_OF_MEMORY))?;
        }
        // Filling takes long, so the books are not held meanwhile.
        let pages = Pages::fresh(bytes);
        let mut state = self.state();
        if pages.is_none() {
            state.free_bytes = state.free_bytes.saturating_add(bytes);
            return Err(error(DriverError::OUT_OF_MEMORY));
        }
        let id = MemoryId::next();
        state.live.insert(id, Arc::new(Memory { bytes, pages: RwLock::new(pages) }));
        Ok(id)
    }

    fn allocation_facts(&self, memory: MemoryId) -> Result<AllocationFacts, DriverError> {
        let state = self.begin(Operation::AllocationFacts)?;
        let bytes = state.memory(Operation::AllocationFacts, memory)?.bytes;
        let instead = &state.allocation;
        Ok(AllocationFacts {
            requested_bytes: bytes,
            memory_type: instead.memory_type.unwrap_or(MemoryType::Device),
            is_managed: instead.is_managed.unwrap_or(false),
            has_host_pointer: instead.has_host_pointer.unwrap_or(false),
            device_ordinal: instead.device_ordinal.unwrap_or(state.device_facts.index),
            range_offset_bytes: instead.range_offset_bytes.unwrap_or(0),
            range_bytes: instead.range_bytes.unwrap_or(bytes),
        })
    }

    fn write(&self, memory: MemoryId, offset: u64, bytes: &[u8]) -> Result<(), DriverError> {
        let memory = self.begin(Operation::Write)?.memory(Operation::Write, memory)?;
        memory.change(Operation::Write, |pages| {
            pages.range_mut(offset, bytes.len())?.copy_from_slice(bytes);
            Some(())
        })
    }

    fn read(&self, memory: MemoryId, offset: u64, bytes: &mut [u8]) -> Result<(), DriverError> {
        let memory = self.begin(Operation::Read)?.memory(Operation::Read, memory)?;
        memory.look(Operation::Read, |pages| {
            bytes.copy_from_slice(pages.range(offset, bytes.len())?);
            Some(())
        })
    }

    fn overwrite(&self, memory: MemoryId) -> Result<(), DriverError> {
        let memory = self.begin(Operation::Overwrite)?.memory(Operation::Overwrite, memory)?;
        memory.change(Operation::Overwrite, |pages| {
            pages.overwrite();
            Some(())
        })
    }

    fn free(&self, memory: MemoryId) -> Result<(), DriverError> {
        let (freed, keep) = {
            let mut state = self.begin(Operation::Free)?;
            let freed = state.memory(Operation::Free, memory)?;
            state.live.remove(&memory);
            (freed, state.keep_freed)
        };
        // Waits for whoever is using the contents, and wipes them, without holding the books.
        let kept = freed.take().filter(|_| keep);
        let mut state = self.state();
        state.freed.extend(kept);
        state.free_bytes = state.free_bytes.saturating_add(freed.bytes);
        Ok(())
    }

    fn tree(&self, memory: MemoryId) -> Result<Tree, DriverError> {
        let memory = self.begin(Operation::TreeDigest)?.memory(Operation::TreeDigest, memory)?;
        memory.look(Operation::TreeDigest, |pages| {
            let mut hasher = TreeHasher::new();
            hasher.update(pages.bytes());
            Some(hasher.finish())
        })
    }

    fn probe(&self, memory: MemoryId) -> Result<ProbeFacts, DriverError> {
        let state = self.begin(Operation::Probe)?;
        let bytes = state.memory(Operation::Probe, memory)?.bytes;
        Ok(state.probe.clone().unwrap_or(ProbeFacts {
            chunk_bytes: PROBE_CHUNK_BYTES,
            chunks: bytes.div_ceil(PROBE_CHUNK_BYTES),
            slowest_chunk: 0,
            slowest_cycles: DEVICE_CYCLES,
            device_control_cycles: DEVICE_CYCLES,
            host_control_cycles: HOST_CYCLES,
        }))
    }

    fn address(&self, memory: MemoryId) -> Result<DeviceAddress, DriverError> {
        self.begin(Operation::Address)?.memory(Operation::Address, memory)?;
        Ok(DeviceAddress::new(ADDRESS_BASE | memory.number() << 20))
    }

    fn synchronize(&self) -> Result<(), DriverError> {
        self.begin(Operation::Synchronize).map(drop)
    }
}
