//! Device buffers: what they hold, what they refuse, and what is left of them.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use allocator::{AllocatorError, Books, DeviceAllocator, DeviceBuffer, Ledger, ReleaseError};
use content_digest::tree_digest;
use cuda_ffi::{Device, DriverError, Fault, Operation, SimulatedConfig, SimulatedDevice};
use evidence::{Stream, check_on, proves};
use validation::{DEFAULT_MAX_MODEL_BYTES, ModelSize};

const CAPACITY: u64 = 1 << 22;

/// A simulated device with its ledger and allocator.
struct Bench {
    device: Arc<SimulatedDevice>,
    ledger: Arc<Ledger>,
    ledger_bytes: u64,
    allocator: DeviceAllocator,
}

/// Where a bench's bytes are, by its ledger and by its device.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
struct State {
    used_bytes: u64,
    quarantined_bytes: u64,
    available_bytes: u64,
    device_bytes: u64,
    live_allocations: usize,
}

impl Bench {
    fn new(device_bytes: u64, ledger_bytes: u64) -> Self {
        let device = SimulatedDevice::new(SimulatedConfig::for_index(2).capacity(device_bytes));
        let ledger = Ledger::new(ledger_bytes);
        let allocator = DeviceAllocator::new(device.clone(), Arc::clone(&ledger));
        Self { device, ledger, ledger_bytes, allocator }
    }

    fn allocate(&self, bytes: u64) -> Result<DeviceBuffer, AllocatorError> {
        self.allocator.allocate(ModelSize::parse(bytes, DEFAULT_MAX_MODEL_BYTES).unwrap())
    }

    /// A buffer that holds `bytes`.
    fn holding(&self, bytes: &[u8]) -> DeviceBuffer {
        let buffer = self.allocate(bytes.len() as u64).unwrap();
        buffer.write(0, bytes).unwrap();
        buffer
    }

    fn fail(&self, operation: Operation, code: u32) {
        self.device.inject(Fault { operation, nth: 1, code });
    }

    fn state(&self) -> State {
        let Books { used_bytes, quarantined_bytes, available_bytes, .. } = self.ledger.books();
        let capacity = self.device.capacity().unwrap();
        State {
            used_bytes,
            quarantined_bytes,
            available_bytes,
            device_bytes: capacity.total_bytes - capacity.free_bytes,
            live_allocations: self.device.live_allocations(),
        }
    }

    /// The state that is right when so many bytes are used and quarantined, in `live` allocations.
    fn right(&self, used_bytes: u64, quarantined_bytes: u64, live: usize) -> State {
        let device_bytes = used_bytes + quarantined_bytes;
        let available_bytes = self.ledger_bytes - device_bytes;
        State { used_bytes, quarantined_bytes, available_bytes, device_bytes, live_allocations: live }
    }
}

impl Default for Bench {
    fn default() -> Self {
        Self::new(CAPACITY, CAPACITY)
    }
}

fn contents(buffer: &DeviceBuffer) -> Vec<u8> {
    let mut bytes = vec![0x5C; buffer.len() as usize];
    buffer.read(0, &mut bytes).unwrap();
    bytes
}

#[track_caller]
fn cuda(case: &str, expected: impl serde::Serialize, observed: impl serde::Serialize) {
    check_on("simulated", Stream::CudaOperations, case, expected, observed);
}

#[track_caller]
fn bounds(case: &str, expected: impl serde::Serialize, observed: impl serde::Serialize) {
    check_on("simulated", Stream::BoundsChecking, case, expected, observed);
}

/// An error in words that a record can hold.
fn told<T>(result: Result<T, AllocatorError>) -> Result<(), String> {
    result.map(drop).map_err(|error| error.to_string())
}

