//! Lending a verified shard for execution.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use audit::Event;
use cuda_ffi::DeviceAddress;

use crate::VramError;
use crate::lease::Lease;

/// A stream of one device: where work is launched, in order. Made by [`crate::VramManager::stream`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    pub(crate) manager: u64,
    pub(crate) gpu_device: u32,
}

/// Permission to run a shard that has just been verified. While it lives the shard cannot be released; dropping it
/// writes an event.
#[must_use = "the weights are lent only inside `launch`"]
pub struct ExecuteGuard {
    lease: Arc<Lease>,
}

impl ExecuteGuard {
    /// Marks the lease as lent. Call it while the buffer's read lock is held, so that no release comes between the
    /// verification and the guard.
    pub(crate) fn lend(lease: &Arc<Lease>) -> Result<Self, VramError> {
        lease.guards.fetch_add(1, Ordering::SeqCst);
        let event = Event::Lent { shard_id: lease.seal.shard_id.clone(), gpu_device: lease.slot.index };
        if let Err(error) = lease.audit.record(&event) {
            lease.guards.fetch_sub(1, Ordering::SeqCst);
            return Err(error.into());
        }
        Ok(Self { lease: Arc::clone(lease) })
    }

    /// Runs `work` with the address of the weights, ordered on `stream` after the verification.
    ///
    /// What `work` launches must be done with the weights before the guard is dropped: wait for the stream first. The
    /// address is valid no longer than the guard. On a GPU it is one of the device's primary context, which the CUDA runtime
    /// and the frameworks on it use; that context is not made current for `work`.
    ///
    /// # Errors
    /// [`VramError::WrongStream`] for a stream of another device or manager, [`VramError::Stopped`],
    /// [`VramError::Driver`].
    pub fn launch<R>(&self, stream: &Stream, work: impl FnOnce(&DeviceWeights) -> R) -> Result<R, VramError> {
        let slot = &self.lease.slot;
        if stream.manager != self.lease.manager || stream.gpu_device != slot.index {
            return Err(VramError::WrongStream { stream_device: stream.gpu_device, gpu_device: slot.index });
        }
        self.lease.check_running()?;
        slot.device.synchronize().map_err(|error| slot.driver_failed(error))?;
        let weights = {
            let buffer = self.lease.buffer();
            let buffer = buffer.as_ref().ok_or_else(|| self.lease.released_error())?;
            let address = buffer.address().map_err(|error| slot.memory_failed(error))?;
            DeviceWeights { address, bytes: buffer.len() }
        };
        Ok(work(&weights))
    }
}

impl Drop for ExecuteGuard {
    fn drop(&mut self) {
        self.lease.guards.fetch_sub(1, Ordering::SeqCst);
        let event = Event::Returned { shard_id: self.lease.seal.shard_id.clone(), gpu_device: self.lease.slot.index };
        if let Err(error) = self.lease.audit.record(&event) {
            tracing::error!(%error, "the audit log refused the event of a returned shard");
        }
    }
}

impl std::fmt::Debug for ExecuteGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExecuteGuard").field("shard_id", &self.lease.seal.shard_id).finish_non_exhaustive()
    }
}

/// Weights in device memory, inside [`ExecuteGuard::launch`] only. It has no `Debug`, so that no address is printed.
pub struct DeviceWeights {
    address: DeviceAddress,
    bytes: u64,
}

impl DeviceWeights {
    /// Where the weights lie in device memory, to be handed to a kernel. On a simulated device it points nowhere.
    #[must_use]
    pub const fn address(&self) -> &DeviceAddress {
        &self.address
    }

    /// How many bytes there are.
    #[must_use]
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }
}
