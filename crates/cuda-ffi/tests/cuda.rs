//! The backend on the CUDA driver, over the fake driver: every operation through `cust`, as on a GPU.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;
use std::thread;

use content_digest::TreeHasher;
use cuda_ffi::{
    Device, DriverError, FakeAttribute, FakeDriver, FakePointer, Leaks, MemoryId, PROBE_CHUNK_BYTES, discover,
};
use evidence::{Stream, check_on, proves};
use facts::{AllocationFacts, DeviceClass, DriverModel, EccMode, MemoryType};

/// What records of these tests are of.
const CLASS: &str = "fake-driver";

const MIB: usize = 1 << 20;

/// A driver with `count` devices, and the devices.
fn start(count: u32) -> (FakeDriver, Vec<Arc<dyn Device>>) {
    let driver = FakeDriver::start(count).unwrap();
    (driver, discover().devices.into_values().collect())
}

/// A driver with one device, and the device.
fn one() -> (FakeDriver, Arc<dyn Device>) {
    let (driver, mut devices) = start(1);
    (driver, devices.remove(0))
}

fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|i| ((i % 11 + i % 439 + i % 1103) & 255) as u8).collect()
}

/// An allocation that holds `bytes`.
fn holding(device: &dyn Device, bytes: &[u8]) -> MemoryId {
    let memory = device.allocate(bytes.len() as u64).unwrap();
    device.write(memory, 0, bytes).unwrap();
    memory
}

fn contents(device: &dyn Device, memory: MemoryId, len: usize) -> Vec<u8> {
    let mut bytes = vec![0x5C; len];
    device.read(memory, 0, &mut bytes).unwrap();
    bytes
}

#[test]
fn what_is_written_is_read_and_everything_is_given_back() {
    let (driver, devices) = start(2);
    let free = devices[1].capacity().unwrap().free_bytes;
    for len in [1, MIB - 1, MIB, MIB + 1, 2 * MIB, 5 * MIB + 7] {
        let bytes = pattern(len);
        let memory = holding(&*devices[1], &bytes);
        assert!(contents(&*devices[1], memory, len) == bytes, "{len} bytes");
        assert_eq!(devices[1].capacity().unwrap().free_bytes, free - len as u64);
        let middle = len / 3;
        devices[1].write(memory, middle as u64, &bytes[..len - middle]).unwrap();
        let moved = [&bytes[..middle], &bytes[..len - middle]].concat();
        assert!(contents(&*devices[1], memory, len) == moved, "{len} bytes at an offset");
        devices[1].free(memory).unwrap();
        assert_eq!(devices[1].capacity().unwrap().free_bytes, free);
    }
    assert_eq!(devices[0].allocate(0).unwrap_err().code(), DriverError::INVALID_VALUE);
    devices[0].synchronize().unwrap();
    drop(devices);
    assert_eq!(driver.leaks(), Leaks::default());
}

#[test]
fn an_access_that_leaves_the_allocation_is_refused_before_the_driver_hears_of_it() {
    proves!("MS-002", "MS-006");
    const LEN: usize = 64;
    let (driver, device) = one();
    let before = holding(&*device, &[0x11; LEN]);
    let memory = holding(&*device, &[0x22; LEN]);
    let after = holding(&*device, &[0x33; LEN]);
    let refused: [(u64, usize); 9] = [
        (0, LEN + 1),
        (32, 33),
        (64, 1),
        (65, 0),
        (128, 8),
        (1 << 32, 1),
        (u64::MAX, 1),
        (u64::MAX - 3, 8),
        (u64::MAX - 63, 64),
    ];
    driver.clear_calls();
    for (offset, len) in refused {
        let mut target = vec![0x5C; len];
        let answers = [
            device.write(memory, offset, &vec![0xEE; len]).map_err(|error| (error.code(), error.function())),
            device.read(memory, offset, &mut target).map_err(|error| (error.code(), error.function())),
        ];
        let expected = ([Err::<(), _>((DriverError::INVALID_VALUE, None::<&str>)); 2], vec![0x5C; len]);
        check_on(CLASS, Stream::BoundsChecking, &format!("{len}_bytes_at_{offset}"), expected, (answers, target));
    }
    check_on(CLASS, Stream::BoundsChecking, "refused_before_the_driver_is_called", [""; 0], driver.calls());
    let held = [before, memory, after].map(|memory| contents(&*device, memory, LEN));
    assert_eq!(held, [[0x11; LEN], [0x22; LEN], [0x33; LEN]]);
    for (offset, len) in [(0, LEN), (63, 1), (64, 0)] {
        let mut target = vec![0x5C; len];
        device.write(memory, offset, &vec![0xEE; len]).unwrap();
        device.read(memory, offset, &mut target).unwrap();
        assert_eq!(target, vec![0xEE; len]);
    }
}

