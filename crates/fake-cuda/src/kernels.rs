//! The three kernels of this project, computed on the host.

use std::ffi::CStr;

use crate::code::{Answer, ILLEGAL_ADDRESS, INVALID_VALUE, LAUNCH_OUT_OF_RESOURCES, MISALIGNED_ADDRESS};
use crate::state::State;
use crate::work::pieces;

/// How many threads a thread block of `hash_blocks` has.
const HASH_THREADS: u32 = 128;
/// fs-verity's block and its digest, in bytes.
const BLOCK: u64 = 4096;
const DIGEST: u64 = 32;
/// The length of a line that `probe` loads from, in bytes.
const LINE: u64 = 128;
/// The latency of a load in cycles, about, and how far from it a load may be: of device memory, of host memory.
const DEVICE_CYCLES: (u64, u64) = (700, 60);
const HOST_CYCLES: (u64, u64) = (2600, 300);

/// What `probe` writes where it has measured nothing.
const NOT_MEASURED: u32 = u32::MAX;

/// A kernel that the image has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kernel {
    HashBlocks,
    FindNonzero,
    Probe,
}

/// The lengths of a kernel's parameters, in bytes.
const HASH_BLOCKS: [usize; 3] = [8, 8, 8];
const FIND_NONZERO: [usize; 3] = [8, 8, 8];
const PROBE: [usize; 7] = [8, 8, 8, 4, 8, 8, 8];

impl Kernel {
    pub(crate) fn by_name(name: &CStr) -> Option<Self> {
        match name.to_bytes() {
            b"hash_blocks" => Some(Self::HashBlocks),
            b"find_nonzero" => Some(Self::FindNonzero),
            b"probe" => Some(Self::Probe),
            _ => None,
        }
    }

    /// The lengths of its parameters in bytes, in order.
    pub(crate) fn parameters(self) -> &'static [usize] {
        match self {
            Self::HashBlocks => &HASH_BLOCKS,
            Self::FindNonzero => &FIND_NONZERO,
            Self::Probe => &PROBE,
        }
    }

    /// How many threads a thread block may have at most.
    pub(crate) fn most_threads(self) -> u32 {
        match self {
            Self::HashBlocks => HASH_THREADS,
            Self::FindNonzero => 1024,
            Self::Probe => 1,
        }
    }
}

/// A launch that waits for its turn: the kernel, its grid and block sizes (x, y, z), and its parameters.
pub(crate) struct Launch {
    pub(crate) kernel: Kernel,
    pub(crate) grid: [u32; 3],
    pub(crate) block: [u32; 3],
    pub(crate) parameters: Vec<u64>,
}

impl Launch {
    /// Checks what a driver checks before it takes a launch.
    pub(crate) fn check(&self, shared_bytes: u32) -> Answer {
        let [threads, ..] = self.block;
        let all = self.block.iter().fold(1_u64, |product, side| product.saturating_mul(u64::from(*side)));
        if self.grid.contains(&0) || all == 0 || all > 1024 || shared_bytes > 49_152 {
            return Err(INVALID_VALUE);
        }
        if all > u64::from(self.kernel.most_threads()) {
            return Err(LAUNCH_OUT_OF_RESOURCES);
        }
        // What our kernels are not written for is an error here, since a real one would only compute something else.
        let as_written = self.kernel != Kernel::HashBlocks || threads == HASH_THREADS;
        let flat = all == u64::from(threads) && matches!(self.grid, [_, 1, 1]) && shared_bytes == 0;
        if as_written && flat { Ok(()) } else { Err(INVALID_VALUE) }
    }

    fn parameter(&self, index: usize) -> Answer<u64> {
        self.parameters.get(index).copied().ok_or(INVALID_VALUE)
    }
}

impl State {
    pub(crate) fn run(&mut self, launch: Launch) -> Answer {
        let (data, bytes) = (launch.parameter(0)?, launch.parameter(1)?);
        if bytes > 0 && !self.holds(data, bytes) {
            return Err(ILLEGAL_ADDRESS);
        }
        match launch.kernel {
            Kernel::HashBlocks => self.hash_blocks(data, bytes, launch.parameter(2)?),
            Kernel::FindNonzero => self.find_nonzero(data, bytes, launch.parameter(2)?),
            Kernel::Probe => {
                let [grid, ..] = launch.grid;
                let probe = Probe {
                    data,
                    bytes,
                    chunk: launch.parameter(2)?,
                    loads: launch.parameter(3)?,
                    seed: launch.parameter(5)?,
                    cycles: launch.parameter(6)?,
                };
                self.probe(&probe, u64::from(grid))
            }
        }
    }