#[test]
fn test_allocate_valid_size() {
    proves!("00§3.1");
    for bytes in [1, 4095, 4096, 4097, 1_000_003, CAPACITY] {
        let bench = Bench::default();
        let buffer = bench.allocate(bytes).unwrap();
        cuda("charged", bench.right(bytes, 0, 1), bench.state());
        let facts = buffer.facts().unwrap();
        let seen = (buffer.len(), facts.requested_bytes, facts.device_ordinal);
        cuda("length_and_device", (bytes, bytes, 2), seen);
        let data: Vec<u8> = (0..bytes).map(|i| (i % 251) as u8).collect();
        buffer.write(0, &data).unwrap();
        cuda("holds_what_was_written", tree_digest(&data).to_hex(), buffer.tree_digest().unwrap().to_hex());
        cuda("last_byte_is_there", data.last(), contents(&buffer).last());
    }
}

#[test]
fn test_drop_frees_memory() {
    proves!("00§3.2", "MS-005", "RP-005", "10§2.4");
    let bench = Bench::default();
    bench.device.keep_freed_pages(true);

    let (dropped, released) = (bench.holding(&[0xD1; 5000]), bench.holding(&[0xD2; 3000]));
    cuda("before_drop", bench.right(8000, 0, 2), bench.state());
    drop(dropped);
    cuda("after_drop", bench.right(3000, 0, 1), bench.state());
    cuda("release", true, released.release().is_ok());
    cuda("after_release", bench.right(0, 0, 0), bench.state());
    // What the driver would hand to the next owner: every byte, not a part of it, is zero.
    let left: Vec<_> = bench.device.freed_pages();
    cuda("freed_lengths", [5000, 3000], left.iter().map(Vec::len).collect::<Vec<_>>());
    cuda("bytes_left_in_freed_memory", 0, left.concat().iter().filter(|byte| **byte != 0).count());

    // A buffer keeps its device and its ledger alive, whoever else is gone.
    let Bench { device, ledger, allocator, .. } = Bench::default();
    device.keep_freed_pages(true);
    let last = allocator.allocate(ModelSize::parse(100, 100).unwrap()).unwrap();
    drop(allocator);
    drop(last);
    cuda("drop_without_an_allocator", (0, 0), (ledger.books().used_bytes, device.live_allocations()));
    cuda("never_written_and_overwritten_all_the_same", vec![vec![0; 100]], device.freed_pages());

    // A drop that fails does not panic; the memory is kept from everyone and its bytes are quarantined.
    let bench = Bench::default();
    bench.device.keep_freed_pages(true);
    let (kept, wiped) = (bench.holding(&[0xD3; 500]), bench.holding(&[0xD4; 700]));
    let wiped_memory = wiped.memory();
    bench.fail(Operation::Overwrite, 214);
    cuda("drop_without_overwrite_panics", false, catch_unwind(AssertUnwindSafe(|| drop(kept))).is_err());
    cuda("not_overwritten_so_not_freed", bench.right(700, 500, 2), bench.state());
    bench.fail(Operation::Free, 700);
    cuda("drop_without_free_panics", false, catch_unwind(AssertUnwindSafe(|| drop(wiped))).is_err());
    cuda("not_freed_so_quarantined", bench.right(0, 1200, 2), bench.state());
    cuda("nothing_was_freed", Vec::<Vec<u8>>::new(), bench.device.freed_pages());
    let mut left = vec![0x5C; 700];
    bench.device.read(wiped_memory, 0, &mut left).unwrap();
    cuda("overwritten_before_free_was_tried", vec![0; 700], left);
}

#[test]
fn a_release_that_fails_says_why_and_quarantines() {
    proves!("00§3.2", "MS-005");
    let bench = Bench::default();
    let (one, two) = (bench.holding(&[1; 10]), bench.holding(&[2; 20]));
    bench.fail(Operation::Overwrite, 719);
    let cause = DriverError::new(Operation::Overwrite, 719);
    assert_eq!(one.release(), Err(ReleaseError::Quarantined { bytes: 10, cause }));
    bench.fail(Operation::Free, 999);
    let cause = DriverError::new(Operation::Free, 999);
    assert_eq!(two.release(), Err(ReleaseError::FreeFailed { bytes: 20, cause }));
    cuda("both_quarantined", bench.right(0, 30, 2), bench.state());
}

