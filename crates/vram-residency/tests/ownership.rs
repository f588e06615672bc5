//! Who holds device memory: clones, guards, release, drop, and what outlives the manager.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::sync::{Arc, Mutex};

use evidence::{Stream, check_on, proves};
use vram_residency::{
    AuditError, AuditSink, DeviceFacts, DriverError, Event, Fault, MemorySink, Operation, SealOptions, SealedShard,
    SimulatedDevice, VramConfig, VramError, VramManager,
};

const MODEL: &[u8] = b"the weights of a very small model";

struct Bench {
    manager: VramManager,
    device: Arc<SimulatedDevice>,
    events: Arc<MemorySink>,
}

fn bench() -> Bench {
    let events = Arc::new(MemorySink::new());
    let config = VramConfig::default().audit(Arc::clone(&events) as Arc<dyn AuditSink>);
    let manager = VramManager::simulated(config).unwrap();
    let device = manager.test_hooks().simulated(0).unwrap();
    device.keep_freed_pages(true);
    Bench { manager, device, events }
}

fn overwritten(device: &SimulatedDevice) -> bool {
    let freed = device.freed_pages();
    !freed.is_empty() && freed.iter().flatten().all(|byte| *byte == 0)
}

#[test]
fn release_overwrites_and_frees_for_every_clone() {
    proves!("10§2.4", "RP-005");
    let bench = bench();
    let shard = bench.manager.seal_model(MODEL, 0).unwrap();
    let clone = shard.clone();
    bench.manager.release(&shard).unwrap();
    check_on("simulated", Stream::CudaOperations, "used_after_release", 0, bench.manager.used_vram(0).unwrap());
    check_on("simulated", Stream::CudaOperations, "overwritten_before_free", true, overwritten(&bench.device));
    assert!(matches!(bench.manager.verify_sealed(&clone), Err(VramError::Released { .. })));
    assert!(matches!(bench.manager.verify_for_execute(&clone), Err(VramError::Released { .. })));
    assert_eq!(bench.events.names()[..3], ["started", "sealed", "deallocated"]);
}

#[test]
fn a_second_release_is_refused_and_changes_nothing() {
    let bench = bench();
    let shard = bench.manager.seal_model(MODEL, 0).unwrap();
    bench.manager.release(&shard).unwrap();
    let events = bench.events.events();
    assert!(matches!(bench.manager.release(&shard), Err(VramError::Released { .. })));
    assert_eq!(bench.events.events(), events);
}

#[test]
fn memory_lives_as_long_as_the_last_clone() {
    let bench = bench();
    let shard = bench.manager.seal_model(MODEL, 0).unwrap();
    let clone = shard.clone();
    drop(shard);
    bench.manager.verify_sealed(&clone).unwrap();
    drop(clone);
    assert_eq!((bench.manager.used_vram(0).unwrap(), bench.device.live_allocations()), (0, 0));
    assert!(overwritten(&bench.device));
    assert_eq!(bench.events.names(), ["started", "sealed", "verified", "deallocated"]);
}

#[test]
fn a_dropped_handle_cleans_up_after_the_manager_is_gone() {
    let Bench { manager, device, events } = bench();
    let shard = manager.seal_model(MODEL, 0).unwrap();
    drop(manager);
    assert_eq!(device.live_allocations(), 1);
    drop(shard);
    assert_eq!(device.live_allocations(), 0);
    assert!(overwritten(&device));
    assert_eq!(events.names(), ["started", "sealed", "deallocated"]);
}

