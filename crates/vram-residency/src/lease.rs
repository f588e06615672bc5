//! The share of device memory that the clones of a handle hold together.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use allocator::DeviceBuffer;
use audit::{AuditSink, Event};
use content_digest::Tree;
use seal::Tag;

use crate::VramError;
use crate::device_slot::{DeviceSlot, StopSwitch};
use crate::sealed::Seal;

/// Device memory of one sealed shard. It keeps the device, its ledger and the audit sink alive, so that the memory is
/// overwritten and freed even when the manager is gone.
pub(crate) struct Lease {
    pub(crate) manager: u64,
    /// What was sealed, kept apart from the handles, which anyone may edit.
    pub(crate) seal: Seal,
    pub(crate) tag: Tag,
    /// The tree as it was hashed on the host while uploading: locates a changed block.
    pub(crate) kept_tree: Tree,
    pub(crate) slot: Arc<DeviceSlot>,
    pub(crate) audit: Arc<dyn AuditSink>,
    /// The manager's own, so that nothing is run after it was stopped.
    pub(crate) manager_stop: Arc<StopSwitch>,
    /// Set once the memory was given back, or is quarantined, and the event of it is written: until then the id is in use.
    /// The registry looks at it without waiting for the buffer's lock.
    pub(crate) gone: Arc<AtomicBool>,
    pub(crate) buffer: RwLock<Option<DeviceBuffer>>,
    /// Guards that live. Raised only under the buffer's read lock, so that a release, which holds the write lock, sees
    /// every guard.
    pub(crate) guards: AtomicUsize,
}

impl Lease {
    /// The buffer, for as long as the returned lock is held; none once the shard was released.
    pub(crate) fn buffer(&self) -> RwLockReadGuard<'_, Option<DeviceBuffer>> {
        self.buffer.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn released_error(&self) -> VramError {
        VramError::Released { shard_id: self.seal.shard_id.as_str().to_owned() }
    }

    /// Fails once the manager or the device was stopped.
    pub(crate) fn check_running(&self) -> Result<(), VramError> {
        self.manager_stop.check()?;
        self.slot.stop.check()
    }

    /// Overwrites and frees the memory for every clone at once.
    pub(crate) fn release(&self) -> Result<(), VramError> {
        let taken = {
            let mut buffer = self.buffer.write().unwrap_or_else(PoisonError::into_inner);
            let guards = self.guards.load(Ordering::SeqCst);
            if guards > 0 {
                return Err(VramError::InUse { shard_id: self.seal.shard_id.as_str().to_owned(), guards });
            }
            buffer.take().ok_or_else(|| self.released_error())?
        };
        self.give_back(taken)
    }

    fn give_back(&self, buffer: DeviceBuffer) -> Result<(), VramError> {
        let vram_bytes = buffer.len();
        let gpu_device = self.slot.index;
        let shard_id = self.seal.shard_id.clone();
        let given_back = match buffer.release() {
            Ok(()) => {
                self.audit.record(&Event::Deallocated { shard_id, gpu_device, vram_bytes }).map_err(VramError::from)
            }
            Err(error) => Err(self.slot.quarantined(shard_id, vram_bytes, error, None)),
        };
        self.gone.store(true, Ordering::SeqCst);
        given_back
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let buffer = self.buffer.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(Err(error)) = buffer.map(|buffer| self.give_back(buffer)) {
            // Nobody is left to hand the error to; the ledger, the stop switch and the audit log have it.
            tracing::error!(%error, shard_id = self.seal.shard_id.as_str(), "a dropped shard was not released cleanly");
        }
    }
}
