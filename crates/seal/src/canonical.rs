//! The bytes that a tag is taken over.

use validation::{ShardId, TensorParallel};

/// What the seal of a shard is for; other uses of a key have other domains, so their tags cannot be exchanged.
const SEAL_DOMAIN: &str = "vram-residency/seal/v1";
/// Comes before the caller's own domain, so that no message can pass for a seal.
const MESSAGE_DOMAIN: &str = "vram-residency/message/v1";

/// Everything that a seal covers. Change one field, and the tag no longer fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealedFields<'a> {
    /// The shard's name.
    pub shard_id: &'a ShardId,
    /// The size of the weights in device memory, in bytes.
    pub vram_bytes: u64,
    /// The number of the device, counted from 0.
    pub gpu_device: u32,
    /// The plain SHA-256 of the weights.
    pub sha256: &'a [u8; 32],
    /// The fs-verity digest of the weights.
    pub tree_digest: &'a [u8; 32],
    /// The uuid of the device, which stays when its number changes.
    pub device_uuid: &'a [u8; 16],
    /// When the shard was sealed, in nanoseconds since 1970-01-01T00:00:00Z.
    pub sealed_at_unix_nanos: i128,
    /// Which part of a split model this is.
    pub tensor_parallel: TensorParallel,
}

/// The canonical encoding of `fields`: the domain `vram-residency/seal/v1` and then each field in the order of
/// [`SealedFields`] (the tensor-parallel index before the count), every one of them preceded by its length in
/// bytes as 8 little-endian bytes. Numbers are little-endian in their full width, text is UTF-8.
#[must_use]
pub fn canonical(fields: &SealedFields<'_>) -> Vec<u8> {
    // Taken apart by name, so that a new field cannot be forgotten here.
    let SealedFields {
        shard_id,
        vram_bytes,
        gpu_device,
        sha256,
        tree_digest,
        device_uuid,
        sealed_at_unix_nanos,
        tensor_parallel,
    } = fields;
    length_prefixed(&[
        SEAL_DOMAIN.as_bytes(),
        shard_id.as_str().as_bytes(),
        &vram_bytes.to_le_bytes(),
        &gpu_device.to_le_bytes(),
        sha256.as_slice(),
        tree_digest.as_slice(),
        device_uuid.as_slice(),
        &sealed_at_unix_nanos.to_le_bytes(),
        &tensor_parallel.index().to_le_bytes(),
        &tensor_parallel.count().to_le_bytes(),
    ])
}

/// The encoding of a message that is not a shard, for a domain of the caller's.
pub(crate) fn canonical_message(domain: &str, message: &[u8]) -> Vec<u8> {
    length_prefixed(&[MESSAGE_DOMAIN.as_bytes(), domain.as_bytes(), message])
}

fn length_prefixed(fields: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for field in fields {
        // usize is at most 64 bits wide on every target that Rust has.
        let length = u64::try_from(field.len()).unwrap_or(u64::MAX);
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(field);
    }
    bytes
}
