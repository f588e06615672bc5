//! The fs-verity tree against its published vectors and a straightforward re-implementation, and the blocks that differ.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use content_digest::{BLOCK_BYTES, Tree, TreeDigest, TreeHasher, tree_digest};
use evidence::{Stream, check, proves};
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use ring::digest::{SHA256, digest};

/// The bytes that the vectors are over.
fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|i| ((i % 11 + i % 439 + i % 1103) & 255) as u8).collect()
}

fn tree(data: &[u8]) -> Tree {
    let mut hasher = TreeHasher::new();
    hasher.update(data);
    hasher.finish()
}

fn tree_in_pieces_of(bytes: usize, data: &[u8]) -> Tree {
    let mut hasher = TreeHasher::default();
    for piece in data.chunks(bytes) {
        hasher.update(piece);
    }
    hasher.finish()
}

/// The format's description followed word by word: all of each level in one piece, padded to whole blocks.
fn naive_root(data: &[u8]) -> [u8; 32] {
    if data.is_empty() {
        return [0; 32];
    }
    let mut level = data.to_vec();
    loop {
        level.resize(level.len().next_multiple_of(4096), 0);
        let hashes: Vec<u8> = level.chunks(4096).flat_map(|block| digest(&SHA256, block).as_ref().to_vec()).collect();
        if hashes.len() == 32 {
            return hashes.try_into().unwrap();
        }
        level = hashes;
    }
}

fn naive_digest(data: &[u8]) -> TreeDigest {
    let mut descriptor = [0_u8; 256];
    descriptor[..3].copy_from_slice(&[1, 1, 12]);
    descriptor[8..16].copy_from_slice(&(data.len() as u64).to_le_bytes());
    descriptor[16..48].copy_from_slice(&naive_root(data));
    TreeDigest::from_bytes(digest(&SHA256, &descriptor).as_ref().try_into().unwrap())
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(ProptestConfig {
        cases,
        rng_seed: RngSeed::Fixed(evidence::seed()),
        failure_persistence: None,
        ..ProptestConfig::default()
    })
}

#[test]
fn the_tree_digest_is_that_of_fs_verity() {
    proves!("CI-004");
    let vectors = [
        (1, "b803429503d95915829b29fdbc8bbad142f3abfd11b1cadf5526582e685c0551"),
        (4096, "6ac39979016e3ddf3d39fff6cb984f7c118acdf1852919f5c100c4b142c1818e"),
        (100_000, "f2096a36c5cdca4fa33ee8852833150bb324992e5417a9d571f1bffff73b9efc"),
        (1_000_000, "48df0c462329cd879661bd05b39aa81b05cc16afd27a7196a559da83531d39d9"),
    ];
    for (bytes, expected) in vectors {
        let data = pattern(bytes);
        check(Stream::CryptoValidation, "fs_verity_vector", expected, tree_digest(&data).to_hex());
        assert_eq!(naive_digest(&data).to_hex(), expected, "the re-implementation that other tests rely on");
    }
}

#[test]
fn the_tree_is_right_around_every_boundary_of_the_format() {
    proves!("CI-004");
    // Around one block, around the 128 blocks that one block of hashes covers, and with three levels of hashes.
    let lengths = [
        0, 1, 4095, 4096, 4097, 8191, 8192, 8193, 520_192, 520_193, 524_287, 524_288, 524_289, 528_384, 1_048_576,
        1_048_577, 67_108_864, 67_108_865,
    ];
    for bytes in lengths {
        let data = pattern(bytes);
        let tree = tree(&data);
        assert_eq!(tree.root(), naive_root(&data), "root of {bytes} bytes");
        assert_eq!(tree.data_bytes(), bytes as u64);
        assert_eq!(tree.block_count(), bytes.div_ceil(4096) as u64);
        assert_eq!(tree.digest(), tree_digest(&data));
        let operation = format!("tree_digest_of_{bytes}_bytes");
        check(Stream::CryptoValidation, &operation, naive_digest(&data).to_hex(), tree.digest().to_hex());
    }
    assert_eq!(tree(&[]).root(), [0; 32]);

    let (mut hasher, data) = (TreeHasher::new(), pattern(5000));
    hasher.update(&data);
    check(Stream::CryptoValidation, "hasher_shown", "TreeHasher { data_bytes: 5000, .. }", format!("{hasher:?}"));
    let shown = format!("Tree {{ data_bytes: 5000, digest: TreeDigest({}), .. }}", naive_digest(&data).to_hex());
    check(Stream::CryptoValidation, "tree_shown", shown, format!("{:?}", hasher.finish()));
}

#[test]
fn the_digest_binds_the_length_where_the_root_does_not() {
    let shorter = tree(&[7; 5000]);
    let mut padded = vec![7; 5000];
    padded.resize(8192, 0);
    let padded = tree(&padded);
    assert_eq!(shorter.root(), padded.root());
    assert_ne!(shorter.digest(), padded.digest());
    assert_ne!(tree(&[]).digest(), tree(&[0]).digest());
}

#[test]
fn the_tree_does_not_depend_on_how_the_data_is_cut_into_pieces() {
    proves!("CI-004");
    let data = pattern(1_500_001);
    let whole = tree(&data);
    // Pieces below one block are never hashed in parallel, the piece of all of it is where there are two cores.
    for bytes in [1, 31, 4095, 4096, 4097, 8192, 65_535, 65_536, 65_537, 1_000_000, 1_500_001] {
        let cut = tree_in_pieces_of(bytes, &data);
        assert!(cut == whole, "pieces of {bytes} bytes");
        let operation = format!("tree_digest_in_pieces_of_{bytes}");
        check(Stream::CryptoValidation, &operation, whole.digest().to_hex(), cut.digest().to_hex());
    }
}

