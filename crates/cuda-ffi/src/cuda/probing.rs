//! The latency of an allocation's chunks, beside that of memory whose place is known.

use std::hash::{BuildHasher, RandomState};

use facts::ProbeFacts;

use super::compute::{Compute, UNWRITTEN};
use super::kernels::Probed;
use super::memory::fetch;
use crate::{DriverError, Operation, PROBE_CHUNK_BYTES};

/// How many loads are timed in each chunk: enough that one that waited for a page table does not decide the mean.
const LOADS: u32 = 128;
/// The length of a result in bytes.
const CYCLES_BYTES: u64 = 4;

impl Compute {
    /// Measures every chunk of the `bytes` bytes at `data`, and both controls, in one run.
    ///
    /// # Safety
    /// The context is current, and the range is allocated in it and stays so until this returns.
    pub(super) unsafe fn probe(&self, data: u64, bytes: u64) -> Result<ProbeFacts, DriverError> {
        // Nobody outside of this process can know which lines will be loaded: the hasher's key is random.
        let seed = RandomState::new().hash_one(bytes);
        // SAFETY: this memory is ours, as long as `self`.
        let device_control = unsafe { self.measure(self.device_control(), PROBE_CHUNK_BYTES, seed)? };
        let host_control = self.host_control.device_address(Operation::Probe)?;
        // SAFETY: this memory is ours, as long as `self`.
        let host_control = unsafe { self.measure(host_control, PROBE_CHUNK_BYTES, seed)? };
        let mut cycles = Vec::new();
        // As many chunks at a time as there is room for results of.
        let step = self.results_bytes().div_euclid(CYCLES_BYTES).saturating_mul(PROBE_CHUNK_BYTES).max(1);
        for offset in (0..bytes).step_by(usize::try_from(step).unwrap_or(usize::MAX)) {
            let (start, len) = (data.saturating_add(offset), bytes.saturating_sub(offset).min(step));
            // SAFETY: the caller vouches for the range.
            cycles.append(&mut unsafe { self.measure(start, len, seed)? });
        }
        // The first of several equal ones.
        let slowest =
            (0..).zip(&cycles).max_by(|(_, one), (_, other)| one.cmp(other).then(std::cmp::Ordering::Greater));
        let (slowest_chunk, slowest_cycles) = slowest.map_or((0, 0), |(chunk, cycles)| (chunk, u64::from(*cycles)));
        Ok(ProbeFacts {
            chunk_bytes: PROBE_CHUNK_BYTES,
            chunks: u64::try_from(cycles.len()).unwrap_or(u64::MAX),
            slowest_chunk,
            slowest_cycles,
            device_control_cycles: slowest_of(&device_control),
            host_control_cycles: slowest_of(&host_control),
        })
    }

    /// The mean cycles of a load in each chunk.
    ///
    /// # Safety
    /// As for [`Compute::probe`], for as many chunks as there is room for results of.
    unsafe fn measure(&self, data: u64, bytes: u64, seed: u64) -> Result<Vec<u32>, DriverError> {
        let chunks = bytes.div_ceil(PROBE_CHUNK_BYTES);
        // SAFETY: the results of so many chunks fit into the scratch, which is ours.
        unsafe { self.forget(Operation::Probe, self.results(), chunks.saturating_mul(CYCLES_BYTES))? };
        let range = Probed { data, bytes, chunk_bytes: PROBE_CHUNK_BYTES, loads: LOADS, seed };
        // SAFETY: the caller vouches for the range; the results fit into the scratch, whose start is aligned.
        unsafe { self.kernels.probe(&self.stream, &range, self.results())? };
        self.wait(Operation::Probe)?;
        let mut cycles = Vec::new();
        // SAFETY: that many results are there.
        unsafe { fetch(Operation::Probe, self.results(), chunks, UNWRITTEN, &mut cycles)? };
        // The kernel writes the same for a chunk of which it loads nothing, which is not asked of it.
        if cycles.contains(&u32::from_ne_bytes([UNWRITTEN; 4])) {
            return Err(DriverError::undone(Operation::Probe));
        }
        Ok(cycles)
    }
}

fn slowest_of(cycles: &[u32]) -> u64 {
    cycles.iter().copied().max().map_or(0, u64::from)
}
