//! What holds for device memory, on a GPU. `cargo xtask proof` runs these where there is one; so does `cargo test -- --ignored`.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod devices;

use content_digest::TreeHasher;
use cuda_ffi::discover_only;
use devices::Bench;
use facts::DeviceClass;

/// The GPU that the proof chose (`PROOF_GPU`), or the first.
fn bench() -> Bench {
    let index = std::env::var("PROOF_GPU").map_or(0, |index| index.parse().unwrap());
    let mut found = discover_only(&[index].into());
    let device = found.devices.remove(&index).unwrap_or_else(|| panic!("no GPU {index}: {}", found.reason));
    assert_eq!(device.facts().unwrap().class, DeviceClass::Gpu);
    Bench::new(device)
}

devices::tests!(bench, #[ignore = "needs a GPU"]);

#[test]
#[ignore = "needs a GPU"]
fn a_device_that_is_not_there_is_refused_by_the_driver() {
    devices::a_device_that_is_not_there_is_refused(&bench());
}

/// Writes `bytes` bytes in pieces, no two blocks alike, and says whether the device's digest of them is the host's.
fn digest_is_the_hosts(bench: &Bench, bytes: usize) -> bool {
    let buffer = bench.buffer(bytes).unwrap();
    let mut hasher = TreeHasher::new();
    let mut piece = devices::pattern(4 * devices::MIB, 0);
    for offset in (0..bytes).step_by(piece.len()) {
        for (number, block) in (offset as u64..).step_by(devices::BLOCK).zip(piece.chunks_mut(devices::BLOCK)) {
            block[..8].copy_from_slice(&number.to_le_bytes());
        }
        let part = &piece[..piece.len().min(bytes - offset)];
        hasher.update(part);
        buffer.write(offset as u64, part).unwrap();
    }
    buffer.tree_digest().unwrap() == hasher.finish().digest()
}

#[test]
#[ignore = "needs a GPU"]
fn digests_of_any_size_and_of_more_than_8_gib_are_the_hosts() {
    let bench = bench();
    // A linear congruential generator: sizes up to 64 MiB that are another at each seed.
    let mut state = evidence::seed();
    let random = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        1 + (state >> 38) as usize
    });
    let fixed = [1, 4095, 4096, 4097, 524_287, 524_288, 524_289, (8 << 30) + 4097];
    for bytes in random.take(20).chain(fixed) {
        let same = digest_is_the_hosts(&bench, bytes);
        bench.check(evidence::Stream::CryptoValidation, &format!("digest_of_{bytes}_bytes"), true, same);
    }
    bench.is_empty();
}
