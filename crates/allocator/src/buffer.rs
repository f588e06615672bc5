//! Owned device memory: checked on the way in, overwritten on the way out.

use std::fmt;
use std::sync::Arc;

use cuda_ffi::{Device, DeviceAddress, MemoryId, Tree, TreeDigest};
use facts::{AllocationFacts, ProbeFacts};
use validation::ModelSize;

use crate::{AllocatorError, Ledger, ReleaseError, Reservation};

/// Allocates memory of one device, within its ledger.
#[derive(Clone)]
pub struct DeviceAllocator {
    device: Arc<dyn Device>,
    ledger: Arc<Ledger>,
}

impl DeviceAllocator {
    /// Allocates memory of `device`, and keeps its books in `ledger`.
    pub fn new(device: Arc<dyn Device>, ledger: Arc<Ledger>) -> Self {
        Self { device, ledger }
    }

    /// Allocates `size` bytes. What they hold is not defined until they are written.
    ///
    /// # Errors
    /// [`AllocatorError::InsufficientMemory`] when the ledger or the device has fewer bytes left, and
    /// [`AllocatorError::Driver`] for any other failure. The books are then as they were before.
    pub fn allocate(&self, size: ModelSize) -> Result<DeviceBuffer, AllocatorError> {
        // Dropped on the way out of a failure, which gives the bytes back.
        let reservation = self.ledger.reserve(size.get())?;
        match self.device.allocate(size.get()) {
            Ok(memory) => Ok(DeviceBuffer {
                device: Arc::clone(&self.device),
                memory,
                bytes: size.get(),
                reservation: Some(reservation),
            }),
            Err(cause) if cause.is_out_of_memory() => {
                drop(reservation);
                // Somebody else uses the device too, or its free memory is in pieces.
                let ours = self.ledger.books().available_bytes;
                let free = self.device.capacity().map_or(ours, |capacity| capacity.free_bytes.min(ours));
                let (needed_bytes, available_bytes) = (size.get(), free);
                Err(AllocatorError::InsufficientMemory { needed_bytes, available_bytes, cause: Some(cause) })
            }
            Err(error) => Err(error.into()),
        }
    }
}

impl fmt::Debug for DeviceAllocator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceAllocator").field("ledger", &self.ledger).finish_non_exhaustive()
    }
}

/// Device memory that belongs to whoever holds this value. Dropping it overwrites and frees the memory; so does
/// [`release`](Self::release), which says how that went.
pub struct DeviceBuffer {
    device: Arc<dyn Device>,
    memory: MemoryId,
    bytes: u64,
    /// Taken when the memory is released.
    reservation: Option<Reservation>,
}

#[allow(clippy::len_without_is_empty, reason = "a buffer of zero bytes cannot be allocated")]
impl DeviceBuffer {
    /// The buffer's length in bytes, never zero.
    pub fn len(&self) -> u64 {
        self.bytes
    }

    /// Copies `bytes` into the buffer, `offset` bytes after its start.
    ///
    /// # Errors
    /// [`AllocatorError::OutOfBounds`] when `offset` plus the length overflows or lies past the end: nothing was written.
    /// [`AllocatorError::Driver`] when the driver fails: what the range holds is then not defined.
    pub fn write(&self, offset: u64, bytes: &[u8]) -> Result<(), AllocatorError> {
        self.check_bounds(offset, bytes.len())?;
        Ok(self.device.write(self.memory, offset, bytes)?)
    }

    /// Fills `bytes` from the buffer, `offset` bytes after its start.
    ///
    /// # Errors
    /// [`AllocatorError::OutOfBounds`] when `offset` plus the length overflows or lies past the end: `bytes` is unchanged.
    /// [`AllocatorError::Driver`] when the driver fails.
    pub fn read(&self, offset: u64, bytes: &mut [u8]) -> Result<(), AllocatorError> {
        self.check_bounds(offset, bytes.len())?;
        Ok(self.device.read(self.memory, offset, bytes)?)
    }

    fn check_bounds(&self, offset: u64, len: usize) -> Result<(), AllocatorError> {
        // A length that does not fit is out of bounds as well: no buffer is longer than u64::MAX.
        let len = u64::try_from(len).unwrap_or(u64::MAX);
        match offset.checked_add(len) {
            Some(end) if end <= self.bytes => Ok(()),
            _ => Err(AllocatorError::OutOfBounds { offset, len, buffer_bytes: self.bytes }),
        }
    }

    /// The hash tree over the bytes that the buffer holds now.
    ///
    /// # Errors
    /// [`AllocatorError::Driver`] when the driver fails.
    pub fn tree(&self) -> Result<Tree, AllocatorError> {
        Ok(self.device.tree(self.memory)?)
    }

    /// The fs-verity digest of the bytes that the buffer holds now.
    ///
    /// # Errors
    /// [`AllocatorError::Driver`] when the driver fails.
    pub fn tree_digest(&self) -> Result<TreeDigest, AllocatorError> {
        Ok(self.device.tree_digest(self.memory)?)
    }

    /// What the driver reports of the memory now.
    ///
    /// # Errors
    /// [`AllocatorError::Driver`] when the driver fails.
    pub fn facts(&self) -> Result<AllocationFacts, AllocatorError> {
        Ok(self.device.allocation_facts(self.memory)?)
    }

    /// Measures the latency of every chunk of the memory.
    ///
    /// # Errors
    /// [`AllocatorError::Driver`] when the driver fails.
    pub fn probe(&self) -> Result<ProbeFacts, AllocatorError> {
        Ok(self.device.probe(self.memory)?)
    }

    /// Where the memory begins, for a kernel launch. It is valid as long as this buffer lives.
    ///
    /// # Errors
    /// [`AllocatorError::Driver`] when the driver fails.
    pub fn address(&self) -> Result<DeviceAddress, AllocatorError> {
        Ok(self.device.address(self.memory)?)
    }

    /// The device that the memory belongs to; its operations take [`memory`](Self::memory).
    pub fn device(&self) -> &Arc<dyn Device> {
        &self.device
    }

    /// The memory's number in the device's books.
    pub fn memory(&self) -> MemoryId {
        self.memory
    }

    /// Overwrites the memory with zeros, frees it, and gives its bytes back to the ledger.
    ///
    /// # Errors
    /// [`ReleaseError`] when the driver fails. The memory then stays allocated and its bytes are quarantined.
    pub fn release(mut self) -> Result<(), ReleaseError> {
        self.give_back()
    }

    fn give_back(&mut self) -> Result<(), ReleaseError> {
        let Some(reservation) = self.reservation.take() else { return Ok(()) };
        let bytes = self.bytes;
        let result =
            self.device.overwrite(self.memory).map_err(|cause| ReleaseError::Quarantined { bytes, cause }).and_then(
                |()| self.device.free(self.memory).map_err(|cause| ReleaseError::FreeFailed { bytes, cause }),
            );
        if result.is_err() {
            reservation.quarantine();
        }
        result
    }
}

impl Drop for DeviceBuffer {
    fn drop(&mut self) {
        // Nobody is left to tell: a failure shows in the ledger's quarantine. Call `release` to hear of it.
        let _quarantined = self.give_back();
    }
}

impl fmt::Debug for DeviceBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeviceBuffer").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}
