//! How a worker starts on the devices of a driver, or is told why not, over a fake driver.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use cuda_ffi::{DriverFault, FakeDriver, Leaks};
use vram_residency::{DeviceClass, VramConfig, VramError, VramManager};

#[test]
fn new_and_require_gpu_use_the_devices_of_the_driver_and_give_everything_back() {
    let driver = FakeDriver::start(2).unwrap();
    let weights = b"weights of a model".repeat(300_000);
    for manager in [VramManager::new(), VramManager::require_gpu(VramConfig::default()).unwrap()] {
        assert_eq!((manager.device_class().unwrap(), manager.device_indices()), (DeviceClass::FakeDriver, vec![0, 1]));
        let shard = manager.seal_model(&weights, 1).unwrap();
        assert!(driver.memory_holds(1, &weights[..64]) && !driver.memory_holds(0, &weights[..64]));
        manager.verify_sealed(&shard).unwrap();
        let stream = manager.stream(1).unwrap();
        let guard = manager.verify_for_execute(&shard).unwrap();
        assert_eq!(guard.launch(&stream, |lent| lent.bytes()).unwrap(), weights.len() as u64);
        drop(guard);
        manager.enforce_vram_only_policy().unwrap();
        assert!(!manager.is_vram_only(), "a driver that stands in for the real one shows nothing of any VRAM");
        manager.release(&shard).unwrap();
        assert_eq!(manager.used_vram(1).unwrap(), 0);
        assert!(!driver.memory_holds(1, &weights[..64]));
    }
    assert_eq!(driver.leaks(), Leaks::default());
}

#[test]
fn gpus_that_are_not_named_are_not_opened_and_the_named_keep_their_indices() {
    let driver = FakeDriver::start(3).unwrap();
    // A GPU that is broken is in nobody's way who does not use it.
    driver.plant(DriverFault::at("cuDevicePrimaryCtxRetain", 2, 214));
    let manager = VramManager::require_gpu(VramConfig::default().gpus([2])).unwrap();
    assert_eq!(manager.device_indices(), [2]);
    assert_eq!((driver.count("cuDevicePrimaryCtxRetain"), driver.faults_struck()), (1, 0));
    let weights = b"weights of a model".repeat(300_000);
    let shard = manager.seal_model(&weights, 2).unwrap();
    assert_eq!((shard.gpu_device, manager.device_facts(2).unwrap().index), (2, 2));
    assert!(driver.memory_holds(2, &weights[..64]));
    manager.verify_for_execute(&shard).unwrap().launch(&manager.stream(2).unwrap(), |_| ()).unwrap();
    let attestation = manager.attest_residency().unwrap();
    let attested: Vec<u32> = attestation.devices().iter().map(|one| one.record.device.index).collect();
    assert_eq!(attested, [2]);
    for index in [0, 1, 3] {
        let error = manager.seal_model(&weights, index).unwrap_err();
        assert_eq!(error.to_string(), format!("gpu index {index} is not in use: choose one of [2]"));
    }
    assert_eq!(driver.count("cuDevicePrimaryCtxRetain"), 1);
    // Whoever names the broken one is told so, and whoever names none or one that is not there is told that.
    let refused = |gpus: &[u32]| VramManager::require_gpu(VramConfig::default().gpus(gpus.to_vec())).unwrap_err();
    let broken = refused(&[0, 2]).to_string();
    assert!(broken.contains("cuDevicePrimaryCtxRetain says CUDA_ERROR_ECC_UNCORRECTABLE (214)"), "{broken}");
    let unknown = refused(&[3]).to_string();
    assert!(unknown.contains("cuDeviceGet says CUDA_ERROR_INVALID_DEVICE (101); choose a device that"), "{unknown}");
    assert!(refused(&[]).to_string().starts_with("no GPU: the settings name no GPU"));
}

#[test]
fn a_flipped_bit_in_device_memory_is_located() {
    let driver = FakeDriver::start(1).unwrap();
    let manager = VramManager::new();
    let shard = manager.seal_model(&vec![7; 1_000_000], 0).unwrap();
    let memory = driver.allocations().into_iter().find(|memory| memory.bytes == 1_000_000).unwrap();
    driver.flip_bit(memory.number, 4096 * 100 + 5, 7).unwrap();
    let error = manager.verify_sealed(&shard).unwrap_err();
    assert!(matches!(&error, VramError::ContentsChanged { blocks, .. } if *blocks == [100]), "{error}");
}

#[test]
fn a_gpu_that_is_present_but_broken_stops_the_manager_and_is_not_simulated() {
    for (function, code) in [("cuInit", 803), ("cuDevicePrimaryCtxRetain", 46), ("cuModuleLoadDataEx", 209)] {
        let driver = FakeDriver::start(1).unwrap();
        driver.plant(DriverFault::at(function, 1, code));
        let manager = VramManager::new();
        let cause = manager.stop_cause().expect(function);
        assert!(
            cause.contains(&format!("{function} says CUDA_ERROR_")) && cause.contains(&format!("({code})")),
            "{cause}"
        );
        assert!(matches!(manager.device_class(), Err(VramError::Stopped { .. })));
        assert!(matches!(manager.seal_model(b"weights", 0), Err(VramError::Stopped { .. })));
        driver.plant(DriverFault::at(function, 1, code));
        let error = VramManager::require_gpu(VramConfig::default()).unwrap_err();
        assert!(matches!(error, VramError::Driver { .. }), "{error}");
        assert_eq!(driver.leaks(), Leaks::default(), "{function}");
    }
}

#[test]
fn a_driver_without_a_device_is_simulated_or_refused() {
    let _driver = FakeDriver::start(0).unwrap();
    assert_eq!(VramManager::new().device_class().unwrap(), DeviceClass::Simulated);
    let error = VramManager::require_gpu(VramConfig::default()).unwrap_err();
    assert!(error.to_string().starts_with("no GPU: a CUDA driver and no device"), "{error}");
}
