//! What the kernels are used for: trees over device memory, and a look for what an overwrite left.

use std::hash::{BuildHasher, RandomState};
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

/// What the results are filled with before each launch: nobody finds data with this digest, nor is a load so slow, so where it
/// is found afterwards the kernel wrote nothing.
pub(super) const UNWRITTEN: u8 = 0xFF;

/// How much of the memory that a probe compares with is measured at a time, in bytes.
pub(super) const DEVICE_CONTROL_BYTES: u64 = 64 << 20;
/// How often the device's L2 cache would fit into that memory: so of a place of it that is chosen at random no more than one
/// part in so many can be in the cache, whatever was measured before.
const L2_CACHES: u64 = 8;

/// How much of the device's memory the work takes, and how much it does at a time.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    /// How much is hashed with one launch, in bytes: a whole number of blocks of hashes (512 KiB), so that no block of the next
    /// level needs two launches.
    span_bytes: u64,
    /// Room for the next level's digests, in bytes; when the next span might not fit any more they are fetched.
    nodes_bytes: u64,
    /// The memory that a probe compares with, in bytes: at least [`DEVICE_CONTROL_BYTES`].
    control_bytes: u64,
}

impl Sizes {
    /// Enough blocks at a time for every thread of a large GPU, and digests of 16 of these spans before the device has to wait.
    pub(super) fn beside_l2_of(l2_bytes: u64) -> Self {
        let control_bytes = l2_bytes.saturating_mul(L2_CACHES).next_multiple_of(PROBE_CHUNK_BYTES);
        Self { span_bytes: 1 << 30, nodes_bytes: 1 << 20, control_bytes: control_bytes.max(DEVICE_CONTROL_BYTES) }
    }

    /// The digests of one span; other results fit as well.
    fn results_bytes(self) -> u64 {
        self.span_bytes.div_ceil(BLOCK_BYTES).saturating_mul(DIGEST_BYTES)
    }

    /// What one span adds to the next level.
    fn span_nodes_bytes(self) -> u64 {
        self.results_bytes().div_ceil(BLOCK_BYTES).saturating_mul(DIGEST_BYTES)
    }

    /// The spans of a range: where each begins and how long it is.
    fn spans(self, start: u64, bytes: u64) -> impl Iterator<Item = (u64, u64)> {
        let step = usize::try_from(self.span_bytes).unwrap_or(usize::MAX).max(1);
        (0..bytes)
            .step_by(step)
            .map(move |offset| (start.saturating_add(offset), bytes.saturating_sub(offset).min(self.span_bytes)))
    }
}

/// The kernels with what they need. One thing is done at a time: hashing fills a GPU, and a probe that runs beside it would
/// measure that.
pub(super) struct Compute {
    pub(super) kernels: Kernels,
    pub(super) stream: Owned<Stream>,
    sizes: Sizes,
    /// Results, then the memory that a probe compares with, then the next level's digests.
    scratch: Scratch,
    /// [`PROBE_CHUNK_BYTES`] of host memory that a probe compares with.
    pub(super) host_control: Pinned,
}

impl Compute {
    /// The context must be current.
    pub(super) fn new(context: &Arc<Primary>, image: &[u8], sizes: Sizes) -> Result<Self, DriverError> {
        let kernels = Kernels::load(context, image)?;
        let stream = through_cust(Operation::Open, Stream::new(StreamFlags::DEFAULT, None))?;
        let stream = Owned::new(context, stream, drop);
        let bytes = sizes.results_bytes().saturating_add(sizes.control_bytes).saturating_add(sizes.nodes_bytes);
        let scratch = Scratch::allocate(context, bytes)?;
        let control_bytes = usize::try_from(PROBE_CHUNK_BYTES).unwrap_or(usize::MAX);
        Ok(Self { kernels, stream, sizes, scratch, host_control: Pinned::allocate(context, control_bytes)? })
    }

    /// Where results go.
    pub(super) fn results(&self) -> u64 {
        self.scratch.start()
    }