#[test]
fn a_lent_shard_cannot_be_released_until_every_guard_is_dropped() {
    let bench = bench();
    let shard = bench.manager.seal_model(MODEL, 0).unwrap();
    let first = bench.manager.verify_for_execute(&shard).unwrap();
    let second = bench.manager.verify_for_execute(&shard).unwrap();
    assert!(matches!(bench.manager.release(&shard), Err(VramError::InUse { guards: 2, .. })));
    drop(first);
    assert!(matches!(bench.manager.release(&shard), Err(VramError::InUse { guards: 1, .. })));
    drop(second);
    bench.manager.release(&shard).unwrap();
    let names = ["started", "sealed", "verified", "lent", "verified", "lent", "returned", "returned", "deallocated"];
    assert_eq!(bench.events.names(), names);
}

#[test]
fn a_guard_keeps_the_weights_when_every_handle_is_dropped() {
    let bench = bench();
    let shard = bench.manager.seal_model(MODEL, 0).unwrap();
    let stream = bench.manager.stream(0).unwrap();
    let guard = bench.manager.verify_for_execute(&shard).unwrap();
    drop(shard);
    assert_eq!(guard.launch(&stream, |weights| weights.bytes()).unwrap(), MODEL.len() as u64);
    drop(guard);
    assert_eq!(bench.device.live_allocations(), 0);
}

#[test]
fn releasing_inside_a_launch_is_refused_and_does_not_hang() {
    let bench = bench();
    let shard = bench.manager.seal_model(MODEL, 0).unwrap();
    let stream = bench.manager.stream(0).unwrap();
    let guard = bench.manager.verify_for_execute(&shard).unwrap();
    let released = guard.launch(&stream, |_| bench.manager.release(&shard)).unwrap();
    assert!(matches!(released, Err(VramError::InUse { .. })));
}

#[test]
fn a_stream_of_another_manager_is_refused() {
    let (bench, other) = (bench(), self::bench());
    let shard = bench.manager.seal_model(MODEL, 0).unwrap();
    let guard = bench.manager.verify_for_execute(&shard).unwrap();
    let refused = guard.launch(&other.manager.stream(0).unwrap(), |_| ());
    assert!(matches!(refused, Err(VramError::WrongStream { .. })));
}

#[test]
fn a_deserialised_handle_releases_only_with_the_seal_of_that_shard() {
    let bench = bench();
    let shard = bench.manager.seal_model(MODEL, 0).unwrap();
    let mut json = serde_json::to_value(&shard).unwrap();
    let genuine = serde_json::from_value(json.clone()).unwrap();
    json["digest"] = "0".repeat(64).into();
    let edited = serde_json::from_value(json.clone()).unwrap();
    assert!(matches!(bench.manager.release(&edited), Err(VramError::SealForged { .. })));
    json["signature"] = serde_json::Value::Null;
    let unsigned = serde_json::from_value(json).unwrap();
    assert!(matches!(bench.manager.release(&unsigned), Err(VramError::NotSealed { .. })));
    bench.manager.verify_sealed(&shard).unwrap();
    bench.manager.release(&genuine).unwrap();
}

#[test]
fn memory_that_cannot_be_overwritten_is_quarantined_and_the_device_stopped() {
    proves!("RP-005");
    for operation in [Operation::Overwrite, Operation::Free] {
        let bench = bench();
        let shard = bench.manager.seal_model(MODEL, 0).unwrap();
        let other = bench.manager.seal_model(MODEL, 0).unwrap();
        bench.device.inject(Fault { operation, nth: 1, code: 719 });
        assert!(matches!(bench.manager.release(&shard), Err(VramError::Quarantined { undone: None, .. })));
        check_on("simulated", Stream::CudaOperations, "still_allocated", 2, bench.device.live_allocations());
        check_on("simulated", Stream::CudaOperations, "freed_pages", 0, bench.device.freed_pages().len());
        assert_eq!(bench.manager.used_vram(0).unwrap(), 2 * MODEL.len() as u64);
        assert!(bench.events.names().contains(&"quarantined"));
        assert!(matches!(bench.manager.seal_model(MODEL, 0), Err(VramError::Stopped { .. })));
        assert!(matches!(bench.manager.verify_sealed(&other), Err(VramError::Stopped { .. })));
        assert!(matches!(bench.manager.release(&shard), Err(VramError::Released { .. })));
        bench.manager.release(&other).unwrap();
    }
}

