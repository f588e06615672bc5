//! What holds for device memory, on the backend for GPUs over a fake driver: the code that runs on a GPU, without one.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod devices;

use cuda_ffi::{FakeDriver, Leaks, discover};
use devices::Bench;
use facts::DeviceClass;

/// A device of the fake driver, which nobody else uses meanwhile. Whoever is dropped last looks for what was not given back.
fn bench() -> Bench {
    let driver = FakeDriver::start(1).unwrap();
    let device = discover().devices.remove(&0).unwrap();
    assert_eq!(device.facts().unwrap().class, DeviceClass::FakeDriver);
    Bench::new(device).keeping(AtTheEnd(driver))
}

struct AtTheEnd(FakeDriver);

impl Drop for AtTheEnd {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.0.leaks(), Leaks::default());
        }
    }
}

devices::tests!(bench);

#[test]
fn a_device_that_is_not_there_is_refused_by_the_driver() {
    devices::a_device_that_is_not_there_is_refused(&bench());
}
