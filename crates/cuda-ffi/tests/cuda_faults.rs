//! The backend on the CUDA driver when the driver fails: what the errors say, and what is left afterwards.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::io::Write;
use std::sync::{Arc, Mutex};

use cuda_ffi::{Device, DriverError, DriverFault, FakeDriver, Leaks, MemoryId, NoGpu, Operation, discover};
use evidence::{Stream, check_on, proves};

/// What records of these tests are of.
const CLASS: &str = "fake-driver";

const MIB: usize = 1 << 20;
/// Longer than both halves of the staging area, so that every kind of its turns is there.
const LEN: usize = 2 * MIB + 5;

/// Out of memory, an ECC error, a lost device, a kernel that failed, and a code that cust does not know.
const CODES: [u32; 5] = [2, 214, 46, 719, 226];

fn one() -> (FakeDriver, Arc<dyn Device>) {
    let driver = FakeDriver::start(1).unwrap();
    let device = discover().devices.remove(&0).unwrap();
    (driver, device)
}

fn holding(device: &dyn Device, bytes: &[u8]) -> MemoryId {
    let memory = device.allocate(bytes.len() as u64).unwrap();
    device.write(memory, 0, bytes).unwrap();
    memory
}

/// Calls `operation` once, with arguments that are right.
fn call(device: &dyn Device, memory: MemoryId, operation: Operation) -> Result<(), DriverError> {
    match operation {
        Operation::Facts => device.facts().map(drop),
        Operation::Capacity => device.capacity().map(drop),
        Operation::Allocate => device.allocate(1).map(drop),
        Operation::AllocationFacts => device.allocation_facts(memory).map(drop),
        Operation::Write => device.write(memory, 0, &vec![1; LEN]),
        Operation::Read => device.read(memory, 0, &mut vec![0; LEN]),
        Operation::Overwrite => device.overwrite(memory),
        Operation::Free => device.free(memory),
        Operation::TreeDigest => device.tree_digest(memory).map(drop),
        Operation::Probe => device.probe(memory).map(drop),
        Operation::Address => device.address(memory).map(drop),
        Operation::Synchronize => device.synchronize(),
        Operation::Open => panic!("a device that is there was opened"),
    }
}