#[test]
fn a_drop_that_cannot_overwrite_does_not_panic_and_quarantines() {
    proves!("MS-005");
    let bench = bench();
    let shard = bench.manager.seal_model(MODEL, 0).unwrap();
    bench.device.inject(Fault { operation: Operation::Overwrite, nth: 1, code: 719 });
    drop(shard);
    check_on("simulated", Stream::CudaOperations, "still_allocated", 1, bench.device.live_allocations());
    assert!(bench.events.names().contains(&"quarantined"));
    assert!(matches!(bench.manager.seal_model(MODEL, 0), Err(VramError::Stopped { .. })));
}

#[test]
fn a_seal_that_can_neither_finish_nor_overwrite_stops_the_device() {
    proves!("RP-005");
    let bench = bench();
    bench.device.inject(Fault { operation: Operation::Write, nth: 1, code: 1 });
    bench.device.inject(Fault { operation: Operation::Overwrite, nth: 1, code: 719 });
    let error = bench.manager.seal_model(MODEL, 0).unwrap_err();
    let VramError::Quarantined { undone: Some(first), .. } = &error else { panic!("{error}") };
    let driver = |operation, code| DriverError::new(operation, code).to_string();
    assert_eq!(first.to_string(), format!("device 0: {}", driver(Operation::Write, 1)));
    assert!(error.to_string().contains(&driver(Operation::Overwrite, 719)), "{error}");
    assert!(error.to_string().ends_with(&first.to_string()), "{error}");
    check_on("simulated", Stream::CudaOperations, "still_allocated", 1, bench.device.live_allocations());
    check_on("simulated", Stream::CudaOperations, "event", vec!["started", "quarantined"], bench.events.names());
    assert_eq!(bench.manager.used_vram(0).unwrap(), MODEL.len() as u64);
    assert!(matches!(bench.manager.seal_model(MODEL, 0), Err(VramError::Stopped { .. })));
}

#[test]
fn a_reader_that_panics_leaves_no_weights_or_a_stopped_device() {
    struct Panicking(bool);
    impl std::io::Read for Panicking {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            assert!(!self.0, "the caller's reader gives up");
            self.0 = true;
            out[..4].fill(7);
            Ok(4)
        }
    }
    for overwrite_fails in [false, true] {
        let bench = bench();
        if overwrite_fails {
            bench.device.inject(Fault { operation: Operation::Overwrite, nth: 1, code: 1 });
        }
        let sealing = std::panic::AssertUnwindSafe(|| {
            bench.manager.seal_reader(Panicking(false), 8, SealOptions::new(0).shard_id("a")).is_ok()
        });
        assert!(std::panic::catch_unwind(sealing).is_err());
        let stopped = bench.manager.stop_cause().is_some();
        assert_eq!((stopped, bench.device.live_allocations()), (overwrite_fails, usize::from(overwrite_fails)));
        let events: &[&str] = if overwrite_fails { &["started", "quarantined"] } else { &["started"] };
        assert_eq!(bench.events.names(), events);
        if !overwrite_fails {
            assert!(overwritten(&bench.device));
            drop(bench.manager.seal_model_as("a", MODEL, 0).expect("the id is free again"));
        }
    }
}

#[test]
fn a_stopped_device_refuses_all_but_release_and_says_why() {
    let bench = bench();
    let (shard, kept) = (bench.manager.seal_model(MODEL, 0).unwrap(), bench.manager.seal_model(MODEL, 0).unwrap());
    bench.device.inject(Fault { operation: Operation::Overwrite, nth: 1, code: 1 });
    bench.manager.release(&shard).unwrap_err();
    for refused in [
        bench.manager.stream(0).map(drop),
        bench.manager.enforce_vram_only_policy().map(drop),
        bench.manager.attest_residency().map(drop),
        bench.manager.verify_sealed(&kept),
    ] {
        assert!(matches!(refused, Err(VramError::Stopped { .. })), "{refused:?}");
    }
    assert!(bench.manager.stop_cause().unwrap().contains("quarantined"));
    bench.manager.release(&kept).unwrap();
}

