//! Work in streams is done when somebody waits for it.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod support;

use support::{Driver, call};

/// Page-locked memory with `bytes` in it.
fn pinned(driver: &Driver, bytes: &[u8]) -> *mut u8 {
    let memory = driver.allocate_host(bytes.len()).unwrap();
    set(memory, bytes);
    memory
}

fn set(memory: *mut u8, bytes: &[u8]) {
    // SAFETY: every test passes memory that it allocated as long as `bytes` is.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), memory, bytes.len()) };
}

/// What the allocation with this many bytes holds, beside all streams.
fn held(bytes: usize) -> Vec<u8> {
    let mut all = [0_u64; 30];
    let count = call!(fake_allocations(all.as_mut_ptr() => *mut u64, 10 => usize) -> usize);
    let of_that_length = |entry: &&[u64]| entry[2] == bytes as u64;
    let number = all.chunks(3).take(count).find(of_that_length).unwrap()[0];
    let mut held = vec![0; bytes];
    assert_eq!(call!(fake_read(number => u64, 0 => u64, held.as_mut_ptr() => *mut u8, bytes => usize) -> u32), 1);
    held
}

#[test]
fn a_staging_area_that_is_used_again_too_early_is_noticed() {
    let driver = Driver::started();
    let (memory, stream) = (driver.allocate(4).unwrap(), driver.stream());
    let staging = pinned(&driver, b"true");
    assert_eq!(driver.write_async(memory, staging, 4, stream), 0);
    assert_ne!(held(4), b"true", "nobody has waited yet");
    set(staging, b"late");
    assert_eq!(driver.synchronize_stream(stream), 0);
    assert_eq!(held(4), b"late");
}

#[test]
fn data_in_page_locked_memory_is_noticed_while_it_lives_and_when_it_is_given_back() {
    let driver = Driver::started();
    let holds = || call!(fake_pinned_holds_data() -> u32);
    let (_clean, staging) = (pinned(&driver, &[0; 3]), pinned(&driver, &[0; 3]));
    assert_eq!(holds(), 0);
    set(staging, &[0, 0, 1]);
    assert_eq!(holds(), 1);
    assert_eq!((driver.free_host(staging), holds(), driver.leaks()[8]), (0, 0, 1));
}

#[test]
fn pageable_memory_is_taken_when_the_call_is_made() {
    let driver = Driver::started();
    let (memory, stream) = (driver.allocate(4).unwrap(), driver.stream());
    let mut bytes = *b"true";
    assert_eq!(driver.write_async(memory, bytes.as_ptr(), 4, stream), 0);
    bytes.fill(0);
    assert_eq!(driver.synchronize_stream(stream), 0);
    assert_eq!(held(4), b"true");
    assert_eq!(bytes, [0; 4]);
}

#[test]
fn a_stream_waits_for_another_only_through_an_event() {
    let driver = Driver::started();
    let memory = driver.allocate(4).unwrap();
    let (first, second, event) = (driver.stream(), driver.stream(), driver.event());
    let early = pinned(&driver, b"1111");
    let late = pinned(&driver, b"2222");
    assert_eq!(driver.write_async(memory, early, 4, first), 0);
    assert_eq!(call!(cuEventRecord(event => usize, first => usize) -> u32), 0);
    // After the event: nobody who waits for the event waits for this.
    assert_eq!(driver.write_async(memory, late, 4, first), 0);
    assert_eq!(driver.synchronize_stream(second), 0);
    assert_eq!(held(4), [0xA5; 4]);
    assert_eq!(call!(cuStreamWaitEvent(second => usize, event => usize, 0 => u32) -> u32), 0);
    assert_eq!(driver.synchronize_stream(second), 0);
    assert_eq!(held(4), b"1111");
    assert_eq!(driver.synchronize(), 0);
    assert_eq!(held(4), b"2222");
}

#[test]
fn the_default_stream_waits_for_blocking_streams_and_not_for_the_others() {
    let driver = Driver::started();
    let memory = driver.allocate(4).unwrap();
    let mut blocking = 0_usize;
    assert_eq!(call!(cuStreamCreateWithPriority(&raw mut blocking => *mut usize, 0 => u32, 0 => i32) -> u32), 0);
    let bytes = pinned(&driver, b"blck");
    assert_eq!(driver.write_async(memory, bytes, 4, blocking), 0);
    assert_eq!(driver.read(memory, 4).unwrap(), b"blck");
    let other = driver.stream();
    set(bytes, b"free");
    assert_eq!(driver.write_async(memory, bytes, 4, other), 0);
    assert_eq!(driver.read(memory, 4).unwrap(), b"blck");
    assert_eq!(driver.synchronize_stream(other), 0);
    assert_eq!(driver.read(memory, 4).unwrap(), b"free");
}

#[test]
fn an_overwrite_is_done_when_the_device_was_waited_for() {
    let driver = Driver::started();
    let memory = driver.allocate(4).unwrap();
    assert_eq!(driver.fill(memory, 0, 4), 0);
    assert_eq!(held(4), [0xA5; 4], "cuMemsetD8 does not wait");
    assert_eq!(driver.synchronize(), 0);
    assert_eq!(held(4), [0; 4]);
}

#[test]
fn an_event_is_reached_when_the_work_before_it_is_done() {
    let driver = Driver::started();
    let (stream, start, end) = (driver.stream(), driver.event(), driver.event());
    let elapsed = || {
        let mut milliseconds = -1.0_f32;
        let code = call!(cuEventElapsedTime(
            &raw mut milliseconds => *mut f32, start => usize, end => usize) -> u32);
        (code, milliseconds)
    };
    assert_eq!(elapsed(), (400, -1.0), "never recorded");
    assert_eq!(call!(cuEventQuery(start => usize) -> u32), 0, "an event that was never recorded keeps nobody waiting");
    for event in [start, end] {
        assert_eq!(call!(cuEventRecord(event => usize, stream => usize) -> u32), 0);
    }
    assert_eq!(elapsed(), (600, -1.0), "not reached");
    assert_eq!(call!(cuEventQuery(end => usize) -> u32), 600);
    assert_eq!(call!(cuEventQuery(end => usize) -> u32), 0);
    let (code, milliseconds) = elapsed();
    assert!(code == 0 && milliseconds >= 0.0, "{code} {milliseconds}");
    assert_eq!(call!(cuEventRecord(end => usize, stream => usize) -> u32), 0);
    assert_eq!(call!(cuEventSynchronize(end => usize) -> u32), 0);
    assert_eq!(call!(cuEventDestroy_v2(end => usize) -> u32), 0);
    assert_eq!(call!(cuEventDestroy_v2(end => usize) -> u32), 400);
    assert_eq!(call!(cuStreamDestroy_v2(stream => usize) -> u32), 0);
    assert_eq!(call!(cuStreamDestroy_v2(stream => usize) -> u32), 400);
}

#[test]
fn what_is_freed_is_waited_for_first() {
    let driver = Driver::started();
    let (memory, stream) = (driver.allocate(4).unwrap(), driver.stream());
    let bytes = pinned(&driver, b"kept");
    assert_eq!(driver.write_async(memory, bytes, 4, stream), 0);
    assert_eq!(driver.free_host(bytes), 0);
    assert_eq!(held(4), b"kept");
    assert_eq!(driver.free_host(bytes), 1, "freed twice");
    assert_eq!(driver.leaks()[8], 1, "page-locked memory went back with data in it");
}
