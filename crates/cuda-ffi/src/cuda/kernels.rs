//! Our kernels: the image that was built from `kernels/`, its functions, and how each is launched.

use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

use cust::module::Module;
use cust::stream::Stream;
use cust::sys::{self, CUfunction};

use super::call::{direct, through_cust};
use super::context::{Owned, Primary};
use crate::{DriverError, Operation};

/// Writes the SHA-256 of every 4096-byte block of a range, the last one padded with zeros: fs-verity's leaves, and with leaves
/// for data its next level.
pub(super) const HASH_BLOCKS: &str = "hash_blocks";
/// Finds the first byte of a range that is not zero.
pub(super) const FIND_NONZERO: &str = "find_nonzero";
/// Measures the latency of every chunk of a range.
pub(super) const PROBE: &str = "probe";

/// The length of a block that [`HASH_BLOCKS`] hashes, in bytes.
pub(super) const BLOCK_BYTES: u64 = 4096;
/// The length of a digest that [`HASH_BLOCKS`] writes, in bytes.
pub(super) const DIGEST_BYTES: u64 = 32;
/// How many threads of a block [`HASH_BLOCKS`] is built for; each hashes one block at a time.
pub(super) const HASH_THREADS: u32 = 128;

/// The shape of the launches of [`FIND_NONZERO`], which takes any: enough threads for every multiprocessor of a large GPU.
const FIND_THREADS: u32 = 256;
const FIND_GRID: u64 = 2048;

/// The functions of one loaded image.
pub(super) struct Kernels {
    hash_blocks: Function,
    find_nonzero: Function,
    probe: Function,
    /// Keeps the functions.
    _module: Owned<Module>,
}

/// A handle of the driver's, valid as long as its module.
struct Function(CUfunction);

// SAFETY: the handle names an entry in the driver, which takes it from any thread.
unsafe impl Send for Function {}

impl Kernels {
    /// Loads `image`, a fatbin. The context must be current.
    pub(super) fn load(context: &Arc<Primary>, image: &[u8]) -> Result<Self, DriverError> {
        let module = through_cust(Operation::Open, Module::from_fatbin(image, &[]))?;
        let module = Owned::new(context, module, drop);
        let function = |name| {
            let function = through_cust(Operation::Open, module.get_function(name))?;
            Ok(Function(function.to_raw()))
        };
        Ok(Self {
            hash_blocks: function(HASH_BLOCKS)?,
            find_nonzero: function(FIND_NONZERO)?,
            probe: function(PROBE)?,
            _module: module,
        })
    }

    /// Starts hashing the `bytes` bytes at `data` into `digests`.
    ///
    /// # Safety
    /// The context is current. Until the stream is done, `bytes` bytes at `data` and 32 for each of their blocks at `digests`
    /// are allocated in it, and nothing else writes them.
    pub(super) unsafe fn hash_blocks(
        &self,
        operation: Operation,
        stream: &Stream,
        data: u64,
        bytes: u64,
        digests: u64,
    ) -> Result<(), DriverError> {
        let blocks = bytes.div_ceil(BLOCK_BYTES);
        let grid = blocks.div_ceil(u64::from(HASH_THREADS));
        let parameters = [pointer(&data), pointer(&bytes), pointer(&digests)];
        // SAFETY: these are the parameters of `hash_blocks`, in order and of their types; the caller vouches for the ranges.
        unsafe { launch(operation, stream, &self.hash_blocks, grid, HASH_THREADS, parameters) }
    }

    /// Starts looking for a byte that is not zero in the `bytes` bytes at `data`; the least offset of one is written to the
    /// 8 bytes at `first`, where it is less than what they hold.
    ///
    /// # Safety
    /// As for [`Kernels::hash_blocks`], with `first` aligned to 8 bytes.
    pub(super) unsafe fn find_nonzero(
        &self,
        operation: Operation,
        stream: &Stream,
        data: u64,
        bytes: u64,
        first: u64,
    ) -> Result<(), DriverError> {
        let grid = bytes.div_ceil(u64::from(FIND_THREADS)).min(FIND_GRID);
        let parameters = [pointer(&data), pointer(&bytes), pointer(&first)];
        // SAFETY: these are the parameters of `find_nonzero`, in order and of their types; the caller vouches for the ranges.
        unsafe { launch(operation, stream, &self.find_nonzero, grid, FIND_THREADS, parameters) }
    }

