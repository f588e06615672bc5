//! The simulated device keeps the contract of a device, and its controls do what tests rely on.
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

use content_digest::tree_digest;
use cuda_ffi::{
    AllocationOverride, Device, DriverError, Fault, MemoryId, NoGpu, Operation, PROBE_CHUNK_BYTES, SimulatedConfig,
    SimulatedDevice, discover,
};
use evidence::{Stream, check_on, proves};
use facts::{AllocationFacts, Capacity, DeviceClass, DeviceFacts, DriverModel, MemoryType, ProbeFacts};

const KIB: u64 = 1024;

fn device(capacity_bytes: u64) -> Arc<SimulatedDevice> {
    SimulatedDevice::new(SimulatedConfig::default().capacity(capacity_bytes))
}

/// An allocation that holds `bytes`.
fn holding(device: &SimulatedDevice, bytes: &[u8]) -> MemoryId {
    let memory = device.allocate(bytes.len() as u64).unwrap();
    device.write(memory, 0, bytes).unwrap();
    memory
}

fn contents(device: &SimulatedDevice, memory: MemoryId, len: usize) -> Vec<u8> {
    let mut bytes = vec![0x5C; len];
    device.read(memory, 0, &mut bytes).unwrap();
    bytes
}

/// Calls `operation` once, with arguments that are right.
fn call(device: &SimulatedDevice, memory: MemoryId, operation: Operation) -> Result<(), DriverError> {
    match operation {
        Operation::Facts => device.facts().map(drop),
        Operation::Capacity => device.capacity().map(drop),
        Operation::Allocate => device.allocate(1).map(drop),
        Operation::AllocationFacts => device.allocation_facts(memory).map(drop),
        Operation::Write => device.write(memory, 0, &[1]),
        Operation::Read => device.read(memory, 0, &mut [0]),
        Operation::Overwrite => device.overwrite(memory),
        Operation::Free => device.free(memory),
        Operation::TreeDigest => device.tree_digest(memory).map(drop),
        Operation::Probe => device.probe(memory).map(drop),
        Operation::Address => device.address(memory).map(drop),
        Operation::Synchronize => device.synchronize(),
        Operation::Open => panic!("a device that is there was opened"),
    }
}

const ON_MEMORY: [Operation; 8] = [
    Operation::AllocationFacts,
    Operation::Write,
    Operation::Read,
    Operation::Overwrite,
    Operation::Free,
    Operation::TreeDigest,
    Operation::Probe,
    Operation::Address,
];

#[test]
fn test_bounds_checking_overflow() {
    proves!("MS-002");
    const LEN: usize = 64;
    let device = device(KIB);
    let before = holding(&device, &[0x11; LEN]);
    let memory = holding(&device, &[0x22; LEN]);
    let after = holding(&device, &[0x33; LEN]);

    let refused: [(&str, u64, usize); 10] = [
        ("end_one_past", 0, LEN + 1),
        ("end_one_past_from_the_middle", 32, 33),
        ("starts_at_the_end", 64, 1),
        ("starts_past_the_end", 65, 1),
        ("nothing_past_the_end", 65, 0),
        ("offset_of_the_next_allocation", 128, 8),
        ("offset_beyond_32_bits", 1 << 32, 1),
        ("largest_offset", u64::MAX, 1),
        ("end_wraps_to_the_middle", u64::MAX - 3, 8),
        ("end_wraps_to_zero", u64::MAX - 63, 64),
    ];
    for (case, offset, len) in refused {
        let mut target = vec![0x5C; len];
        let answers = [
            device.write(memory, offset, &vec![0xEE; len]).map_err(|error| error.code()),
            device.read(memory, offset, &mut target).map_err(|error| error.code()),
        ];
        let expected = ([Err::<(), _>(DriverError::INVALID_VALUE); 2], vec![0x5C; len]);
        check_on("simulated", Stream::BoundsChecking, case, expected, (answers, target));
    }
    let held = [before, memory, after].map(|memory| contents(&device, memory, LEN));
    let expected = [vec![0x11; LEN], vec![0x22; LEN], vec![0x33; LEN]];
    check_on("simulated", Stream::BoundsChecking, "refused_writes_change_nothing", expected, held);

    for (case, offset, len) in [("whole", 0, LEN), ("last_byte", 63, 1), ("nothing_at_the_end", 64, 0)] {
        let mut target = vec![0x5C; len];
        device.write(memory, offset, &vec![0xEE; len]).unwrap();
        device.read(memory, offset, &mut target).unwrap();
        check_on("simulated", Stream::BoundsChecking, case, vec![0xEE; len], target);
    }
}