#[test]
fn test_multiple_allocations() {
    proves!("00§3.3");
    let bench = Bench::default();
    let mut live: Vec<(u8, DeviceBuffer)> = Vec::new();
    let mut used = 0;
    for (fill, bytes) in (1..).zip([100_u64, 2000, 1, 4096, 65_537]) {
        live.push((fill, bench.holding(&vec![fill; bytes as usize])));
        used += bytes;
        cuda("after_allocation", bench.right(used, 0, live.len()), bench.state());
    }
    for position in [1, 3, 0, 1, 0] {
        let unmixed = live.iter().all(|(fill, buffer)| contents(buffer) == vec![*fill; buffer.len() as usize]);
        cuda("each_holds_its_own", true, unmixed);
        let (_, gone) = live.remove(position);
        used -= gone.len();
        gone.release().unwrap();
        cuda("after_release", bench.right(used, 0, live.len()), bench.state());
    }
    cuda("all_released", bench.right(0, 0, 0), bench.state());
}

#[test]
fn test_error_recovery_after_failed_allocation() {
    proves!("00§3.4", "VP-004");
    let bench = Bench::new(8000, 10_000);
    let kept = bench.holding(&[7; 6000]);
    let before = bench.state();
    let refused = |needed_bytes, available_bytes, cause| {
        Err::<(), _>(AllocatorError::InsufficientMemory { needed_bytes, available_bytes, cause }.to_string())
    };
    // By the ledger; the driver is not even asked.
    bench.fail(Operation::Allocate, 719);
    cuda("beyond_the_ledger", refused(4001, 4000, None), told(bench.allocate(4001)));
    cuda("ledger_as_before", before, bench.state());
    // By the driver: first the fault that was not used up, then memory that somebody else has.
    let failed = Err::<(), _>(DriverError::new(Operation::Allocate, 719).to_string());
    cuda("driver_failure", failed, told(bench.allocate(10)));
    cuda("ledger_as_before", before, bench.state());
    let said = DriverError::new(Operation::Allocate, DriverError::OUT_OF_MEMORY);
    cuda("beyond_the_device", refused(3000, 2000, Some(said.clone())), told(bench.allocate(3000)));
    cuda("ledger_as_before", before, bench.state());
    bench.fail(Operation::Allocate, DriverError::OUT_OF_MEMORY);
    bench.fail(Operation::Capacity, 999);
    cuda("device_that_cannot_even_count", refused(100, 4000, Some(said.clone())), told(bench.allocate(100)));
    cuda("ledger_as_before", before, bench.state());
    // Whatever fits goes on, and nothing happened to what was there.
    let next = bench.allocate(2000).unwrap();
    cuda("allocation_that_fits", bench.right(8000, 0, 2), bench.state());
    cuda("earlier_contents", tree_digest(&[7; 6000]).to_hex(), kept.tree_digest().unwrap().to_hex());
    drop((kept, next));
    cuda("all_back", bench.right(0, 0, 0), bench.state());
}

#[test]
fn test_available_vram_returns_value() {
    proves!("00§4.1", "10§1.3", "RP-001");
    let bench = Bench::default();
    let available = || bench.ledger.books().available_bytes;
    cuda("idle", CAPACITY, available());
    let one = bench.allocate(1000).unwrap();
    cuda("falls_by_the_size", CAPACITY - 1000, available());
    cuda("asking_changes_nothing", CAPACITY - 1000, available());
    let rest = bench.allocate(CAPACITY - 1000).unwrap();
    let books = bench.ledger.books();
    let seen = (books.capacity_bytes, books.used_bytes, books.available_bytes);
    cuda("full", (CAPACITY, CAPACITY, 0), seen);
    let refused = AllocatorError::InsufficientMemory { needed_bytes: 1, available_bytes: 0, cause: None };
    cuda("one_byte_beyond_capacity", Err::<(), _>(refused.to_string()), told(bench.allocate(1)));
    drop(one);
    cuda("rises_by_the_size", 1000, available());
    bench.fail(Operation::Overwrite, 214);
    drop(rest);
    cuda("quarantined_bytes_do_not_come_back", (0, CAPACITY - 1000, 1000), {
        let books = bench.ledger.books();
        (books.used_bytes, books.quarantined_bytes, books.available_bytes)
    });
    cuda("quarantined_bytes_are_not_handed_out", true, bench.allocate(1001).is_err());
    cuda("what_is_available_is_handed_out", true, bench.allocate(1000).is_ok());
}

