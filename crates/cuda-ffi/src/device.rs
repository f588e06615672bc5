//! The trait through which everything above speaks to a device.

use std::sync::atomic::{AtomicU64, Ordering};

use content_digest::{Tree, TreeDigest};
use facts::{AllocationFacts, Capacity, DeviceFacts, ProbeFacts};

use crate::DriverError;

/// The number of an allocation in a backend's books. It is no address, and no number is given twice in a process, so a
/// stale one never names somebody else's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemoryId(u64);

impl MemoryId {
    /// A number that was never given before in this process, on any device.
    pub(crate) fn next() -> Self {
        static LAST: AtomicU64 = AtomicU64::new(0);
        Self(LAST.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn number(self) -> u64 {
        self.0
    }
}

/// Where an allocation begins, as a kernel launch needs it. It has no `Debug` and no `Display`, and is never copied or serialised.
///
/// A simulated device gives a made-up number that is no pointer of the host.
#[derive(PartialEq, Eq)]
pub struct DeviceAddress(u64);

impl DeviceAddress {
    pub(crate) fn new(raw: u64) -> Self {
        Self(raw)
    }

    /// The number that the driver calls `CUdeviceptr`.
    pub fn as_raw(&self) -> u64 {
        self.0
    }
}

/// A device and its memory. All operations can be called from many threads at once.
///
/// Every operation errs with [`DriverError`], which names the operation and the driver's code. Memory that is not known,
/// because it was freed or belongs to another device, is `CUDA_ERROR_INVALID_VALUE`.
pub trait Device: Send + Sync {
    /// What the driver reports of the device now.
    ///
    /// # Errors
    /// When the driver does not answer.
    fn facts(&self) -> Result<DeviceFacts, DriverError>;

    /// The same without what only NVML knows (ECC counters, MIG, compute processes, confidential computing), which no rule
    /// judges: for what comes before every execution, and need not wait for another library.
    ///
    /// # Errors
    /// As [`Device::facts`].
    fn judged_facts(&self) -> Result<DeviceFacts, DriverError> {
        self.facts()
    }

    /// How much memory there is, and how much is free now, in bytes (`cuMemGetInfo_v2`).
    ///
    /// # Errors
    /// When the driver does not answer.
    fn capacity(&self) -> Result<Capacity, DriverError>;

    /// Allocates `bytes` bytes of device memory (`cuMemAlloc_v2`). What they hold is not defined: freed memory is not
    /// cleared for its next owner.
    ///
    /// # Errors
    /// `CUDA_ERROR_INVALID_VALUE` for zero bytes, `CUDA_ERROR_OUT_OF_MEMORY` when they are not free.
    fn allocate(&self, bytes: u64) -> Result<MemoryId, DriverError>;

    /// What the driver reports of an allocation now (`cuPointerGetAttribute`).
    ///
    /// # Errors
    /// When the memory is not known or the driver does not answer.
    fn allocation_facts(&self, memory: MemoryId) -> Result<AllocationFacts, DriverError>;

    /// Copies `bytes` to the allocation, `offset` bytes after its start, and returns when they are there
    /// (`cuMemcpyHtoDAsync_v2` through page-locked memory, which is zeroised afterwards).
    ///
    /// # Errors
    /// `CUDA_ERROR_INVALID_VALUE` when `offset` plus the length overflows or lies past the allocation's end; then nothing
    /// was written.
    fn write(&self, memory: MemoryId, offset: u64, bytes: &[u8]) -> Result<(), DriverError>;

    /// Fills `bytes` from the allocation, `offset` bytes after its start (`cuMemcpyDtoHAsync_v2`, in the same way).
    ///
    /// # Errors
    /// `CUDA_ERROR_INVALID_VALUE` when `offset` plus the length overflows or lies past the allocation's end; then `bytes`
    /// is unchanged. After another failure it may be filled in part.
    fn read(&self, memory: MemoryId, offset: u64, bytes: &mut [u8]) -> Result<(), DriverError>;

    /// Sets every byte of the allocation to zero and returns when the device has done it (`cuMemsetD8_v2`). The backend for
    /// GPUs then looks whether every byte is zero.
    ///
    /// # Errors
    /// When the memory is not known, the device fails, or a byte is not zero afterwards; then the contents must be taken for
    /// still there.
    fn overwrite(&self, memory: MemoryId) -> Result<(), DriverError>;

    /// Gives the allocation back to the driver (`cuMemFree_v2`). It does not overwrite it: call [`Device::overwrite`] first.
    ///
    /// # Errors
    /// When the memory is not known, also because it was freed before, or the driver fails; then nothing was freed.
    fn free(&self, memory: MemoryId) -> Result<(), DriverError>;

    /// The hash tree over the bytes that the allocation holds now.
    ///
    /// # Errors
    /// When the memory is not known or the device fails.
    fn tree(&self, memory: MemoryId) -> Result<Tree, DriverError>;

    /// The fs-verity digest of the bytes that the allocation holds now.
    ///
    /// # Errors
    /// As [`Device::tree`].
    fn tree_digest(&self, memory: MemoryId) -> Result<TreeDigest, DriverError> {
        Ok(self.tree(memory)?.digest())
    }

    /// Measures the latency of every chunk of the allocation against device memory and host memory.
    ///
    /// What one moment shows does not decide: the controls are measured several times and their least counts, and a chunk that
    /// seems to lie in host memory is measured again. Of a chunk the mean of random loads is taken, so one of which less than
    /// about half lies in host memory can pass. Where the allocation begins on a page of the device's, a chunk is one page,
    /// which lies in one place as a whole.
    ///
    /// # Errors
    /// When the memory is not known or the device fails.
    fn probe(&self, memory: MemoryId) -> Result<ProbeFacts, DriverError>;

    /// Where the allocation begins, for a kernel launch.
    ///
    /// # Errors
    /// When the memory is not known.
    fn address(&self, memory: MemoryId) -> Result<DeviceAddress, DriverError>;

    /// Waits until the device has done everything that it was given, and reports what failed there (`cuCtxSynchronize`).
    ///
    /// # Errors
    /// The failure of earlier work, or of the driver.
    fn synchronize(&self) -> Result<(), DriverError>;
}
