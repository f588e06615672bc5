//! The VRAM-only policy through the facade, and the secrecy of addresses and keys.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::fmt::{Debug, Display};
use std::io::Write;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};

use evidence::{Stream, check, check_on, proves};
use vram_residency::{
    AllocationOverride, DeviceClass, DeviceWeights, Event, MemorySink, Outcome, ProbeFacts, SecretToken,
    SimulatedConfig, TracingSink, VramConfig, VramError, VramManager,
};

const MODEL: &[u8] = b"the weights of a very small model";

fn watched() -> (VramManager, Arc<MemorySink>) {
    let events = Arc::new(MemorySink::new());
    (VramManager::simulated(VramConfig::default().audit(events.clone())).unwrap(), events)
}

/// Makes the driver report something else of a sealed shard, then asks to verify it and to enforce the policy.
fn broken_rules(spoil: impl Fn(&VramManager)) -> Vec<String> {
    let (manager, events) = watched();
    let shard = manager.seal_model(MODEL, 0).unwrap();
    spoil(&manager);
    let error = manager.verify_for_execute(&shard).unwrap_err();
    let text = error.to_string();
    let VramError::PolicyViolated { rules, findings, .. } = error else {
        panic!("the policy was not violated: {text}")
    };
    assert_eq!(rules.len(), findings.len());
    for (rule, finding) in rules.iter().zip(&findings) {
        let observed = finding.strip_prefix(&format!("{rule}: ")).unwrap();
        assert!(!observed.is_empty() && text.contains(finding), "{text}");
        assert!(manager.stop_cause().unwrap().contains(finding));
    }
    let critical = Event::PolicyViolation { gpu_device: 0, rules: rules.clone(), findings };
    assert!(critical.is_critical() && events.events().contains(&critical));
    for refused in [
        manager.verify_sealed(&shard),
        manager.seal_model(MODEL, 0).map(drop),
        manager.enforce_vram_only_policy().map(drop),
        manager.attest_residency().map(drop),
    ] {
        assert!(matches!(refused, Err(VramError::Stopped { .. })), "{refused:?}");
    }
    assert!(!manager.is_vram_only());
    manager.release(&shard).expect("a stopped manager still gives memory back");
    rules
}

fn spoil_allocation(facts: AllocationOverride) -> Vec<String> {
    broken_rules(|manager| manager.test_hooks().simulated(0).unwrap().set_allocation_facts(Some(facts)))
}

fn probe(slowest_cycles: u64) -> ProbeFacts {
    ProbeFacts {
        chunk_bytes: 2 << 20,
        chunks: 1,
        slowest_chunk: 0,
        slowest_cycles,
        device_control_cycles: 600,
        host_control_cycles: 2000,
    }
}

#[test]
fn each_broken_rule_stops_the_manager_and_lends_nothing() {
    proves!("CI-007");
    let report = |operation: &str, expected: &[&str], observed: Vec<String>| {
        check_on("simulated", Stream::PolicyEnforcement, operation, expected, observed);
    };
    let host = AllocationOverride { memory_type: Some(facts_memory_type_host()), ..AllocationOverride::default() };
    report("host_memory", &["VP-001"], spoil_allocation(host));
    let elsewhere = AllocationOverride { device_ordinal: Some(1), ..AllocationOverride::default() };
    report("wrong_device", &["VP-001"], spoil_allocation(elsewhere));
    let short = AllocationOverride { range_bytes: Some(1), ..AllocationOverride::default() };
    report("range_shorter_than_the_shard", &["VP-001"], spoil_allocation(short));
    let mapped = AllocationOverride { has_host_pointer: Some(true), ..AllocationOverride::default() };
    report("host_pointer", &["VP-003"], spoil_allocation(mapped));
    let managed = AllocationOverride { is_managed: Some(true), ..AllocationOverride::default() };
    report("managed_memory", &["VP-002"], spoil_allocation(managed));
    let slow = |manager: &VramManager| manager.test_hooks().simulated(0).unwrap().set_probe(Some(probe(1300)));
    report("a_chunk_as_slow_as_host_memory", &["VP-005"], broken_rules(slow));

    let (manager, _) = watched();
    manager.test_hooks().simulated(0).unwrap().set_probe(Some(probe(1299)));
    let shard = manager.seal_model(MODEL, 0).unwrap();
    let passes = manager.verify_sealed(&shard).is_ok();
    check_on("simulated", Stream::PolicyEnforcement, "a_chunk_below_the_threshold", true, passes);
}

