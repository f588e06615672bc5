//! From the driver's results to our errors: the function and the driver's own code are kept.

use cust::error::{CudaError, CudaResult};
use cust::sys::{self, CUresult};

use crate::{DriverError, Operation};

/// What a call through `cust` gave, with the function that failed and the code as the driver returned it.
pub(super) fn through_cust<T>(operation: Operation, result: CudaResult<T>) -> Result<T, DriverError> {
    result.map_err(|error| last_failure(operation, error as u32))
}

/// The same for a function that was called directly.
pub(super) fn direct(operation: Operation, result: CUresult) -> Result<(), DriverError> {
    match result {
        CUresult::CUDA_SUCCESS => Ok(()),
        code => Err(last_failure(operation, code as u32)),
    }
}

/// Forgets why a call failed whose failure has nobody to go to, so that no later error is given its name.
pub(super) fn forget_failure() {
    let _nobody_to_tell = cuda_driver::take_last_failure();
}

/// The failure that the forwarder noted on this thread. Where it noted none, `cust` refused by itself.
fn last_failure(operation: Operation, code: u32) -> DriverError {
    match cuda_driver::take_last_failure() {
        Some(failure) => DriverError::of(operation, failure.function, failure.code),
        None if code == CudaError::InvalidMemoryAllocation as u32 => {
            DriverError::new(operation, DriverError::INVALID_VALUE)
        }
        None => DriverError::new(operation, code),
    }
}

/// An attribute of a device (`cuDeviceGetAttribute`).
pub(super) fn device_attribute(
    operation: Operation,
    device: sys::CUdevice,
    attribute: sys::CUdevice_attribute,
) -> Result<i32, DriverError> {
    let mut value = 0;
    // SAFETY: the driver writes one `int` to a place that is there for it, and checks the device handle itself.
    direct(operation, unsafe { sys::cuDeviceGetAttribute(&raw mut value, attribute, device) })?;
    Ok(value)
}
