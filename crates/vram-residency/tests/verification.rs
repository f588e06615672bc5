//! Verification: what was sealed passes, and nothing else does.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use evidence::{Stream, check, check_on, proves};
use time::OffsetDateTime;
use vram_residency::{
    AllocationOverride, AuditError, AuditKey, AuditSink, ChainKey, DeviceUuid, Event, MemorySink, NdjsonSink,
    ResidencyAttestation, SealedShard, SecretToken, TensorParallel, VramConfig, VramError, VramManager, verify_log,
};

const MODEL: &[u8] = b"the weights of a very small model";

fn manager() -> VramManager {
    VramManager::simulated(VramConfig::default()).unwrap()
}

fn with_token(byte: u8) -> VramManager {
    let token = SecretToken::from_bytes(vec![byte; 32]).unwrap();
    VramManager::simulated(VramConfig::default().token(token)).unwrap()
}

fn edited(shard: &SealedShard, field: &str, value: serde_json::Value) -> SealedShard {
    let mut json = serde_json::to_value(shard).unwrap();
    json[field] = value;
    serde_json::from_value(json).unwrap()
}

/// The same handle with its own share of the memory, and one field edited.
fn edited_with_lease(shard: &SealedShard, edit: impl FnOnce(&mut SealedShard)) -> SealedShard {
    let mut copy = shard.clone();
    edit(&mut copy);
    copy
}

#[test]
fn test_verify_sealed_valid() {
    proves!("00§2.2", "CI-007", "VP-006", "IV-004", "10§1.2");
    let events = Arc::new(MemorySink::new());
    let manager = VramManager::simulated(VramConfig::default().audit(events.clone())).unwrap();
    let shard = manager.seal_model(MODEL, 0).unwrap();
    let on_simulated = |operation, expected: bool, observed: bool| {
        check_on("simulated", Stream::CryptoValidation, operation, expected, observed);
    };
    on_simulated("unaltered_shard_verifies", true, manager.verify_sealed(&shard).is_ok());

    // CI-007: a guard comes only from a verification of the bytes as they are at that moment.
    on_simulated("guard_after_verification", true, manager.verify_for_execute(&shard).is_ok());
    let last_bit = MODEL.len() as u64 * 8 - 1;
    manager.test_hooks().flip_bit(&shard, last_bit).unwrap();
    on_simulated("changed_shard_verifies", false, manager.verify_sealed(&shard).is_ok());
    on_simulated("guard_for_a_changed_shard", false, manager.verify_for_execute(&shard).is_ok());
    assert!(!events.names()[5..].contains(&"lent"), "a failed verification must lend nothing: {:?}", events.names());
    manager.test_hooks().flip_bit(&shard, last_bit).unwrap();
    on_simulated("restored_shard_verifies", true, manager.verify_sealed(&shard).is_ok());

    // IV-004: 64 hexadecimal digits of either case and nothing else, whatever the handle's field holds.
    let upper = edited_with_lease(&shard, |shard| shard.digest = shard.digest.to_uppercase());
    on_simulated("digest_in_upper_case", true, manager.verify_sealed(&upper).is_ok());
    for bad in
        ["", "xyz", &shard.digest[1..], &format!("{}0", shard.digest), &shard.digest.replace(char::is_numeric, "g")]
    {
        let bad = edited_with_lease(&shard, |shard| shard.digest = bad.to_owned());
        on_simulated("malformed_digest_verifies", false, manager.verify_sealed(&bad).is_ok());
    }

    // VP-006: an attestation binds the decision to the device's uuid and class; altered it does not verify.
    let attestation = manager.attest_residency().unwrap();
    check_on("simulated", Stream::PolicyEnforcement, "attested_class", "simulated", attestation.device_class());
    on_simulated("attestation_verifies", true, manager.verify_attestation(&attestation).is_ok());
    let signed = serde_json::to_value(&attestation).unwrap();
    let with_statement = |text: String| {
        let mut altered = signed.clone();
        altered["statement"] = text.into();
        serde_json::from_value(altered).unwrap()
    };
    let text = signed["statement"].as_str().unwrap();
    on_simulated(
        "copied_attestation_verifies",
        true,
        manager.verify_attestation(&with_statement(text.to_owned())).is_ok(),
    );
    let uuid = &shard.device_uuid;
    let other = uuid.replace(&uuid[uuid.len() - 1..], "f");
    for (from, to) in [
        ("\"device_class\":\"simulated\"", "\"device_class\":\"gpu\""),
        (uuid.as_str(), other.as_str()),
        (&shard.digest, &"0".repeat(64)),
        // What no field of ours reads, and a fact that may be missing.
        ("\"record\":{\"device\":{", "\"record\":{\"device\":{\"verified_by\":\"nobody\","),
        ("\"ecc_errors\":null,", ""),
    ] {
        let altered = text.replace(from, to);
        assert_ne!(altered, text);
        let altered = with_statement(altered);
        on_simulated("altered_attestation_verifies", false, manager.verify_attestation(&altered).is_ok());
    }
}

