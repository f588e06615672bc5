//! The latency of an allocation's chunks, beside that of memory whose place is known.
//!
//! A GPU has other work as well, which makes loads slower for a moment, and at one clock never faster: of several measurements
//! the least is the nearest to the truth. So both controls are measured before and after the allocation, and a chunk that
//! answers as slowly as host memory is measured again, as the device's control is (with its neighbours), then as the host's
//! control is (alone). Memory of the host stays slow each time.
//!
//! What a probe cannot see: a chunk of which less than about half lies in host memory, for its mean lies below the middle.
//! Device memory is mapped in pages of 2 MiB, a chunk's length, so in an allocation that begins on a page a chunk lies in one
//! place as a whole; in another one, a page of the host's is spread over two chunks, of which one is half in it or more.

use std::hash::{BuildHasher, RandomState};
use std::thread;
use std::time::Duration;

use facts::ProbeFacts;

use super::compute::{Compute, DEVICE_CONTROL_BYTES, UNWRITTEN};
use super::kernels::Probed;
use super::memory::fetch;
use crate::{DriverError, Operation, PROBE_CHUNK_BYTES};

/// How many loads are timed in each chunk: enough that one that waited for a page table does not decide the mean.
const LOADS: u32 = 128;
/// The length of a result in bytes.
const CYCLES_BYTES: u64 = 4;
/// How often the controls are measured before the allocation, and again after every look at it.
const ROUNDS: u32 = 2;
/// How often the chunks that seem slow are looked at again, while the controls show that earlier looks fell in a busy moment.
const LOOKS: u32 = 4;
/// How often a chunk is measured alone until it counts as slow, and how long is waited before each time: other work on the
/// device, such as a step of an inference, may take longer than all measurements together.
const PAUSES: [Duration; 4] =
    [Duration::ZERO, Duration::from_millis(1), Duration::from_millis(10), Duration::from_millis(40)];
/// How many chunks are measured alone in one probe. Any further one that seems slow counts as slow, so that a probe ends: a
/// device whose chunks answer so often at such a speed cannot be judged.
const MOST_ALONE: u32 = 256;

/// The least latencies of both controls so far, in cycles.
struct Controls {
    device: u32,
    host: u32,
}

impl Controls {
    /// Whether they tell memory of the device from memory of the host.
    fn differ(&self) -> bool {
        self.device < self.host
    }

    /// Whether a chunk is taken for memory of the host, as [`ProbeFacts::threshold_cycles`] says.
    fn seems_slow(&self, cycles: u32) -> bool {
        cycles >= self.device.midpoint(self.host)
    }
}

impl Compute {
    /// Measures every chunk of the `bytes` bytes at `data`, and both controls. What seems to lie in host memory is measured once
    /// more from the start: a load takes as many more cycles as the clock is faster, and a clock that rose in between makes
    /// chunks seem slow beside the controls of before.
    ///
    /// # Safety
    /// The context is current, and the range is allocated in it and stays so until this returns.
    pub(super) unsafe fn probe(&self, data: u64, bytes: u64) -> Result<ProbeFacts, DriverError> {
        // SAFETY: as the caller vouches.
        let first = unsafe { self.probe_once(data, bytes)? };
        let told_apart = first.device_control_cycles < first.host_control_cycles;
        if told_apart && first.slowest_cycles < first.threshold_cycles() {
            return Ok(first);
        }
        // SAFETY: as the caller vouches.
        unsafe { self.probe_once(data, bytes) }
    }

    /// # Safety
    /// As for [`Compute::probe`].
    unsafe fn probe_once(&self, data: u64, bytes: u64) -> Result<ProbeFacts, DriverError> {
        let mut controls = Controls { device: u32::MAX, host: u32::MAX };
        self.measure_controls(&mut controls)?;
        let mut cycles = Vec::new();
        // As many chunks at a time as there is room for results of.
        let step = self.results_bytes().div_euclid(CYCLES_BYTES).saturating_mul(PROBE_CHUNK_BYTES).max(1);
        for offset in (0..bytes).step_by(usize::try_from(step).unwrap_or(usize::MAX)) {
            let (start, len) = (data.saturating_add(offset), bytes.saturating_sub(offset).min(step));
            // SAFETY: the caller vouches for the range.
            cycles.append(&mut unsafe { self.measure(start, len)? });
        }
        let mut stays_slow = None;
        let mut alone_left = MOST_ALONE;
        let mut looks_left = LOOKS;
        loop {
            // After every measurement of a chunk: one of a quiet moment is not to be compared with controls of a busy one alone.
            self.measure_controls(&mut controls)?;
            if controls.differ() && !cycles.iter().any(|cycles| controls.seems_slow(*cycles)) {
                break;
            }
            let Some(left) = looks_left.checked_sub(1) else { break };
            looks_left = left;
            // SAFETY: as the caller vouches.
            stays_slow = unsafe { self.measure_again(data, bytes, &mut cycles, &controls, &mut alone_left)? };
            if stays_slow.is_some() {
                break;
            }
        }
        let chunks = u64::try_from(cycles.len()).unwrap_or(u64::MAX);
        // The first of several equal ones.
        let slowest = (0..).zip(cycles).max_by(|(_, one), (_, other)| one.cmp(other).then(std::cmp::Ordering::Greater));
        let (slowest_chunk, slowest_cycles) = stays_slow.or(slowest).unwrap_or_default();
        Ok(ProbeFacts {
            chunk_bytes: PROBE_CHUNK_BYTES,
            chunks,
            slowest_chunk,
            slowest_cycles: u64::from(slowest_cycles),
            device_control_cycles: u64::from(controls.device),
            host_control_cycles: u64::from(controls.host),
        })
    }

