//! Devices, contexts, pointer attributes, faults, and what was not given back.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod support;

use std::ffi::CStr;
use std::ptr::null_mut;

use support::{Driver, call};

fn attribute(device: i32, number: i32) -> Result<i32, u32> {
    let mut value = 0;
    let code = call!(cuDeviceGetAttribute(&raw mut value => *mut i32, number => i32, device => i32) -> u32);
    support::ok(code, value)
}

#[test]
fn devices_are_what_a_test_makes_of_them() {
    let driver = Driver::with_devices(3);
    let mut count = 0;
    assert_eq!(call!(cuDeviceGetCount(&raw mut count => *mut i32) -> u32), 0);
    assert_eq!(count, 3);
    for (ordinal, code) in [(0, 0), (2, 0), (3, 101), (-1, 101)] {
        assert_eq!(call!(cuDeviceGet(&raw mut count => *mut i32, ordinal => i32) -> u32), code);
    }
    assert_eq!(attribute(1, 41), Ok(1));
    assert_eq!((attribute(1, 18), attribute(1, 100), attribute(1, 75)), (Ok(0), Ok(0), Ok(9)));
    assert_eq!((attribute(1, 0), attribute(1, 150), attribute(5, 18)), (Err(1), Err(1), Err(101)));
    assert_eq!(call!(fake_set_attribute(1 => i32, 18 => i32, 1 => i32) -> u32), 1);
    assert_eq!((attribute(0, 18), attribute(1, 18)), (Ok(0), Ok(1)));
    assert_eq!(call!(fake_set_attribute(3 => i32, 18 => i32, 1 => i32) -> u32), 0);

    let uuid = |device: i32| {
        let mut uuid = [0_u8; 16];
        assert_eq!(call!(cuDeviceGetUuid_v2(uuid.as_mut_ptr() => *mut u8, device => i32) -> u32), 0);
        uuid
    };
    assert_ne!(uuid(0), uuid(1));
    assert_eq!(call!(fake_set_uuid(1 => i32, [7_u8; 16].as_ptr() => *const u8) -> u32), 1);
    assert_eq!(uuid(1), [7; 16]);

    assert_eq!(call!(fake_set_name(2 => i32, b"NVIDIA H100".as_ptr() => *const u8, 11 => usize) -> u32), 1);
    let mut name = [1_u8; 12];
    assert_eq!(call!(cuDeviceGetName(name.as_mut_ptr() => *mut u8, 12 => i32, 2 => i32) -> u32), 0);
    assert_eq!(&name, b"NVIDIA H100\0");
    assert_eq!(call!(cuDeviceGetName(name.as_mut_ptr() => *mut u8, 4 => i32, 2 => i32) -> u32), 0);
    assert_eq!(&name[..5], b"NVI\0I", "no byte past the end");

    let mut total = 0_usize;
    assert_eq!(call!(fake_set_capacity(2 => i32, 80 << 30 => u64, 0 => u64) -> u32), 1);
    assert_eq!(call!(cuDeviceTotalMem_v2(&raw mut total => *mut usize, 2 => i32) -> u32), 0);
    assert_eq!(total, 80 << 30);
    drop(driver);

    let _none = Driver::with_devices(0);
    assert_eq!(call!(cuInit(0 => u32) -> u32), 100);
}

#[test]
fn a_context_is_needed_and_ends_with_its_last_holder() {
    let driver = Driver::with_devices(2);
    assert_eq!(driver.set_current(0), 0);
    assert_eq!((driver.allocate(1), driver.synchronize()), (Err(201), 201));
    let (context, other) = (driver.retain(0).unwrap(), driver.retain(1).unwrap());
    assert_eq!(driver.retain(0), Ok(context), "there is one primary context a device");
    assert_ne!(context, other);
    assert_eq!(driver.set_current(context), 0);
    let memory = driver.allocate(10).unwrap();
    assert_eq!(driver.set_current(other), 0);
    let theirs = driver.allocate(10).unwrap();
    assert_eq!((driver.pointer(9, memory), driver.pointer(9, theirs)), (Ok(0), Ok(1)));
    let mut current = 0_usize;
    assert_eq!(call!(cuCtxGetCurrent(&raw mut current => *mut usize) -> u32), 0);
    assert_eq!(current, other);
    std::thread::spawn(|| {
        let mut current = 1_usize;
        assert_eq!(call!(cuCtxGetCurrent(&raw mut current => *mut usize) -> u32), 0);
        assert_eq!(current, 0, "a context is current in one thread");
    })
    .join()
    .unwrap();
    assert_eq!((driver.release(0), driver.pointer(9, memory)), (0, Ok(0)));
    assert_eq!((driver.release(0), driver.pointer(9, memory)), (0, Err(1)));
    assert_eq!((driver.release(0), driver.set_current(context)), (201, 201));
    assert_eq!(driver.leaks(), [1, 10, 0, 0, 0, 0, 1, 1, 0]);
}

