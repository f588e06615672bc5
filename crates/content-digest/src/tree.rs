//! The fs-verity tree: SHA-256, 4096-byte blocks, no salt (Linux kernel documentation, fs-verity,
//! "Merkle tree" and "File digest computation").

use std::fmt;

use crate::TreeDigest;
use crate::block::{BLOCK_BYTES, Hash};
use crate::flat::hash;

/// How many hashes a block of hashes holds.
const HASHES_PER_BLOCK: usize = BLOCK_BYTES / size_of::<Hash>();

/// The hashes of all blocks and of all blocks of hashes, 0.8 % of the data's size.
#[derive(Clone, PartialEq, Eq)]
pub struct Tree {
    data_bytes: u64,
    /// The hashes of the data's blocks first, the root's level last; no level for no data.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// The tree over `data_bytes` bytes whose blocks have the hashes `leaves`.
    pub(crate) fn over(leaves: Vec<Hash>, data_bytes: u64) -> Self {
        let mut levels = Vec::new();
        let mut level = leaves;
        while level.len() > 1 {
            let above = level.chunks(HASHES_PER_BLOCK).map(hash_of_hashes).collect();
            levels.push(std::mem::replace(&mut level, above));
        }
        if !level.is_empty() {
            levels.push(level);
        }
        Self { data_bytes, levels }
    }

    /// The tree over `data_bytes` bytes whose blocks have these hashes, as a device took them; `None` when there is not one hash
    /// for each block.
    #[must_use]
    pub fn from_block_hashes(hashes: Vec<[u8; 32]>, data_bytes: u64) -> Option<Self> {
        (block_number(hashes.len()) == data_bytes.div_ceil(block_number(BLOCK_BYTES)))
            .then(|| Self::over(hashes, data_bytes))
    }

    /// The size of the data in bytes.
    #[must_use]
    pub fn data_bytes(&self) -> u64 {
        self.data_bytes
    }

    /// How many blocks of [`BLOCK_BYTES`] the data has, a partial last one included.
    #[must_use]
    pub fn block_count(&self) -> u64 {
        u64::try_from(self.leaves().len()).unwrap_or(u64::MAX)
    }

    /// The root hash: 32 zero bytes for no data. It does not bind the data's length; [`Tree::digest`] does.
    #[must_use]
    pub fn root(&self) -> [u8; 32] {
        self.levels.last().and_then(|level| level.first()).copied().unwrap_or([0; 32])
    }

    /// The fs-verity file digest: SHA-256 of the 256-byte descriptor.
    #[must_use]
    pub fn digest(&self) -> TreeDigest {
        // struct fsverity_descriptor: version, hash algorithm, log2 of the block size, salt size, 4 reserved
        // bytes, data size, root hash in 64 bytes, salt in 32, 144 reserved.
        let mut descriptor = Vec::with_capacity(256);
        descriptor.extend_from_slice(&[1, 1, 12, 0, 0, 0, 0, 0]);
        descriptor.extend_from_slice(&self.data_bytes.to_le_bytes());
        descriptor.extend_from_slice(&self.root());
        descriptor.resize(256, 0);
        TreeDigest::from_bytes(hash(&descriptor))
    }

    /// Whether every block of hashes is the hash of the level below it. False means that the tree itself was damaged in
    /// memory after it was made, so that what it says of the data cannot be believed.
    #[must_use]
    pub fn is_consistent(&self) -> bool {
        *self == Self::over(self.leaves().to_vec(), self.data_bytes)
    }

    /// The numbers of the blocks in which the data of `self` and `other` differ, in order, counted from 0.
    ///
    /// For data of one length this walks down from the roots and looks only below hashes that differ. Where the
    /// lengths differ, the block in which the shorter one ends and all after it differ.
    #[must_use]
    pub fn differing_blocks(&self, other: &Self) -> Vec<u64> {
        if self.data_bytes == other.data_bytes { self.walk_down(other) } else { self.compare_lengths(other) }
    }

    fn walk_down(&self, other: &Self) -> Vec<u64> {
        // Level by level: the numbers of the hashes that differ, starting with the only one at the top.
        let mut differing = vec![0_usize];
        let mut reach = 1;
        for (ours, theirs) in self.levels.iter().zip(&other.levels).rev() {
            differing = differing
                .iter()
                .map(|parent| parent.saturating_mul(reach))
                .flat_map(|first| first..first.saturating_add(reach))
                .filter(|child| ours.get(*child) != theirs.get(*child))
                .collect();
            reach = HASHES_PER_BLOCK;
        }
        if self.levels.is_empty() {
            return Vec::new();
        }
        differing.into_iter().map(block_number).collect()
    }

    fn compare_lengths(&self, other: &Self) -> Vec<u64> {
        let shorter = self.data_bytes.min(other.data_bytes);
        let blocks = self.block_count().max(other.block_count());
        let whole = usize::try_from(shorter).map_or(usize::MAX, |bytes| bytes.div_euclid(BLOCK_BYTES));
        let common = self.leaves().iter().zip(other.leaves()).take(whole);
        (0..)
            .zip(common)
            .filter(|(_, (ours, theirs))| ours != theirs)
            .map(|(number, _)| number)
            .chain(block_number(whole)..blocks)
            .collect()
    }

    fn leaves(&self) -> &[Hash] {
        self.levels.first().map_or(&[], Vec::as_slice)
    }
}

impl TreeDigest {
    /// The fs-verity file digest of `data_bytes` bytes, from all hashes of one level of their tree, whichever it is. A digest
    /// of hashes that are no level of that tree is one that no data has.
    #[must_use]
    pub fn from_level(hashes: Vec<[u8; 32]>, data_bytes: u64) -> Self {
        // The root and the length are all that the digest is made of, and what lies above a level is made of that level.
        Tree::over(hashes, data_bytes).digest()
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree")
            .field("data_bytes", &self.data_bytes)
            .field("digest", &self.digest())
            .finish_non_exhaustive()
    }
}

/// The hash of a block of up to 128 hashes, padded with zeros.
fn hash_of_hashes(hashes: &[Hash]) -> Hash {
    let mut block = [[0_u8; 32]; HASHES_PER_BLOCK];
    for (place, hash) in block.iter_mut().zip(hashes) {
        *place = *hash;
    }
    hash(block.as_flattened())
}

fn block_number(index: usize) -> u64 {
    u64::try_from(index).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
mod tests {
    use evidence::{Stream, check, proves};

    use super::*;
    use crate::TreeHasher;

    #[test]
    fn a_tree_damaged_in_memory_is_not_consistent() {
        proves!("CI-004");
        let mut hasher = TreeHasher::new();
        hasher.update(&vec![7; 200 * BLOCK_BYTES]);
        let tree = hasher.finish();
        check(Stream::CryptoValidation, "tree_is_consistent", true, tree.is_consistent());
        for (level, hash) in [(0, 0), (0, 199), (1, 1), (2, 0)] {
            let mut damaged = tree.clone();
            damaged.levels[level][hash][31] ^= 1;
            let operation = format!("tree_with_hash_{hash}_of_level_{level}_damaged_is_consistent");
            check(Stream::CryptoValidation, &operation, false, damaged.is_consistent());
        }
    }
}
