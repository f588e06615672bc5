//! The handle of a sealed shard: plain data with its signature, and a private lease on the device memory.

use std::sync::Arc;

use seal::Tag;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use validation::{DigestHex, ShardId, TensorParallel};

use crate::lease::Lease;
use crate::sealed::Seal;

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
#[must_use = "dropping the last handle overwrites and frees the device memory"]
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

    /// The first handle of a shard that was just sealed.
    pub(crate) fn new(vram_bytes: usize, lease: Arc<Lease>) -> Self {
        let seal = &lease.seal;
        Self {
            shard_id: seal.shard_id.as_str().to_owned(),
            vram_bytes,
            gpu_device: seal.gpu_device,
            digest: DigestHex::from_bytes(seal.sha256).as_str().to_owned(),
            tree_digest: DigestHex::from_bytes(seal.tree_digest).as_str().to_owned(),
            device_uuid: seal.device_uuid.to_string(),
            tensor_parallel: seal.tensor_parallel,
            sealed_at: seal.sealed_at,
            signature: Some(Signature::from_tag(&lease.tag)),
            lease: Some(lease),
        }
    }

    /// What the handle says was sealed; none when a field is malformed, which anyone may have made it.
    pub(crate) fn parse(&self) -> Option<Seal> {
        Some(Seal {
            shard_id: ShardId::parse(&self.shard_id).ok()?,
            vram_bytes: u64::try_from(self.vram_bytes).ok()?,
            gpu_device: self.gpu_device,
            sha256: DigestHex::parse(&self.digest).ok()?.to_bytes(),
            tree_digest: DigestHex::parse(&self.tree_digest).ok()?.to_bytes(),
            device_uuid: self.device_uuid.parse().ok()?,
            sealed_at: self.sealed_at,
            tensor_parallel: self.tensor_parallel,
        })
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
