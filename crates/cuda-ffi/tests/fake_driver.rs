//! The fake driver as tests control it, seen through the backend that runs on it.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;

use cuda_ffi::{Device, DriverFault, FakeAttribute, FakeDriver, FakeDriverError, FakePointer, Leaks, discover};
use facts::{DeviceClass, EccMode, MemoryType};

const CHUNK: u64 = 1 << 21;

fn first_device() -> Arc<dyn Device> {
    discover().devices.remove(&0).expect("a device of the fake driver")
}

#[test]
fn facts_come_from_the_fake_driver_and_are_of_its_class() {
    let driver = FakeDriver::start(2).unwrap();
    driver.set_attribute(0, FakeAttribute::Integrated, 1).unwrap();
    driver.set_attribute(0, FakeAttribute::EccEnabled, 1).unwrap();
    driver.set_name(0, "NVIDIA GB10").unwrap();
    driver.set_capacity(0, 1 << 30, 1 << 20).unwrap();
    let devices = discover().devices;
    let [first, second] = [0, 1].map(|index| &devices[&index]);
    let facts = first.facts().unwrap();
    assert_eq!((facts.class, facts.integrated, facts.ecc_mode), (DeviceClass::FakeDriver, true, EccMode::Enabled));
    assert_eq!((facts.name.as_str(), facts.total_bytes), ("NVIDIA GB10", 1 << 30));
    assert!(!second.facts().unwrap().integrated);
    assert_ne!(second.facts().unwrap().uuid, facts.uuid);
    let uuid = [9; 16];
    driver.set_uuid(0, uuid).unwrap();
    assert_eq!(driver.set_uuid(2, uuid), Err(FakeDriverError::Refused("set a uuid")));
    assert!(driver.count("cuDeviceGetAttribute") > 0);
}

#[test]
fn a_pretended_attribute_and_a_secret_tail_are_seen_where_they_should_be() {
    let driver = FakeDriver::start(1).unwrap();
    let device = first_device();
    driver.next_allocation(8 * CHUNK);
    driver.tail_in_host(FakeDriver::NEXT, CHUNK).unwrap();
    let memory = device.allocate(8 * CHUNK).unwrap();
    let facts = device.allocation_facts(memory).unwrap();
    assert_eq!((facts.memory_type, facts.is_managed, facts.has_host_pointer), (MemoryType::Device, false, false));
    let probe = device.probe(memory).unwrap();
    assert!(probe.slowest_cycles >= probe.threshold_cycles(), "{probe:?}");
    assert_eq!(probe.slowest_chunk, 7);

    let honest = device.allocate(8 * CHUNK).unwrap();
    let probe = device.probe(honest).unwrap();
    assert!(probe.slowest_cycles < probe.threshold_cycles(), "{probe:?}");
    let newest = *driver.allocations().iter().rfind(|allocation| allocation.bytes == 8 * CHUNK).unwrap();
    driver.pretend(newest.number, 0, FakePointer::IsManaged, 1).unwrap();
    driver.pretend(newest.number, 8 * CHUNK - 1, FakePointer::HostPointer, 0x5000).unwrap();
    let facts = device.allocation_facts(honest).unwrap();
    assert!(facts.is_managed && facts.has_host_pointer, "{facts:?}");
    let no_plan = driver.pretend(FakeDriver::NEXT, 0, FakePointer::IsManaged, 1);
    assert_eq!(no_plan, Err(FakeDriverError::Refused("pretend")));
}

#[test]
fn a_fault_is_named_with_its_function_and_its_raw_code() {
    let driver = FakeDriver::start(1).unwrap();
    let device = first_device();
    driver.clear_calls();
    let memory = device.allocate(4096).unwrap();
    driver.plant(DriverFault::at("cuMemAlloc_v2", 1, 226));
    let error = device.allocate(4096).unwrap_err();
    assert_eq!((error.code(), driver.faults_struck()), (226, 1));
    assert!(error.to_string().contains("cuMemAlloc_v2"), "{error}");
    assert!(device.free(memory).is_err(), "226 is for good");
    assert_eq!(driver.count("cuMemAlloc_v2"), 2);
}

#[test]
fn what_was_overwritten_is_nowhere_and_what_was_only_freed_is_there() {
    let driver = FakeDriver::start(1).unwrap();
    let device = first_device();
    let before = driver.leaks();
    let secret = *b"these are the weights of a model";
    for overwrites in [false, true] {
        let memory = device.allocate(100_000).unwrap();
        device.write(memory, 50_000, &secret).unwrap();
        device.synchronize().unwrap();
        let mine = *driver.allocations().iter().rfind(|allocation| allocation.bytes == 100_000).unwrap();
        assert_eq!(driver.read(mine.number, 50_000, 32).unwrap(), secret);
        driver.flip_bit(mine.number, 50_000, 0).unwrap();
        let mut bytes = [0; 32];
        device.read(memory, 50_000, &mut bytes).unwrap();
        assert_eq!(bytes[0], secret[0] ^ 1);
        if overwrites {
            device.overwrite(memory).unwrap();
        }
        device.free(memory).unwrap();
        assert_eq!(driver.memory_holds(0, &bytes), !overwrites);
    }
    assert_eq!(driver.leaks(), before);
    drop(device);
    assert_eq!(driver.leaks(), Leaks::default(), "the device's last owner gives everything back");
}

#[test]
fn an_ecc_error_stops_the_device_for_good() {
    let driver = FakeDriver::start(1).unwrap();
    let device = first_device();
    driver.fail_device(0, 214).unwrap();
    assert!(!driver.is_lost(0), "nobody has noticed yet");
    for _ in 0..2 {
        let error = device.synchronize().unwrap_err();
        assert_eq!(error.code(), 214);
        assert!(error.context_lost());
        assert!(driver.is_lost(0));
    }
    assert_eq!(driver.fail_device(1, 214), Err(FakeDriverError::Refused("fail a device")));
}