#[test]
fn pointer_attributes_are_those_of_device_memory_unless_a_test_lies() {
    let driver = Driver::started();
    let memory = driver.allocate(1000).unwrap();
    for at in [memory, memory + 999] {
        assert_eq!(driver.pointer(2, at), Ok(2));
        assert_eq!(driver.pointer(4, at), Err(1), "no host pointer");
        assert_eq!((driver.pointer(8, at), driver.pointer(9, at)), (Ok(0), Ok(0)));
        assert_eq!((driver.pointer(11, at), driver.pointer(12, at)), (Ok(memory), Ok(1000)));
    }
    assert_eq!(driver.pointer(2, memory + 1000), Err(1));
    let host = driver.allocate_host(100).unwrap();
    let address = host.addr() as u64;
    assert_eq!((driver.pointer(2, address), driver.pointer(4, address + 1)), (Ok(1), Ok(address + 1)));

    let mut all = [0_u64; 3];
    call!(fake_allocations(all.as_mut_ptr() => *mut u64, 1 => usize) -> usize);
    let lie = |number: u64, from: u64, attribute: u32, value: u64| call!(fake_override(number => u64, from => u64, attribute => u32, value => u64) -> u32);
    for (attribute, value) in [(2, 1), (4, 0x5000), (8, 1), (9, 3), (12, 500)] {
        assert_eq!(lie(all[0], 500, attribute, value), 1);
        assert_eq!(driver.pointer(attribute, memory + 500), Ok(value), "{attribute}");
        assert_ne!(driver.pointer(attribute, memory + 499), Ok(value), "{attribute}: before the byte it holds from");
    }
    assert_eq!(lie(all[0], 0, 11, 4096), 1);
    assert_eq!(driver.pointer(11, memory), Ok(memory - 4096));
    assert_eq!(lie(all[0] + 1, 0, 8, 1), 0, "no such allocation");
    assert_eq!(lie(0, 0, 8, 1), 0, "no plan");

    call!(fake_plan(2000 => u64) -> ());
    assert_eq!(lie(0, 0, 8, 1), 1);
    let (small, planned, after) = (driver.allocate(1999), driver.allocate(2000), driver.allocate(2000));
    let managed = [small, planned, after].map(|memory| driver.pointer(8, memory.unwrap()).unwrap());
    assert_eq!(managed, [0, 1, 0]);
}

#[test]
fn a_planted_fault_strikes_the_call_that_was_meant_and_that_call_does_nothing() {
    let driver = Driver::started();
    driver.plant("cuMemAlloc_v2", 2, 2, false);
    let memory = driver.allocate(8).unwrap();
    assert_eq!(driver.allocate(8), Err(2));
    assert_eq!(driver.leaks()[0], 1);
    driver.plant("", 3, 1, false);
    assert_eq!((driver.write(memory, b"12345678"), driver.synchronize(), driver.free(memory)), (0, 0, 1));
    assert_eq!(driver.read(memory, 8).unwrap(), b"12345678");
    assert_eq!((driver.free(memory), call!(fake_struck() -> u64)), (0, 2));
    call!(fake_clear_journal() -> ());
    driver.allocate(1).unwrap();
    driver.synchronize();
    let mut journal = vec![0_u8; 100];
    let length = call!(fake_journal(journal.as_mut_ptr() => *mut u8, 100 => usize) -> usize);
    assert_eq!(&journal[..length], b"cuMemAlloc_v2\ncuCtxSynchronize\n");
    assert_eq!(call!(fake_journal(null_mut() => *mut u8, 0 => usize) -> usize), length);
}

#[test]
fn a_fault_of_work_is_reported_by_whoever_waits_and_the_work_is_not_done() {
    let driver = Driver::started();
    let memory = driver.allocate(4).unwrap();
    assert_eq!(driver.write(memory, b"left"), 0);
    driver.plant("cuMemsetD8_v2", 1, 701, true);
    assert_eq!(driver.fill(memory, 0, 4), 0);
    assert_eq!(driver.synchronize(), 701);
    assert_eq!(driver.synchronize(), 0, "it is told once");
    assert_eq!(driver.read(memory, 4).unwrap(), b"left");
}

