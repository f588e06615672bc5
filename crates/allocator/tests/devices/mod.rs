//! What holds for device memory on every kind of device: each function is a test's body. The files `on_*.rs` run them all.

pub(crate) mod copies;
pub(crate) mod lifetimes;
pub(crate) mod looks;

use std::any::Any;
use std::sync::Arc;

use allocator::{AllocatorError, DeviceAllocator, DeviceBuffer, Ledger};
use cuda_ffi::{Device, DriverError, MemoryId, discover_only};
use evidence::{Record, Stream, check_on};
use facts::DeviceClass;
use serde::Serialize;
use serde_json::json;
use validation::ModelSize;

pub(crate) const KIB: usize = 1 << 10;
pub(crate) const MIB: usize = 1 << 20;
/// A block of the fs-verity tree, in bytes.
pub(crate) const BLOCK: usize = 4096;

/// A device, with the books that an allocator keeps of it.
pub(crate) struct Bench {
    pub(crate) device: Arc<dyn Device>,
    pub(crate) ledger: Arc<Ledger>,
    allocator: DeviceAllocator,
    /// What has to stay as long as the device; the last to be dropped.
    _keep: Option<Box<dyn Any + Sync>>,
}

impl Bench {
    pub(crate) fn new(device: Arc<dyn Device>) -> Self {
        let ledger = Ledger::new(device.capacity().unwrap().free_bytes);
        let allocator = DeviceAllocator::new(Arc::clone(&device), Arc::clone(&ledger));
        Self { allocator, ledger, device, _keep: None }
    }

    /// Holds `what` until the device is gone.
    #[allow(dead_code, reason = "not every device needs it")]
    pub(crate) fn keeping(self, what: impl Any + Sync) -> Self {
        Self { _keep: Some(Box::new(what)), ..self }
    }

    pub(crate) fn class(&self) -> DeviceClass {
        self.device.facts().unwrap().class
    }

    /// Records what was expected and seen, under the device's class.
    #[track_caller]
    pub(crate) fn check(&self, stream: Stream, operation: &str, expected: impl Serialize, observed: impl Serialize) {
        check_on(self.class().as_str(), stream, operation, expected, observed);
    }

    /// The same with what was measured beside it and does not decide.
    #[track_caller]
    pub(crate) fn check_measured(
        &self,
        stream: Stream,
        operation: &str,
        measured: impl Serialize,
        expected: impl Serialize,
        observed: impl Serialize,
    ) {
        let record = Record::new(stream, operation).device(self.class().as_str()).field("measured", &measured);
        let recorded = record.observe(expected, observed);
        let observation = recorded.observation().clone();
        assert!(recorded.emit(), "{operation}: {observation:?}, measured {}", json!(measured));
    }

    pub(crate) fn buffer(&self, bytes: usize) -> Result<DeviceBuffer, AllocatorError> {
        self.allocator.allocate(ModelSize::parse(bytes as u64, u64::MAX).unwrap())
    }

    /// A buffer that holds `bytes`.
    pub(crate) fn holding(&self, bytes: &[u8]) -> DeviceBuffer {
        let buffer = self.buffer(bytes.len()).unwrap();
        buffer.write(0, bytes).unwrap();
        buffer
    }

    /// Memory straight from the device, without a buffer around it.
    pub(crate) fn raw(&self, bytes: usize) -> Result<MemoryId, DriverError> {
        self.device.allocate(bytes as u64)
    }

    /// Fails unless everything was given back.
    pub(crate) fn is_empty(&self) {
        let books = self.ledger.books();
        assert_eq!((books.used_bytes, books.quarantined_bytes), (0, 0));
    }
}

/// An index that the driver does not know is a device that cannot be opened, and says why; the one that is there goes on. There
/// is no driver to ask about a simulated device.
#[allow(dead_code, reason = "not every device has a driver")]
pub(crate) fn a_device_that_is_not_there_is_refused(bench: &Bench) {
    for index in [1_000, u32::MAX] {
        let refused = discover_only(&[index].into()).devices.remove(&index).map(|device| device.facts().unwrap_err());
        let cause = refused.map(|error| (error.function(), error.code()));
        let expected = Some((Some("cuDeviceGet"), 101));
        bench.check(
            Stream::CudaOperations,
            &format!("device_{index}"),
            (expected, true),
            (cause, bench.device.facts().is_ok()),
        );
    }
}

/// Bytes of which no two blocks are alike, and none is zero at its start.
pub(crate) fn pattern(bytes: usize, salt: usize) -> Vec<u8> {
    (0..bytes).map(|i| ((i % 11 + i % 439 + i % 1103 + salt) & 255) as u8 | u8::from(i % BLOCK == 0)).collect()
}

/// All that `memory` holds, `bytes` bytes.
pub(crate) fn held(device: &dyn Device, memory: MemoryId, bytes: usize) -> Vec<u8> {
    let mut held = vec![0x5C; bytes];
    device.read(memory, 0, &mut held).unwrap();
    held
}

/// Makes a test of every body, each on what `$bench` gives, with these attributes.
macro_rules! tests {
    ($bench:path $(, #[$attribute:meta])*) => {
        devices::tests!(@list $bench, [$(#[$attribute])*],
            copies::[
                write_and_read_at_offsets,
                writes_out_of_bounds_are_refused,
                reads_out_of_bounds_are_refused_and_leave_the_target_as_it_was,
                offsets_that_overflow_are_refused,
                zero_bytes_are_copied_anywhere_up_to_the_end,
                a_large_copy_arrives_whole,
                copies_of_any_length_arrive_whole,
                patterns_survive,
                threads_do_not_see_each_others_bytes,
            ]
            lifetimes::[
                sizes_from_one_byte_on_can_be_allocated,
                zero_bytes_cannot_be_allocated,
                more_than_there_is_cannot_be_allocated,
                many_small_allocations_lie_apart,
                the_books_follow_every_allocation,
                dropping_a_buffer_frees_its_memory,
                a_second_free_is_refused,
                freed_memory_is_known_to_no_operation,
                memory_of_another_device_is_refused,
                after_a_failed_allocation_the_next_one_succeeds,
                after_an_invalid_operation_the_next_one_succeeds,
                overwriting_leaves_zeros,
                freed_memory_holds_no_trace_of_its_last_owner,
            ]
            looks::[
                the_device_answers_and_says_what_it_is,
                capacity_is_told_and_is_possible,
                allocations_are_aligned_to_256_bytes,
                the_driver_says_where_an_allocation_lies,
                the_tree_is_the_one_that_the_host_makes,
                a_changed_bit_changes_the_digest_and_its_block_is_found,
                the_probe_reaches_every_chunk_and_finds_device_memory,
                no_text_holds_an_address,
            ]
        );
    };
    (@list $bench:path, $attributes:tt, $($module:ident :: [$($name:ident),* $(,)?])*) => {
        $($(devices::tests!(@one $bench, $attributes, $module, $name);)*)*
    };
    (@one $bench:path, [$(#[$attribute:meta])*], $module:ident, $name:ident) => {
        #[test]
        $(#[$attribute])*
        fn $name() {
            let bench = $bench();
            devices::$module::$name(&bench);
            bench.is_empty();
        }
    };
}
pub(crate) use tests;
