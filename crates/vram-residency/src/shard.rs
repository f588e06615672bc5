//! The handle of a sealed shard: plain data with its signature, and a private lease on the device memory.

use std::sync::Arc;

use content_digest::{Sha256Digest, TreeDigest};
use facts::DeviceUuid;
use seal::{SealedFields, Tag};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use validation::{DigestHex, ShardId, TensorParallel};

use crate::lease::Lease;

/// A shard that was sealed in device memory.
///
/// The fields are public and anyone may edit them; verification trusts none of them before the signature over all of
/// them has verified. A clone shares the device memory with its original. The memory is overwritten and freed when the
/// last clone is dropped or when the shard is released.
///
/// As JSON the handle loses its share of the memory: a manager finds the memory of a deserialised handle by its id, as
/// long as another handle keeps it alive.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SealedShard {
    /// The shard's id.
    pub shard_id: String,
    /// Size in device memory, in bytes.
    pub vram_bytes: usize,
    /// Index of the device.
    pub gpu_device: u32,
    /// Plain SHA-256 of the contents (FIPS 180-4), 64 hex digits, as `sha256sum` prints it.
    pub digest: String,
    /// fs-verity digest of the contents (SHA-256, 4096-byte blocks, no salt), 64 hex digits, as `fsverity digest`
    /// prints it.
    pub tree_digest: String,
    /// The device's UUID, which stays when devices are renumbered.
    pub device_uuid: String,
    /// The shard's place among the shards of its model.
    pub tensor_parallel: TensorParallel,
    /// When it was sealed, UTC.
    #[serde(with = "time::serde::rfc3339")]
    pub sealed_at: OffsetDateTime,
    pub(crate) signature: Option<Signature>,
    #[serde(skip)]
    pub(crate) lease: Option<Arc<Lease>>,
}

impl SealedShard {
    /// The HMAC-SHA256 tag over every field, if the handle carries one.
    #[must_use]
    pub const fn signature(&self) -> Option<&Signature> {
        self.signature.as_ref()
    }
}

impl std::fmt::Debug for SealedShard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedShard")
            .field("shard_id", &self.shard_id)
            .field("vram_bytes", &self.vram_bytes)
            .field("gpu_device", &self.gpu_device)
            .field("digest", &self.digest)
            .field("tree_digest", &self.tree_digest)
            .field("device_uuid", &self.device_uuid)
            .field("tensor_parallel", &self.tensor_parallel)
            .field("sealed_at", &self.sealed_at)
            .field("signature", &self.signature)
            .finish_non_exhaustive()
    }
}

/// An HMAC-SHA256 tag (RFC 2104) over a shard's canonical encoding. A tag is public; the key is not.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Signature(DigestHex);

impl Signature {
    pub(crate) fn from_tag(tag: &Tag) -> Self {
        Self(DigestHex::from_bytes(*tag.as_bytes()))
    }

    #[cfg(feature = "test-hooks")]
    pub(crate) fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(DigestHex::from_bytes(bytes))
    }

    pub(crate) fn tag(&self) -> Tag {
        Tag::from_bytes(self.0.to_bytes())
    }

    /// The tag as 64 hex digits.
    #[must_use]
    pub fn to_hex(&self) -> String {
        self.0.as_str().to_owned()
    }
}

impl std::fmt::Debug for Signature {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signature({})", self.0.as_str())
    }
}

/// The fields of a handle after parsing: what the seal covers.
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
    /// Parses a handle's public fields, which anyone may have edited.
    pub(crate) fn parse(shard: &SealedShard) -> Option<Self> {
        Some(Self {
            shard_id: ShardId::parse(&shard.shard_id).ok()?,
            vram_bytes: u64::try_from(shard.vram_bytes).ok()?,
            gpu_device: shard.gpu_device,
            sha256: DigestHex::parse(&shard.digest).ok()?.to_bytes(),
            tree_digest: DigestHex::parse(&shard.tree_digest).ok()?.to_bytes(),
            device_uuid: shard.device_uuid.parse().ok()?,
            sealed_at: shard.sealed_at,
            tensor_parallel: shard.tensor_parallel,
        })
    }

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

    /// The handle that says what this seal covers.
    pub(crate) fn handle(&self, vram_bytes: usize, tag: &Tag, lease: Arc<Lease>) -> SealedShard {
        SealedShard {
            shard_id: self.shard_id.as_str().to_owned(),
            vram_bytes,
            gpu_device: self.gpu_device,
            digest: Sha256Digest::from_bytes(self.sha256).to_hex(),
            tree_digest: TreeDigest::from_bytes(self.tree_digest).to_hex(),
            device_uuid: self.device_uuid.to_string(),
            tensor_parallel: self.tensor_parallel,
            sealed_at: self.sealed_at,
            signature: Some(Signature::from_tag(tag)),
            lease: Some(lease),
        }
    }
}
