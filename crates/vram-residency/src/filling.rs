//! Device memory on its way to a seal: taken, filled from the input, and given back if the seal does not come about.

use std::io::Read;
use std::sync::Arc;

use allocator::{DeviceBuffer, ReleaseError};
use content_digest::{Sha256Digest, Sha256Stream, Tree, TreeHasher};
use validation::ShardId;
use zeroize::Zeroizing;

use crate::VramError;
use crate::device_slot::DeviceSlot;

/// How much of the input is held in host memory at a time, in bytes. The buffer is zeroised after use.
const CHUNK_BYTES: usize = 4 << 20;

/// Memory that may hold weights and has no seal yet. Dropped, also by a panic in the caller's reader, it is overwritten
/// and freed; where that fails the device is stopped and a critical event written.
pub(crate) struct Filling {
    /// Taken when the memory goes on to a lease, or is given back.
    buffer: Option<DeviceBuffer>,
    shard_id: ShardId,
    slot: Arc<DeviceSlot>,
}

/// Both digests of the input, taken on the host while it was uploaded.
pub(crate) struct Hashed {
    pub(crate) sha256: Sha256Digest,
    pub(crate) tree: Tree,
}

impl Filling {
    pub(crate) fn new(buffer: DeviceBuffer, shard_id: ShardId, slot: Arc<DeviceSlot>) -> Self {
        Self { buffer: Some(buffer), shard_id, slot }
    }

    /// The memory, as long as it was neither kept nor given back.
    pub(crate) fn buffer(&self) -> Result<&DeviceBuffer, VramError> {
        self.buffer.as_ref().ok_or_else(|| VramError::Released { shard_id: self.shard_id.as_str().to_owned() })
    }

    /// The memory, for a lease that answers for it from now on.
    pub(crate) fn keep(mut self) -> Option<DeviceBuffer> {
        self.buffer.take()
    }

    /// Gives the memory back after `error`. When it cannot be overwritten, that is the graver error, and holds the other.
    pub(crate) fn roll_back(mut self, error: VramError) -> VramError {
        match self.give_back() {
            Ok(()) => error,
            Err((bytes, release)) => self.quarantined(bytes, release, Some(error)),
        }
    }

    /// The error has the bytes that were not given back.
    fn give_back(&mut self) -> Result<(), (u64, ReleaseError)> {
        let Some(buffer) = self.buffer.take() else { return Ok(()) };
        let bytes = buffer.len();
        buffer.release().map_err(|error| (bytes, error))
    }

    fn quarantined(&self, bytes: u64, release: ReleaseError, undone: Option<VramError>) -> VramError {
        self.slot.quarantined(self.shard_id.clone(), bytes, release, undone)
    }

    /// Writes exactly the buffer's length of input to device memory, chunk by chunk, and hashes it on the way.
    pub(crate) fn upload(&self, mut model: impl Read) -> Result<Hashed, VramError> {
        let buffer = self.buffer()?;
        let expected_bytes = buffer.len();
        let chunk_bytes = usize::try_from(expected_bytes).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
        let mut chunk = Zeroizing::new(vec![0_u8; chunk_bytes]);
        let mut sha256 = Sha256Stream::new();
        let mut tree = TreeHasher::new();
        let mut offset = 0_u64;
        while offset < expected_bytes {
            let wanted = usize::try_from(expected_bytes.saturating_sub(offset)).unwrap_or(chunk_bytes).min(chunk_bytes);
            let part = chunk.get_mut(..wanted).unwrap_or_default();
            let read_bytes = fill(&mut model, part)?;
            let part = part.get(..read_bytes).unwrap_or_default();
            sha256.update(part);
            tree.update(part);
            buffer.write(offset, part).map_err(|error| self.slot.memory_failed(error))?;
            offset = offset.saturating_add(read_bytes as u64);
            if read_bytes < wanted {
                return Err(VramError::InputTooShort { expected_bytes, read_bytes: offset });
            }
        }
        if fill(&mut model, &mut [0])? > 0 {
            return Err(VramError::InputTooLong { expected_bytes });
        }
        Ok(Hashed { sha256: sha256.finish(), tree: tree.finish() })
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        if let Err((bytes, release)) = self.give_back() {
            let error = self.quarantined(bytes, release, None);
            // Nobody is left to hand the error to; the ledger, the stop switch and the audit log have it.
            tracing::error!(%error, shard_id = self.shard_id.as_str(), "an abandoned seal was not cleaned up");
        }
    }
}

/// Reads until `part` is full or the input ends; returns the bytes read.
fn fill(model: &mut impl Read, part: &mut [u8]) -> Result<usize, VramError> {
    let mut filled = 0_usize;
    while let Some(rest) = part.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match model.read(rest) {
            Ok(0) => break,
            // A reader that breaks its contract has not filled what it says: nothing of it can be believed.
            Ok(read) if read > rest.len() => return Err(VramError::Read(std::io::ErrorKind::InvalidData.into())),
            Ok(read) => filled = filled.saturating_add(read),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(VramError::Read(error)),
        }
    }
    Ok(filled)
}
