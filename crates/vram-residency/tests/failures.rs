//! When something else fails: the audit log, the driver, another thread; and what the errors say.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use evidence::{Stream, check_on, proves};
use vram_residency::{
    AuditError, AuditSink, Event, Fault, Operation, SealOptions, SealedShard, SecretToken, SimulatedConfig,
    TensorParallel, VramConfig, VramError, VramManager,
};

const MODEL: &[u8] = b"the weights of a very small model";

/// Keeps no event whose name is the given one.
struct Refusing(&'static str);

impl AuditSink for Refusing {
    fn record(&self, event: &Event) -> Result<(), AuditError> {
        if event.name() == self.0 { Err(AuditError::Refused("disk full".to_owned())) } else { Ok(()) }
    }
}

fn refusing(event: &'static str) -> VramManager {
    let manager = VramManager::simulated(VramConfig::default().audit(Arc::new(Refusing(event)))).unwrap();
    manager.test_hooks().simulated(0).unwrap().keep_freed_pages(true);
    manager
}

#[test]
fn a_seal_without_its_event_is_rolled_back() {
    let manager = refusing("sealed");
    assert!(matches!(manager.seal_model_as("a", MODEL, 0), Err(VramError::Audit(_))));
    let device = manager.test_hooks().simulated(0).unwrap();
    assert_eq!((manager.used_vram(0).unwrap(), device.live_allocations()), (0, 0));
    assert!(device.freed_pages().iter().flatten().all(|byte| *byte == 0));
    assert!(matches!(manager.seal_model_as("a", MODEL, 0), Err(VramError::Audit(_))), "the id must be free again");
}

#[test]
fn a_manager_without_the_event_of_its_start_does_not_start() {
    let config = VramConfig::default().audit(Arc::new(Refusing("started")));
    assert!(matches!(VramManager::simulated(config), Err(VramError::Audit(_))));
}

#[test]
fn a_refused_seal_without_its_event_errs() {
    let manager = refusing("seal_refused");
    let refused = manager.seal_reader(MODEL, MODEL.len() as u64, SealOptions::new(0).expect_sha256("0".repeat(64)));
    assert!(matches!(refused, Err(VramError::Audit(_))), "{refused:?}");
    assert_eq!(manager.used_vram(0).unwrap(), 0);
}

#[test]
fn a_verification_without_its_event_fails_and_lends_nothing() {
    for event in ["verified", "lent"] {
        let manager = refusing(event);
        let shard = manager.seal_model(MODEL, 0).unwrap();
        assert!(matches!(manager.verify_for_execute(&shard), Err(VramError::Audit(_))));
        manager.release(&shard).expect("no guard may be left behind");
    }
    let manager = refusing("verification_failed");
    let shard = manager.seal_model(MODEL, 0).unwrap();
    manager.test_hooks().flip_bit(&shard, 1).unwrap();
    assert!(matches!(manager.verify_sealed(&shard), Err(VramError::Audit(_))));
}

#[test]
fn a_release_without_its_event_frees_and_errs() {
    let manager = refusing("deallocated");
    let shard = manager.seal_model(MODEL, 0).unwrap();
    assert!(matches!(manager.release(&shard), Err(VramError::Audit(_))));
    assert_eq!(manager.used_vram(0).unwrap(), 0);
}

/// A life of a shard, as far as it goes.
fn live(manager: &VramManager) -> Result<(), VramError> {
    let shard = manager.seal_model(MODEL, 0)?;
    let stream = manager.stream(0)?;
    let guard = manager.verify_for_execute(&shard)?;
    guard.launch(&stream, |_| ())?;
    drop(guard);
    manager.release(&shard)
}

#[test]
fn a_driver_failure_at_any_call_is_reported_and_the_books_are_right() {
    proves!("MS-004");
    let operations = [
        Operation::Facts,
        Operation::Capacity,
        Operation::Allocate,
        Operation::AllocationFacts,
        Operation::Write,
        Operation::TreeDigest,
        Operation::Probe,
        Operation::Address,
        Operation::Synchronize,
        Operation::Overwrite,
        Operation::Free,
    ];
    let mut failed_calls = 0;
    for operation in operations {
        // 2: out of memory; 1: invalid value; 214: ECC; 700: illegal address; 999: unknown.
        for code in [1, 2, 214, 700, 999] {
            let mut nth = 1;
            while fails_cleanly(operation, nth, code) {
                nth += 1;
                failed_calls += 1;
            }
            assert!(nth > 1, "{operation:?} is never called");
        }
    }
    check_on("simulated", Stream::CudaOperations, "every_driver_call_failed_cleanly", true, failed_calls > 50);
}

/// Whether the n-th call of an operation came, failed, and left the books right; false when there is no n-th call.
fn fails_cleanly(operation: Operation, nth: u64, code: u32) -> bool {
    let manager = VramManager::simulated(VramConfig::default()).unwrap();
    let device = manager.test_hooks().simulated(0).unwrap();
    device.keep_freed_pages(true);
    device.inject(Fault { operation, nth, code });
    let Err(error) = live(&manager) else { return false };
    let quarantined = matches!(operation, Operation::Overwrite | Operation::Free);
    assert_eq!(matches!(error, VramError::Quarantined { .. }), quarantined, "{operation:?} {nth} {code}: {error}");
    let text = format!("{error:?}");
    // Every failure is told by its operation and code, and a shortage of memory in bytes as well.
    assert!(text.contains(&format!("{operation:?}")) && text.contains(&code.to_string()), "{text}");
    assert_eq!(error.needed_bytes().is_some(), operation == Operation::Allocate && code == 2, "{text}");
    let left = if quarantined { MODEL.len() as u64 } else { 0 };
    assert_eq!(manager.used_vram(0).unwrap(), left, "{operation:?} {nth} {code}");
    assert_eq!(device.live_allocations(), usize::from(quarantined), "{operation:?} {nth} {code}");
    assert!(device.freed_pages().iter().flatten().all(|byte| *byte == 0), "{operation:?} {nth} {code}");
    let lost = !matches!(code, 1 | 2) || quarantined;
    match live(&manager) {
        Ok(()) => assert!(!lost, "{operation:?} {nth} {code}: usable although the context is lost"),
        Err(error) => {
            assert!(lost && matches!(error, VramError::Stopped { .. }), "{operation:?} {nth} {code}: {error}")
        }
    }
    true
}

#[test]
fn threads_that_seal_verify_lend_and_release_leave_the_ledger_at_zero() {
    let device = SimulatedConfig::default().capacity(64 << 10);
    let manager = VramManager::simulated(VramConfig::default().simulated_devices(vec![device])).unwrap();
    let (done, short) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..8_u64 {
            let (manager, done, short) = (&manager, &done, &short);
            scope.spawn(move || {
                for round in 0..100_u64 {
                    let model = vec![u8::try_from(thread).unwrap(); 1 + usize::try_from(round * 97 % 16_000).unwrap()];
                    match manager.seal_model(&model, 0) {
                        Ok(shard) => live_on(manager, shard, round),
                        Err(VramError::InsufficientVram { .. }) => {
                            short.fetch_add(1, Ordering::Relaxed);
                            continue;
                        }
                        Err(error) => panic!("{error}"),
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(done.load(Ordering::Relaxed) + short.load(Ordering::Relaxed), 800);
    assert!(done.load(Ordering::Relaxed) > 0);
    assert_eq!(manager.used_vram(0).unwrap(), 0);
    assert_eq!(manager.available_vram(0).unwrap(), 64 << 10);
    assert_eq!(manager.test_hooks().simulated(0).unwrap().live_allocations(), 0);
}

fn live_on(manager: &VramManager, shard: SealedShard, round: u64) {
    let stream = manager.stream(0).unwrap();
    manager.verify_sealed(&shard).unwrap();
    let guard = manager.verify_for_execute(&shard).unwrap();
    guard.launch(&stream, |weights| assert_eq!(weights.bytes(), shard.vram_bytes as u64)).unwrap();
    drop(guard);
    if round.is_multiple_of(2) {
        manager.release(&shard).unwrap();
    }
}

#[test]
fn error_messages_say_what_to_do() {
    proves!("RP-004");
    let manager = VramManager::simulated(VramConfig::default().max_model_bytes(40)).unwrap();
    let shard = manager.seal_model_as("a", MODEL, 0).unwrap();
    let guard = manager.verify_for_execute(&shard).unwrap();
    let mut errors = vec![
        manager.seal_model_as("../x", MODEL, 0).unwrap_err(),
        manager.seal_model(&[], 0).unwrap_err(),
        manager.seal_model(&[0; 41], 0).unwrap_err(),
        manager.seal_model(MODEL, 7).unwrap_err(),
        manager.seal_model_as("a", MODEL, 0).unwrap_err(),
        manager.release(&shard).unwrap_err(),
        manager.verify_sealed(&manager.test_hooks().with_signature(&shard, None)).unwrap_err(),
        manager.verify_sealed(&manager.test_hooks().with_signature(&shard, Some([0; 32]))).unwrap_err(),
    ];
    drop(guard);
    manager.test_hooks().flip_bit(&shard, 0).unwrap();
    errors.push(manager.verify_sealed(&shard).unwrap_err());
    manager.release(&shard).unwrap();
    errors.push(manager.release(&shard).unwrap_err());
    // Those that other tests bring about, as they are made.
    let id = || "a".to_owned();
    let rank = TensorParallel::default();
    errors.extend([
        VramError::OtherDevice { shard_id: id() },
        VramError::UnknownShard { shard_id: id() },
        VramError::ForeignShard { shard_id: id() },
        VramError::DigestNotExpected { kind: "SHA-256", expected: "0".repeat(64), observed: "1".repeat(64) },
        VramError::WrongTensorParallel { shard: rank, worker: rank },
        VramError::InputTooShort { expected_bytes: 2, read_bytes: 1 },
        VramError::InputTooLong { expected_bytes: 2 },
        VramError::Read(std::io::ErrorKind::UnexpectedEof.into()),
        VramError::InsufficientVram {
            gpu_device: 0,
            needed_bytes: 2,
            available_bytes: 1,
            capacity_bytes: 2,
            cause: None,
        },
        VramError::PolicyViolated {
            gpu_device: 0,
            rules: vec!["VP-005".into()],
            findings: vec!["VP-005: it is integrated".into()],
        },
        VramError::Stopped { cause: "device 0 lost its context".to_owned() },
        VramError::SimulatedTwice { gpu_device: 0 },
        VramError::NoGpu { reason: "the settings name no GPU".to_owned() },
        VramError::AlreadyLaunched { shard_id: id() },
        VramError::WrongStream { stream_device: 1, gpu_device: 0 },
        VramError::Audit(AuditError::Refused("disk full".to_owned())),
        VramError::Seal(SecretToken::from_file("/nowhere/token".as_ref()).unwrap_err()),
        VramError::AttestationForged,
    ]);
    let lines: Vec<String> =
        errors.iter().map(|error| format!("{} [retriable: {}]", error, error.is_retriable())).collect();
    // What was wrong stands first; after a colon or semicolon, in several words, what to do.
    let advises = |text: String| text.split([':', ';']).skip(1).any(|part| part.trim().contains(' '));
    let advising = errors.iter().filter(|error| advises(error.to_string())).count();
    check_on("simulated", Stream::InputValidation, "messages_that_say_what_to_do", lines.len(), advising);
    insta::assert_snapshot!(lines.join("\n"));
}
