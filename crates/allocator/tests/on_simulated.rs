//! What holds for device memory, on the simulated device.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod devices;

use cuda_ffi::{SimulatedConfig, SimulatedDevice};
use devices::Bench;

fn bench() -> Bench {
    Bench::new(SimulatedDevice::new(SimulatedConfig::default()))
}

devices::tests!(bench);
