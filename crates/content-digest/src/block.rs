//! What the fs-verity tree is cut into.

/// The size of a block of data, and of a block of hashes, in bytes.
pub const BLOCK_BYTES: usize = 4096;

/// The hash of one block.
pub(crate) type Hash = [u8; 32];
