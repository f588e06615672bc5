//! Where memory is not what it seems: each trap that the driver's facts or a probe give away, through the backend for GPUs over a
//! fake driver that says so.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;

use cuda_ffi::{FakeAttribute, FakeDriver, FakePointer};
use evidence::{Stream, check_on};
use serde_json::{Value, json};
use vram_residency::{MemorySink, VramConfig, VramError, VramManager};

/// Four probed chunks and a bit.
const BYTES: usize = (8 << 20) + 100;

struct Trap {
    manager: VramManager,
    /// Dropped last: the next test begins with that.
    driver: FakeDriver,
}

impl Trap {
    /// A worker on a fake driver's device that `set` made what it is.
    fn on(set: impl FnOnce(&FakeDriver)) -> Self {
        let driver = FakeDriver::start(2).unwrap();
        set(&driver);
        let manager = VramManager::require_gpu(VramConfig::default().audit(Arc::new(MemorySink::new()))).unwrap();
        Self { manager, driver }
    }

    /// Seals a shard on the first device, and says what came of it: no broken rule, or those that are named.
    fn seal(&self) -> Value {
        broken(self.manager.seal_model(&vec![0x42; BYTES], 0).map(drop))
    }

    /// The same, of memory that `set` makes what it is.
    fn seal_in(&self, set: impl FnOnce(&FakeDriver)) -> Value {
        self.driver.next_allocation(BYTES as u64);
        set(&self.driver);
        self.seal()
    }

    /// What is left on the devices by now, weights among it.
    fn left(&self) -> (usize, bool) {
        let weights = self.driver.memory_holds(0, &[0x42; 64]);
        (self.driver.allocations().iter().filter(|allocation| allocation.bytes == BYTES as u64).count(), weights)
    }
}

fn broken(result: Result<(), VramError>) -> Value {
    match result {
        Ok(()) => json!([]),
        Err(VramError::PolicyViolated { rules, .. }) => json!(rules),
        Err(other) => json!(other.to_string()),
    }
}

fn check(operation: &str, expected: Value, observed: Value) {
    check_on("fake-driver", Stream::PolicyEnforcement, operation, expected, observed);
}

#[test]
fn abilities_of_the_device_alone_break_no_rule() {
    for (case, attribute) in [
        ("unified_addressing", FakeAttribute::UnifiedAddressing),
        ("managed_memory", FakeAttribute::ManagedMemory),
        ("concurrent_managed_access", FakeAttribute::ConcurrentManagedAccess),
        ("pageable_memory_access", FakeAttribute::PageableMemoryAccess),
        ("can_map_host_memory", FakeAttribute::CanMapHostMemory),
    ] {
        for value in [0, 1] {
            let trap = Trap::on(|driver| driver.set_attribute(0, attribute, value).unwrap());
            check(&format!("{case}_{value}"), json!([]), trap.seal());
        }
    }
}

#[test]
fn an_integrated_device_is_refused_and_keeps_no_weights() {
    let trap = Trap::on(|driver| driver.set_attribute(0, FakeAttribute::Integrated, 1).unwrap());
    check("integrated", json!(["VP-002"]), trap.seal());
    assert_eq!(trap.left(), (0, false));
}

#[test]
fn memory_that_the_driver_calls_another_is_refused_and_keeps_no_weights() {
    let end = BYTES as u64 - 1;
    for (case, from, what, value, rule) in [
        ("host_memory", 0, FakePointer::MemoryType, 1, "VP-001"),
        ("unified_memory_type", 0, FakePointer::MemoryType, 4, "VP-001"),
        ("host_memory_at_the_last_byte", end, FakePointer::MemoryType, 1, "VP-001"),
        ("managed", 0, FakePointer::IsManaged, 1, "VP-002"),
        ("managed_at_the_last_byte", end, FakePointer::IsManaged, 1, "VP-002"),
        ("host_pointer", 0, FakePointer::HostPointer, 1, "VP-003"),
        ("host_pointer_at_the_last_byte", end, FakePointer::HostPointer, 1, "VP-003"),
        ("another_device", 0, FakePointer::DeviceOrdinal, 1, "VP-001"),
        ("another_device_at_the_last_byte", end, FakePointer::DeviceOrdinal, 1, "VP-001"),
        ("short_range", 0, FakePointer::RangeSize, end, "VP-001"),
    ] {
        let trap = Trap::on(|_| ());
        let observed = trap.seal_in(|driver| driver.pretend(FakeDriver::NEXT, from, what, value).unwrap());
        check(case, json!([rule]), observed);
        assert_eq!(trap.left(), (0, false), "{case}");
    }
}

#[test]
fn a_tail_in_host_memory_that_no_attribute_tells_of_is_found_by_the_probe() {
    for tail in [1_u64 << 21, 3 << 20, BYTES as u64 - 1] {
        let trap = Trap::on(|_| ());
        let observed = trap.seal_in(|driver| driver.tail_in_host(FakeDriver::NEXT, tail).unwrap());
        check(&format!("tail_of_{tail}_bytes_in_host_memory"), json!(["VP-005"]), observed);
        assert_eq!(trap.left(), (0, false));
    }
}

#[test]
fn a_tail_that_moves_to_host_memory_after_the_seal_is_found_before_the_next_execution() {
    let trap = Trap::on(|_| ());
    let shard = trap.manager.seal_model(&vec![0x42; BYTES], 0).unwrap();
    trap.manager.verify_sealed(&shard).unwrap();
    let weights = trap.driver.allocations().into_iter().find(|allocation| allocation.bytes == BYTES as u64).unwrap();
    trap.driver.tail_in_host(weights.number, 1 << 21).unwrap();
    let observed = broken(trap.manager.verify_for_execute(&shard).map(drop));
    check("tail_moved_after_the_seal", json!(["VP-005"]), observed);
    trap.manager.release(&shard).unwrap();
    assert_eq!(trap.left(), (0, false));
}

#[test]
fn a_coherent_device_is_refused_without_a_probe_and_passes_by_one() {
    let coherent = |driver: &FakeDriver| {
        driver.set_attribute(0, FakeAttribute::PageableMemoryAccessUsesHostPageTables, 1).unwrap();
    };
    let trap = Trap::on(coherent);
    // Without a shard there is nothing to probe.
    let idle = broken(trap.manager.enforce_vram_only_policy().map(drop));
    let trap = {
        drop(trap);
        Trap::on(coherent)
    };
    let sealed = trap.seal();
    let trap = {
        drop(trap);
        Trap::on(coherent)
    };
    let spilled = trap.seal_in(|driver| driver.tail_in_host(FakeDriver::NEXT, 1 << 21).unwrap());
    let observed = json!({"without a shard": idle, "probed": sealed, "probed, with a tail in host memory": spilled});
    let expected =
        json!({"without a shard": ["VP-005"], "probed": [], "probed, with a tail in host memory": ["VP-005"]});
    check("coherent_device", expected, observed);
}
