//! The probe over the fake driver: what other work on a GPU does to it, and what it does not.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use cuda_ffi::{Device, FakeDriver, MemoryId, PROBE_CHUNK_BYTES, discover};
use facts::ProbeFacts;

/// More than the device's control has, and not a whole number of it.
const CHUNKS: u64 = 70;
/// How many launches of the probe a quiet device needs: both controls twice, the allocation, both controls twice.
const QUIET: u64 = 9;

fn one() -> (FakeDriver, Arc<dyn Device>) {
    let driver = FakeDriver::start(1).unwrap();
    let device = discover().devices.remove(&0).unwrap();
    (driver, device)
}

/// An allocation of so many chunks, whose last `tail` bytes lie in host memory.
fn allocation(driver: &FakeDriver, device: &dyn Device, chunks: u64, tail: u64) -> MemoryId {
    driver.next_allocation(chunks * PROBE_CHUNK_BYTES);
    driver.tail_in_host(FakeDriver::NEXT, tail).unwrap();
    device.allocate(chunks * PROBE_CHUNK_BYTES).unwrap()
}

/// What the policy asks of the facts of an allocation of so many chunks.
fn passes(probe: &ProbeFacts, chunks: u64) -> bool {
    assert_eq!((probe.chunk_bytes, probe.chunks), (PROBE_CHUNK_BYTES, chunks), "{probe:?}");
    probe.device_control_cycles < probe.host_control_cycles && probe.slowest_cycles < probe.threshold_cycles()
}

#[test]
fn a_busy_moment_of_any_length_is_neither_an_alarm_nor_a_cover() {
    let (driver, device) = one();
    let honest = allocation(&driver, &*device, CHUNKS, 0);
    let spilled = allocation(&driver, &*device, CHUNKS, PROBE_CHUNK_BYTES);
    for factor in [3, 8] {
        for launches in 0..40 {
            driver.busy(0..launches, factor);
            let probe = device.probe(honest).unwrap();
            assert!(passes(&probe, CHUNKS), "{launches} launches take {factor} times as long: {probe:?}");
            driver.busy(0..launches, factor);
            let probe = device.probe(spilled).unwrap();
            assert!(!passes(&probe, CHUNKS), "{launches} launches take {factor} times as long: {probe:?}");
        }
    }
}

#[test]
fn a_clock_that_rises_at_any_moment_is_neither_an_alarm_nor_a_cover() {
    let (driver, device) = one();
    let honest = allocation(&driver, &*device, CHUNKS, 0);
    let spilled = allocation(&driver, &*device, CHUNKS, PROBE_CHUNK_BYTES);
    // All loads take more cycles from then on, those of the controls too.
    for factor in [2, 6] {
        for begin in 0..40 {
            driver.busy(begin..u64::MAX, factor);
            let probe = device.probe(honest).unwrap();
            assert!(passes(&probe, CHUNKS), "{factor} times the clock from launch {begin} on: {probe:?}");
            driver.busy(begin..u64::MAX, factor);
            let probe = device.probe(spilled).unwrap();
            assert!(!passes(&probe, CHUNKS), "{factor} times the clock from launch {begin} on: {probe:?}");
        }
    }
}

#[test]
fn a_busy_control_is_measured_again_and_the_least_counts() {
    let (driver, device) = one();
    let honest = allocation(&driver, &*device, CHUNKS, 0);
    driver.busy(0..2, 4);
    let probe = device.probe(honest).unwrap();
    assert!((600..800).contains(&probe.device_control_cycles), "{probe:?}");
    assert!((2300..2900).contains(&probe.host_control_cycles), "{probe:?}");
}

#[test]
fn one_chunk_in_host_memory_is_found_and_named() {
    let (driver, device) = one();
    for chunks in [1, 31, 32, 33, 64, CHUNKS] {
        let memory = allocation(&driver, &*device, chunks, PROBE_CHUNK_BYTES);
        for launches in [0, 4, 5] {
            driver.busy(0..launches, 8);
            let probe = device.probe(memory).unwrap();
            assert!(!passes(&probe, chunks), "{probe:?}");
            assert_eq!(probe.slowest_chunk, chunks - 1);
            assert!((2300..2900).contains(&probe.slowest_cycles), "of a quiet moment: {probe:?}");
        }
        device.free(memory).unwrap();
    }
}

#[test]
fn a_probe_ends_soon_whether_the_memory_is_where_it_should_be_or_not() {
    const ALL: u64 = 40_000;
    let (driver, device) = one();
    driver.set_capacity(0, 80 << 30, 0).unwrap();
    let launches = |memory| {
        driver.clear_calls();
        let probe = device.probe(memory).unwrap();
        (passes(&probe, ALL), probe.slowest_chunk, driver.count("cuLaunchKernel") as u64)
    };
    let memory = allocation(&driver, &*device, ALL, 0);
    let (quiet, _, count) = launches(memory);
    assert_eq!((quiet, count), (true, QUIET));
    // All of its chunks seem slow, and are measured again with as many at a time as the device's control has.
    driver.busy(0..5, 8);
    let (passes, _, count) = launches(memory);
    assert_eq!((passes, count), (true, QUIET + ALL / 32 + 4));
    device.free(memory).unwrap();

    let memory = allocation(&driver, &*device, ALL, ALL * PROBE_CHUNK_BYTES);
    // The first group, and its first chunk four times, in more than a moment; and all of it once more.
    let begin = Instant::now();
    assert_eq!(launches(memory), (false, 0, 2 * (QUIET + 1 + 4)));
    assert!(begin.elapsed() >= Duration::from_millis(102));
}