#[test]
fn memory_that_is_not_known_is_refused_by_every_operation() {
    proves!("MS-002", "MS-004");
    let (one, other) = (device(KIB), SimulatedDevice::new(SimulatedConfig::for_index(1).capacity(KIB)));
    let freed = holding(&one, &[1; 16]);
    one.free(freed).unwrap();
    let foreign = holding(&other, &[2; 16]);
    let still_there = holding(&one, &[3; 16]);
    for (case, memory) in [("freed", freed), ("foreign", foreign)] {
        for operation in ON_MEMORY {
            let name = format!("{operation} on {case} memory");
            let answer = call(&one, memory, operation).map_err(|error| (error.operation() == operation, error.code()));
            check_on(
                "simulated",
                Stream::CudaOperations,
                &name,
                Err::<(), _>((true, DriverError::INVALID_VALUE)),
                answer,
            );
        }
    }
    assert_eq!(contents(&one, still_there, 16), [3; 16]);
    assert_eq!(contents(&other, foreign, 16), [2; 16]);
    assert_eq!(one.capacity().unwrap().free_bytes, KIB - 16, "a second free gives nothing back");
}

#[test]
fn capacity_is_enforced_and_exact() {
    let device = device(100);
    let code = |bytes| device.allocate(bytes).map(drop).map_err(|error| error.code());
    assert_eq!(code(0), Err(DriverError::INVALID_VALUE));
    assert_eq!(code(101), Err(DriverError::OUT_OF_MEMORY));
    assert_eq!(code(u64::MAX), Err(DriverError::OUT_OF_MEMORY));
    assert_eq!(device.capacity(), Ok(Capacity { total_bytes: 100, free_bytes: 100 }));
    let all = device.allocate(100).unwrap();
    assert_eq!(code(1), Err(DriverError::OUT_OF_MEMORY));
    assert_eq!(device.capacity(), Ok(Capacity { total_bytes: 100, free_bytes: 0 }));
    device.free(all).unwrap();
    assert_eq!(code(100), Ok(()));
}

#[test]
fn more_than_the_host_has_is_out_of_memory_and_gives_the_bytes_back() {
    let device = device(u64::MAX);
    let error = device.allocate(1 << 62).unwrap_err();
    assert!(error.is_out_of_memory());
    assert_eq!((device.capacity().unwrap().free_bytes, device.live_allocations()), (u64::MAX, 0));
}

#[test]
fn freeing_does_not_overwrite_so_that_kept_pages_show_who_did() {
    let device = device(KIB);
    device.keep_freed_pages(true);
    let fresh = device.allocate(8).unwrap();
    assert!(contents(&device, fresh, 8).iter().all(|byte| *byte != 0), "fresh memory is not cleared");
    let (wiped, left) = (holding(&device, &[7; 53]), holding(&device, &[9; 8]));
    device.overwrite(wiped).unwrap();
    device.free(wiped).unwrap();
    device.free(left).unwrap();
    assert_eq!(device.freed_pages(), [vec![0; 53], vec![9; 8]]);
    assert_eq!(device.memory_ids(), [fresh]);
    device.keep_freed_pages(false);
    device.free(fresh).unwrap();
    assert!(device.freed_pages().is_empty());
}

#[test]
fn every_operation_fails_once_at_the_call_that_was_asked_for() {
    for operation in Operation::ALL {
        let device = device(KIB);
        let memory: Vec<_> = (0..6).map(|_| holding(&device, &[1; 16])).collect();
        device.inject(Fault { operation, nth: 2, code: 719 });
        device.inject(Fault { operation, nth: 4, code: 2 });
        let codes: Vec<_> =
            memory.iter().map(|memory| call(&device, *memory, operation).map_err(|error| error.code())).collect();
        assert_eq!(codes, [Ok(()), Err(719), Ok(()), Err(2), Ok(()), Ok(())], "{operation}");
    }
}

#[test]
fn a_fault_strikes_its_operation_only_and_leaves_memory_as_it_was() {
    let device = device(KIB);
    let memory = holding(&device, &[1; 16]);
    for operation in [Operation::Write, Operation::Overwrite, Operation::Free, Operation::Allocate] {
        device.inject(Fault { operation, nth: 1, code: 999 });
    }
    assert_eq!(contents(&device, memory, 16), [1; 16]);
    assert!(device.write(memory, 0, &[2; 16]).is_err());
    assert!(device.overwrite(memory).is_err());
    assert!(device.free(memory).is_err());
    assert!(device.allocate(1).is_err());
    assert_eq!(contents(&device, memory, 16), [1; 16]);
    assert_eq!((device.live_allocations(), device.capacity().unwrap().free_bytes), (1, KIB - 16));
}

