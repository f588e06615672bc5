//! What holds for a worker, on the backend for GPUs over a fake driver: the code that runs on a GPU, without one.
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

use cuda_ffi::FakeDriver;
use evidence::proves;
use vram_residency::{MemorySink, VramConfig, VramManager};
use workers::Worker;

/// Runs a test's body on a worker on the fake driver, which nobody else uses meanwhile.
fn on_a_worker(body: fn(&Worker)) {
    let _driver = FakeDriver::start(2).unwrap();
    let events = Arc::new(MemorySink::new());
    let manager = VramManager::require_gpu(VramConfig::default().audit(events.clone())).unwrap();
    body(&Worker { manager, events, gpu_device: 1 });
}

#[test]
fn the_policy_of_live_shards_holds_and_is_never_called_enforced() {
    on_a_worker(workers::policy_holds);
}

#[test]
fn the_device_is_named_as_a_fake_drivers() {
    on_a_worker(workers::device_is_named);
}

#[test]
fn a_flipped_bit_of_device_memory_is_found_and_located() {
    proves!("00§2.2", "10§2.1", "CI-007");
    on_a_worker(workers::a_flipped_bit_is_found_and_located);
}
