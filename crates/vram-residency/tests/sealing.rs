//! Sealing: what is accepted, what is refused, and that a refusal leaves nothing behind.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::io::{Error, Read};
use std::sync::Arc;

use evidence::{Stream, check, check_on, proves};
use vram_residency::{
    DeviceClass, DeviceFacts, DigestHex, Event, MemorySink, SealOptions, SealedShard, SimulatedConfig, SimulatedDevice,
    StartedDevice, TensorParallel, VramConfig, VramError, VramManager,
};

const MODEL: &[u8] = b"the weights of a very small model";

fn manager() -> VramManager {
    VramManager::simulated(VramConfig::default()).unwrap()
}

fn with_capacity(bytes: u64) -> VramManager {
    let device = SimulatedConfig::default().capacity(bytes);
    VramManager::simulated(VramConfig::default().simulated_devices(vec![device])).unwrap()
}

fn in_device_memory(manager: &VramManager, shard: &SealedShard) -> Vec<u8> {
    let mut bytes = vec![0; shard.vram_bytes];
    manager.test_hooks().read_device(shard, 0, &mut bytes).unwrap();
    bytes
}

/// Bytes used, allocations alive: both zero when nothing was left behind.
fn left_behind(manager: &VramManager) -> (u64, usize) {
    (manager.used_vram(0).unwrap(), manager.test_hooks().simulated(0).unwrap().live_allocations())
}

#[test]
fn test_seal_model_basic() {
    proves!("00§2.1", "10§1.1");
    let manager = manager();
    let shard = manager.seal_model(MODEL, 0).unwrap();
    // From coreutils: printf 'the weights of a very small model' | sha256sum
    let expected = "8848f57c7a09430cd55ebd8cf562c1e5109a16efff8585bf56ced24aaa0d6e32";
    check_on("simulated", Stream::CryptoValidation, "sealed_digest", expected, &shard.digest);
    check_on("simulated", Stream::CryptoValidation, "sealed_bytes", MODEL.len(), shard.vram_bytes);
    check_on("simulated", Stream::CryptoValidation, "sealed_device", 0, shard.gpu_device);
    check_on("simulated", Stream::CryptoValidation, "signature_present", true, shard.signature().is_some());
    check_on(
        "simulated",
        Stream::CryptoValidation,
        "device_memory_holds_the_model",
        true,
        in_device_memory(&manager, &shard) == MODEL,
    );
    assert_eq!(manager.used_vram(0).unwrap(), MODEL.len() as u64);
    let copy: SealedShard = serde_json::from_str(&serde_json::to_string(&shard.clone()).unwrap()).unwrap();
    check_on(
        "simulated",
        Stream::CryptoValidation,
        "verifies_after_a_round_trip_through_json",
        true,
        manager.verify_sealed(&copy).is_ok(),
    );
}

#[test]
fn test_seal_validates_shard_id_format() {
    proves!("00§4.2");
    let manager = manager();
    let long = "a".repeat(257);
    for bad in ["", "../etc/passwd", "a/b", "a b", "a\0b", "a\nb", "é", long.as_str()] {
        let refused = manager.seal_model_as(bad, MODEL, 0);
        check(Stream::InputValidation, "shard_id_refused", true, matches!(refused, Err(VramError::InvalidInput(_))));
    }
    assert_eq!(left_behind(&manager), (0, 0), "a refused id must be refused before memory is taken");
    let longest = "a".repeat(256);
    let kept: Vec<SealedShard> =
        ["a", "layer-0_Q4", longest.as_str()].map(|good| manager.seal_model_as(good, MODEL, 0).unwrap()).to_vec();
    check(Stream::InputValidation, "shard_ids_accepted", "layer-0_Q4", &kept[1].shard_id);
    assert_eq!(kept[2].shard_id.len(), 256);
}