fn facts_memory_type_host() -> facts::MemoryType {
    facts::MemoryType::Host
}

#[test]
fn a_simulated_device_is_never_shown_as_enforced() {
    proves!("40§1.5");
    let (manager, _) = watched();
    let shard = manager.seal_model(MODEL, 0).unwrap();
    let outcomes: Vec<Outcome> =
        manager.enforce_vram_only_policy().unwrap().iter().map(|decision| decision.outcome()).collect();
    check_on("simulated", Stream::PolicyEnforcement, "outcome", vec![Outcome::Simulated], outcomes);
    check_on("simulated", Stream::PolicyEnforcement, "is_vram_only", false, manager.is_vram_only());
    let mut liar = SimulatedConfig::default();
    liar.device_facts.class = DeviceClass::Gpu;
    let manager = VramManager::simulated(VramConfig::default().simulated_devices(vec![liar])).unwrap();
    check_on(
        "simulated",
        Stream::PolicyEnforcement,
        "class_of_a_simulated_device_set_up_as_a_gpu",
        DeviceClass::Simulated,
        manager.device_class().unwrap(),
    );
    assert_eq!(manager.device_facts(0).unwrap().class, DeviceClass::Simulated);
    drop(shard);
}

#[test]
fn an_integrated_device_is_refused_at_the_first_seal_and_keeps_no_weights() {
    let mut device = SimulatedConfig::default();
    device.device_facts.integrated = true;
    let manager = VramManager::simulated(VramConfig::default().simulated_devices(vec![device])).unwrap();
    let simulated = manager.test_hooks().simulated(0).unwrap();
    let refused = manager.seal_model(MODEL, 0);
    assert!(matches!(refused, Err(VramError::PolicyViolated { ref rules, .. }) if rules == &["VP-002"]));
    assert_eq!(simulated.live_allocations(), 0);
}

#[test]
fn a_policy_violation_on_one_device_stops_the_manager_for_all() {
    let devices = vec![SimulatedConfig::for_index(0), SimulatedConfig::for_index(1)];
    let manager = VramManager::simulated(VramConfig::default().simulated_devices(devices)).unwrap();
    let shard = manager.seal_model(MODEL, 0).unwrap();
    let mapped = AllocationOverride { has_host_pointer: Some(true), ..AllocationOverride::default() };
    manager.test_hooks().simulated(1).unwrap().set_allocation_facts(Some(mapped));
    assert!(matches!(manager.seal_model(MODEL, 1), Err(VramError::PolicyViolated { gpu_device: 1, .. })));
    assert!(matches!(manager.verify_sealed(&shard), Err(VramError::Stopped { .. })));
}

#[test]
fn weights_that_are_lent_are_not_run_after_the_manager_was_stopped() {
    proves!("CI-007");
    let (manager, _) = watched();
    let shard = manager.seal_model(MODEL, 0).unwrap();
    let stream = manager.stream(0).unwrap();
    let guard = manager.verify_for_execute(&shard).unwrap();
    let managed = AllocationOverride { is_managed: Some(true), ..AllocationOverride::default() };
    manager.test_hooks().simulated(0).unwrap().set_allocation_facts(Some(managed));
    assert!(matches!(manager.enforce_vram_only_policy(), Err(VramError::PolicyViolated { .. })));
    let ran = guard.launch(&stream, |_| ()).is_ok();
    check_on("simulated", Stream::PolicyEnforcement, "launched_after_the_stop", false, ran);
}

#[test]
fn what_breaks_a_rule_is_not_attested() {
    let (manager, events) = watched();
    let _shard = manager.seal_model(MODEL, 0).unwrap();
    let managed = AllocationOverride { is_managed: Some(true), ..AllocationOverride::default() };
    manager.test_hooks().simulated(0).unwrap().set_allocation_facts(Some(managed));
    let attested = manager.attest_residency();
    assert!(matches!(&attested, Err(VramError::PolicyViolated { rules, .. }) if rules == &["VP-002"]), "{attested:?}");
    assert!(manager.stop_cause().is_some());
    let seen = events.names();
    let expected = vec!["started", "sealed", "policy_violation", "verification_failed"];
    check_on("simulated", Stream::PolicyEnforcement, "events", expected, seen);
}

