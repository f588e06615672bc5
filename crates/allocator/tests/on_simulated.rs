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

use std::sync::Arc;

use cuda_ffi::{Device, SimulatedConfig, SimulatedDevice};

fn device() -> Arc<dyn Device> {
    SimulatedDevice::new(SimulatedConfig::default())
}

devices::tests!(device);