    /// How many bytes of results there is room for.
    pub(super) fn results_bytes(&self) -> u64 {
        self.sizes.results_bytes()
    }

    /// The memory that a probe compares with, which nobody writes.
    fn control(&self) -> u64 {
        self.scratch.start().saturating_add(self.sizes.results_bytes())
    }

    /// [`DEVICE_CONTROL_BYTES`] of it, from a chunk on that is chosen at random.
    pub(super) fn device_control(&self) -> u64 {
        let beyond = self.sizes.control_bytes.saturating_sub(DEVICE_CONTROL_BYTES);
        let places = beyond.div_euclid(PROBE_CHUNK_BYTES).saturating_add(1);
        let place = RandomState::new().hash_one(places).checked_rem(places).unwrap_or_default();
        self.control().saturating_add(place.saturating_mul(PROBE_CHUNK_BYTES))
    }

    fn nodes(&self) -> u64 {
        self.control().saturating_add(self.sizes.control_bytes)
    }

    /// Sets `bytes` bytes of the scratch to [`UNWRITTEN`], so that what an earlier launch left is not taken for a result. The
    /// fill takes its turn with the launches before and after it: it runs on the default stream, and ours waits for that one.
    ///
    /// # Safety
    /// The context is current, and the range lies in the scratch.
    pub(super) unsafe fn forget(&self, operation: Operation, start: u64, bytes: u64) -> Result<(), DriverError> {
        let refused = DriverError::new(operation, DriverError::INVALID_VALUE);
        let bytes = usize::try_from(bytes).map_err(|_| refused)?;
        // SAFETY: the caller vouches that so many bytes of the scratch are there.
        direct(operation, unsafe { sys::cuMemsetD8_v2(start, UNWRITTEN, bytes) })
    }

