//! Whole decisions for machines as they are found: a change to any word of them is seen in review.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use facts::{
    AllocationFacts, Capacity, DeviceClass, DeviceFacts, DeviceUuid, DriverModel, EccMode, MemoryType, ProbeFacts,
};
use insta::assert_json_snapshot;
use policy::PolicyRecord;

/// A discrete data-centre GPU under Linux.
fn h100() -> DeviceFacts {
    DeviceFacts {
        index: 0,
        class: DeviceClass::Gpu,
        name: "NVIDIA H100 80GB HBM3".to_owned(),
        uuid: DeviceUuid::from_bytes(*b"h100h100h100h100"),
        total_bytes: 85_017_624_576,
        driver_version: Some("580.65.06".to_owned()),
        driver_model: DriverModel::Linux,
        compute_capability: Some((9, 0)),
        integrated: false,
        unified_addressing: true,
        managed_memory: true,
        concurrent_managed_access: true,
        pageable_memory_access: false,
        pageable_memory_access_uses_host_page_tables: false,
        can_map_host_memory: true,
        ecc_mode: EccMode::Enabled,
        ecc_errors: None,
        mig_enabled: Some(false),
        compute_processes: None,
        confidential_computing: Some(false),
    }
}

/// A board whose GPU shares the host's memory.
fn jetson() -> DeviceFacts {
    DeviceFacts { name: "Orin".to_owned(), integrated: true, compute_capability: Some((8, 7)), ..h100() }
}

/// A part that is coherent with the host's memory.
fn gh200() -> DeviceFacts {
    DeviceFacts {
        name: "NVIDIA GH200 480GB".to_owned(),
        pageable_memory_access: true,
        pageable_memory_access_uses_host_page_tables: true,
        ..h100()
    }
}

/// A GPU in a Windows machine, seen from WSL2.
fn wsl2() -> DeviceFacts {
    DeviceFacts {
        name: "NVIDIA GeForce RTX 4090".to_owned(),
        driver_model: DriverModel::Wddm,
        concurrent_managed_access: false,
        compute_capability: Some((8, 9)),
        ecc_mode: EccMode::Disabled,
        ..h100()
    }
}

fn simulated() -> DeviceFacts {
    DeviceFacts { name: "Simulated GPU".to_owned(), class: DeviceClass::Simulated, driver_version: None, ..h100() }
}

/// Weights of 4 MiB on `device`, as a driver reports memory of its own.
fn with_weights(device: DeviceFacts) -> PolicyRecord {
    PolicyRecord {
        device,
        allocations: vec![AllocationFacts {
            requested_bytes: 4 << 20,
            memory_type: MemoryType::Device,
            is_managed: false,
            has_host_pointer: false,
            device_ordinal: 0,
            range_offset_bytes: 0,
            range_bytes: 4 << 20,
        }],
        probe: None,
        capacity: None,
        requested_bytes: 0,
        ordinal: 0,
    }
}

/// A probe of those weights whose second chunk answers in `cycles`.
fn probe(cycles: u64) -> Option<ProbeFacts> {
    Some(ProbeFacts {
        chunk_bytes: 2 << 20,
        chunks: 2,
        slowest_chunk: 1,
        slowest_cycles: cycles,
        device_control_cycles: 700,
        host_control_cycles: 2500,
    })
}

#[test]
fn an_h100_with_weights_is_enforced() {
    assert_json_snapshot!(with_weights(h100()).judge());
}

#[test]
fn an_h100_without_weights_is_unproven() {
    assert_json_snapshot!(PolicyRecord { allocations: Vec::new(), ..with_weights(h100()) }.judge());
}

#[test]
fn an_h100_that_is_asked_for_too_much_is_violated() {
    let record = PolicyRecord {
        allocations: Vec::new(),
        capacity: Some(Capacity { total_bytes: 85_017_624_576, free_bytes: 1 << 30 }),
        requested_bytes: 1 << 31,
        ..with_weights(h100())
    };
    assert_json_snapshot!(record.judge());
}

#[test]
fn an_h100_whose_allocator_was_hooked_is_violated_by_its_tail() {
    assert_json_snapshot!(PolicyRecord { probe: probe(2400), ..with_weights(h100()) }.judge());
}

#[test]
fn managed_memory_on_an_h100_is_violated() {
    let mut record = with_weights(h100());
    record.allocations[0] = AllocationFacts {
        memory_type: MemoryType::Unified,
        is_managed: true,
        has_host_pointer: true,
        ..record.allocations[0].clone()
    };
    assert_json_snapshot!(record.judge());
}

#[test]
fn an_integrated_board_is_violated() {
    assert_json_snapshot!(with_weights(jetson()).judge());
}

#[test]
fn a_coherent_part_is_violated_without_a_probe() {
    assert_json_snapshot!(with_weights(gh200()).judge());
}

#[test]
fn a_coherent_part_is_enforced_by_a_probe_that_passes() {
    assert_json_snapshot!(PolicyRecord { probe: probe(720), ..with_weights(gh200()) }.judge());
}

#[test]
fn wsl2_is_violated_without_a_probe() {
    assert_json_snapshot!(with_weights(wsl2()).judge());
}

#[test]
fn the_simulated_device_is_simulated() {
    assert_json_snapshot!(PolicyRecord { probe: probe(700), ..with_weights(simulated()) }.judge());
}
