//! Facts survive JSON unchanged, under the names that recorded evidence uses, and hold no address.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use facts::{
    AllocationFacts, Capacity, DeviceClass, DeviceFacts, DeviceUuid, DriverModel, EccErrors, EccMode, FactsError,
    MemoryType, ProbeFacts,
};
use serde_json::{Value, from_value, json, to_value};

fn device() -> DeviceFacts {
    DeviceFacts {
        index: 1,
        class: DeviceClass::FakeDriver,
        name: "Example".to_owned(),
        uuid: DeviceUuid::from_bytes(*b"\x01\x23\x45\x67\x89\xab\xcd\xef\x00\x11\x22\x33\x44\x55\x66\xff"),
        total_bytes: 1 << 36,
        driver_version: Some("580.65.06".to_owned()),
        driver_model: DriverModel::Wddm,
        compute_capability: Some((9, 0)),
        integrated: false,
        unified_addressing: true,
        managed_memory: true,
        concurrent_managed_access: false,
        pageable_memory_access: true,
        pageable_memory_access_uses_host_page_tables: false,
        can_map_host_memory: true,
        ecc_mode: EccMode::Enabled,
        ecc_errors: Some(EccErrors { corrected: 2, uncorrected: 1 }),
        mig_enabled: Some(false),
        compute_processes: Some(3),
        confidential_computing: None,
    }
}

const ALLOCATION: AllocationFacts = AllocationFacts {
    requested_bytes: 4096,
    memory_type: MemoryType::Device,
    is_managed: false,
    has_host_pointer: false,
    device_ordinal: 1,
    range_offset_bytes: 512,
    range_bytes: 2 << 20,
};

const PROBE: ProbeFacts = ProbeFacts {
    chunk_bytes: 2 << 20,
    chunks: 3,
    slowest_chunk: 2,
    slowest_cycles: 710,
    device_control_cycles: 700,
    host_control_cycles: 2500,
};

#[test]
fn device_facts_have_these_names_and_come_back_unchanged() {
    let written = to_value(device()).unwrap();
    let expected = json!({
        "index": 1,
        "class": "fake-driver",
        "name": "Example",
        "uuid": "GPU-01234567-89ab-cdef-0011-2233445566ff",
        "total_bytes": 68_719_476_736_u64,
        "driver_version": "580.65.06",
        "driver_model": "wddm",
        "compute_capability": [9, 0],
        "integrated": false,
        "unified_addressing": true,
        "managed_memory": true,
        "concurrent_managed_access": false,
        "pageable_memory_access": true,
        "pageable_memory_access_uses_host_page_tables": false,
        "can_map_host_memory": true,
        "ecc_mode": "enabled",
        "ecc_errors": {"corrected": 2, "uncorrected": 1},
        "mig_enabled": false,
        "compute_processes": 3,
        "confidential_computing": null,
    });
    assert_eq!(written, expected);
    assert_eq!(from_value::<DeviceFacts>(written).unwrap(), device());
}

#[test]
fn allocation_facts_have_these_names_and_none_is_an_address() {
    let written = to_value(ALLOCATION).unwrap();
    let expected = json!({
        "requested_bytes": 4096,
        "memory_type": "device",
        "is_managed": false,
        "has_host_pointer": false,
        "device_ordinal": 1,
        "range_offset_bytes": 512,
        "range_bytes": 2_097_152,
    });
    assert_eq!(written, expected);
    assert_eq!(from_value::<AllocationFacts>(written).unwrap(), ALLOCATION);
}

#[test]
fn probe_and_capacity_come_back_unchanged() {
    assert_eq!(from_value::<ProbeFacts>(to_value(PROBE).unwrap()).unwrap(), PROBE);
    let capacity = Capacity { total_bytes: u64::MAX, free_bytes: 1 };
    let written = to_value(capacity).unwrap();
    assert_eq!(written, json!({"total_bytes": u64::MAX, "free_bytes": 1}));
    assert_eq!(from_value::<Capacity>(written).unwrap(), capacity);
}