    /// Appends `count` digests from the scratch at `from`.
    ///
    /// # Safety
    /// The context is current, and the digests lie in the scratch; the launches that write them are done.
    unsafe fn fetch_digests(&self, from: u64, count: u64, to: &mut Vec<Hash>) -> Result<(), DriverError> {
        let before = to.len();
        // SAFETY: as the caller vouches.
        unsafe { fetch(Operation::TreeDigest, from, count, UNWRITTEN, to)? };
        if to.iter().skip(before).any(|digest| *digest == [UNWRITTEN; size_of::<Hash>()]) {
            return Err(DriverError::undone(Operation::TreeDigest));
        }
        Ok(())
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
        for (start, len) in self.sizes.spans(data, bytes) {
            let blocks = len.div_ceil(BLOCK_BYTES);
            // SAFETY: the caller vouches for the range; the digests of one span fit into the scratch, which belongs to this
            // call alone, since `self` is borrowed from behind a lock.
            unsafe {
                self.forget(OPERATION, self.results(), blocks.saturating_mul(DIGEST_BYTES))?;
                self.kernels.hash_blocks(OPERATION, &self.stream, start, len, self.results())?;
            }
            self.wait(OPERATION)?;
            // SAFETY: so many digests fit there, and the launch is done.
            unsafe { self.fetch_digests(self.results(), blocks, &mut leaves)? };
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
        for (start, len) in self.sizes.spans(data, bytes) {
            let leaves = len.div_ceil(BLOCK_BYTES).saturating_mul(DIGEST_BYTES);
            let to = self.nodes().saturating_add(pending.saturating_mul(DIGEST_BYTES));
            let added = leaves.div_ceil(BLOCK_BYTES);
            // SAFETY: the caller vouches for the range. The digests of a span fit into the scratch, and those of the next level
            // fit after the ones that are pending there, as is looked after below. Both launches and those before them run one
            // after the other, on one stream. Leaves that were not written make nodes of no data.
            unsafe {
                self.forget(OPERATION, self.results(), leaves)?;
                self.forget(OPERATION, to, added.saturating_mul(DIGEST_BYTES))?;
                self.kernels.hash_blocks(OPERATION, &self.stream, start, len, self.results())?;
                self.kernels.hash_blocks(OPERATION, &self.stream, self.results(), leaves, to)?;
            }
            pending = pending.saturating_add(added);
            let room = self.sizes.nodes_bytes.saturating_sub(pending.saturating_mul(DIGEST_BYTES));
            if room < self.sizes.span_nodes_bytes() {
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
        // SAFETY: so many digests fit there, and the launches that write them are done.
        unsafe { self.fetch_digests(self.nodes(), *pending, nodes)? };
        *pending = 0;
        Ok(())
    }

    /// Sets `bytes` bytes at `data` to zero, and looks whether they are.
    ///
    /// # Safety
    /// The context is current, and the range is allocated in it and nobody else uses it until this returns.
    pub(super) unsafe fn overwrite(&self, data: u64, bytes: u64) -> Result<(), DriverError> {
        const OPERATION: Operation = Operation::Overwrite;
        const NOTHING_FOUND: u64 = u64::from_ne_bytes([UNWRITTEN; 8]);
        /// The length of the look's result.
        const RESULT_BYTES: u64 = 8;
        let refused = DriverError::new(OPERATION, DriverError::INVALID_VALUE);
        let len = usize::try_from(bytes).map_err(|_| refused)?;
        // A kernel of the worker's may still read the memory, on a stream that nothing of ours waits for: it must not read zeros.
        through_cust(OPERATION, cust::context::CurrentContext::synchronize())?;
        // SAFETY: the caller vouches for the range.
        direct(OPERATION, unsafe { sys::cuMemsetD8_v2(data, 0, len) })?;
        // SAFETY: the result's 8 bytes fit into the scratch.
        unsafe { self.forget(OPERATION, self.results(), RESULT_BYTES)? };
        // The memsets are done before the look, and whatever a kernel of the worker's wrote meanwhile is found.
        through_cust(OPERATION, cust::context::CurrentContext::synchronize())?;
        // SAFETY: the caller vouches for the range; the result is the start of memory that the driver aligned to 256 bytes.
        unsafe { self.kernels.find_nonzero(OPERATION, &self.stream, data, bytes, self.results())? };
        self.wait(OPERATION)?;
        let mut first = Vec::with_capacity(1);
        // SAFETY: the result is there, written at least by the second memset. One that was not copied is not "nothing".
        unsafe { fetch::<u64>(OPERATION, self.results(), 1, 0, &mut first)? };
        match first.first() {
            Some(&NOTHING_FOUND) => Ok(()),
            Some(&offset) => Err(DriverError::residue(offset)),
            None => Err(DriverError::new(OPERATION, DriverError::INVALID_VALUE)),
        }
    }
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
    use std::collections::BTreeSet;

    use content_digest::TreeHasher;
    use cust::CudaFlags;
    use cust::device::Device;

    use super::*;
    use crate::cuda::IMAGE;
    use crate::cuda::staging::Staging;
    use crate::{DriverFault, FakeDriver};

    const SPAN: usize = 1 << 20;
    /// A span adds two digests to the next level, and there is room for three: fetches fall between spans, before it is full.
    const SMALL: Sizes =
        Sizes { span_bytes: SPAN as u64, nodes_bytes: 3 * DIGEST_BYTES, control_bytes: DEVICE_CONTROL_BYTES };

    fn context() -> Arc<Primary> {
        cust::init(CudaFlags::empty()).unwrap();
        Primary::retain(Device::get_device(0).unwrap()).unwrap()
    }

    #[test]
    fn every_control_lies_in_the_memory_for_it_and_not_all_at_one_place() {
        let _driver = FakeDriver::start(1).unwrap();
        let context = context();
        let _current = context.enter(Operation::Open).unwrap();
        let sizes = Sizes::beside_l2_of(16 << 20);
        assert_eq!(sizes.control_bytes, 128 << 20);
        let compute = Compute::new(&context, IMAGE, sizes).unwrap();
        let places: BTreeSet<u64> = (0..50).map(|_| compute.device_control() - compute.control()).collect();
        assert!(places.iter().all(|place| place + DEVICE_CONTROL_BYTES <= 128 << 20), "{places:?}");
        assert!(places.len() > 1, "{places:?}");
        // A small cache, and one that the driver does not know of.
        assert_eq!([1 << 20, 0].map(|l2| Sizes::beside_l2_of(l2).control_bytes), [DEVICE_CONTROL_BYTES; 2]);
    }

    /// As on a GPU with data of many spans, which would be gigabytes.
    #[test]
    fn spans_and_fetches_join_without_a_seam() {
        let _driver = FakeDriver::start(1).unwrap();
        let context = context();
        let _current = context.enter(Operation::Open).unwrap();
        let mut staging = Staging::new(&context).unwrap();
        let compute = Compute::new(&context, IMAGE, SMALL).unwrap();
        for len in [SPAN - 1, SPAN, SPAN + 1, 3 * SPAN, 3 * SPAN + 1, 7 * SPAN + 4097] {
            let bytes: Vec<u8> = (0..len).map(|i| (i % 251 + i % 1009) as u8).collect();
            let memory = Scratch::allocate(&context, len as u64).unwrap();
            let mut hasher = TreeHasher::new();
            hasher.update(&bytes);
            let expected = hasher.finish();
            // SAFETY: the context is current, and the memory is as long as the bytes.
            let (tree, digest) = unsafe {
                staging.write(memory.start(), &bytes).unwrap();
                (
                    compute.tree(memory.start(), len as u64).unwrap(),
                    compute.tree_digest(memory.start(), len as u64).unwrap(),
                )
            };
            assert!(tree == expected, "{len} bytes");
            assert_eq!(digest.as_bytes(), expected.digest().as_bytes(), "{len} bytes");
        }
    }

    /// What an earlier run left in the scratch is right: whoever takes it for a result sees nothing of what changed since.
    #[test]
    fn a_launch_of_any_span_that_the_driver_only_claims_gives_no_digest_of_before() {
        let driver = FakeDriver::start(1).unwrap();
        let context = context();
        let _current = context.enter(Operation::Open).unwrap();
        let mut staging = Staging::new(&context).unwrap();
        let compute = Compute::new(&context, IMAGE, SMALL).unwrap();
        let len = 3 * SPAN as u64 + 1;
        let memory = Scratch::allocate(&context, len).unwrap();
        let (data, last) = (memory.start(), memory.start() + len - 1);
        let drop_launches = |nth, times| {
            driver.plant(DriverFault { later: true, times, ..DriverFault::at("cuLaunchKernel", nth, 0) });
        };
        // SAFETY: the context is current, and the memory is as long as is said.
        unsafe {
            staging.write(data, &vec![7; 3 * SPAN + 1]).unwrap();
            for nth in 1..=4 {
                compute.tree(data, len).unwrap();
                drop_launches(nth, 1);
                assert_eq!(compute.tree(data, len).err(), Some(DriverError::undone(Operation::TreeDigest)), "{nth}");
            }
            // Two launches a span: of leaves, and of the nodes above them.
            for nth in 1..=8 {
                let before = *compute.tree_digest(data, len).unwrap().as_bytes();
                drop_launches(nth, 1);
                let claimed = compute.tree_digest(data, len);
                match nth % 2 {
                    0 => assert_eq!(claimed.err(), Some(DriverError::undone(Operation::TreeDigest)), "{nth}"),
                    _ => assert_ne!(*claimed.unwrap().as_bytes(), before, "{nth}"),
                }
            }
            // Both of the last span, after its only byte has changed.
            compute.tree_digest(data, len).unwrap();
            staging.write(last, &[8]).unwrap();
            drop_launches(7, 2);
            assert_eq!(compute.tree_digest(data, len).err(), Some(DriverError::undone(Operation::TreeDigest)));
        }
        assert_eq!(driver.faults_struck(), 4 + 8 + 2);
    }
}