    fn hash_blocks(&mut self, data: u64, bytes: u64, digests: u64) -> Answer {
        // It loads and stores 16 bytes at once.
        aligned(data, 16)?;
        aligned(digests, 16)?;
        let blocks = bytes.div_ceil(BLOCK);
        if blocks > 0 && !self.holds(digests, blocks.saturating_mul(DIGEST)) {
            return Err(ILLEGAL_ADDRESS);
        }
        for index in 0..blocks {
            let offset = index.saturating_mul(BLOCK);
            let length = usize::try_from(bytes.saturating_sub(offset).min(BLOCK)).map_err(|_| ILLEGAL_ADDRESS)?;
            let mut block = [0; BLOCK as usize];
            let part = block.get_mut(..length).ok_or(ILLEGAL_ADDRESS)?;
            self.load(data.saturating_add(offset), part)?;
            let digest = content_digest::sha256(&block);
            self.store(digests.saturating_add(index.saturating_mul(DIGEST)), digest.as_bytes())?;
        }
        Ok(())
    }

    fn find_nonzero(&mut self, data: u64, bytes: u64, first: u64) -> Answer {
        aligned(first, 8)?;
        let mut least = [0; 8];
        self.load(first, &mut least)?;
        let mut part = Vec::new();
        for (offset, length) in pieces(bytes) {
            part.resize(length, 0);
            self.load(data.saturating_add(offset), &mut part)?;
            let found = part.iter().position(|byte| *byte != 0).and_then(|at| u64::try_from(at).ok());
            if let Some(at) = found {
                let least = u64::from_ne_bytes(least).min(offset.saturating_add(at));
                return self.store(first, &least.to_ne_bytes());
            }
        }
        Ok(())
    }

    /// One thread block a chunk: a grid that is too small leaves the last ones out, one that is too large says of the rest
    /// that it found nothing, as it does on a device.
    fn probe(&mut self, probe: &Probe, grid: u64) -> Answer {
        aligned(probe.cycles, 4)?;
        if !self.holds(probe.cycles, grid.saturating_mul(4)) {
            return Err(ILLEGAL_ADDRESS);
        }
        let factor = if self.busy.launches.contains(&self.busy.seen) { self.busy.factor } else { 1 };
        self.busy.seen = self.busy.seen.saturating_add(1);
        for chunk in 0..grid {
            let cycles = self.latency(probe, chunk).map(|cycles| cycles.saturating_mul(factor));
            let cycles = cycles.and_then(|cycles| u32::try_from(cycles).ok()).unwrap_or(NOT_MEASURED);
            self.store(probe.cycles.saturating_add(chunk.saturating_mul(4)), &cycles.to_ne_bytes())?;
        }
        Ok(())
    }

    /// The mean latency of the loads from one chunk; `None` when there is no chunk or no load.
    fn latency(&self, probe: &Probe, chunk: u64) -> Option<u64> {
        let begin = chunk.saturating_mul(probe.chunk);
        let length = probe.bytes.saturating_sub(begin).min(probe.chunk);
        let lines = length.div_ceil(LINE);
        let mut random = mix(probe.seed ^ mix(chunk));
        let mut sum = 0_u64;
        for _ in 0..probe.loads {
            random = mix(random);
            let line = random.checked_rem(lines)?;
            let address = probe.data.saturating_add(begin).saturating_add(line.saturating_mul(LINE));
            let (about, spread) = if self.is_in_host(address) { HOST_CYCLES } else { DEVICE_CYCLES };
            let within = mix(random ^ 1).checked_rem(spread.saturating_mul(2)).unwrap_or(0);
            sum = sum.saturating_add(about.saturating_sub(spread).saturating_add(within));
        }
        sum.checked_div(probe.loads)
    }

    fn is_in_host(&self, address: u64) -> bool {
        match self.devices.iter().find(|device| device.memory.holds(address, 1)) {
            Some(device) => device.memory.is_in_host(address),
            None => true,
        }
    }
}

/// The parameters of `probe`.
struct Probe {
    data: u64,
    bytes: u64,
    chunk: u64,
    loads: u64,
    seed: u64,
    cycles: u64,
}

fn aligned(address: u64, to: u64) -> Answer {
    if address.is_multiple_of(to) { Ok(()) } else { Err(MISALIGNED_ADDRESS) }
}

/// A number that looks random (the finaliser of SplitMix64).
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}