/// An edit that anyone can make to a handle.
type Edit = fn(&mut SealedShard);

#[test]
fn every_edited_field_is_found() {
    proves!("CI-002", "10§2.1");
    let manager = manager();
    let shard = manager.seal_model(MODEL, 0).unwrap();
    let edits: [(&str, Edit); 8] = [
        ("shard_id", |shard| shard.shard_id.push('x')),
        ("vram_bytes", |shard| shard.vram_bytes -= 1),
        ("gpu_device", |shard| shard.gpu_device += 1),
        ("digest", |shard| shard.digest = "0".repeat(64)),
        ("tree_digest", |shard| shard.tree_digest = "0".repeat(64)),
        ("device_uuid", |shard| shard.device_uuid = shard.device_uuid.replace('0', "1")),
        ("tensor_parallel", |shard| shard.tensor_parallel = TensorParallel::parse(1, 2).unwrap()),
        ("sealed_at", |shard| shard.sealed_at -= std::time::Duration::from_nanos(1)),
    ];
    for (field, edit) in edits {
        let refused = manager.verify_sealed(&edited_with_lease(&shard, edit));
        let found = matches!(refused, Err(VramError::SealForged { .. }));
        check(Stream::CryptoValidation, &format!("edited_{field}_found"), true, found);
    }
    manager.verify_sealed(&shard).unwrap();
}

#[test]
fn forged_zeroed_and_removed_signatures_are_refused() {
    proves!("10§2.2");
    let manager = manager();
    let shard = manager.seal_model(MODEL, 0).unwrap();
    let hooks = manager.test_hooks();
    for forged in [[0; 32], [0xff; 32]] {
        let refused = manager.verify_sealed(&hooks.with_signature(&shard, Some(forged)));
        let found = matches!(refused, Err(VramError::SealForged { .. }));
        check(Stream::CryptoValidation, "forged_signature_found", true, found);
    }
    let refused = manager.verify_sealed(&hooks.with_signature(&shard, None));
    check(
        Stream::CryptoValidation,
        "removed_signature_found",
        true,
        matches!(refused, Err(VramError::NotSealed { .. })),
    );
    let unsigned = edited(&shard, "signature", serde_json::Value::Null);
    assert!(unsigned.signature().is_none());
    assert!(matches!(manager.verify_sealed(&unsigned), Err(VramError::NotSealed { .. })));
}

#[test]
fn a_flipped_bit_anywhere_is_found_and_located() {
    let manager = manager();
    let model = vec![0x5a; 3 * 4096 + 1];
    let shard = manager.seal_model(&model, 0).unwrap();
    for bit in [0, 8 * 4096 - 1, 8 * 4096, 8 * 3 * 4096 - 1, 8 * 3 * 4096 + 7] {
        manager.test_hooks().flip_bit(&shard, bit).unwrap();
        let Err(VramError::ContentsChanged { blocks, .. }) = manager.verify_sealed(&shard) else {
            panic!("bit {bit} flipped unnoticed")
        };
        check_on("simulated", Stream::CryptoValidation, "flipped_bit_located", vec![bit / 8 / 4096], blocks);
        manager.test_hooks().flip_bit(&shard, bit).unwrap();
    }
    manager.verify_sealed(&shard).unwrap();
}

#[test]
fn a_deserialised_handle_is_found_by_its_id_while_its_memory_lives() {
    let manager = manager();
    let shard = manager.seal_model_as("a", MODEL, 0).unwrap();
    let copy = edited(&shard, "shard_id", "a".into());
    manager.verify_sealed(&copy).unwrap();
    assert!(matches!(
        manager.verify_sealed(&edited(&shard, "shard_id", "b".into())),
        Err(VramError::UnknownShard { .. })
    ));
    drop(shard);
    assert!(matches!(manager.verify_sealed(&copy), Err(VramError::UnknownShard { .. })));
}

#[test]
fn an_older_handle_under_the_same_id_does_not_pass_for_the_new_shard() {
    let manager = with_token(7);
    let old = manager.seal_model_as("a", MODEL, 0).unwrap();
    let old_text = edited(&old, "shard_id", "a".into());
    manager.release(&old).unwrap();
    let _new = manager.seal_model_as("a", MODEL, 0).unwrap();
    assert!(matches!(manager.verify_sealed(&old_text), Err(VramError::SealForged { .. })));
    assert!(matches!(manager.verify_sealed(&old), Err(VramError::Released { .. })));
}

