//! What holds for a worker on any kind of device: each function is a test's body, and takes the worker it is about.

use std::sync::Arc;

use evidence::{Stream, check_on};
use serde_json::{Value, json};
use vram_residency::{DeviceClass, MemorySink, Outcome, Rule, SealedShard, Verdict, VramError, VramManager};

/// A block of the fs-verity tree, in bytes.
const BLOCK: usize = 4096;

/// A manager on devices of one class, and the device to use.
pub(crate) struct Worker {
    pub(crate) manager: VramManager,
    pub(crate) events: Arc<MemorySink>,
    pub(crate) gpu_device: u32,
}

impl Worker {
    fn class(&self) -> DeviceClass {
        self.manager.device_class().unwrap()
    }

    /// Where the device is among the manager's.
    fn place(&self) -> usize {
        self.manager.device_indices().iter().position(|index| *index == self.gpu_device).unwrap()
    }

    fn seal(&self, bytes: usize) -> SealedShard {
        self.manager.seal_model(&pattern(bytes), self.gpu_device).unwrap()
    }

    fn check(&self, stream: Stream, operation: &str, expected: Value, observed: Value) {
        check_on(self.class().as_str(), stream, operation, expected, observed);
    }
}

/// Bytes of which no two blocks are alike.
fn pattern(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|i| ((i % 11 + i % 439 + i % 1103) & 255) as u8).collect()
}

/// The policy's decision about live shards is that of a device whose memory holds them; without a shard it is not made.
pub(crate) fn policy_holds(worker: &Worker) {
    let (idle, enforced) = match worker.class() {
        DeviceClass::Gpu => (Outcome::Unproven, Outcome::Enforced),
        DeviceClass::Simulated | DeviceClass::FakeDriver => (Outcome::Simulated, Outcome::Simulated),
    };
    let judge = || {
        let decision = worker.manager.enforce_vram_only_policy().unwrap().remove(worker.place());
        let verdicts: Vec<(Rule, Verdict)> =
            decision.findings().iter().map(|finding| (finding.rule, finding.verdict)).collect();
        (decision.outcome(), verdicts)
    };
    let verdict = |rule: Rule, verdicts: &[(Rule, Verdict)]| verdicts.iter().find(|(of, _)| *of == rule).unwrap().1;
    let rules = [Rule::Vp001, Rule::Vp002, Rule::Vp003, Rule::Vp005];
    let (outcome, verdicts) = judge();
    worker.check(
        Stream::PolicyEnforcement,
        "a_device_that_holds_nothing",
        json!([idle, Verdict::NotApplicable]),
        json!([outcome, verdict(Rule::Vp001, &verdicts)]),
    );
    let shards = [1, BLOCK, (2 << 20) + 1, 5 << 20].map(|bytes| worker.seal(bytes));
    let (outcome, verdicts) = judge();
    worker.check(
        Stream::PolicyEnforcement,
        "a_device_that_holds_four_shards",
        json!([enforced, rules.map(|_| Verdict::Met)]),
        json!([outcome, rules.map(|rule| verdict(rule, &verdicts))]),
    );
    for shard in &shards {
        worker.manager.verify_sealed(shard).unwrap();
        worker.manager.release(shard).unwrap();
    }
    assert_eq!(worker.manager.used_vram(worker.gpu_device).unwrap(), 0);
}

/// The device says which it is, and the attestation carries it.
pub(crate) fn device_is_named(worker: &Worker) {
    let facts = worker.manager.device_facts(worker.gpu_device).unwrap();
    let shard = worker.seal(BLOCK);
    let attestation = worker.manager.attest_residency().unwrap();
    let attested = &attestation.devices()[worker.place()].record.device;
    worker.check(
        Stream::CudaOperations,
        "the_device_is_named",
        json!({"class": facts.class, "uuid": facts.uuid, "uuid_is_zero": false, "has_driver": true, "index": worker.gpu_device}),
        json!({
            "class": attested.class,
            "uuid": attested.uuid,
            "uuid_is_zero": facts.uuid.is_zero(),
            "has_driver": facts.driver_version.is_some() || facts.class == DeviceClass::Simulated,
            "index": facts.index,
        }),
    );
    worker.manager.release(&shard).unwrap();
}

/// One changed bit of device memory is found, wherever it lies, and its block is named; nothing is lent.
pub(crate) fn a_flipped_bit_is_found_and_located(worker: &Worker) {
    let bytes = (5 << 20) + 3;
    let last = bytes * 8 - 1;
    for (case, bit) in [("first", 0), ("block_boundary", BLOCK * 8), ("middle", bytes * 4 + 5), ("last", last)] {
        let shard = worker.seal(bytes);
        worker.manager.verify_sealed(&shard).unwrap();
        let alarms = || worker.events.events().iter().filter(|event| event.is_critical()).count();
        let before = alarms();
        worker.manager.test_hooks().flip_bit(&shard, bit as u64).unwrap();
        let located = match worker.manager.verify_for_execute(&shard) {
            Err(VramError::ContentsChanged { blocks, .. }) => json!(blocks),
            Err(other) => json!(other.to_string()),
            Ok(_) => json!("lent"),
        };
        let expected = json!([bit / 8 / BLOCK]);
        worker.check(Stream::CryptoValidation, &format!("flip_of_the_bit_{case}"), expected, located);
        assert_eq!(alarms(), before + 1, "one alarm for one refusal");
        worker.manager.test_hooks().flip_bit(&shard, bit as u64).unwrap();
        worker.manager.verify_sealed(&shard).expect("the bit was flipped back");
        worker.manager.release(&shard).unwrap();
    }
}
