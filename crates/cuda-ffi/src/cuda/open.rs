//! Opening the driver and its devices.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use cust::CudaFlags;
use cust::device::Device as Ordinal;

use super::CudaDevice;
use super::call::through_cust;
use crate::broken::BrokenDevice;
use crate::{Device, DriverError, NoGpu, Operation};

/// `CUDA_ERROR_NO_DEVICE`.
const NO_DEVICE: u32 = 100;

/// The driver's devices with these indices, or all of them. One that cannot be opened is among them, and gives its cause
/// whatever it is asked; so does each of a driver that is there and does not start.
///
/// # Errors
/// [`NoGpu::NoDriver`] with the dynamic linker's reason, [`NoGpu::NoDevice`].
pub(crate) fn open_devices(only: Option<&BTreeSet<u32>>) -> Result<BTreeMap<u32, Arc<dyn Device>>, NoGpu> {
    cuda_driver::open().map_err(|missing| NoGpu::NoDriver(missing.to_string()))?;
    let known = match count() {
        Ok(0) => return Err(NoGpu::NoDevice),
        Err(error) if error.code() == NO_DEVICE => return Err(NoGpu::NoDevice),
        known => known,
    };
    // A driver that does not start has not said how many there are: the first stands for them all.
    let all = || (0..*known.as_ref().unwrap_or(&1)).collect();
    let indices: BTreeSet<u32> = only.cloned().unwrap_or_else(all);
    Ok(indices.into_iter().map(|index| (index, open(index, &known))).collect())
}

fn count() -> Result<u32, DriverError> {
    through_cust(Operation::Open, cust::init(CudaFlags::empty()))?;
    through_cust(Operation::Open, Ordinal::num_devices())
}

fn open(index: u32, known: &Result<u32, DriverError>) -> Arc<dyn Device> {
    match known.clone().and_then(|_| CudaDevice::open(index)) {
        Ok(device) => Arc::new(device),
        Err(error) => Arc::new(BrokenDevice(error)),
    }
}
