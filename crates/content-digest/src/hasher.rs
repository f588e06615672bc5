//! Makes a tree from bytes as they arrive.

use std::fmt;

use crate::TreeDigest;
use crate::block::{BLOCK_BYTES, Hash};
use crate::flat::hash;
use crate::parallel::hash_blocks;
use crate::tree::Tree;

/// Builds the tree of bytes that arrive in pieces.
///
/// It keeps 32 bytes for each 4096 that it has seen, and at most one unfinished block; data handed over in
/// large pieces is hashed where it lies, on all cores.
#[derive(Clone)]
pub struct TreeHasher {
    leaves: Vec<Hash>,
    data_bytes: u64,
    partial: [u8; BLOCK_BYTES],
    partial_bytes: usize,
}

impl TreeHasher {
    /// Starts a tree over no bytes.
    #[must_use]
    pub fn new() -> Self {
        Self { leaves: Vec::new(), data_bytes: 0, partial: [0; BLOCK_BYTES], partial_bytes: 0 }
    }

    /// Appends `bytes`; how they are cut into pieces does not matter.
    pub fn update(&mut self, bytes: &[u8]) {
        let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.data_bytes = self.data_bytes.saturating_add(length);
        let bytes = self.fill_partial(bytes);
        let (blocks, rest) = bytes.as_chunks::<BLOCK_BYTES>();
        self.append_leaves(blocks);
        self.fill_partial(rest);
    }

    /// The tree of everything appended.
    #[must_use]
    pub fn finish(mut self) -> Tree {
        if self.partial_bytes > 0 {
            // `fill_partial` leaves zeros after the data, which is the padding that the format asks for.
            self.leaves.push(hash(&self.partial));
        }
        Tree::over(self.leaves, self.data_bytes)
    }

    /// Moves what fits of `bytes` into an unfinished block and returns the rest. With whole blocks to come and
    /// none unfinished there is nothing to do, so large pieces are never copied.
    fn fill_partial<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if self.partial_bytes == 0 && bytes.len() >= BLOCK_BYTES {
            return bytes;
        }
        let room = self.partial.get_mut(self.partial_bytes..).unwrap_or(&mut []);
        let (head, rest) = bytes.split_at(bytes.len().min(room.len()));
        for (place, byte) in room.iter_mut().zip(head) {
            *place = *byte;
        }
        self.partial_bytes = self.partial_bytes.saturating_add(head.len());
        if self.partial_bytes == BLOCK_BYTES {
            self.leaves.push(hash(&self.partial));
            self.partial = [0; BLOCK_BYTES];
            self.partial_bytes = 0;
        }
        rest
    }

    fn append_leaves(&mut self, blocks: &[[u8; BLOCK_BYTES]]) {
        let start = self.leaves.len();
        self.leaves.resize(start.saturating_add(blocks.len()), [0; 32]);
        hash_blocks(blocks, self.leaves.get_mut(start..).unwrap_or(&mut []));
    }
}

impl Default for TreeHasher {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TreeHasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TreeHasher").field("data_bytes", &self.data_bytes).finish_non_exhaustive()
    }
}

/// The fs-verity file digest of `bytes`.
#[must_use]
pub fn tree_digest(bytes: &[u8]) -> TreeDigest {
    let mut hasher = TreeHasher::new();
    hasher.update(bytes);
    hasher.finish().digest()
}