#[test]
fn memory_that_is_not_known_is_refused_by_every_operation() {
    proves!("MS-002", "MS-004");
    let (_driver, devices) = start(2);
    let freed = holding(&*devices[0], &[1; 16]);
    devices[0].free(freed).unwrap();
    let foreign = holding(&*devices[1], &[2; 16]);
    let device = &devices[0];
    for (case, memory) in [("freed", freed), ("foreign", foreign)] {
        let answers = [
            device.allocation_facts(memory).map(drop),
            device.write(memory, 0, &[1]),
            device.read(memory, 0, &mut [0]),
            device.overwrite(memory),
            device.free(memory),
            device.tree(memory).map(drop),
            device.tree_digest(memory).map(drop),
            device.probe(memory).map(drop),
            device.address(memory).map(drop),
        ];
        let codes = answers.map(|answer| answer.map_err(|error| error.code()));
        let expected = [Err::<(), _>(DriverError::INVALID_VALUE); 9];
        check_on(CLASS, Stream::CudaOperations, &format!("operations_on_{case}_memory"), expected, codes);
    }
    assert_eq!(contents(&*devices[1], foreign, 16), [2; 16]);
}

#[test]
fn the_tree_over_device_memory_is_the_one_that_the_host_computes() {
    let (_driver, device) = one();
    for len in [1, 4095, 4096, 4097, 524_287, 524_288, 524_289, 5 * MIB + 4097] {
        let bytes = pattern(len);
        let memory = holding(&*device, &bytes);
        let mut hasher = TreeHasher::new();
        hasher.update(&bytes);
        let expected = hasher.finish();
        assert!(device.tree(memory).unwrap() == expected, "{len} bytes");
        assert_eq!(device.tree_digest(memory).unwrap().as_bytes(), expected.digest().as_bytes(), "{len} bytes");
        device.free(memory).unwrap();
    }
}

#[test]
fn a_bit_that_flips_in_device_memory_changes_the_digest_and_the_tree_names_its_block() {
    let (driver, device) = one();
    let memory = holding(&*device, &pattern(MIB));
    let (digest, tree) = (device.tree_digest(memory).unwrap(), device.tree(memory).unwrap());
    let allocation = driver.allocations().into_iter().find(|one| one.bytes == MIB as u64).unwrap();
    driver.flip_bit(allocation.number, 4096 * 200 + 17, 3).unwrap();
    assert_ne!(device.tree_digest(memory).unwrap().as_bytes(), digest.as_bytes());
    assert_eq!(device.tree(memory).unwrap().differing_blocks(&tree), [200]);
}

#[test]
fn an_overwrite_leaves_zeros_and_looks_at_them() {
    proves!("00§3.2");
    let (driver, device) = one();
    let weights = b"weights that nobody else shall read".repeat(100_000);
    let memory = holding(&*device, &weights);
    assert!(driver.memory_holds(0, &weights[..64]));
    driver.clear_calls();
    device.overwrite(memory).unwrap();
    let calls = driver.calls();
    // A worker's kernels are done before the first byte changes, the zeros are there before the look.
    let steps = ["cuMemsetD8_v2", "cuCtxSynchronize", "cuLaunchKernel"];
    let done: Vec<&str> = calls.iter().map(String::as_str).filter(|called| steps.contains(called)).collect();
    let expected = ["cuCtxSynchronize", "cuMemsetD8_v2", "cuMemsetD8_v2", "cuCtxSynchronize", "cuLaunchKernel"];
    assert_eq!(done, expected);
    let left = contents(&*device, memory, weights.len()).iter().filter(|byte| **byte != 0).count();
    device.free(memory).unwrap();
    let held = driver.memory_holds(0, &weights[..64]);
    check_on(CLASS, Stream::CudaOperations, "left_in_overwritten_and_freed_memory", (0, false), (left, held));
}

#[test]
fn the_staging_area_holds_nothing_after_a_copy() {
    for len in [1, MIB - 1, MIB, MIB + 1, 2 * MIB, 5 * MIB + 7] {
        let (driver, device) = one();
        let memory = holding(&*device, &vec![0xEE; len]);
        assert!(!driver.pinned_holds_data(), "{len} bytes written");
        contents(&*device, memory, len);
        assert!(!driver.pinned_holds_data(), "{len} bytes read");
        device.free(memory).unwrap();
        drop(device);
        assert_eq!(driver.leaks(), Leaks::default(), "{len} bytes");
    }
}