#[test]
fn two_faults_for_the_same_call_strike_one_after_the_other() {
    let device = device(KIB);
    device.inject(Fault { operation: Operation::Facts, nth: 1, code: 700 });
    device.inject(Fault { operation: Operation::Facts, nth: 1, code: 719 });
    device.inject(Fault { operation: Operation::Facts, nth: 0, code: 214 });
    let codes: Vec<_> = (0..4).map(|_| device.facts().map(drop).map_err(|error| error.code())).collect();
    assert_eq!(codes, [Err(700), Err(719), Err(214), Ok(())]);
}

#[test]
fn a_flipped_bit_is_one_bit_and_the_tree_names_its_block() {
    let device = device(64 * KIB);
    let bytes: Vec<u8> = (0..20_000_u32).map(|i| (i % 251) as u8).collect();
    let memory = holding(&device, &bytes);
    assert_eq!(device.tree_digest(memory).unwrap().as_bytes(), tree_digest(&bytes).as_bytes());
    let kept = device.tree(memory).unwrap();
    device.flip_bit(memory, 4096 * 8 * 3 + 5).unwrap();

    let mut expected = bytes;
    expected[4096 * 3] ^= 1 << 5;
    assert_eq!(contents(&device, memory, 20_000), expected);
    assert_eq!(device.tree(memory).unwrap().differing_blocks(&kept), [3]);
    assert_eq!(device.flip_bit(memory, 20_000 * 8).unwrap_err().code(), DriverError::INVALID_VALUE);
    device.flip_bit(memory, 20_000 * 8 - 1).unwrap();
}

#[test]
fn devices_differ_and_say_that_they_are_simulated() {
    let facts: Vec<DeviceFacts> =
        (0..3).map(|index| SimulatedDevice::new(SimulatedConfig::for_index(index)).facts().unwrap()).collect();
    for (index, facts) in (0..).zip(&facts) {
        assert_eq!((facts.index, facts.class, facts.total_bytes), (index, DeviceClass::Simulated, 8 << 30));
        assert!(!facts.uuid.is_zero());
    }
    assert!(facts[0].uuid != facts[1].uuid && facts[1].uuid != facts[2].uuid);
    assert_eq!(
        facts[1],
        SimulatedDevice::new(SimulatedConfig::for_index(1)).facts().unwrap(),
        "made from the index alone"
    );
    assert_eq!(device(77).facts().unwrap().total_bytes, 77);
}

#[test]
fn facts_can_be_changed_and_the_class_cannot() {
    let device = device(KIB);
    let memory = device.allocate(100).unwrap();
    let changed = DeviceFacts {
        class: DeviceClass::Gpu,
        integrated: true,
        driver_model: DriverModel::Wddm,
        pageable_memory_access_uses_host_page_tables: true,
        ..device.facts().unwrap()
    };
    device.set_device_facts(changed.clone());
    assert_eq!(device.facts().unwrap(), DeviceFacts { class: DeviceClass::Simulated, ..changed });

    let truth = AllocationFacts {
        requested_bytes: 100,
        memory_type: MemoryType::Device,
        is_managed: false,
        has_host_pointer: false,
        device_ordinal: 0,
        range_offset_bytes: 0,
        range_bytes: 100,
    };
    assert_eq!(device.allocation_facts(memory).unwrap(), truth);
    device.set_allocation_facts(Some(AllocationOverride {
        memory_type: Some(MemoryType::Host),
        is_managed: Some(true),
        has_host_pointer: Some(true),
        device_ordinal: Some(4),
        range_offset_bytes: Some(5),
        range_bytes: Some(6),
    }));
    let changed = AllocationFacts {
        requested_bytes: 100,
        memory_type: MemoryType::Host,
        is_managed: true,
        has_host_pointer: true,
        device_ordinal: 4,
        range_offset_bytes: 5,
        range_bytes: 6,
    };
    assert_eq!(device.allocation_facts(memory).unwrap(), changed);
    device.set_allocation_facts(None);
    assert_eq!(device.allocation_facts(memory).unwrap(), truth);
}

#[test]
fn a_probe_reaches_every_chunk_and_can_be_changed() {
    let device = device(8 * PROBE_CHUNK_BYTES);
    let memory = device.allocate(2 * PROBE_CHUNK_BYTES + 1).unwrap();
    let probe = device.probe(memory).unwrap();
    assert_eq!((probe.chunk_bytes, probe.chunks), (PROBE_CHUNK_BYTES, 3));
    assert!(probe.slowest_cycles < probe.threshold_cycles());
    let slow = ProbeFacts { slowest_chunk: 2, slowest_cycles: 9_999, ..probe.clone() };
    device.set_probe(Some(slow.clone()));
    assert_eq!(device.probe(memory).unwrap(), slow);
    device.set_probe(None);
    assert_eq!(device.probe(memory).unwrap(), probe);
}