#[test]
fn a_device_that_is_lost_answers_every_later_call_with_the_same_code() {
    for code in [46, 214, 226, 700, 719, 999] {
        let driver = Driver::with_devices(2);
        let (context, other) = (driver.retain(0).unwrap(), driver.retain(1).unwrap());
        assert_eq!(driver.set_current(context), 0);
        let memory = driver.allocate(8).unwrap();
        let (stream, event) = (driver.stream(), driver.event());
        if code == 214 {
            // ECC: the device notices, not a call.
            assert_eq!(call!(fake_fail_device(0 => i32, code => u32) -> u32), 1);
            assert_eq!(driver.synchronize(), code);
        } else {
            driver.plant("cuMemcpyDtoH_v2", 1, code, false);
            assert_eq!(driver.read(memory, 1), Err(code));
        }
        assert_eq!(driver.read(memory, 1), Err(code));
        assert_eq!((driver.write(memory, b"1"), driver.fill(memory, 0, 1), driver.free(memory)), (code, code, code));
        assert_eq!((driver.allocate(1), driver.allocate_host(1)), (Err(code), Err(code)));
        assert_eq!((driver.synchronize(), driver.synchronize_stream(stream)), (code, code));
        assert_eq!(call!(cuEventRecord(event => usize, stream => usize) -> u32), code);
        assert_eq!(call!(cuEventSynchronize(event => usize) -> u32), code);
        assert_eq!(call!(cuEventDestroy_v2(event => usize) -> u32), code);
        assert_eq!(call!(cuStreamDestroy_v2(stream => usize) -> u32), code);
        assert_eq!((driver.pointer(2, memory), driver.load(&support::IMAGE)), (Err(code), Err(code)));
        assert_eq!((driver.retain(0), driver.set_current(context), driver.synchronize()), (Err(code), 0, code));
        // The other device is none the worse.
        assert_eq!(driver.set_current(other), 0);
        assert!(driver.allocate(1).is_ok());
        // What a lost device holds is nobody's leak.
        assert_eq!((driver.release(0), driver.leaks()), (0, [1, 1, 0, 0, 0, 0, 1, 0, 0]));
    }
}

#[test]
fn what_is_not_given_back_is_counted() {
    let driver = Driver::started();
    assert_eq!(driver.leaks(), [0, 0, 0, 0, 0, 0, 1, 0, 0]);
    let memory = driver.allocate(100).unwrap();
    let host = driver.allocate_host(1).unwrap();
    let (stream, event) = (driver.stream(), driver.event());
    let module = driver.load(&support::IMAGE).unwrap();
    assert_eq!(driver.leaks(), [1, 100, 1, 1, 1, 1, 1, 0, 0]);
    assert_eq!((driver.free(memory), driver.free_host(host)), (0, 0));
    assert_eq!(call!(cuStreamDestroy_v2(stream => usize) -> u32), 0);
    assert_eq!(call!(cuEventDestroy_v2(event => usize) -> u32), 0);
    assert_eq!(call!(cuModuleUnload(module => usize) -> u32), 0);
    assert_eq!((driver.release(0), driver.leaks()), (0, [0; 9]));
}

#[test]
fn a_place_for_an_answer_that_is_nowhere_is_refused_and_nothing_is_made() {
    let driver = Driver::started();
    let nowhere = null_mut::<usize>();
    for code in [
        call!(cuMemAlloc_v2(nowhere => *mut usize, 1 => usize) -> u32),
        call!(cuMemAllocHost_v2(nowhere => *mut usize, 1 => usize) -> u32),
        call!(cuStreamCreateWithPriority(nowhere => *mut usize, 0 => u32, 0 => i32) -> u32),
        call!(cuEventCreate(nowhere => *mut usize, 0 => u32) -> u32),
        call!(cuDevicePrimaryCtxRetain(nowhere => *mut usize, 0 => i32) -> u32),
        call!(cuDeviceGetCount(nowhere => *mut usize) -> u32),
        call!(cuMemGetInfo_v2(nowhere => *mut usize, nowhere => *mut usize) -> u32),
    ] {
        assert_eq!(code, 1);
    }
    assert_eq!(driver.leaks(), [0, 0, 0, 0, 0, 0, 1, 0, 0]);
}

#[test]
fn codes_have_texts_and_unknown_ones_have_none() {
    let mut text = std::ptr::null::<std::ffi::c_char>();
    assert_eq!(call!(cuGetErrorString(214 => u32, &raw mut text => *mut *const std::ffi::c_char) -> u32), 0);
    // SAFETY: the driver gave a text that lives as long as the library.
    assert_eq!(unsafe { CStr::from_ptr(text) }, c"uncorrectable ECC error encountered");
    assert_eq!(call!(cuGetErrorString(12_345 => u32, &raw mut text => *mut *const std::ffi::c_char) -> u32), 1);
    assert!(text.is_null());
}