#[test]
fn facts_are_those_that_the_driver_reports() {
    let driver = FakeDriver::start(2).unwrap();
    driver.set_name(1, "Second").unwrap();
    driver.set_uuid(1, *b"0123456789abcdef").unwrap();
    driver.set_capacity(1, 3 << 30, 1 << 30).unwrap();
    let devices: Vec<_> = discover().devices.into_values().collect();
    let facts = devices[1].facts().unwrap();
    assert_eq!((facts.index, facts.class, facts.name.as_str()), (1, DeviceClass::FakeDriver, "Second"));
    assert_eq!(facts.uuid.as_bytes(), b"0123456789abcdef");
    assert_eq!((facts.total_bytes, facts.compute_capability), (3 << 30, Some((9, 0))));
    assert_eq!(devices[1].capacity().unwrap().total_bytes, 3 << 30);
    assert!(devices[1].capacity().unwrap().free_bytes < 2 << 30);
    assert!(facts.driver_version.unwrap().starts_with("CUDA "));
    // What only the management library knows is not found out: it knows nothing of these devices.
    assert_eq!((facts.ecc_errors, facts.compute_processes), (None, None));
    assert_eq!((facts.mig_enabled, facts.confidential_computing), (None, None));

    let changed = |attribute, value| {
        driver.set_attribute(0, attribute, value).unwrap();
        devices[0].facts().unwrap()
    };
    assert!(!devices[0].facts().unwrap().integrated && changed(FakeAttribute::Integrated, 1).integrated);
    assert!(!changed(FakeAttribute::CanMapHostMemory, 0).can_map_host_memory);
    assert!(!changed(FakeAttribute::UnifiedAddressing, 0).unified_addressing);
    assert!(!changed(FakeAttribute::ManagedMemory, 0).managed_memory);
    assert!(changed(FakeAttribute::PageableMemoryAccess, 1).pageable_memory_access);
    assert!(!changed(FakeAttribute::ConcurrentManagedAccess, 0).concurrent_managed_access);
    assert!(
        changed(FakeAttribute::PageableMemoryAccessUsesHostPageTables, 1).pageable_memory_access_uses_host_page_tables
    );
    assert_eq!(changed(FakeAttribute::ComputeCapabilityMajor, 12).compute_capability, Some((12, 0)));
    assert_eq!(changed(FakeAttribute::ComputeCapabilityMinor, 1).compute_capability, Some((12, 1)));
    assert_eq!(changed(FakeAttribute::EccEnabled, 1).ecc_mode, EccMode::Enabled);
    assert_eq!(changed(FakeAttribute::EccEnabled, 0).ecc_mode, EccMode::Unknown);
    assert_eq!(changed(FakeAttribute::TccDriver, 1).driver_model, DriverModel::Tcc);
}

#[test]
fn an_allocation_is_asked_about_at_both_its_ends() {
    let (driver, devices) = start(2);
    let memory = devices[1].allocate(1000).unwrap();
    let truth = AllocationFacts {
        requested_bytes: 1000,
        memory_type: MemoryType::Device,
        is_managed: false,
        has_host_pointer: false,
        device_ordinal: 1,
        range_offset_bytes: 0,
        range_bytes: 1000,
    };
    assert_eq!(devices[1].allocation_facts(memory).unwrap(), truth);
    devices[1].free(memory).unwrap();
    for from in [0, 999] {
        let whole = from == 0;
        let unlike = [
            (FakePointer::MemoryType, 1, AllocationFacts { memory_type: MemoryType::Host, ..truth.clone() }),
            (FakePointer::MemoryType, 4, AllocationFacts { memory_type: MemoryType::Unified, ..truth.clone() }),
            (FakePointer::MemoryType, 77, AllocationFacts { memory_type: MemoryType::Unknown, ..truth.clone() }),
            (FakePointer::IsManaged, 1, AllocationFacts { is_managed: true, ..truth.clone() }),
            (FakePointer::HostPointer, 64, AllocationFacts { has_host_pointer: true, ..truth.clone() }),
            (
                FakePointer::DeviceOrdinal,
                0,
                AllocationFacts { device_ordinal: if whole { 0 } else { u32::MAX }, ..truth.clone() },
            ),
            (FakePointer::RangeSize, 999, AllocationFacts { range_bytes: 999, ..truth.clone() }),
            (
                FakePointer::RangeStart,
                512,
                AllocationFacts {
                    range_offset_bytes: if whole { 512 } else { 0 },
                    range_bytes: if whole { 1000 } else { 0 },
                    ..truth.clone()
                },
            ),
        ];
        for (attribute, value, expected) in unlike {
            driver.next_allocation(1000);
            driver.pretend(FakeDriver::NEXT, from, attribute, value).unwrap();
            let memory = devices[1].allocate(1000).unwrap();
            assert_eq!(devices[1].allocation_facts(memory).unwrap(), expected, "{attribute:?} from {from}");
            devices[1].free(memory).unwrap();
        }
    }
}

