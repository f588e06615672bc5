//! What holds for a worker, on the simulated device.
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

fn worker() -> Worker {
    let events = Arc::new(MemorySink::new());
    let manager = VramManager::simulated(VramConfig::default().audit(events.clone())).unwrap();
    Worker { manager, events, gpu_device: 0 }
}

#[test]
fn the_policy_of_live_shards_holds_and_is_never_called_enforced() {
    workers::policy_holds(&worker());
}

#[test]
fn the_device_is_named_as_simulated() {
    workers::device_is_named(&worker());
}

#[test]
fn a_flipped_bit_of_device_memory_is_found_and_located() {
    proves!("00§2.2", "10§2.1", "CI-007");
    workers::a_flipped_bit_is_found_and_located(&worker());
}