#[test]
fn addresses_are_made_up_stay_the_same_and_do_not_overlap_at_their_starts() {
    let device = device(KIB);
    let (one, two) = (device.allocate(16).unwrap(), device.allocate(16).unwrap());
    let raw = |memory| device.address(memory).unwrap().as_raw();
    assert_eq!(raw(one), raw(one));
    assert_ne!(raw(one), raw(two));
    for address in [raw(one), raw(two)] {
        assert_eq!(address >> 55, 1, "no pointer of a program has these upper bits");
    }
}

#[test]
fn errors_name_operation_and_code_and_no_memory() {
    let error = device(KIB).allocate(2 * KIB).unwrap_err();
    let text = "could not allocate device memory: the driver says CUDA_ERROR_OUT_OF_MEMORY (2); \
                release a shard, or use a device with more memory";
    assert_eq!(error.to_string(), text);
    let names = [
        (1, "CUDA_ERROR_INVALID_VALUE", false),
        (34, "CUDA_ERROR_STUB_LIBRARY", false),
        (46, "CUDA_ERROR_DEVICE_UNAVAILABLE", true),
        (222, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION", false),
        (225, "CUDA_ERROR_UNSUPPORTED_DEVSIDE_SYNC", false),
        (226, "CUDA_ERROR_CONTAINED", true),
        (402, "CUDA_ERROR_LOSSY_QUERY", false),
        (721, "CUDA_ERROR_TENSOR_MEMORY_LEAK", true),
        (803, "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH", false),
        (810, "CUDA_ERROR_MPS_CLIENT_TERMINATED", true),
        (811, "CUDA_ERROR_CDP_NOT_SUPPORTED", false),
        (812, "CUDA_ERROR_CDP_VERSION_MISMATCH", false),
        (911, "CUDA_ERROR_EXTERNAL_DEVICE", true),
        (912, "CUDA_ERROR_INVALID_CLUSTER_SIZE", false),
        (913, "CUDA_ERROR_FUNCTION_NOT_LOADED", false),
        (914, "CUDA_ERROR_INVALID_RESOURCE_TYPE", false),
        (915, "CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION", false),
        (916, "CUDA_ERROR_KEY_ROTATION", false),
        (2, "CUDA_ERROR_OUT_OF_MEMORY", false),
        (100, "CUDA_ERROR_NO_DEVICE", true),
        (101, "CUDA_ERROR_INVALID_DEVICE", true),
        (214, "CUDA_ERROR_ECC_UNCORRECTABLE", true),
        (700, "CUDA_ERROR_ILLEGAL_ADDRESS", true),
        (717, "CUDA_ERROR_INVALID_ADDRESS_SPACE", true),
        (719, "CUDA_ERROR_LAUNCH_FAILED", true),
        (999, "CUDA_ERROR_UNKNOWN", true),
        (12_345, "CUDA_ERROR_UNKNOWN", true),
    ];
    for (code, name, lost) in names {
        let error = DriverError::new(Operation::Read, code);
        assert_eq!((error.code_name(), error.context_lost(), error.code()), (name, lost, code));
        assert!(error.to_string().contains(&format!("read device memory: the driver says {name} ({code})")));
        assert_eq!(error.is_out_of_memory(), code == 2, "{code}");
    }
}

#[test]
fn many_threads_share_a_device() {
    let device = device(64 * KIB);
    thread::scope(|scope| {
        for thread in 1..=8_u8 {
            let device = &device;
            scope.spawn(move || {
                for _ in 0..50 {
                    let bytes = vec![thread; 4 * KIB as usize];
                    let memory = holding(device, &bytes);
                    assert_eq!(device.tree_digest(memory).unwrap().as_bytes(), tree_digest(&bytes).as_bytes());
                    assert_eq!(contents(device, memory, bytes.len()), bytes);
                    device.free(memory).unwrap();
                }
            });
        }
    });
    assert_eq!((device.live_allocations(), device.capacity().unwrap().free_bytes), (0, 64 * KIB));
}

#[test]
fn looking_for_gpus_says_what_was_looked_at_and_why_there_is_none() {
    let found = discover();
    assert!(!found.seen.is_empty());
    if let NoGpu::NoDriver(missing) = &found.reason {
        assert!(found.devices.is_empty());
        assert!(missing.starts_with("libcuda.so.1: "), "{missing}");
        assert!(found.reason.to_string().starts_with("no CUDA driver: libcuda.so.1: "), "{}", found.reason);
    }
}
