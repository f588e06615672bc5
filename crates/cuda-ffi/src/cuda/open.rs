//! Opening the driver and its devices.

use std::sync::Arc;

use cust::CudaFlags;
use cust::device::Device as Ordinal;

use super::CudaDevice;
use super::call::through_cust;
use crate::broken::BrokenDevice;
use crate::{Device, DriverError, NoGpu, Operation};

/// `CUDA_ERROR_NO_DEVICE`.
const NO_DEVICE: u32 = 100;

/// Every device of the driver's, in its order. One that is there and cannot be opened is in the list as well, and gives its
/// cause whatever it is asked; so does a driver that is there and does not start.
///
/// # Errors
/// [`NoGpu::NoDriver`] with the dynamic linker's reason, [`NoGpu::NoDevice`].
pub(crate) fn open_all() -> Result<Vec<Arc<dyn Device>>, NoGpu> {
    cuda_driver::open().map_err(|missing| NoGpu::NoDriver(missing.to_string()))?;
    match count() {
        Ok(0) => Err(NoGpu::NoDevice),
        Ok(count) => Ok((0..count).map(open).collect()),
        Err(error) if error.code() == NO_DEVICE => Err(NoGpu::NoDevice),
        Err(error) => Ok(vec![Arc::new(BrokenDevice(error))]),
    }
}

fn count() -> Result<u32, DriverError> {
    through_cust(Operation::Open, cust::init(CudaFlags::empty()))?;
    through_cust(Operation::Open, Ordinal::num_devices())
}

fn open(index: u32) -> Arc<dyn Device> {
    match CudaDevice::open(index) {
        Ok(device) => Arc::new(device),
        Err(error) => Arc::new(BrokenDevice(error)),
    }
}
