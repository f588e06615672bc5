//! What the kernels are used for: trees over device memory, and a look for what an overwrite left.

use std::sync::Arc;

use content_digest::{Tree, TreeDigest};
use cust::stream::{Stream, StreamFlags};
use cust::sys;

use super::call::{direct, through_cust};
use super::context::{Owned, Primary};
use super::kernels::{BLOCK_BYTES, DIGEST_BYTES, Kernels};
use super::memory::{Hash, Scratch, fetch};
use super::pinned::Pinned;
use crate::{DriverError, Operation, PROBE_CHUNK_BYTES};

/// How much is hashed with one launch, in bytes: enough blocks for every thread of a large GPU, and a whole number of blocks
/// of hashes, so that no block of the next level needs two launches.
const SPAN_BYTES: u64 = 1 << 30;
/// The scratch memory: the digests of one span; a chunk that the probe compares with; the next level's digests, until there
/// are so many that they are fetched.
const LEAVES_BYTES: u64 = SPAN_BYTES.div_ceil(BLOCK_BYTES).saturating_mul(DIGEST_BYTES);
const CONTROL_BYTES: u64 = PROBE_CHUNK_BYTES;
const NODES_BYTES: u64 = 1 << 20;
/// The least that one span adds to the next level.
const SPAN_NODES_BYTES: u64 = LEAVES_BYTES.div_ceil(BLOCK_BYTES).saturating_mul(DIGEST_BYTES);

/// The kernels with what they need. One thing is done at a time: hashing fills a GPU, and a probe that runs beside it would
/// measure that.
pub(super) struct Compute {
    pub(super) kernels: Kernels,
    pub(super) stream: Owned<Stream>,
    scratch: Scratch,
    /// Host memory that the probe compares with.
    pub(super) host_control: Pinned,
}

impl Compute {
    /// The context must be current.
    pub(super) fn new(context: &Arc<Primary>, image: &[u8]) -> Result<Self, DriverError> {
        let kernels = Kernels::load(context, image)?;
        let stream = through_cust(Operation::Open, Stream::new(StreamFlags::DEFAULT, None))?;
        let stream = Owned::new(context, stream, drop);
        let bytes = LEAVES_BYTES.saturating_add(CONTROL_BYTES).saturating_add(NODES_BYTES);
        let scratch = Scratch::allocate(context, bytes)?;
        let control_bytes = usize::try_from(PROBE_CHUNK_BYTES).unwrap_or(usize::MAX);
        Ok(Self { kernels, stream, scratch, host_control: Pinned::allocate(context, control_bytes)? })
    }

    /// `LEAVES_BYTES` for results.
    pub(super) fn results(&self) -> u64 {
        self.scratch.start()
    }

    /// [`PROBE_CHUNK_BYTES`] that nobody writes.
    pub(super) fn device_control(&self) -> u64 {
        self.scratch.start().saturating_add(LEAVES_BYTES)
    }

    fn nodes(&self) -> u64 {
        self.device_control().saturating_add(CONTROL_BYTES)
    }

    /// Sets the first `len` bytes of the results to `value`, so that what an earlier call left is not taken for a result.
    ///
    /// # Safety
    /// The context is current, and `len` is at most `LEAVES_BYTES`.
    pub(super) unsafe fn fill_results(&self, operation: Operation, value: u8, len: usize) -> Result<(), DriverError> {
        // SAFETY: the caller vouches that so many bytes of the scratch are there.
        direct(operation, unsafe { sys::cuMemsetD8_v2(self.results(), value, len) })
    }

    /// Waits for what was launched.
    pub(super) fn wait(&self, operation: Operation) -> Result<(), DriverError> {
        through_cust(operation, self.stream.synchronize())
    }

    /// The tree over `bytes` bytes at `data`. The device hashes the data's blocks, the host the few above them.
    ///
    /// # Safety
    /// The context is current, and the range is allocated in it and stays so until this returns.
    pub(super) unsafe fn tree(&self, data: u64, bytes: u64) -> Result<Tree, DriverError> {
        const OPERATION: Operation = Operation::TreeDigest;
        let mut leaves: Vec<Hash> = Vec::new();
        for (start, len) in spans(data, bytes) {
            // SAFETY: the caller vouches for the range; the digests of one span fit into the scratch, which belongs to this
            // call alone, since `self` is borrowed from behind a lock.
            unsafe { self.kernels.hash_blocks(OPERATION, &self.stream, start, len, self.results())? };
            self.wait(OPERATION)?;
            // SAFETY: that many digests were just written there.
            unsafe { fetch(OPERATION, self.results(), len.div_ceil(BLOCK_BYTES), &mut leaves)? };
        }
        // One digest for each block, by construction.
        Tree::from_block_hashes(leaves, bytes).ok_or(DriverError::new(OPERATION, DriverError::INVALID_VALUE))
    }