#[test]
fn test_seal_model_zero_size_rejected() {
    proves!("MS-003", "RP-004", "10§1.4");
    let manager = manager();
    let empty = manager.seal_model(&[], 0).unwrap_err();
    check(Stream::BoundsChecking, "zero_size", "InvalidInput", variant(&empty));
    check(Stream::BoundsChecking, "zero_size_is_fatal", false, empty.is_retriable());
    assert!(empty.to_string().contains("0 bytes") || empty.to_string().contains("empty"), "{empty}");
    assert_eq!(left_behind(&manager), (0, 0));
    assert_eq!(manager.test_hooks().simulated(0).unwrap().memory_ids().len(), 0, "the driver was never asked");

    let small = VramManager::simulated(VramConfig::default().max_model_bytes(8)).unwrap();
    drop(small.seal_model(&MODEL[..8], 0).unwrap());
    let over = small.seal_model(&MODEL[..9], 0).unwrap_err();
    check(Stream::BoundsChecking, "one_byte_over_the_maximum", "InvalidInput", variant(&over));
    assert!(over.to_string().contains('8'), "the message must name the maximum: {over}");
    let huge = small.seal_reader(std::io::empty(), u64::MAX, SealOptions::new(0)).unwrap_err();
    check(Stream::BoundsChecking, "largest_number", "InvalidInput", variant(&huge));

    let told = |error: &VramError| (error.is_retriable(), error.needed_bytes(), error.available_bytes());
    let never = with_capacity(16).seal_model(MODEL, 0).unwrap_err();
    let needed = Some(MODEL.len() as u64);
    check(Stream::BoundsChecking, "over_capacity", (false, needed, Some(16)), told(&never));
    let full = with_capacity(MODEL.len() as u64 + 16);
    let _shard = full.seal_model(MODEL, 0).unwrap();
    let short = full.seal_model(MODEL, 0).unwrap_err();
    check(Stream::BoundsChecking, "over_what_is_left", (true, needed, Some(16)), told(&short));
}

fn variant(error: &VramError) -> String {
    let text = format!("{error:?}");
    text.split(|c: char| !c.is_alphanumeric()).next().unwrap().to_owned()
}

#[test]
fn an_exact_fit_is_accepted_and_one_byte_more_is_not() {
    let manager = with_capacity(MODEL.len() as u64);
    let shard = manager.seal_model(MODEL, 0).unwrap();
    assert_eq!(manager.available_vram(0).unwrap(), 0);
    assert!(matches!(manager.seal_model(b"x", 0), Err(VramError::InsufficientVram { needed_bytes: 1, .. })));
    manager.release(&shard).unwrap();
    drop(manager.seal_model(MODEL, 0).unwrap());
}

#[test]
fn an_unknown_device_is_refused_by_name_of_the_devices_there_are() {
    let refused = manager().seal_model(MODEL, 1).unwrap_err();
    assert!(matches!(refused, VramError::InvalidInput(_)), "{refused:?}");
}

#[test]
fn ids_in_use_are_refused_and_free_again_after_release_or_drop() {
    let manager = manager();
    let shard = manager.seal_model_as("a", MODEL, 0).unwrap();
    assert!(matches!(manager.seal_model_as("a", b"other", 0), Err(VramError::ShardIdInUse { .. })));
    manager.verify_sealed(&shard).unwrap();
    manager.release(&shard).unwrap();
    drop(manager.seal_model_as("a", MODEL, 0).unwrap());
    drop(manager.seal_model_as("a", MODEL, 0).unwrap());
}

#[test]
fn chosen_ids_never_collide_with_given_ones() {
    let manager = manager();
    let _given = manager.seal_model_as("shard-1", MODEL, 0).unwrap();
    let chosen = manager.seal_model(MODEL, 0).unwrap();
    assert_eq!(chosen.shard_id, "shard-2");
}