#[test]
fn two_live_shards_cannot_stand_in_for_each_other() {
    let manager = manager();
    let first = manager.seal_model_as("a", b"first", 0).unwrap();
    let second = manager.seal_model_as("b", b"other", 0).unwrap();
    let swapped = edited_with_lease(&first, |shard| shard.shard_id.clone_from(&second.shard_id));
    assert!(matches!(manager.verify_sealed(&swapped), Err(VramError::SealForged { .. })));
    let swapped = edited(&first, "shard_id", "b".into());
    assert!(matches!(manager.verify_sealed(&swapped), Err(VramError::SealForged { .. })));
}

#[test]
fn shards_of_another_manager_are_refused_even_under_the_same_token() {
    let (ours, theirs) = (with_token(7), with_token(7));
    let shard = theirs.seal_model(MODEL, 0).unwrap();
    assert!(matches!(ours.verify_sealed(&shard), Err(VramError::ForeignShard { .. })));
    assert!(matches!(ours.release(&shard), Err(VramError::ForeignShard { .. })));
    theirs.verify_sealed(&shard).unwrap();
}

#[test]
fn attestations_verify_under_the_same_token_only() {
    let (ours, same, other) = (with_token(7), with_token(7), with_token(8));
    let _shard = ours.seal_model(MODEL, 0).unwrap();
    let attestation = ours.attest_residency().unwrap();
    assert_eq!(attestation.shards().len(), 1);
    same.verify_attestation(&attestation).unwrap();
    assert!(matches!(other.verify_attestation(&attestation), Err(VramError::AttestationForged)));
}

#[test]
fn a_changed_shard_is_not_attested_and_raises_the_alarm() {
    let events = Arc::new(MemorySink::new());
    let manager = VramManager::simulated(VramConfig::default().audit(events.clone())).unwrap();
    let shard = manager.seal_model(MODEL, 0).unwrap();
    manager.test_hooks().flip_bit(&shard, 3).unwrap();
    assert!(matches!(manager.attest_residency(), Err(VramError::ContentsChanged { .. })));
    assert_eq!(events.names(), ["started", "sealed", "verification_failed"]);
}

#[test]
fn an_attestation_says_when_it_was_made() {
    let before = OffsetDateTime::now_utc();
    let made_at = manager().attest_residency().unwrap().made_at();
    assert!(before <= made_at && made_at <= OffsetDateTime::now_utc());
}

#[test]
fn an_attestation_answers_its_challenge_and_a_simulated_one_is_not_vram_only() {
    let manager = with_token(7);
    let _shard = manager.seal_model(MODEL, 0).unwrap();
    let asked = manager.attest_residency_for("a number used once").unwrap();
    let json = serde_json::to_string(&asked).unwrap();
    let read: ResidencyAttestation = serde_json::from_str(&json).unwrap();
    manager.verify_attestation(&read).unwrap();
    assert_eq!(read.challenge(), Some("a number used once"));
    let other: ResidencyAttestation = serde_json::from_str(&json.replace("used once", "used twice")).unwrap();
    assert!(matches!(manager.verify_attestation(&other), Err(VramError::AttestationForged)));
    assert_eq!(manager.attest_residency().unwrap().challenge(), None);
    // Genuine, and of no GPU.
    assert!(!read.is_vram_only());
}

#[test]
fn the_audit_log_of_a_worker_is_kept_and_checked_under_its_token() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.ndjson");
    let token = |byte| SecretToken::from_bytes(vec![byte; 32]).unwrap();
    let key = |byte| ChainKey::new(AuditKey::derive(&token(byte)).unwrap().expose());
    let log = Arc::new(NdjsonSink::open(&path, key(7)).unwrap());
    let manager = VramManager::simulated(VramConfig::default().audit(log).token(token(7))).unwrap();
    drop(manager.seal_model(MODEL, 0).unwrap());
    let log = std::fs::read(&path).unwrap();
    assert_eq!(verify_log(&log[..], &key(7)).unwrap().lines, 3);
    assert!(matches!(verify_log(&log[..], &key(8)), Err(AuditError::Broken { line: 1, .. })));
}