    /// The fs-verity digest of `bytes` bytes at `data`. The device hashes the first two levels, so that of 128 hashes one is
    /// fetched.
    ///
    /// # Safety
    /// As for [`Compute::tree`].
    pub(super) unsafe fn tree_digest(&self, data: u64, bytes: u64) -> Result<TreeDigest, DriverError> {
        const OPERATION: Operation = Operation::TreeDigest;
        if bytes <= BLOCK_BYTES {
            // The hash of the only block is the root: there is no second level.
            // SAFETY: as the caller vouches.
            return Ok(unsafe { self.tree(data, bytes)? }.digest());
        }
        let mut nodes: Vec<Hash> = Vec::new();
        let mut pending = 0_u64;
        for (start, len) in spans(data, bytes) {
            let leaves = len.div_ceil(BLOCK_BYTES).saturating_mul(DIGEST_BYTES);
            let to = self.nodes().saturating_add(pending.saturating_mul(DIGEST_BYTES));
            // SAFETY: the caller vouches for the range. The digests of a span fit into the scratch, and those of the next level
            // fit after the ones that are pending there, as is looked after below. Both launches and those before them run one
            // after the other, on one stream.
            unsafe {
                self.kernels.hash_blocks(OPERATION, &self.stream, start, len, self.results())?;
                self.kernels.hash_blocks(OPERATION, &self.stream, self.results(), leaves, to)?;
            }
            pending = pending.saturating_add(leaves.div_ceil(BLOCK_BYTES));
            let room = NODES_BYTES.saturating_sub(pending.saturating_mul(DIGEST_BYTES));
            if room < SPAN_NODES_BYTES {
                // SAFETY: that many digests were written there.
                unsafe { self.fetch_nodes(&mut pending, &mut nodes)? };
            }
        }
        // SAFETY: that many digests were written there.
        unsafe { self.fetch_nodes(&mut pending, &mut nodes)? };
        Ok(TreeDigest::from_level(nodes, bytes))
    }

    /// # Safety
    /// The context is current, and `pending` digests of the next level were launched.
    unsafe fn fetch_nodes(&self, pending: &mut u64, nodes: &mut Vec<Hash>) -> Result<(), DriverError> {
        self.wait(Operation::TreeDigest)?;
        // SAFETY: the launches that wrote them are done.
        unsafe { fetch(Operation::TreeDigest, self.nodes(), *pending, nodes)? };
        *pending = 0;
        Ok(())
    }

    /// Sets `bytes` bytes at `data` to zero, and looks whether they are.
    ///
    /// # Safety
    /// The context is current, and the range is allocated in it and nobody else uses it until this returns.
    pub(super) unsafe fn overwrite(&self, data: u64, bytes: u64) -> Result<(), DriverError> {
        const OPERATION: Operation = Operation::Overwrite;
        const NOTHING_FOUND: u64 = u64::MAX;
        let refused = DriverError::new(OPERATION, DriverError::INVALID_VALUE);
        let len = usize::try_from(bytes).map_err(|_| refused)?;
        // SAFETY: the caller vouches for the range.
        direct(OPERATION, unsafe { sys::cuMemsetD8_v2(data, 0, len) })?;
        // SAFETY: the result's 8 bytes fit into the scratch.
        unsafe { self.fill_results(OPERATION, 0xFF, size_of_val(&NOTHING_FOUND))? };
        // Everything that was launched on the device is done before the look: a kernel of the worker's that still wrote to the
        // memory would be found, and none still reads it when it is freed.
        through_cust(OPERATION, cust::context::CurrentContext::synchronize())?;
        // SAFETY: the caller vouches for the range; the result is the start of memory that the driver aligned to 256 bytes.
        unsafe { self.kernels.find_nonzero(OPERATION, &self.stream, data, bytes, self.results())? };
        self.wait(OPERATION)?;
        let mut first = Vec::with_capacity(1);
        // SAFETY: the result is there, written at least by the second memset.
        unsafe { fetch::<u64>(OPERATION, self.results(), 1, &mut first)? };
        match first.first() {
            Some(&NOTHING_FOUND) => Ok(()),
            Some(&offset) => Err(DriverError::residue(OPERATION, offset)),
            None => Err(DriverError::new(OPERATION, DriverError::INVALID_VALUE)),
        }
    }
}

/// The spans of a range: where each begins and how long it is.
fn spans(start: u64, bytes: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..bytes)
        .step_by(usize::try_from(SPAN_BYTES).unwrap_or(usize::MAX))
        .map(move |offset| (start.saturating_add(offset), bytes.saturating_sub(offset).min(SPAN_BYTES)))
}