#[test]
fn a_guard_launches_once() {
    proves!("CI-007");
    let bench = bench();
    let shard = bench.manager.seal_model(MODEL, 0).unwrap();
    let stream = bench.manager.stream(0).unwrap();
    let guard = bench.manager.verify_for_execute(&shard).unwrap();
    let mut runs = 0;
    let refused = guard.launch(&a_stream_of_another_manager(), |_| runs += 1);
    assert!(matches!(refused, Err(VramError::WrongStream { .. })));
    guard.launch(&stream, |_| runs += 1).expect("a refused launch ran nothing");
    let again = guard.launch(&stream, |_| runs += 1);
    assert!(matches!(again, Err(VramError::AlreadyLaunched { .. })), "{again:?}");
    check_on("simulated", Stream::PolicyEnforcement, "executions_of_one_verification", 1, runs);
    drop(guard);
    bench.manager.verify_for_execute(&shard).unwrap().launch(&stream, |_| ()).unwrap();
}

fn a_stream_of_another_manager() -> vram_residency::Stream {
    bench().manager.stream(0).unwrap()
}

/// Tries something, once armed, from another thread whenever an event of this name is being kept.
struct Meanwhile {
    event: &'static str,
    attempt: Mutex<Option<Attempt>>,
    events: MemorySink,
}

type Attempt = Box<dyn FnOnce() + Send>;

impl AuditSink for Meanwhile {
    fn record(&self, event: &Event) -> Result<(), AuditError> {
        if event.name() == self.event {
            let attempt = self.attempt.lock().unwrap().take();
            if let Some(attempt) = attempt {
                std::thread::spawn(attempt).join().unwrap();
            }
        }
        self.events.record(event)
    }
}

/// What `attempt` answers while the event is being kept that `act` brings about.
fn meanwhile<T: Send + 'static>(
    event: &'static str,
    attempt: impl FnOnce(&VramManager, &SealedShard) -> T + Send + 'static,
    act: impl FnOnce(&VramManager, &SealedShard),
) -> (T, Vec<&'static str>) {
    let sink = Arc::new(Meanwhile { event, attempt: Mutex::default(), events: MemorySink::new() });
    let config = VramConfig::default().audit(Arc::clone(&sink) as Arc<dyn AuditSink>);
    let manager = Arc::new(VramManager::simulated(config).unwrap());
    let shard = manager.seal_model_as("a", MODEL, 0).unwrap();
    let (answer, answered) = std::sync::mpsc::channel();
    let theirs = (Arc::clone(&manager), shard.clone());
    *sink.attempt.lock().unwrap() = Some(Box::new(move || answer.send(attempt(&theirs.0, &theirs.1)).unwrap()));
    act(&manager, &shard);
    (answered.recv().unwrap(), sink.events.names())
}

#[test]
fn a_shard_is_not_released_before_its_return_is_recorded() {
    let (answer, events) = meanwhile(
        "returned",
        |manager, shard| manager.release(shard),
        |manager, shard| drop(manager.verify_for_execute(shard).unwrap()),
    );
    assert!(matches!(answer, Err(VramError::InUse { guards: 1, .. })), "{answer:?}");
    assert_eq!(events, ["started", "sealed", "verified", "lent", "returned"]);
}