    /// Measures the controls some times; the least of each is kept, so that a moment in which the device had other work does not
    /// move the middle between them, above which host memory begins.
    fn measure_controls(&self, controls: &mut Controls) -> Result<(), DriverError> {
        let host = self.host_control.device_address(Operation::Probe)?;
        for _ in 0..ROUNDS {
            // SAFETY: this memory is ours, as long as `self`.
            let device = median(unsafe { self.measure(self.device_control(), DEVICE_CONTROL_BYTES)? });
            // SAFETY: as above.
            let host = median(unsafe { self.measure(host, PROBE_CHUNK_BYTES)? });
            controls.device = controls.device.min(device);
            controls.host = controls.host.min(host);
        }
        Ok(())
    }

    /// Measures those chunks again that `cycles` says seem slow, and puts the least of each there. It ends at the first chunk
    /// that stays slow, and says which one: then it is decided where the allocation lies.
    ///
    /// # Safety
    /// As for [`Compute::probe`], for one that found `cycles`.
    unsafe fn measure_again(
        &self,
        data: u64,
        bytes: u64,
        cycles: &mut [u32],
        controls: &Controls,
        alone_left: &mut u32,
    ) -> Result<Option<(u64, u32)>, DriverError> {
        let group_chunks = usize::try_from(DEVICE_CONTROL_BYTES.div_euclid(PROBE_CHUNK_BYTES)).unwrap_or(usize::MAX);
        for (group, offset) in cycles.chunks_mut(group_chunks).zip((0..bytes).step_by(DEVICE_CONTROL_BYTES as usize)) {
            if !group.iter().any(|cycles| controls.seems_slow(*cycles)) {
                continue;
            }
            let (start, len) = (data.saturating_add(offset), bytes.saturating_sub(offset).min(DEVICE_CONTROL_BYTES));
            // SAFETY: the group lies in the range that the caller vouches for.
            for (least, now) in group.iter_mut().zip(unsafe { self.measure(start, len)? }) {
                *least = now.min(*least);
            }
            let first = offset.div_euclid(PROBE_CHUNK_BYTES);
            let chunks = (first..).zip((offset..bytes).step_by(PROBE_CHUNK_BYTES as usize)).zip(group);
            for ((chunk, offset), least) in chunks.filter(|(_, least)| controls.seems_slow(**least)) {
                if let Some(left) = alone_left.checked_sub(1) {
                    *alone_left = left;
                    // SAFETY: the chunk lies in the range that the caller vouches for.
                    *least = unsafe { self.measure_alone(data, bytes, offset, *least, controls)? };
                }
                if controls.seems_slow(*least) {
                    return Ok(Some((chunk, *least)));
                }
            }
        }
        Ok(None)
    }

    /// The least latency of the chunk at `offset`, from `least` on, as soon as it is not slow any more.
    ///
    /// # Safety
    /// As for [`Compute::probe`], with `offset` below `bytes`.
    unsafe fn measure_alone(
        &self,
        data: u64,
        bytes: u64,
        offset: u64,
        mut least: u32,
        controls: &Controls,
    ) -> Result<u32, DriverError> {
        let (start, len) = (data.saturating_add(offset), bytes.saturating_sub(offset).min(PROBE_CHUNK_BYTES));
        for pause in PAUSES {
            thread::sleep(pause);
            // SAFETY: the chunk lies in the range that the caller vouches for.
            least = least.min(median(unsafe { self.measure(start, len)? }));
            if !controls.seems_slow(least) {
                break;
            }
        }
        Ok(least)
    }

    /// The mean cycles of a load in each chunk, all measured at the same time.
    ///
    /// # Safety
    /// As for [`Compute::probe`], for as many chunks as there is room for results of.
    unsafe fn measure(&self, data: u64, bytes: u64) -> Result<Vec<u32>, DriverError> {
        let chunks = bytes.div_ceil(PROBE_CHUNK_BYTES);
        // SAFETY: the results of so many chunks fit into the scratch, which is ours.
        unsafe { self.forget(Operation::Probe, self.results(), chunks.saturating_mul(CYCLES_BYTES))? };
        // Nobody outside of this process can know which lines will be loaded: the hasher's key is random, and each has another.
        let seed = RandomState::new().hash_one(bytes);
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

/// The latency in the middle; of none, one that is slower than any.
fn median(mut cycles: Vec<u32>) -> u32 {
    cycles.sort_unstable();
    cycles.get(cycles.len() / 2).copied().unwrap_or(u32::MAX)
}