#[test]
fn a_gpu_is_required_or_refused_with_what_was_looked_for() {
    let found = vram_residency::discover();
    if let Some(gpu) = found.usable.first() {
        let manager = VramManager::require_gpu(VramConfig::default().gpus([gpu.index])).unwrap();
        assert_eq!(manager.device_indices(), [gpu.index]);
    } else if let Some(reason) = found.reason {
        let refused = VramManager::require_gpu(VramConfig::default()).unwrap_err();
        assert!(matches!(refused, VramError::NoGpu { .. }));
        assert!(refused.to_string().contains("VramManager::simulated"), "{refused}");
        assert!(refused.to_string().contains(&reason), "{refused}");
        assert_eq!(VramManager::new().device_class().unwrap(), DeviceClass::Simulated);
    } else {
        let refused = VramManager::require_gpu(VramConfig::default()).unwrap_err();
        assert!(matches!(refused, VramError::Driver { .. }), "{refused}");
    }
}

/// Collects what `tracing` writes.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn test_debug_format_omits_vram_ptr() {
    proves!("MS-001", "CI-006", "10§2.3");
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).with_ansi(false).finish();
    let secret = b"correct-horse-battery-staple-0123456789";
    let (shown, address) = tracing::subscriber::with_default(subscriber, || everything_shown(secret));
    let shown = format!("{shown}\n{}", String::from_utf8(log.0.lock().unwrap().clone()).unwrap());
    assert!(shown.contains("sealed") && shown.contains("SealedShard"), "nothing was captured");

    let hex = format!("{address:x}");
    let omits = |what: &str, needle: &str| {
        check(Stream::CryptoValidation, what, false, shown.to_lowercase().contains(&needle.to_lowercase()));
    };
    omits("address_in_decimal_shown", &address.to_string());
    omits("address_in_hex_shown", &hex);
    omits("token_shown", std::str::from_utf8(secret).unwrap());
    omits("token_in_hex_shown", &secret.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    omits("token_as_a_list_shown", &format!("{:?}", &secret[..8]).replace(['[', ']'], ""));
    omits("a_pointer_shown", "0x");
}

#[test]
fn weights_on_loan_have_neither_debug_nor_display() {
    /// Asks of a type whether it has them: its own constants go before the trait's, where their bounds hold.
    struct Of<T>(PhantomData<T>);
    trait Otherwise {
        const DEBUG: bool = false;
        const DISPLAY: bool = false;
    }
    impl<T> Otherwise for Of<T> {}
    impl<T: Debug> Of<T> {
        const DEBUG: bool = true;
    }
    impl<T: Display> Of<T> {
        const DISPLAY: bool = true;
    }
    assert_eq!((Of::<VramError>::DEBUG, Of::<VramError>::DISPLAY), (true, true));
    assert_eq!((Of::<DeviceWeights>::DEBUG, Of::<DeviceWeights>::DISPLAY), (false, false));
}

/// Every Debug, Display, JSON and error text that a worker can get, and the address of the weights.
fn everything_shown(secret: &[u8]) -> (String, u64) {
    let token = SecretToken::from_bytes(secret.to_vec()).unwrap();
    let mut shown = format!("{token:?}");
    let config = VramConfig::default().token(token).audit(Arc::new(TracingSink));
    shown += &format!("{config:?}");
    let manager = VramManager::simulated(config).unwrap();
    let shard = manager.seal_model(MODEL, 0).unwrap();
    let stream = manager.stream(0).unwrap();
    let guard = manager.verify_for_execute(&shard).unwrap();
    let address = guard.launch(&stream, |weights| weights.address().as_raw()).unwrap();
    let in_use = manager.release(&shard).unwrap_err();
    shown += &format!("{manager:?} {shard:?} {guard:?} {stream:?} {in_use:?} {in_use}");
    shown += &serde_json::to_string(&shard).unwrap();
    let attestation = manager.attest_residency().unwrap();
    shown += &format!("{attestation:?} {}", serde_json::to_string(&attestation).unwrap());
    drop(guard);
    manager.test_hooks().flip_bit(&shard, 0).unwrap();
    let changed = manager.verify_sealed(&shard).unwrap_err();
    shown += &format!("{changed:?} {changed}");
    manager.release(&shard).unwrap();
    (shown, address)
}
