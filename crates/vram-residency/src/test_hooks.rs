//! What tests may do to device memory and to simulated devices (feature `test-hooks`, never in a worker's release).

use std::sync::Arc;

use cuda_ffi::SimulatedDevice;

use crate::manager::VramManager;
use crate::shard::{SealedShard, Signature};
use crate::{DeviceUuid, VramError};

/// Reaches behind a manager's back, as an attacker or a failing part would.
pub struct TestHooks<'a> {
    manager: &'a VramManager,
}

impl VramManager {
    /// The test hooks of this manager.
    #[must_use]
    pub const fn test_hooks(&self) -> TestHooks<'_> {
        TestHooks { manager: self }
    }
}

impl TestHooks<'_> {
    /// Flips one bit of a shard's device memory; `bit` counts from the first byte's lowest bit.
    ///
    /// # Errors
    /// [`VramError::Driver`] past the shard's end, and the errors of finding the shard.
    pub fn flip_bit(&self, shard: &SealedShard, bit: u64) -> Result<(), VramError> {
        let (offset, mask) = (bit.div_euclid(8), 1_u8.rotate_left(u32::try_from(bit.rem_euclid(8)).unwrap_or(0)));
        let lease = self.manager.core()?.lease(shard)?;
        let buffer = lease.buffer();
        let buffer = buffer.as_ref().ok_or_else(|| lease.released_error())?;
        let mut byte = [0];
        let device = buffer.device();
        let flipped = device
            .read(buffer.memory(), offset, &mut byte)
            .and_then(|()| device.write(buffer.memory(), offset, &byte.map(|byte| byte ^ mask)));
        flipped.map_err(|error| lease.slot.driver_failed(error))
    }

    /// Reads a shard's device memory from `offset` bytes on.
    ///
    /// # Errors
    /// [`VramError::Driver`] past the shard's end, and the errors of finding the shard.
    pub fn read_device(&self, shard: &SealedShard, offset: u64, out: &mut [u8]) -> Result<(), VramError> {
        let lease = self.manager.core()?.lease(shard)?;
        let buffer = lease.buffer();
        let buffer = buffer.as_ref().ok_or_else(|| lease.released_error())?;
        buffer.device().read(buffer.memory(), offset, out).map_err(|error| lease.slot.driver_failed(error))
    }

    /// The simulated device under an index, to inject faults and to change what it reports.
    #[must_use]
    pub fn simulated(&self, gpu_device: u32) -> Option<Arc<SimulatedDevice>> {
        self.manager.core().ok()?.slot(gpu_device).ok()?.simulated.clone()
    }

    /// The same handle with another signature, or with none.
    pub fn with_signature(&self, shard: &SealedShard, signature: Option<[u8; 32]>) -> SealedShard {
        SealedShard { signature: signature.map(Signature::from_bytes), ..shard.clone() }
    }

    /// Makes the simulated device under an index report another UUID, as after a renumbering.
    ///
    /// # Errors
    /// [`VramError::NoGpu`] when there is no simulated device under this index, [`VramError::Driver`].
    pub fn set_uuid(&self, gpu_device: u32, uuid: DeviceUuid) -> Result<(), VramError> {
        let missing = || VramError::NoGpu { reason: format!("device {gpu_device} is not simulated") };
        let device = self.simulated(gpu_device).ok_or_else(missing)?;
        let facts = self.manager.device_facts(gpu_device)?;
        device.set_device_facts(facts::DeviceFacts { uuid, ..facts });
        Ok(())
    }
}