#[test]
fn expected_digests_are_enforced_in_either_case_and_name_both_digests_when_not_met() {
    let manager = manager();
    let shard = manager.seal_model(MODEL, 0).unwrap();
    let seal = |options| manager.seal_reader(MODEL, MODEL.len() as u64, options);
    let options = SealOptions::new(0).expect_sha256(shard.digest.to_uppercase()).expect_tree_digest(&shard.tree_digest);
    drop(seal(options).unwrap());
    let wrong = "0".repeat(64);
    let error = seal(SealOptions::new(0).expect_sha256(&wrong)).unwrap_err().to_string();
    assert!(error.contains("SHA-256") && error.contains(&wrong) && error.contains(&shard.digest), "{error}");
    let error = seal(SealOptions::new(0).expect_tree_digest(&wrong)).unwrap_err().to_string();
    assert!(error.contains("fs-verity") && error.contains(&shard.tree_digest), "{error}");
    assert!(matches!(seal(SealOptions::new(0).expect_sha256("abc")), Err(VramError::InvalidInput(_))));
    assert_eq!(manager.used_vram(0).unwrap(), MODEL.len() as u64, "only the first shard may be left");
}

#[test]
fn input_shorter_longer_or_broken_is_refused_and_leaves_nothing() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(Error::other("disk gone"))
        }
    }
    let manager = manager();
    let len = MODEL.len() as u64;
    let seal = |model: &mut dyn Read, len| manager.seal_reader(model, len, SealOptions::new(0).shard_id("a"));
    assert!(matches!(
        seal(&mut &MODEL[..], len + 1),
        Err(VramError::InputTooShort { read_bytes, .. }) if read_bytes == len
    ));
    assert!(matches!(seal(&mut &MODEL[..], len - 1), Err(VramError::InputTooLong { .. })));
    let half = &mut MODEL[..9].chain(Broken);
    assert!(matches!(seal(half, len), Err(VramError::Read(_))));
    assert_eq!(left_behind(&manager), (0, 0));
    drop(seal(&mut &MODEL[..], len).unwrap());
}

#[test]
fn a_reader_that_says_that_it_read_more_than_there_was_room_for_is_refused() {
    struct Boasting;
    impl Read for Boasting {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            Ok(out.len() + 1)
        }
    }
    let manager = manager();
    let refused = manager.seal_reader(Boasting, 8, SealOptions::new(0));
    assert!(matches!(refused, Err(VramError::Read(_))), "{refused:?}");
    assert_eq!(left_behind(&manager), (0, 0));
}

#[test]
fn nothing_is_sealed_once_the_manager_was_stopped_while_it_read() {
    struct Stopping<'a>(&'a VramManager);
    impl Read for Stopping<'_> {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            let device = self.0.test_hooks().simulated(0).unwrap();
            let facts = self.0.device_facts(0).unwrap();
            device.set_device_facts(DeviceFacts { integrated: true, ..facts.clone() });
            assert!(self.0.enforce_vram_only_policy().is_err());
            device.set_device_facts(facts);
            let len = out.len().min(MODEL.len());
            out[..len].copy_from_slice(&MODEL[..len]);
            Ok(len)
        }
    }
    let events = Arc::new(MemorySink::new());
    let manager = VramManager::simulated(VramConfig::default().audit(events.clone())).unwrap();
    let sealed =
        manager.seal_reader(Stopping(&manager).take(MODEL.len() as u64), MODEL.len() as u64, SealOptions::new(0));
    assert!(matches!(sealed, Err(VramError::Stopped { .. })), "{sealed:?}");
    check_on(
        "simulated",
        Stream::PolicyEnforcement,
        "events",
        ["started", "policy_violation"].to_vec(),
        events.names(),
    );
    assert_eq!(left_behind(&manager), (0, 0));
}

#[test]
fn a_model_that_is_not_the_publishers_raises_the_alarm() {
    let events = Arc::new(MemorySink::new());
    let manager = VramManager::simulated(VramConfig::default().audit(events.clone())).unwrap();
    let options = SealOptions::new(0).shard_id("a").expect_sha256("0".repeat(64));
    let refused = manager.seal_reader(MODEL, MODEL.len() as u64, options).unwrap_err();
    let Some(Event::SealRefused { shard_id, gpu_device: 0, reason }) = events.events().pop() else {
        panic!("{:?}", events.names())
    };
    assert_eq!((shard_id.as_str(), reason), ("a", refused.to_string()));
    assert!(events.events().last().unwrap().is_critical());
}