#[test]
fn an_error_names_what_was_tried_the_function_and_the_driver_s_own_code() {
    let (driver, device) = one();
    let memory = holding(&*device, &vec![1; LEN]);
    driver.plant(DriverFault::at("cuMemAlloc_v2", 1, 2));
    let error = device.allocate(1).unwrap_err();
    assert_eq!(
        error.to_string(),
        "could not allocate device memory: cuMemAlloc_v2 says CUDA_ERROR_OUT_OF_MEMORY (2); \
         release a shard, or use a device with more memory"
    );
    assert!(error.is_out_of_memory() && !error.context_lost());
    for (function, operation, code, name) in [
        ("cuMemGetInfo_v2", Operation::Capacity, 810, "CUDA_ERROR_MPS_CLIENT_TERMINATED"),
        ("cuPointerGetAttribute", Operation::AllocationFacts, 402, "CUDA_ERROR_LOSSY_QUERY"),
        ("cuDeviceGetAttribute", Operation::Facts, 34, "CUDA_ERROR_STUB_LIBRARY"),
        ("cuDeviceGetUuid_v2", Operation::Facts, 803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"),
        ("cuStreamSynchronize", Operation::Write, 916, "CUDA_ERROR_KEY_ROTATION"),
        ("cuLaunchKernel", Operation::Probe, 222, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION"),
        ("cuLaunchKernel", Operation::TreeDigest, 4_242, "CUDA_ERROR_UNKNOWN"),
    ] {
        driver.plant(DriverFault::at(function, 1, code));
        let error = call(&*device, memory, operation).unwrap_err();
        let error = (error.function(), error.code(), error.code_name());
        assert_eq!(error, (Some(function), code, name), "{operation}");
    }
}

#[test]
fn a_fault_at_any_driver_call_is_an_error_and_leaves_the_books_right() {
    let mut faults = 0;
    // `tree` and `tree_digest` are one operation in an error, and two ways through the driver.
    let cases = Operation::ALL.map(|operation| (operation, false)).into_iter().chain([(Operation::TreeDigest, true)]);
    for (operation, located) in cases {
        let act = |device: &dyn Device, memory| {
            if located { device.tree(memory).map(drop) } else { call(device, memory, operation) }
        };
        let (driver, device) = one();
        let memory = holding(&*device, &vec![7; LEN]);
        driver.clear_calls();
        act(&*device, memory).unwrap();
        let calls = driver.calls();
        drop((device, driver));
        for (nth, function) in (1..).zip(&calls) {
            for code in CODES {
                faults += 1;
                let what = format!("{operation}: call {nth}, {function}, fails with {code}");
                let (driver, device) = one();
                let memory = holding(&*device, &vec![7; LEN]);
                let before = driver.leaks();
                driver.plant(DriverFault::at_any(nth, code));
                let result = act(&*device, memory);
                assert_eq!(driver.faults_struck(), 1, "{what}");
                // What was current before could not be made current again: the operation itself is done.
                let restoring = nth == calls.len() as u64 && function == "cuCtxSetCurrent";
                match &result {
                    Ok(()) => assert!(restoring, "{what}"),
                    Err(error) => {
                        assert_eq!((error.function(), error.code()), (Some(&**function), code), "{what}");
                        assert_eq!(error.operation(), operation, "{what}");
                    }
                }
                if result.is_err() {
                    assert_eq!(driver.leaks(), before, "{what}");
                    assert!(!driver.pinned_holds_data(), "{what}");
                }
                if result.as_ref().is_err_and(|error| !error.context_lost()) {
                    // The device goes on, with the memory as it was known.
                    assert_eq!(device.allocation_facts(memory).unwrap().requested_bytes, LEN as u64, "{what}");
                    device.write(memory, 0, &[9; 100]).unwrap();
                    device.overwrite(memory).unwrap();
                    device.free(memory).unwrap();
                    drop(device);
                    assert_eq!(driver.leaks(), Leaks::default(), "{what}");
                }
            }
        }
    }
    assert_eq!(faults, 139 * CODES.len(), "the operations make other calls than before: count them again");
}

/// What `tracing` writes.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_context_that_is_not_made_current_again_is_no_error_and_a_warning() {
    let (driver, device) = one();
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
    let warned = || String::from_utf8(std::mem::take(&mut *log.0.lock().unwrap())).unwrap();
    tracing::subscriber::with_default(subscriber, || {
        device.synchronize().unwrap();
        assert_eq!(warned(), "");
        // The first call makes the device's context current, the second the thread's own.
        driver.plant(DriverFault::at("cuCtxSetCurrent", 2, 2));
        device.synchronize().unwrap();
    });
    let told = warned();
    assert!(told.contains("WARN") && told.contains("function=\"cuCtxSetCurrent\" code=2"), "{told}");
}

#[test]
fn a_copy_that_fails_leaves_nothing_in_the_staging_area() {
    for (function, nth) in [
        ("cuMemcpyHtoDAsync_v2", 2),
        ("cuMemcpyHtoDAsync_v2", 3),
        ("cuEventRecord", 2),
        ("cuEventSynchronize", 3),
        ("cuStreamSynchronize", 1),
    ] {
        let (driver, device) = one();
        let memory = device.allocate(LEN as u64).unwrap();
        driver.plant(DriverFault::at(function, nth, 2));
        assert_eq!(device.write(memory, 0, &vec![0xEE; LEN]).unwrap_err().function(), Some(function));
        assert!(!driver.pinned_holds_data(), "{function}");
        device.free(memory).unwrap();
        drop(device);
        assert_eq!(driver.leaks(), Leaks::default(), "{function}");
    }
}

#[test]
fn a_copy_whose_end_could_not_be_waited_for_leaves_nothing_either() {
    let (driver, device) = one();
    let memory = holding(&*device, &vec![0xEE; LEN]);
    // The second copy does not start, the first one runs, and the stream does not say when it is done.
    driver.plant(DriverFault::at("cuMemcpyDtoHAsync_v2", 2, 2));
    driver.plant(DriverFault::at("cuStreamSynchronize", 1, 2));
    let error = device.read(memory, 0, &mut vec![0; LEN]).unwrap_err();
    assert_eq!((error.function(), driver.faults_struck()), (Some("cuMemcpyDtoHAsync_v2"), 2));
    assert!(!driver.pinned_holds_data());
    device.free(memory).unwrap();
    drop(device);
    assert_eq!(driver.leaks(), Leaks::default());
}

#[test]
fn an_overwrite_that_the_driver_only_claims_is_noticed() {
    proves!("00§3.2");
    let (driver, device) = one();
    let mut bytes = vec![0; LEN];
    bytes[123_456..].fill(0x77);
    let memory = holding(&*device, &bytes);
    // The call succeeds, nothing is written, and nobody is told.
    driver.plant(DriverFault { later: true, ..DriverFault::at("cuMemsetD8_v2", 1, 0) });
    let error = device.overwrite(memory).unwrap_err();
    assert_eq!((error.operation(), error.code(), error.function()), (Operation::Overwrite, 0, None));
    let said = error.to_string();
    let text = "could not overwrite device memory: byte 123456 was not zero after cuMemsetD8_v2 had reported success";
    check_on(CLASS, Stream::CudaOperations, "an_overwrite_only_claimed", Some(text), said.split("; ").next());
    assert!(!error.context_lost(), "the context is as it was; what to do with the memory is the owner's decision");
    device.overwrite(memory).unwrap();
    device.free(memory).unwrap();
}

#[test]
fn a_kernel_that_the_driver_only_claims_to_have_run_gives_no_result_of_before() {
    let (driver, device) = one();
    let claimed = |nth, times| {
        driver.plant(DriverFault { later: true, times, ..DriverFault::at("cuLaunchKernel", nth, 0) });
    };
    let undone = |operation, error: DriverError| {
        assert_eq!((error.operation(), error.code(), error.function()), (operation, 0, None));
        let text = format!(
            "could not {operation}: the results of a kernel were not there after cuLaunchKernel had reported success; \
             stop using the device, and look for a driver that was tampered with"
        );
        assert_eq!((error.to_string(), error.context_lost()), (text, false));
    };
    let memory = holding(&*device, &vec![7; LEN]);
    // The results of these stay in the device.
    let before = *device.tree_digest(memory).unwrap().as_bytes();
    let number = driver.allocations().last().unwrap().number;
    driver.flip_bit(number, 5, 0).unwrap();
    // Both launches, the one of the nodes, the one of the leaves.
    claimed(1, 2);
    undone(Operation::TreeDigest, device.tree_digest(memory).unwrap_err());
    claimed(2, 1);
    undone(Operation::TreeDigest, device.tree_digest(memory).unwrap_err());
    claimed(1, 1);
    assert_ne!(*device.tree_digest(memory).unwrap().as_bytes(), before);
    driver.flip_bit(number, 5, 0).unwrap();
    let tree = device.tree(memory).unwrap();
    driver.flip_bit(number, 5, 0).unwrap();
    claimed(1, 1);
    undone(Operation::TreeDigest, device.tree(memory).err().unwrap());
    driver.flip_bit(number, 5, 0).unwrap();
    assert!(device.tree(memory).unwrap() == tree);

    device.probe(memory).unwrap();
    driver.clear_calls();
    device.probe(memory).unwrap();
    for nth in 1..=driver.count("cuLaunchKernel") as u64 {
        claimed(nth, 1);
        undone(Operation::Probe, device.probe(memory).unwrap_err());
    }
}

#[test]
fn an_overwrite_that_fails_on_the_device_is_an_error() {
    let (driver, device) = one();
    let memory = holding(&*device, &[0x77; 100]);
    driver.plant(DriverFault { later: true, ..DriverFault::at("cuMemsetD8_v2", 1, 214) });
    let error = device.overwrite(memory).unwrap_err();
    assert_eq!((error.code(), error.context_lost()), (214, true));
}

#[test]
fn a_lost_context_is_what_every_later_call_reports() {
    for code in [214, 226, 719] {
        let (driver, device) = one();
        let memory = holding(&*device, &[1; 100]);
        driver.fail_device(0, code).unwrap();
        let first = device.synchronize().unwrap_err();
        assert_eq!((first.function(), first.code(), first.context_lost()), (Some("cuCtxSynchronize"), code, true));
        for operation in [Operation::Allocate, Operation::Read, Operation::Overwrite, Operation::Free, Operation::Probe]
        {
            let error = match operation {
                Operation::Read => device.read(memory, 0, &mut [0]),
                _ => call(&*device, memory, operation),
            };
            assert_eq!(error.unwrap_err().code(), code, "{operation}");
        }
        drop(device);
    }
}

#[test]
fn memory_that_was_never_freed_keeps_its_context_and_nothing_else_stays() {
    proves!("00§3.2");
    let (driver, device) = one();
    let weights = b"weights that could not be overwritten".repeat(100);
    holding(&*device, &weights);
    drop(device);
    let kept = Leaks { allocations: 1, bytes: weights.len() as u64, contexts: 1, ..Leaks::default() };
    let (expected, observed) = (format!("{kept:?}"), format!("{:?}", driver.leaks()));
    check_on(CLASS, Stream::CudaOperations, "kept_with_memory_that_was_never_freed", expected, observed);
}

#[test]
fn no_device_is_told_apart_from_one_that_cannot_be_opened() {
    let driver = FakeDriver::start(0).unwrap();
    let found = discover();
    assert!(found.devices.is_empty());
    assert_eq!(found.reason, NoGpu::NoDevice);
    drop(driver);

    let driver = FakeDriver::start(1).unwrap();
    driver.plant(DriverFault::at("cuInit", 1, 100));
    let found = discover();
    assert!(found.devices.is_empty());
    assert_eq!(found.reason, NoGpu::NoDevice);
    driver.plant(DriverFault::at("cuInit", 1, 803));
    let broken = discover().devices.remove(&0).unwrap();
    let text = "could not open the device: cuInit says CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803); \
                the driver's library and kernel module differ: reinstall the driver, or restart the machine";
    assert_eq!(broken.facts().unwrap_err().to_string(), text);
    assert_eq!(broken.allocate(1).unwrap_err(), broken.synchronize().unwrap_err());
}

#[test]
fn a_device_that_fails_while_it_is_opened_is_broken_and_keeps_nothing() {
    let driver = FakeDriver::start(2).unwrap();
    drop(discover());
    driver.clear_calls();
    drop(discover());
    let calls = driver.calls();
    drop(driver);
    let first = calls.iter().position(|function| function == "cuDeviceGet").unwrap();
    let second = first + calls[first..].iter().skip(1).position(|function| function == "cuDeviceGet").unwrap() + 1;
    assert!(calls[first..second].iter().any(|function| function == "cuModuleLoadDataEx"));
    for (nth, function) in (1..).zip(&calls).take(second).skip(first) {
        for code in CODES {
            let driver = FakeDriver::start(2).unwrap();
            driver.plant(DriverFault::at_any(nth, code));
            let devices = discover().devices;
            assert_eq!(devices.len(), 2);
            assert_eq!(driver.faults_struck(), 1);
            match devices[&0].facts() {
                // What was current before could not be made so again, which may pass; a device that is lost by it fails later.
                Ok(_) => assert_eq!(function, "cuCtxSetCurrent", "call {nth} fails with {code}"),
                Err(error) if function == "cuCtxSetCurrent" => assert_eq!(error.code(), code, "call {nth}"),
                Err(error) => assert_eq!((error.function(), error.code()), (Some(&**function), code), "call {nth}"),
            }
            devices[&1].facts().unwrap();
            drop(devices);
            let leaks = driver.leaks();
            if code == 2 {
                assert_eq!(leaks, Leaks::default(), "call {nth}, {function}");
            }
        }
    }
}
