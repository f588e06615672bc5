//! What holds for a worker, on a GPU. `cargo xtask proof` runs these where there is one; so does `cargo test -- --ignored`.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod workers;

use std::sync::Arc;

use evidence::proves;
use vram_residency::{MemorySink, VramConfig, VramManager};
use workers::Worker;

/// A worker on the GPU that the proof chose (`PROOF_GPU`), or on the first.
fn worker() -> Worker {
    let events = Arc::new(MemorySink::new());
    let gpu_device = std::env::var("PROOF_GPU").map_or(0, |index| index.parse().unwrap());
    let manager = VramManager::require_gpu(VramConfig::default().audit(events.clone()).gpus([gpu_device])).unwrap();
    Worker { manager, events, gpu_device }
}

#[test]
#[ignore = "needs a GPU"]
fn test_vram_policy_enforced() {
    proves!("VP-001", "VP-002", "VP-003", "VP-005");
    workers::policy_holds(&worker());
}

#[test]
#[ignore = "needs a GPU"]
fn the_gpu_is_named_with_its_uuid_and_driver() {
    proves!("40§1.2");
    workers::device_is_named(&worker());
}

#[test]
#[ignore = "needs a GPU"]
fn a_flipped_bit_of_device_memory_is_found_and_located() {
    workers::a_flipped_bit_is_found_and_located(&worker());
}
