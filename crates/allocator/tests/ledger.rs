//! The books add up, in whatever order and from however many threads memory is asked for.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;

use allocator::{Books, DeviceAllocator, DeviceBuffer, Ledger, Reservation};
use cuda_ffi::{Device, Fault, Operation, SimulatedConfig, SimulatedDevice};
use evidence::{Stream, check_on, proves, seed};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use validation::{DEFAULT_MAX_MODEL_BYTES, ModelSize};

const CAPACITY: u64 = 10_000;

/// One step of a random life; a fault's code strikes the step's own operation.
#[derive(Debug, Clone)]
enum Step {
    Allocate { bytes: u64, fault: Option<u32> },
    Release { which: prop::sample::Index, fault: Option<Operation> },
    Drop { which: prop::sample::Index, fault: Option<Operation> },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let code = prop_oneof![6 => Just(None), 1 => Just(Some(2)), 1 => Just(Some(719))];
    let fault =
        || prop_oneof![6 => Just(None), 1 => Just(Some(Operation::Overwrite)), 1 => Just(Some(Operation::Free))];
    let index = any::<prop::sample::Index>;
    vec(
        prop_oneof![
            3 => (1..5_000_u64, code).prop_map(|(bytes, fault)| Step::Allocate { bytes, fault }),
            1 => (index(), fault()).prop_map(|(which, fault)| Step::Release { which, fault }),
            1 => (index(), fault()).prop_map(|(which, fault)| Step::Drop { which, fault }),
        ],
        0..60,
    )
}

/// What a correct ledger says, counted the slow way.
#[derive(Default)]
struct Model {
    live: Vec<DeviceBuffer>,
    quarantined: Vec<u64>,
}

impl Model {
    fn books(&self) -> Books {
        let used_bytes = self.live.iter().map(DeviceBuffer::len).sum();
        let quarantined_bytes = self.quarantined.iter().sum();
        Books {
            capacity_bytes: CAPACITY,
            used_bytes,
            quarantined_bytes,
            available_bytes: CAPACITY - used_bytes - quarantined_bytes,
        }
    }

    fn take(&mut self, which: &prop::sample::Index) -> Option<DeviceBuffer> {
        (!self.live.is_empty()).then(|| self.live.remove(which.index(self.live.len())))
    }
}

fn live(steps: &[Step]) -> Result<(), TestCaseError> {
    let device = SimulatedDevice::new(SimulatedConfig::default().capacity(CAPACITY));
    let ledger = Ledger::new(CAPACITY);
    let allocator = DeviceAllocator::new(device.clone(), Arc::clone(&ledger));
    let mut model = Model::default();
    for step in steps {
        match step {
            Step::Allocate { bytes, fault } => {
                let fits = *bytes <= model.books().available_bytes;
                if let (true, Some(code)) = (fits, *fault) {
                    device.inject(Fault { operation: Operation::Allocate, nth: 1, code });
                }
                let result = allocator.allocate(ModelSize::parse(*bytes, DEFAULT_MAX_MODEL_BYTES).unwrap());
                prop_assert_eq!(result.is_ok(), fits && fault.is_none());
                model.live.extend(result);
            }
            Step::Release { which, fault } | Step::Drop { which, fault } => {
                let Some(buffer) = model.take(which) else { continue };
                if let Some(operation) = *fault {
                    device.inject(Fault { operation, nth: 1, code: 719 });
                    model.quarantined.push(buffer.len());
                }
                if matches!(step, Step::Release { .. }) {
                    prop_assert_eq!(buffer.release().is_ok(), fault.is_none());
                } else {
                    drop(buffer);
                }
            }
        }
        let books = ledger.books();
        prop_assert_eq!(books, model.books());
        prop_assert_eq!(books.used_bytes + books.quarantined_bytes + books.available_bytes, CAPACITY);
        prop_assert_eq!(device.capacity().unwrap().free_bytes, books.available_bytes);
        prop_assert_eq!(device.live_allocations(), model.live.len() + model.quarantined.len());
    }
    Ok(())
}

#[test]
fn used_quarantined_and_available_always_add_up_to_the_capacity() {
    proves!("00§3.3", "RP-001", "RP-005");
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed().to_le_bytes());
    let config = Config { cases: 256, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &bytes));
    let result = runner.run(&steps(), |steps| live(&steps)).map_err(|error| error.to_string());
    check_on("simulated", Stream::CudaOperations, "random_sequences_add_up", Ok::<_, String>(()), result);
}

#[test]
fn threads_together_never_get_more_than_the_capacity() {
    proves!("RP-001");
    let ledger = Ledger::new(CAPACITY);
    let beyond = thread::scope(|scope| {
        let threads: Vec<_> = (1..=8_u64)
            .map(|thread| {
                let ledger = &ledger;
                scope.spawn(move || {
                    let (mut beyond, mut held) = (0, VecDeque::new());
                    for round in 0..2_000 {
                        held.extend(ledger.reserve(thread * 400 + round % 7));
                        let Books { used_bytes, available_bytes, .. } = ledger.books();
                        let own: u64 = held.iter().map(Reservation::bytes).sum();
                        let right = own <= used_bytes && used_bytes.checked_add(available_bytes) == Some(CAPACITY);
                        beyond += u64::from(!right);
                        if held.len() > 5 || round % 3 == 0 {
                            held.pop_front();
                        }
                    }
                    beyond
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum::<u64>()
    });
    check_on("simulated", Stream::CudaOperations, "moments_beyond_capacity", 0, beyond);
    let books = ledger.books();
    let seen = (books.used_bytes, books.quarantined_bytes, books.available_bytes);
    check_on("simulated", Stream::CudaOperations, "all_back", (0, 0, CAPACITY), seen);
}

#[test]
fn a_reservation_is_given_back_once_or_quarantined_for_good() {
    let ledger = Ledger::new(100);
    let (one, two) = (ledger.reserve(30).unwrap(), ledger.reserve(70).unwrap());
    assert_eq!((one.bytes(), two.bytes()), (30, 70));
    one.quarantine();
    let seen = |books: Books| (books.used_bytes, books.quarantined_bytes, books.available_bytes);
    assert_eq!(seen(ledger.books()), (70, 30, 0));
    drop(two);
    assert_eq!(seen(ledger.books()), (0, 30, 70));
    assert!(ledger.reserve(71).is_err());
    assert!(ledger.reserve(70).is_ok());
}