#[test]
fn test_error_recovery_after_invalid_operation() {
    proves!("MS-004");
    let bench = Bench::default();
    let buffer = bench.holding(&[3; 64]);
    let before = bench.state();
    cuda("write_refused", true, buffer.write(60, &[9; 5]).is_err());
    cuda("read_refused", true, buffer.read(65, &mut []).is_err());
    type Run<'a> = &'a dyn Fn() -> Result<(), AllocatorError>;
    let operations: [(Operation, Run<'_>); 6] = [
        (Operation::Write, &|| buffer.write(0, &[3; 64])),
        (Operation::Read, &|| buffer.read(0, &mut [0; 64])),
        (Operation::TreeDigest, &|| buffer.tree_digest().map(drop)),
        (Operation::AllocationFacts, &|| buffer.facts().map(drop)),
        (Operation::Probe, &|| buffer.probe().map(drop)),
        (Operation::Address, &|| buffer.address().map(drop)),
    ];
    for (operation, run) in operations {
        bench.fail(operation, 1);
        let failed = Err::<(), _>(DriverError::new(operation, 1).to_string());
        cuda("failure_is_returned", failed, told(run()));
        cuda("and_the_next_call_succeeds", Ok::<_, String>(()), told(run()));
        cuda("contents_and_books", (vec![3; 64], before), (contents(&buffer), bench.state()));
    }
    cuda("release", true, buffer.release().is_ok());
    cuda("all_back", bench.right(0, 0, 0), bench.state());
}

#[test]
fn test_write_overflow() {
    proves!("MS-006", "RP-002");
    let bench = Bench::default();
    let buffer = bench.holding(&[0x44; 64]);
    let before = bench.state();
    for (offset, len) in [(u64::MAX, 1), (u64::MAX - 3, 8), (u64::MAX - 63, 64), (u64::MAX - 63, 65), (1 << 63, 64)] {
        // The buffer's own check answers: it gives the numbers, and the driver is not asked.
        let refused = AllocatorError::OutOfBounds { offset, len: len as u64, buffer_bytes: 64 };
        let expected = [(); 2].map(|()| Err::<(), _>(refused.to_string()));
        let mut target = vec![0x5C; len];
        let answers = [told(buffer.write(offset, &vec![0xEE; len])), told(buffer.read(offset, &mut target))];
        bounds("end_overflows", (expected, vec![0x5C; len]), (answers, target));
    }
    bounds("memory_as_before", vec![0x44; 64], contents(&buffer));

    // Sums of sizes overflow as little as those of offsets.
    let ledger = Ledger::new(u64::MAX);
    let most = ledger.reserve(u64::MAX - 1).unwrap();
    let kept = ledger.books();
    let refused = |needed_bytes| {
        Err::<(), _>(AllocatorError::InsufficientMemory { needed_bytes, available_bytes: 1, cause: None }.to_string())
    };
    for bytes in [2, 3, u64::MAX] {
        bounds("ledger_sum_overflows", refused(bytes), told(ledger.reserve(bytes)));
        bounds("ledger_as_before", true, ledger.books() == kept);
    }
    drop(most);
    bounds("ledger_gets_all_back", (0, u64::MAX), (ledger.books().used_bytes, ledger.books().available_bytes));
    bounds("books_as_before", before, bench.state());
}

#[test]
fn test_write_out_of_bounds() {
    proves!("MS-007");
    const LEN: usize = 24;
    let bench = Bench::default();
    let neighbours = [bench.holding(&[0x66; LEN]), bench.holding(&[0x77; LEN])];
    // Every offset and length around the end: success exactly when the sum is at most the length.
    for offset in 0..=LEN + 2 {
        for len in 0..=LEN + 2 {
            let buffer = bench.holding(&[0x55; LEN]);
            let fits = offset + len <= LEN;
            let (mut written, mut target) = (vec![0x55; LEN], vec![0x5C; len]);
            if fits {
                written[offset..offset + len].fill(0xEE);
            }
            let expected = (fits, fits, &written, if fits { vec![0xEE; len] } else { target.clone() });
            let wrote = buffer.write(offset as u64, &vec![0xEE; len]).is_ok();
            let read = buffer.read(offset as u64, &mut target).is_ok();
            let observed = (wrote, read, &contents(&buffer), target);
            assert_eq!(observed, expected, "offset {offset}, length {len}");
        }
    }
    let buffer = bench.holding(&[0x55; LEN]);
    for (case, offset, len) in [("one_past", 0, 25), ("from_the_end", 24, 1), ("nothing_past_the_end", 25, 0)] {
        let refused = AllocatorError::OutOfBounds { offset, len: len as u64, buffer_bytes: LEN as u64 };
        let expected = [(); 2].map(|()| Err::<(), _>(refused.to_string()));
        let answers = [told(buffer.write(offset, &vec![0xEE; len])), told(buffer.read(offset, &mut vec![0; len]))];
        bounds(case, (expected, vec![0x55; LEN]), (answers, contents(&buffer)));
    }
    bounds("to_the_last_byte", Ok::<_, String>(()), told(buffer.write(0, &[0xEE; LEN])));
    bounds("nothing_at_the_end", Ok::<_, String>(()), told(buffer.write(LEN as u64, &[])));
    let held = neighbours.each_ref().map(contents);
    bounds("neighbours_as_before", [vec![0x66; LEN], vec![0x77; LEN]], held);
}

#[test]
fn a_fault_at_any_operation_leaves_the_books_and_the_live_allocations_right() {
    proves!("00§3.3", "MS-004");
    for operation in Operation::ALL {
        let bench = Bench::default();
        let other = bench.holding(&[8; 32]);
        bench.fail(operation, 719);
        let life = || -> Result<(), String> {
            let buffer = bench.allocate(100).map_err(|error| error.to_string())?;
            let work = || -> Result<(), AllocatorError> {
                buffer.write(0, &[1; 100])?;
                buffer.read(0, &mut [0; 100])?;
                buffer.tree()?;
                buffer.facts()?;
                buffer.probe()?;
                buffer.address().map(drop)
            };
            let worked = work().map_err(|error| error.to_string());
            worked.and(buffer.release().map_err(|error| error.to_string()))
        };
        let unused = matches!(operation, Operation::Facts | Operation::Capacity | Operation::Synchronize);
        assert_eq!(life().is_ok(), unused, "{operation}");
        // Uses up a fault that no step met, so that the state can be read.
        let _ = (bench.device.facts(), bench.device.capacity(), bench.device.synchronize());
        let lost = if matches!(operation, Operation::Overwrite | Operation::Free) { 100 } else { 0 };
        let live = if lost == 0 { 1 } else { 2 };
        let expected = bench.right(32, lost, live);
        cuda("books_after_a_fault", expected, bench.state());
        assert_eq!(contents(&other), [8; 32]);
    }
}

#[test]
fn text_about_a_buffer_holds_lengths_and_no_address() {
    let bench = Bench::default();
    let buffer = bench.holding(&[1; 42]);
    assert_eq!(format!("{buffer:?}"), "DeviceBuffer { bytes: 42, .. }");
    let address = buffer.address().unwrap().as_raw();
    for text in [format!("{:?}", bench.allocator), buffer.write(43, &[0]).unwrap_err().to_string()] {
        assert!(!text.contains(&address.to_string()) && !text.contains(&format!("{address:x}")), "{text}");
    }
}
