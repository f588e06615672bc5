//! Host memory that is locked in place, so that the device can reach it by itself.

use std::ptr::NonNull;
use std::sync::Arc;

use cust::memory::{cuda_free_locked, cuda_malloc_locked};
use cust::sys;

use super::call::{direct, through_cust};
use super::context::{Owned, Primary};
use crate::{DriverError, Operation};

/// Page-locked host memory (`cuMemAllocHost_v2`), zeros at first.
pub(super) struct Pinned {
    area: Owned<Area>,
    bytes: usize,
}

/// The start of the memory.
struct Area(NonNull<u8>);

// SAFETY: the memory belongs to the one value that holds its start, and can be freed from any thread.
unsafe impl Send for Area {}

impl Pinned {
    /// The context must be current.
    pub(super) fn allocate(context: &Arc<Primary>, bytes: usize) -> Result<Self, DriverError> {
        let refused = DriverError::new(Operation::Open, DriverError::OUT_OF_MEMORY);
        // SAFETY: it only allocates. What the memory holds is not defined; it is written below before anyone can read it.
        let start = through_cust(Operation::Open, unsafe { cuda_malloc_locked::<u8>(bytes) })?;
        let area = Area(NonNull::new(start).ok_or(refused)?);
        let area = Owned::new(context, area, |area| {
            // SAFETY: this is the only place that frees it, and nobody holds the area any more. A failure leaves it to the
            // context's end.
            let _ = unsafe { cuda_free_locked(area.0.as_ptr()) };
        });
        // SAFETY: the driver gave `bytes` writable bytes from here, and nobody else knows of them yet.
        unsafe { area.0.write_bytes(0, bytes) };
        Ok(Self { area, bytes })
    }

    /// The bytes, for the host to read and write.
    ///
    /// # Safety
    /// No copy of the device's is reading or writing them while the slice is used.
    pub(super) unsafe fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: `bytes` bytes from here were allocated and initialised, they live as long as `self`, and `&mut self` makes
        // this the only reference on the host; the caller vouches for the device.
        unsafe { std::slice::from_raw_parts_mut(self.area.0.as_ptr(), self.bytes) }
    }

    /// Where the device finds the memory (`cuMemHostGetDevicePointer_v2`).
    pub(super) fn device_address(&self, operation: Operation) -> Result<u64, DriverError> {
        let mut address = 0;
        // SAFETY: the driver writes one address to a place that is there for it; the memory is its own.
        let result = unsafe { sys::cuMemHostGetDevicePointer_v2(&raw mut address, self.area.0.as_ptr().cast(), 0) };
        direct(operation, result)?;
        Ok(address)
    }
}