#[test]
fn simulated_devices_are_used_under_their_own_indices() {
    let config = |devices| VramConfig::default().simulated_devices(devices);
    let twice = VramManager::simulated(config(vec![SimulatedConfig::default(), SimulatedConfig::default()]));
    assert!(matches!(twice, Err(VramError::SimulatedTwice { gpu_device: 0 })));
    let devices = vec![SimulatedConfig::for_index(4), SimulatedConfig::for_index(1)];
    let events = Arc::new(MemorySink::new());
    let manager = VramManager::simulated(config(devices).audit(events.clone())).unwrap();
    assert_eq!(manager.device_indices(), [1, 4]);
    let started = [1, 4].map(|gpu_device| StartedDevice {
        gpu_device,
        device_uuid: SimulatedConfig::for_index(gpu_device).device_facts.uuid,
    });
    let started = Event::Started { device_class: DeviceClass::Simulated, devices: started.into() };
    assert_eq!(events.events(), [started]);
    let shard = manager.seal_model(MODEL, 4).unwrap();
    manager.verify_sealed(&shard).unwrap();
    assert_eq!(manager.test_hooks().simulated(4).unwrap().live_allocations(), 1);
}

#[test]
fn chunked_input_of_awkward_sizes_seals_the_same_bytes() {
    let model: Vec<u8> = (0..9_000_001_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    /// Yields at most 4095 bytes a call and is interrupted now and then.
    struct Trickle<'a>(&'a [u8], u32);
    impl Read for Trickle<'_> {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            self.1 += 1;
            if self.1.is_multiple_of(7) {
                return Err(Error::from(std::io::ErrorKind::Interrupted));
            }
            let part = self.0.len().min(out.len()).min(4095);
            out[..part].copy_from_slice(&self.0[..part]);
            self.0 = &self.0[part..];
            Ok(part)
        }
    }
    let manager = manager();
    let whole = manager.seal_model(&model, 0).unwrap();
    let trickled = manager.seal_reader(Trickle(&model, 0), model.len() as u64, SealOptions::new(0)).unwrap();
    assert_eq!((&whole.digest, &whole.tree_digest), (&trickled.digest, &trickled.tree_digest));
    assert_eq!(whole.tree_digest, DigestHex::parse(&content_digest_of(&model)).unwrap().as_str());
    assert!(in_device_memory(&manager, &trickled) == model);
}

fn content_digest_of(model: &[u8]) -> String {
    content_digest::tree_digest(model).to_hex()
}

#[test]
fn a_shard_for_another_rank_is_refused() {
    let rank = TensorParallel::parse(1, 4).unwrap();
    let manager = VramManager::simulated(VramConfig::default().tensor_parallel(rank)).unwrap();
    assert_eq!(manager.seal_model(MODEL, 0).unwrap().tensor_parallel, rank);
    let other = SealOptions::new(0).tensor_parallel(TensorParallel::parse(2, 4).unwrap());
    let refused = manager.seal_reader(MODEL, MODEL.len() as u64, other).unwrap_err();
    assert!(matches!(refused, VramError::WrongTensorParallel { .. }));
    assert!(refused.to_string().contains("rank 2 of 4"), "{refused}");
}

#[test]
fn device_memory_that_changes_between_upload_and_seal_is_not_sealed() {
    /// Flips a bit of the first block of device memory once the first chunk is uploaded.
    struct Saboteur<'a> {
        model: &'a [u8],
        device: Arc<SimulatedDevice>,
        calls: u32,
    }
    impl Read for Saboteur<'_> {
        fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
            self.calls += 1;
            if self.calls == 2 {
                self.device.flip_bit(self.device.memory_ids()[0], 5).unwrap();
            }
            self.model.read(out)
        }
    }
    let manager = manager();
    let model = vec![7; 5 << 20];
    let device = manager.test_hooks().simulated(0).unwrap();
    let saboteur = Saboteur { model: &model, device, calls: 0 };
    let refused = manager.seal_reader(saboteur, model.len() as u64, SealOptions::new(0));
    assert!(matches!(refused, Err(VramError::ContentsChanged { ref blocks, .. }) if blocks == &[0]), "{refused:?}");
    assert_eq!(left_behind(&manager), (0, 0));
}
