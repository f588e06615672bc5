//! What a seal covers: the fields of a shard after parsing.

use facts::DeviceUuid;
use seal::SealedFields;
use time::OffsetDateTime;
use validation::{ShardId, TensorParallel};

/// What was sealed, or what a handle says was sealed.
#[derive(Clone, Debug)]
pub(crate) struct Seal {
    pub(crate) shard_id: ShardId,
    pub(crate) vram_bytes: u64,
    pub(crate) gpu_device: u32,
    pub(crate) sha256: [u8; 32],
    pub(crate) tree_digest: [u8; 32],
    pub(crate) device_uuid: DeviceUuid,
    pub(crate) sealed_at: OffsetDateTime,
    pub(crate) tensor_parallel: TensorParallel,
}

impl Seal {
    pub(crate) fn fields(&self) -> SealedFields<'_> {
        SealedFields {
            shard_id: &self.shard_id,
            vram_bytes: self.vram_bytes,
            gpu_device: self.gpu_device,
            sha256: &self.sha256,
            tree_digest: &self.tree_digest,
            device_uuid: self.device_uuid.as_bytes(),
            sealed_at_unix_nanos: self.sealed_at.unix_timestamp_nanos(),
            tensor_parallel: self.tensor_parallel,
        }
    }
}
