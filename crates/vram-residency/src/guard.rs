//! Lending a verified shard for execution.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use audit::Event;
use cuda_ffi::DeviceAddress;

use crate::VramError;
use crate::lease::Lease;

/// Names a device of one manager, for [`ExecuteGuard::launch`]. Made by [`crate::VramManager::stream`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    pub(crate) manager: u64,
    pub(crate) gpu_device: u32,
}

/// Permission to run a shard once, which has just been verified. While it lives the shard cannot be released; dropping it
/// writes an event.
#[must_use = "the weights are lent only inside `launch`"]
pub struct ExecuteGuard {
    lent: Lent,
    launched: AtomicBool,
}

/// Keeps a shard from being released. It is let go after the guard that holds it has written its event.
struct Lent(Arc<Lease>);

impl Drop for Lent {
    fn drop(&mut self) {
        self.0.guards.fetch_sub(1, Ordering::SeqCst);
    }
}

impl ExecuteGuard {
    /// Marks the lease as lent. Call it while the buffer's read lock is held, so that no release comes between the
    /// verification and the guard.
    pub(crate) fn lend(lease: &Arc<Lease>) -> Result<Self, VramError> {
        let event = Event::Lent { shard_id: lease.seal.shard_id.clone(), gpu_device: lease.slot.index };
        lease.audit.record(&event)?;
        lease.guards.fetch_add(1, Ordering::SeqCst);
        Ok(Self { lent: Lent(Arc::clone(lease)), launched: AtomicBool::new(false) })
    }

    /// Runs `work` with the address of the weights, once everything that was launched on the device is done. `work` may launch
    /// many kernels; another execution needs another verification, so a guard launches once.
    ///
    /// What `work` launches must be done with the weights before the guard is dropped: wait for the stream first. The
    /// address is valid no longer than the guard. On a GPU it is one of the device's primary context, which the CUDA runtime
    /// and the frameworks on it use; that context is not made current for `work`.
    ///
    /// # Errors
    /// [`VramError::WrongStream`] for a stream of another device or manager, [`VramError::AlreadyLaunched`] when `work` of
    /// this guard ran before, [`VramError::Stopped`], [`VramError::Driver`].
    pub fn launch<R>(&self, stream: &Stream, work: impl FnOnce(&DeviceWeights) -> R) -> Result<R, VramError> {
        let lease = &self.lent.0;
        let slot = &lease.slot;
        if stream.manager != lease.manager || stream.gpu_device != slot.index {
            return Err(VramError::WrongStream { stream_device: stream.gpu_device, gpu_device: slot.index });
        }
        lease.check_running()?;
        slot.device.synchronize().map_err(|error| slot.driver_failed(error))?;
        let weights = {
            let buffer = lease.buffer();
            let buffer = buffer.as_ref().ok_or_else(|| lease.released_error())?;
            let address = buffer.address().map_err(|error| slot.memory_failed(error))?;
            DeviceWeights { address, bytes: buffer.len() }
        };
        // The wait may have been long: what stopped the manager meanwhile holds for this execution too.
        lease.check_running()?;
        if self.launched.swap(true, Ordering::SeqCst) {
            return Err(VramError::AlreadyLaunched { shard_id: lease.seal.shard_id.as_str().to_owned() });
        }
        Ok(work(&weights))
    }
}

impl Drop for ExecuteGuard {
    fn drop(&mut self) {
        let lease = &self.lent.0;
        let event = Event::Returned { shard_id: lease.seal.shard_id.clone(), gpu_device: lease.slot.index };
        if let Err(error) = lease.audit.record(&event) {
            tracing::error!(%error, "the audit log refused the event of a returned shard");
        }
    }
}

impl std::fmt::Debug for ExecuteGuard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExecuteGuard").field("shard_id", &self.lent.0.seal.shard_id).finish_non_exhaustive()
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