#[test]
fn a_broken_rule_of_very_many_shards_is_kept_in_a_line_that_can_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.ndjson");
    let key = || ChainKey::new(&[1; 32]);
    let sink = Arc::new(NdjsonSink::open(&path, key()).unwrap());
    let manager = VramManager::simulated(VramConfig::default().audit(sink)).unwrap();
    let shards: Vec<_> = (0..1000).map(|_| manager.seal_model(b"x", 0).unwrap()).collect();
    let managed = AllocationOverride { is_managed: Some(true), ..AllocationOverride::default() };
    manager.test_hooks().simulated(0).unwrap().set_allocation_facts(Some(managed));
    assert!(matches!(manager.enforce_vram_only_policy(), Err(VramError::PolicyViolated { .. })));
    assert!(manager.stop_cause().unwrap().len() < 1000);
    let log = std::fs::read(&path).unwrap();
    assert_eq!(verify_log(&log[..], &key()).unwrap().critical, 1);
    assert!(log.len() < 500 * (shards.len() + 2), "the line of the violation is as long as all others");
}

#[test]
fn a_handle_of_any_length_leaves_the_audit_log_readable() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("audit.ndjson");
    let sink = Arc::new(NdjsonSink::open(&path, ChainKey::new(&[1; 32])).unwrap());
    let manager = VramManager::simulated(VramConfig::default().audit(sink)).unwrap();
    let shard = manager.seal_model(MODEL, 0).unwrap();
    let long = edited_with_lease(&shard, |shard| shard.shard_id = "\u{1}é".repeat(1 << 20));
    assert!(matches!(manager.verify_sealed(&long), Err(VramError::SealForged { .. })));
    let log = std::fs::read(&path).unwrap();
    let summary = verify_log(&log[..], &ChainKey::new(&[1; 32])).unwrap();
    assert_eq!((summary.lines, summary.critical), (3, 1));
}

#[test]
fn a_renumbered_device_is_noticed_by_its_uuid() {
    let manager = manager();
    let shard = manager.seal_model(MODEL, 0).unwrap();
    manager.test_hooks().set_uuid(0, DeviceUuid::from_bytes([1; 16])).unwrap();
    assert!(matches!(manager.verify_sealed(&shard), Err(VramError::OtherDevice { .. })));
}

#[test]
fn handles_with_unknown_fields_are_not_parsed() {
    let shard = manager().seal_model(MODEL, 0).unwrap();
    let mut json = serde_json::to_value(&shard).unwrap();
    json["address"] = 7.into();
    assert!(serde_json::from_value::<SealedShard>(json).is_err());
}

#[test]
fn a_lost_device_is_told_with_a_thousand_blocks_and_their_number() {
    const BLOCKS: usize = 1003;
    let manager = with_token(7);
    let shard = manager.seal_model(&vec![7; BLOCKS * 4096], 0).unwrap();
    for block in 0..BLOCKS as u64 {
        manager.test_hooks().flip_bit(&shard, block * 4096 * 8).unwrap();
    }
    let changed = manager.verify_sealed(&shard).unwrap_err();
    assert!(changed.to_string().contains("blocks 0, 1, 2, 3, 4, 5, 6, 7 and 995 others"), "{changed}");
    let VramError::ContentsChanged { blocks, block_count, .. } = changed else { panic!("{changed}") };
    assert_eq!((blocks, block_count), ((0..1000).collect(), BLOCKS));
}

/// Says when shard `b` is verified, and then waits a moment for shard `a` to be released.
struct Waiting {
    verified: mpsc::Sender<()>,
    released: Mutex<mpsc::Receiver<()>>,
}

impl AuditSink for Waiting {
    fn record(&self, event: &Event) -> Result<(), AuditError> {
        if matches!(event, Event::Verified { shard_id, .. } if shard_id.as_str() == "b") {
            let _nobody_listens = self.verified.send(());
            // A release that has to wait comes after this moment, however long it is.
            let _released = self.released.lock().unwrap().recv_timeout(Duration::from_millis(300));
        }
        Ok(())
    }
}

#[test]
fn nothing_that_an_attestation_names_is_released_before_it_is_signed() {
    let (verified, waits_for_verified) = mpsc::channel();
    let (released, waits_for_released) = mpsc::channel();
    let sink = Waiting { verified, released: Mutex::new(waits_for_released) };
    let manager = VramManager::simulated(VramConfig::default().audit(Arc::new(sink))).unwrap();
    let first = manager.seal_model_as("a", MODEL, 0).unwrap();
    let _second = manager.seal_model_as("b", MODEL, 0).unwrap();
    let attestation = std::thread::scope(|scope| {
        let (manager, first) = (&manager, &first);
        scope.spawn(move || {
            waits_for_verified.recv().unwrap();
            manager.release(first).unwrap();
            let _nobody_waits = released.send(());
        });
        manager.attest_residency().unwrap()
    });
    let allocations = attestation.devices()[0].record.allocations.len();
    assert_eq!((attestation.shards().len(), allocations), (2, 2));
    assert_eq!(manager.attest_residency().unwrap().shards().len(), 1);
}