    /// Starts measuring the chunks of the `bytes` bytes at `data`, one number of 4 bytes for each into `cycles`.
    ///
    /// # Safety
    /// As for [`Kernels::hash_blocks`], with 4 bytes for each chunk at `cycles`, which is aligned to 4 bytes.
    pub(super) unsafe fn probe(&self, stream: &Stream, range: &Probed, cycles: u64) -> Result<(), DriverError> {
        let Probed { data, bytes, chunk_bytes, loads, seed } = range;
        // Never anything else: the kernel adds it to every address, which keeps each load dependent on the one before.
        let zero = 0_u64;
        let grid = bytes.div_ceil((*chunk_bytes).max(1));
        let parameters = [
            pointer(data),
            pointer(bytes),
            pointer(chunk_bytes),
            pointer(loads),
            pointer(&zero),
            pointer(seed),
            pointer(&cycles),
        ];
        // SAFETY: these are the parameters of `probe`, in order and of their types; the caller vouches for the ranges.
        unsafe { launch(Operation::Probe, stream, &self.probe, grid, 1, parameters) }
    }
}

/// A range to measure.
pub(super) struct Probed {
    pub(super) data: u64,
    pub(super) bytes: u64,
    pub(super) chunk_bytes: u64,
    /// How many loads are timed in each chunk.
    pub(super) loads: u32,
    /// Decides which lines are loaded.
    pub(super) seed: u64,
}

/// A parameter as `cuLaunchKernel` takes it.
fn pointer<T>(parameter: &T) -> *mut c_void {
    ptr::from_ref(parameter).cast_mut().cast()
}

/// # Safety
/// The context is current, `parameters` point to values of the types that the kernel takes, and what it reads and writes is
/// there until the stream is done.
unsafe fn launch<const N: usize>(
    operation: Operation,
    stream: &Stream,
    function: &Function,
    grid: u64,
    threads: u32,
    mut parameters: [*mut c_void; N],
) -> Result<(), DriverError> {
    let refused = DriverError::new(operation, DriverError::INVALID_VALUE);
    let grid = u32::try_from(grid).map_err(|_| refused)?;
    // SAFETY: the function is of a module that lives as long as its `Kernels`; the driver copies the parameters before it
    // returns and does not write to them; the caller vouches for the rest.
    let launched = unsafe {
        sys::cuLaunchKernel(
            function.0,
            grid,
            1,
            1,
            threads,
            1,
            1,
            0,
            stream.as_inner(),
            parameters.as_mut_ptr(),
            ptr::null_mut(),
        )
    };
    direct(operation, launched)
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
mod tests {
    use super::*;

    /// What the kernels' sources define `name` as.
    fn defined(name: &str) -> u64 {
        let sources = include_str!("../../../../kernels/common.cuh");
        let value =
            sources.lines().find_map(|line| line.strip_prefix("#define ")?.strip_prefix(name)?.strip_prefix(' '));
        value.expect(name).trim().parse().unwrap()
    }

    #[test]
    fn host_and_kernels_agree_on_names_and_sizes() {
        assert_eq!(defined("BLOCK_BYTES"), BLOCK_BYTES);
        assert_eq!(defined("DIGEST_BYTES"), DIGEST_BYTES);
        assert_eq!(defined("HASH_THREADS"), u64::from(HASH_THREADS));
        assert_eq!(BLOCK_BYTES, content_digest::BLOCK_BYTES as u64);
        assert_eq!(DIGEST_BYTES, size_of::<crate::cuda::memory::Hash>() as u64);
        for (name, source) in [
            (HASH_BLOCKS, include_str!("../../../../kernels/hash_blocks.cu")),
            (FIND_NONZERO, include_str!("../../../../kernels/find_nonzero.cu")),
            (PROBE, include_str!("../../../../kernels/probe.cu")),
        ] {
            assert!(source.contains("extern \"C\" __global__"), "{name}");
            assert!(
                source.contains(&format!(" {name}(const unsigned char* data, unsigned long long bytes,")),
                "{name}"
            );
        }
    }
}
