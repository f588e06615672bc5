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

use cuda_ffi::discover;
use devices::Bench;
use facts::DeviceClass;

/// The GPU that the proof chose (`PROOF_GPU`), or the first.
fn bench() -> Bench {
    let index = std::env::var("PROOF_GPU").map_or(0, |index| index.parse().unwrap());
    let found = discover();
    let device = found.devices.into_iter().nth(index).unwrap_or_else(|| panic!("no GPU {index}: {}", found.reason));
    assert_eq!(device.facts().unwrap().class, DeviceClass::Gpu);
    Bench::new(device)
}

devices::tests!(bench, #[ignore = "needs a GPU"]);