#[test]
fn any_cut_into_pieces_gives_the_same_tree() {
    let cuts = proptest::collection::vec(0_usize..=600_000, 0..12);
    let data = pattern(600_000);
    let expected = tree(&data);
    runner(32)
        .run(&cuts, |mut cuts| {
            cuts.extend([0, data.len()]);
            cuts.sort_unstable();
            let mut hasher = TreeHasher::new();
            for ends in cuts.windows(2) {
                hasher.update(&data[ends[0]..ends[1]]);
            }
            prop_assert!(hasher.finish() == expected);
            Ok(())
        })
        .unwrap();
}

#[test]
fn flipped_bits_are_found_in_exactly_their_blocks() {
    proves!("CI-004");
    // Three levels of hashes need more than 128 × 128 blocks; the last block is a partial one.
    for (bytes, cases) in [(1, 8), (4096, 8), (1_000_000, 32), (128 * 128 * BLOCK_BYTES + 12_345, 4)] {
        let mut data = pattern(bytes);
        let kept = tree(&data);
        assert_eq!(kept.differing_blocks(&kept), [0_u64; 0]);
        let bits = proptest::collection::btree_set(0..bytes * 8, 0..8);
        let data = std::cell::RefCell::new(&mut data);
        runner(cases)
            .run(&bits, |bits| {
                let mut data = data.borrow_mut();
                let mut expected: Vec<u64> = bits.iter().map(|bit| (bit / 8 / BLOCK_BYTES) as u64).collect();
                expected.dedup();
                let flip = |data: &mut [u8]| bits.iter().for_each(|bit| data[bit / 8] ^= 1 << (bit % 8));
                flip(&mut data);
                let now = tree(&data);
                flip(&mut data);
                prop_assert_eq!(kept.differing_blocks(&now), expected.clone());
                prop_assert_eq!(now.differing_blocks(&kept), expected);
                Ok(())
            })
            .unwrap();
    }

    let mut data = pattern(1_000_000);
    let kept = tree(&data);
    for bit in [0, 4096 * 8 - 1, 4096 * 8, 128 * 4096 * 8, 999_999 * 8 + 7] {
        data[bit / 8] ^= 1 << (bit % 8);
        let blocks = kept.differing_blocks(&tree(&data));
        check(Stream::CryptoValidation, &format!("block_of_flipped_bit_{bit}"), [bit / 8 / 4096], blocks);
        data[bit / 8] ^= 1 << (bit % 8);
    }
}

#[test]
fn all_blocks_are_found_when_all_differ() {
    let blocks: Vec<u64> = (0..245).collect();
    assert_eq!(tree(&[1; 1_000_000]).differing_blocks(&tree(&[2; 1_000_000])), blocks);
}

#[test]
fn what_one_of_two_lengths_lacks_differs() {
    proves!("CI-004");
    let data = pattern(1_000_000);
    let differing = |shorter: usize, longer: usize| {
        let found = tree(&data[..shorter]).differing_blocks(&tree(&data[..longer]));
        assert_eq!(tree(&data[..longer]).differing_blocks(&tree(&data[..shorter])), found);
        found
    };
    let cases: [(usize, usize, &[u64]); 7] = [
        (0, 1, &[0]),
        (0, 8193, &[0, 1, 2]),
        (4095, 4096, &[0]),
        (4096, 4097, &[1]),
        (4096, 12_288, &[1, 2]),
        (5000, 12_288, &[1, 2]),
        (524_288, 524_289, &[128]),
    ];
    for (shorter, longer, blocks) in cases {
        let operation = format!("blocks_that_{longer}_bytes_have_beyond_{shorter}");
        check(Stream::CryptoValidation, &operation, blocks, differing(shorter, longer));
    }

    let mut changed = data.clone();
    changed[9000] ^= 1;
    assert_eq!(tree(&changed[..20_000]).differing_blocks(&tree(&data[..16_384])), [2, 4]);
    // Zeros after the end hash like padding, and are data all the same.
    assert_eq!(tree(&[0; 100]).differing_blocks(&tree(&[0; 200])), [0]);
}

/// The hashes of the blocks of `data`, the last one padded.
fn hashes(data: &[u8]) -> Vec<[u8; 32]> {
    let mut padded = data.to_vec();
    padded.resize(data.len().next_multiple_of(4096), 0);
    padded.chunks(4096).map(|block| digest(&SHA256, block).as_ref().try_into().unwrap()).collect()
}

#[test]
fn hashes_that_a_device_took_give_the_same_tree_whatever_their_level() {
    proves!("CI-004");
    for bytes in [0, 1, 4095, 4096, 4097, 524_287, 524_288, 524_289, 70_000_000] {
        let data = pattern(bytes);
        let expected = tree(&data);
        let mut level = hashes(&data);
        let same = Tree::from_block_hashes(level.clone(), bytes as u64).as_ref() == Some(&expected);
        check(Stream::CryptoValidation, &format!("tree_of_{bytes}_bytes_from_block_hashes_is_the_same"), true, same);
        loop {
            let digest = TreeDigest::from_level(level.clone(), bytes as u64);
            let operation = format!("digest_of_{bytes}_bytes_from_a_level_of_{}", level.len());
            check(Stream::CryptoValidation, &operation, expected.digest().as_bytes(), digest.as_bytes());
            if level.len() <= 1 {
                break;
            }
            level = hashes(level.as_flattened());
        }
    }
    for (count, bytes) in [(0, 1), (1, 0), (1, 4097), (2, 4096), (3, 4097)] {
        assert!(Tree::from_block_hashes(vec![[7; 32]; count], bytes).is_none(), "{count} hashes for {bytes} bytes");
    }
}
