//! Verification: the handle, its signature, the device, the policy and the bytes, all as they are now.

use std::sync::Arc;

use allocator::DeviceBuffer;
use audit::Event;
use facts::{AllocationFacts, ProbeFacts};
use seal::digests_equal;

use crate::VramError;
use crate::clipped::clipped;
use crate::guard::ExecuteGuard;
use crate::lease::Lease;
use crate::manager::{Core, VramManager};
use crate::shard::SealedShard;

impl VramManager {
    /// Verifies a shard where it lies: the handle's fields and signature, the device's UUID, the policy facts of its
    /// memory now, and the bytes in device memory now.
    ///
    /// # Errors
    /// [`VramError::NotSealed`], [`VramError::SealForged`], [`VramError::ContentsChanged`] with the blocks that differ,
    /// [`VramError::OtherDevice`], [`VramError::PolicyViolated`], [`VramError::UnknownShard`], [`VramError::Released`],
    /// [`VramError::ForeignShard`], [`VramError::Driver`], [`VramError::Audit`], [`VramError::Stopped`]. Every refusal
    /// but the last two has written a critical event.
    pub fn verify_sealed(&self, shard: &SealedShard) -> Result<(), VramError> {
        self.verify(shard, |_| Ok(()))
    }

    /// Verifies a shard as [`VramManager::verify_sealed`] does, and lends it. The guard is the only way to the weights.
    ///
    /// # Errors
    /// As [`VramManager::verify_sealed`].
    pub fn verify_for_execute(&self, shard: &SealedShard) -> Result<ExecuteGuard, VramError> {
        self.verify(shard, ExecuteGuard::lend)
    }

    /// Verifies, and calls `then` while the memory cannot be released.
    fn verify<R>(
        &self,
        shard: &SealedShard,
        then: impl FnOnce(&Arc<Lease>) -> Result<R, VramError>,
    ) -> Result<R, VramError> {
        let core = self.running()?;
        let refused = |error| core.refused(&shard.shard_id, shard.gpu_device, error);
        let lease = core.lease(shard).map_err(refused)?;
        lease.check_running()?;
        let buffer = lease.buffer();
        core.check_seal(shard, &lease).and_then(|()| core.check_in_place(&lease, buffer.as_ref())).map_err(refused)?;
        core.record_verified(&lease)?;
        then(&lease)
    }
}

impl Core {
    /// The memory that a handle stands for: its own share, or for a deserialised handle the live shard of that id.
    pub(crate) fn lease(&self, shard: &SealedShard) -> Result<Arc<Lease>, VramError> {
        let lease = match &shard.lease {
            Some(lease) => Arc::clone(lease),
            None => self
                .shards
                .find(&shard.shard_id)
                .ok_or_else(|| VramError::UnknownShard { shard_id: shard.shard_id.clone() })?,
        };
        if lease.manager == self.id {
            Ok(lease)
        } else {
            Err(VramError::ForeignShard { shard_id: shard.shard_id.clone() })
        }
    }

    /// Checks the handle's fields against its signature, and the signature against the one that this memory was sealed
    /// with, so that an older handle of the same id does not pass.
    pub(crate) fn check_seal(&self, shard: &SealedShard, lease: &Lease) -> Result<(), VramError> {
        let forged = |reason| VramError::SealForged { shard_id: shard.shard_id.clone(), reason };
        let signature =
            shard.signature.as_ref().ok_or_else(|| VramError::NotSealed { shard_id: shard.shard_id.clone() })?;
        let seal = shard.parse().ok_or_else(|| forged("a field of its handle is malformed"))?;
        let tag = signature.tag();
        self.key
            .verify(&seal.fields(), &tag)
            .map_err(|_| forged("its handle's fields and signature do not belong together"))?;
        if !digests_equal(tag.as_bytes(), lease.tag.as_bytes()) {
            return Err(forged("its signature is of another sealing"));
        }
        Ok(())
    }

    /// Checks the memory itself against what was sealed: the device, the policy, the bytes.
    /// Returns what the driver and the probe said of it.
    pub(crate) fn check_in_place(
        &self,
        lease: &Lease,
        buffer: Option<&DeviceBuffer>,
    ) -> Result<(AllocationFacts, ProbeFacts), VramError> {
        let buffer = buffer.ok_or_else(|| lease.released_error())?;
        let (seal, slot) = (&lease.seal, &lease.slot);
        let device = slot.judged_facts()?;
        if device.uuid != seal.device_uuid {
            return Err(VramError::OtherDevice { shard_id: seal.shard_id.as_str().to_owned() });
        }
        let (allocation, probe) = slot.ask(buffer)?;
        self.check_policy(slot, device, vec![allocation.clone()], Some(probe.clone()))?;
        let in_place = buffer.tree_digest().map_err(|error| slot.memory_failed(error))?;
        if digests_equal(in_place.as_bytes(), &seal.tree_digest) {
            return Ok((allocation, probe));
        }
        Err(VramError::contents_changed(&seal.shard_id, locate(buffer, lease)))
    }

    /// Writes the event of a verification, unless the manager or the device was stopped meanwhile.
    pub(crate) fn record_verified(&self, lease: &Lease) -> Result<(), VramError> {
        lease.check_running()?;
        let shard_id = lease.seal.shard_id.clone();
        Ok(self.audit.record(&Event::Verified { shard_id, gpu_device: lease.slot.index })?)
    }

    /// Writes the critical event of a refused verification, and returns the refusal.
    pub(crate) fn refused(&self, shard_id: &str, gpu_device: u32, error: VramError) -> VramError {
        let event =
            Event::VerificationFailed { shard_id: clipped(shard_id), gpu_device, reason: clipped(&error.to_string()) };
        self.with_event(&event, error)
    }
}

/// The blocks that changed. The tree kept on the host is believed only if its digest is the sealed one; where it is not,
/// or the device cannot give its tree, nothing is located.
fn locate(buffer: &DeviceBuffer, lease: &Lease) -> Vec<u64> {
    let kept = &lease.kept_tree;
    if !kept.is_consistent() || !digests_equal(kept.digest().as_bytes(), &lease.seal.tree_digest) {
        return Vec::new();
    }
    buffer.tree().map(|tree| kept.differing_blocks(&tree)).unwrap_or_default()
}