#[test]
fn a_missing_or_unknown_fact_is_an_error_and_not_a_default() {
    for fact in ["integrated", "pageable_memory_access_uses_host_page_tables", "uuid", "driver_model", "class"] {
        let mut written = to_value(device()).unwrap();
        written.as_object_mut().unwrap().remove(fact);
        assert!(from_value::<DeviceFacts>(written.clone()).is_err(), "{fact} is missing");
        written[fact] = json!("something else");
        assert!(from_value::<DeviceFacts>(written).is_err(), "{fact} is unknown");
    }
}

#[test]
fn the_probe_threshold_lies_midway_between_the_controls() {
    assert_eq!(PROBE.threshold_cycles(), 1600);
    let extreme = ProbeFacts { device_control_cycles: u64::MAX, host_control_cycles: u64::MAX, ..PROBE };
    assert_eq!(extreme.threshold_cycles(), u64::MAX);
}

#[test]
fn a_uuid_is_read_as_nvidia_smi_prints_it_and_nothing_else_is() {
    let text = "GPU-01234567-89ab-cdef-0011-2233445566ff";
    let uuid: DeviceUuid = text.parse().unwrap();
    assert_eq!(uuid, device().uuid);
    assert_eq!(format!("{uuid} {uuid:?}"), format!("{text} {text}"));
    assert_eq!(text.to_uppercase().parse::<DeviceUuid>(), Ok(uuid));
    assert!(DeviceUuid::from_bytes([0; 16]).is_zero());
    assert!(!DeviceUuid::from_bytes([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]).is_zero());

    let wrong = [
        "",
        "GPU-",
        "01234567-89ab-cdef-0011-2233445566ff",
        "MIG-01234567-89ab-cdef-0011-2233445566ff",
        "GPU-0123456789abcdef00112233445566ff",
        "GPU-01234567-89ab-cdef-0011-2233445566f",
        "GPU-01234567-89ab-cdef-0011-2233445566fff",
        "GPU-01234567-89ab-cdef-0011-2233445566fg",
        "GPU-01234567-89ab-cdef-0011-2233445566\u{e9}",
        "GPU-01234567-89ab-cdef-0011-2233445566ff-",
        "GPU-+1234567-89ab-cdef-0011-2233445566ff",
    ];
    for text in wrong {
        assert_eq!(text.parse::<DeviceUuid>(), Err(FactsError::DeviceUuid), "{text}");
        assert!(from_value::<DeviceUuid>(Value::from(text)).is_err(), "{text}");
    }
}

#[test]
fn classes_models_and_types_have_one_word_each_in_text_and_json() {
    let classes = [DeviceClass::Simulated, DeviceClass::FakeDriver, DeviceClass::Gpu];
    for (class, word) in classes.into_iter().zip(["simulated", "fake-driver", "gpu"]) {
        assert_eq!(class.to_string(), word);
        assert_eq!(word.parse(), Ok(class));
        assert_eq!(to_value(class).unwrap(), json!(word));
        assert_eq!(from_value::<DeviceClass>(json!(word)).unwrap(), class);
    }
    for model in [DriverModel::Linux, DriverModel::Tcc, DriverModel::Wddm, DriverModel::Unknown] {
        assert_eq!(to_value(model).unwrap(), json!(model.to_string()));
    }
    let types = [MemoryType::Device, MemoryType::Host, MemoryType::Array, MemoryType::Unified, MemoryType::Unknown];
    for memory_type in types {
        assert_eq!(to_value(memory_type).unwrap(), json!(memory_type.to_string()));
    }
    for text in ["", "GPU", "real", "simulated "] {
        assert_eq!(text.parse::<DeviceClass>(), Err(FactsError::DeviceClass), "{text:?}");
    }
}
