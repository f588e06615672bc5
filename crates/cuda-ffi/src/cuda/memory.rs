//! Device memory of the backend's own, and small synchronous copies out of it.

use std::ffi::c_void;
use std::sync::Arc;

use cust::memory::{DevicePointer, cuda_free, cuda_malloc};
use cust::sys;

use super::call::{direct, through_cust};
use super::context::{Owned, Primary};
use crate::{DriverError, Operation};

/// A digest as the kernels write it.
pub(super) type Hash = [u8; 32];

/// Allocates `bytes` bytes (`cuMemAlloc_v2`). The context must be current.
pub(super) fn allocate(operation: Operation, bytes: u64) -> Result<u64, DriverError> {
    let refused = DriverError::new(operation, DriverError::INVALID_VALUE);
    let bytes = usize::try_from(bytes).map_err(|_| refused)?;
    // SAFETY: it only allocates, and what the memory holds is read by nobody before it is written.
    Ok(through_cust(operation, unsafe { cuda_malloc::<u8>(bytes) })?.as_raw())
}

/// Frees what [`allocate`] gave (`cuMemFree_v2`). The context must be current.
///
/// # Safety
/// Nobody uses the memory after this.
pub(super) unsafe fn free(start: u64) -> Result<(), DriverError> {
    // SAFETY: the caller vouches that nobody uses it any more; the driver refuses what it did not allocate.
    through_cust(Operation::Free, unsafe { cuda_free(DevicePointer::<u8>::from_raw(start)) })
}

/// Device memory for the backend's own work, zeros at first. What is in it is digests and measurements, never weights.
pub(super) struct Scratch(Owned<u64>);

impl Scratch {
    /// The context must be current.
    pub(super) fn allocate(context: &Arc<Primary>, bytes: u64) -> Result<Self, DriverError> {
        let start = allocate(Operation::Open, bytes)?;
        let memory = Self(Owned::new(context, start, |start| {
            // SAFETY: every user of the memory waits for the device before it gives the scratch up. A failure leaves the
            // memory to the context's end.
            let _ = unsafe { free(start) };
        }));
        // The probe reads what nothing else writes, and a checker of device memory asks who wrote it.
        let len = usize::try_from(bytes).unwrap_or(usize::MAX);
        // SAFETY: so many bytes were just allocated, and nobody else knows of them.
        direct(Operation::Open, unsafe { sys::cuMemsetD8_v2(start, 0, len) })?;
        Ok(memory)
    }

    pub(super) fn start(&self) -> u64 {
        *self.0
    }
}

/// What can be copied from the device byte by byte: any bytes make a value of it.
///
/// # Safety
/// The type has no padding, no invalid values and no pointers.
pub(super) unsafe trait Plain: Copy {}

// SAFETY: integers and arrays of bytes are valid whatever their bytes.
unsafe impl Plain for u32 {}
// SAFETY: as above.
unsafe impl Plain for u64 {}
// SAFETY: as above.
unsafe impl Plain for Hash {}

/// Appends `count` values from the device memory at `from` (`cuMemcpyDtoH_v2`). Where the driver reports success and copies
/// nothing, their bytes are `uncopied`.
///
/// # Safety
/// The context is current, and that many values are allocated at `from`.
pub(super) unsafe fn fetch<T: Plain>(
    operation: Operation,
    from: u64,
    count: u64,
    uncopied: u8,
    to: &mut Vec<T>,
) -> Result<(), DriverError> {
    let out_of_memory = DriverError::new(operation, DriverError::OUT_OF_MEMORY);
    let count = usize::try_from(count).map_err(|_| out_of_memory.clone())?;
    to.try_reserve(count).map_err(|_| out_of_memory)?;
    let refused = DriverError::new(operation, DriverError::INVALID_VALUE);
    let place = to.spare_capacity_mut().get_mut(..count).ok_or(refused)?;
    let bytes = size_of_val(place);
    // SAFETY: `place` is `bytes` bytes long, and nobody else has it.
    unsafe { place.as_mut_ptr().cast::<u8>().write_bytes(uncopied, bytes) };
    // SAFETY: `place` is `bytes` bytes long, nobody else has it, and the copy is over when the call returns; the caller
    // vouches for `from`.
    let copied = unsafe { sys::cuMemcpyDtoH_v2(place.as_mut_ptr().cast::<c_void>(), from, bytes) };
    direct(operation, copied)?;
    // SAFETY: `count` values after the vector's end were written above, within its capacity, and any bytes make a `T`.
    unsafe { to.set_len(to.len().saturating_add(count)) };
    Ok(())
}