#[test]
fn the_probe_reaches_every_chunk_and_finds_a_tail_in_host_memory() {
    let (driver, device) = one();
    let bytes = 5 * PROBE_CHUNK_BYTES + 1;
    let memory = device.allocate(bytes).unwrap();
    let probe = device.probe(memory).unwrap();
    assert_eq!((probe.chunk_bytes, probe.chunks), (PROBE_CHUNK_BYTES, 6));
    assert!(probe.device_control_cycles < probe.threshold_cycles() && probe.slowest_cycles < probe.threshold_cycles());
    assert!(probe.threshold_cycles() < probe.host_control_cycles);
    device.free(memory).unwrap();

    for (tail, chunks) in [(1, 5..=5), (PROBE_CHUNK_BYTES + 1, 4..=5), (bytes, 0..=5)] {
        driver.next_allocation(bytes);
        driver.tail_in_host(FakeDriver::NEXT, tail).unwrap();
        let hooked = device.allocate(bytes).unwrap();
        let facts = device.allocation_facts(hooked).unwrap();
        assert_eq!((facts.memory_type, facts.range_bytes), (MemoryType::Device, bytes), "the attributes lie");
        let probe = device.probe(hooked).unwrap();
        assert!(probe.slowest_cycles >= probe.threshold_cycles(), "a tail of {tail} bytes");
        assert!(chunks.contains(&probe.slowest_chunk), "a tail of {tail} bytes in chunk {}", probe.slowest_chunk);
        device.free(hooked).unwrap();
    }
}

#[test]
fn many_threads_share_a_device() {
    let (driver, device) = one();
    thread::scope(|scope| {
        for thread in 1..=8_u8 {
            let device = &device;
            scope.spawn(move || {
                for _ in 0..10 {
                    let bytes = vec![thread; 70_000];
                    let memory = holding(&**device, &bytes);
                    let digest = device.tree_digest(memory).unwrap();
                    assert_eq!(digest.as_bytes(), content_digest::tree_digest(&bytes).as_bytes());
                    assert!(contents(&**device, memory, bytes.len()) == bytes);
                    device.overwrite(memory).unwrap();
                    device.free(memory).unwrap();
                }
            });
        }
    });
    drop(device);
    assert_eq!(driver.leaks(), Leaks::default());
}

#[test]
fn memory_that_is_freed_while_it_is_used_is_freed_afterwards() {
    let (driver, device) = one();
    let bytes = pattern(3 * MIB);
    for _ in 0..5 {
        let memory = holding(&*device, &bytes);
        thread::scope(|scope| {
            scope.spawn(|| match device.tree_digest(memory) {
                Ok(digest) => assert_eq!(digest.as_bytes(), content_digest::tree_digest(&bytes).as_bytes()),
                Err(error) => assert_eq!(error.code(), DriverError::INVALID_VALUE),
            });
            scope.spawn(|| device.free(memory).unwrap());
        });
    }
    drop(device);
    assert_eq!(driver.leaks(), Leaks::default());
}

#[test]
fn an_operation_leaves_the_context_that_was_current_as_it_was() {
    let (_driver, devices) = start(2);
    let memory = holding(&*devices[0], &[1; 100]);
    let _worker = cust::context::Context::new(cust::device::Device::get_device(1).unwrap()).unwrap();
    let current = || cust::context::CurrentContext::get_device().unwrap().as_raw();
    assert_eq!(current(), 1);
    devices[0].tree_digest(memory).unwrap();
    devices[0].overwrite(memory).unwrap();
    devices[0].write(memory, 7, &[1; 100]).unwrap_err();
    devices[0].free(memory).unwrap();
    assert_eq!(current(), 1);
    drop(devices);
    assert_eq!(current(), 1);
}