#[test]
fn an_id_is_in_use_until_its_release_is_recorded() {
    let (answer, events) = meanwhile(
        "deallocated",
        |manager, _| manager.seal_model_as("a", MODEL, 0).map(drop),
        |manager, shard| {
            manager.release(shard).unwrap();
            drop(manager.seal_model_as("a", MODEL, 0).unwrap());
        },
    );
    assert!(matches!(answer, Err(VramError::ShardIdInUse { .. })), "{answer:?}");
    assert_eq!(events, ["started", "sealed", "deallocated", "sealed", "deallocated"]);
}

#[test]
fn nothing_is_attested_once_the_manager_was_stopped_while_it_verified() {
    let stop = |manager: &VramManager| {
        let device = manager.test_hooks().simulated(0).unwrap();
        let facts = manager.device_facts(0).unwrap();
        device.set_device_facts(DeviceFacts { integrated: true, ..facts.clone() });
        let stopped = manager.enforce_vram_only_policy().is_err();
        device.set_device_facts(facts);
        stopped
    };
    // The stop comes while the first of two is recorded, or the only one, after which no more is verified.
    for shards in [2, 1] {
        let (stopped, events) = meanwhile(
            "verified",
            move |manager, _| stop(manager),
            |manager, _| {
                let _others: Vec<_> = (1..shards).map(|_| manager.seal_model(MODEL, 0).unwrap()).collect();
                let attested = manager.attest_residency();
                assert!(matches!(attested, Err(VramError::Stopped { .. })), "{attested:?}");
            },
        );
        assert!(stopped);
        let sealed = vec!["sealed"; shards];
        let deallocated = vec!["deallocated"; shards - 1];
        assert_eq!(events, [vec!["started"], sealed, vec!["policy_violation", "verified"], deallocated].concat());
    }
}

#[test]
fn a_device_that_the_driver_loses_leaves_one_critical_event_wherever_it_is_noticed() {
    proves!("RP-005");
    let bench = bench();
    let shard = bench.manager.seal_model(MODEL, 0).unwrap();
    let stream = bench.manager.stream(0).unwrap();
    let guard = bench.manager.verify_for_execute(&shard).unwrap();
    // An error of memory that ECC cannot correct, found by the wait before a launch and by a look at the capacity.
    bench.device.inject(Fault { operation: Operation::Synchronize, nth: 1, code: 214 });
    bench.device.inject(Fault { operation: Operation::Capacity, nth: 1, code: 214 });
    let lost = [guard.launch(&stream, |_| ()).unwrap_err(), bench.manager.available_vram(0).map(drop).unwrap_err()];
    for error in lost {
        assert!(matches!(error, VramError::Driver { gpu_device: 0, .. }), "{error}");
        assert!(error.to_string().starts_with("device 0: "), "{error}");
    }
    let stops: Vec<Event> =
        bench.events.events().into_iter().filter(|event| event.name() == "device_stopped").collect();
    let [Event::DeviceStopped { gpu_device: 0, reason }] = &stops[..] else { panic!("{stops:?}") };
    assert!(reason.contains("(214)") && stops[0].is_critical(), "{reason}");
    let expected = vec!["started", "sealed", "verified", "lent", "device_stopped"];
    check_on("simulated", Stream::CudaOperations, "events_of_a_lost_device", expected, bench.events.names());
}

/// Panics at each event of this name.
struct Panicking(&'static str);

impl AuditSink for Panicking {
    fn record(&self, event: &Event) -> Result<(), AuditError> {
        assert_ne!(event.name(), self.0, "the caller's sink gives up");
        Ok(())
    }
}

#[test]
fn a_sink_that_panics_leaves_no_shard_lent() {
    for event in ["lent", "returned"] {
        let manager = VramManager::simulated(VramConfig::default().audit(Arc::new(Panicking(event)))).unwrap();
        let shard = manager.seal_model(MODEL, 0).unwrap();
        let lending = std::panic::AssertUnwindSafe(|| drop(manager.verify_for_execute(&shard)));
        assert!(std::panic::catch_unwind(lending).is_err());
        manager.release(&shard).unwrap();
    }
}
