//! What tests do to a simulated device that no program could do to a real one.

use facts::{DeviceFacts, ProbeFacts};

use super::{AllocationOverride, Fault, SimulatedDevice};
use crate::{DriverError, MemoryId, Operation};

impl SimulatedDevice {
    /// For tests: makes a later call fail with the fault's code, once. Faults are counted apart from each other; of two that
    /// fall due on the same call, one strikes there and the other on the next.
    pub fn inject(&self, fault: Fault) {
        self.state().faults.push(fault);
    }

    /// For tests: inverts bit `bit` of an allocation, counted from the lowest bit of its first byte.
    ///
    /// # Errors
    /// `CUDA_ERROR_INVALID_VALUE` when the memory is not known or has no such bit.
    pub fn flip_bit(&self, memory: MemoryId, bit: u64) -> Result<(), DriverError> {
        let memory = self.state().memory(Operation::Write, memory)?;
        memory.change(Operation::Write, |pages| {
            let byte = pages.range_mut(bit >> 3, 1)?.first_mut()?;
            *byte ^= 1 << (bit & 7);
            Some(())
        })
    }

    /// For tests: reports these facts from now on. Capacity stays what it is, and the class stays `simulated`.
    pub fn set_device_facts(&self, facts: DeviceFacts) {
        self.state().device_facts = facts;
    }

    /// For tests: reports these facts of every allocation from now on; `None` reports the true ones again.
    pub fn set_allocation_facts(&self, facts: Option<AllocationOverride>) {
        self.state().allocation = facts.unwrap_or_default();
    }

    /// For tests: every probe finds this from now on; `None` finds device memory again.
    pub fn set_probe(&self, probe: Option<ProbeFacts>) {
        self.state().probe = probe;
    }

    /// For tests: whether freed contents are kept, as a device keeps them until somebody else writes there.
    /// Turning it off wipes what was kept.
    pub fn keep_freed_pages(&self, keep: bool) {
        let mut state = self.state();
        state.keep_freed = keep;
        if !keep {
            state.freed.clear();
        }
    }

    /// For tests: what freed allocations held when they were freed, in that order, since [`keep_freed_pages`] was turned on.
    ///
    /// [`keep_freed_pages`]: Self::keep_freed_pages
    pub fn freed_pages(&self) -> Vec<Vec<u8>> {
        self.state().freed.iter().map(|pages| pages.bytes().to_vec()).collect()
    }

    /// For tests: as [`freed_pages`], one allocation after the other and where they lie: a large one is not copied.
    ///
    /// [`freed_pages`]: Self::freed_pages
    pub fn look_at_freed_pages(&self, mut look: impl FnMut(&[u8])) {
        for pages in &self.state().freed {
            look(pages.bytes());
        }
    }

    /// For tests: how many allocations are not freed.
    pub fn live_allocations(&self) -> usize {
        self.state().live.len()
    }

    /// For tests: the allocations that are not freed, oldest first.
    pub fn memory_ids(&self) -> Vec<MemoryId> {
        self.state().live.keys().copied().collect()
    }
}
