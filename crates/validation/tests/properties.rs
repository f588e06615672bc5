//! What holds of every input, looked for with inputs made from the seed of the run.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use validation::{DigestHex, GpuIndex, ModelSize, ShardId, TensorParallel};

fn runner() -> TestRunner {
    TestRunner::new(ProptestConfig {
        rng_seed: RngSeed::Fixed(evidence::seed()),
        failure_persistence: None,
        ..ProptestConfig::default()
    })
}

/// What an id may be, said once more in other words.
fn is_plain(text: &str) -> bool {
    (1..=256).contains(&text.len())
        && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'-' | b'_'))
}

#[test]
fn any_text_is_a_shard_id_exactly_when_it_is_plain() {
    let plain = proptest::collection::vec(proptest::sample::select(b"azAZ09-_".to_vec()), 0..=260)
        .prop_map(|bytes| String::from_utf8(bytes).unwrap());
    let anything = proptest::collection::vec(any::<char>(), 0..=260).prop_map(String::from_iter);
    runner()
        .run(&prop_oneof![plain, anything], |text| {
            let parsed = ShardId::parse(&text);
            prop_assert_eq!(parsed.is_ok(), is_plain(&text));
            match parsed {
                Ok(id) => {
                    prop_assert_eq!(id.as_str(), &text);
                    let json = serde_json::to_string(&id).unwrap();
                    prop_assert_eq!(serde_json::from_str::<ShardId>(&json).unwrap(), id);
                }
                Err(error) => {
                    let message = error.to_string();
                    prop_assert!(message.is_ascii() && !message.contains(|c: char| c.is_ascii_control()));
                    prop_assert!(message.len() < 120);
                }
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn any_number_is_accepted_exactly_when_it_is_within_its_limit() {
    let near = |limit: u64| {
        prop_oneof![any::<u64>(), Just(limit), Just(limit.saturating_add(1)), Just(limit.saturating_sub(1))]
    };
    let pairs = any::<u64>().prop_flat_map(move |limit| (near(limit), Just(limit)));
    runner()
        .run(&pairs, |(number, limit)| {
            let size = ModelSize::parse(number, limit);
            prop_assert_eq!(size.is_ok(), number != 0 && number <= limit);
            prop_assert!(size.map_or(true, |size| size.get() == number));

            let (index, count) = (number as u32, limit as u32);
            let gpu = GpuIndex::parse(index, &[7, count]);
            prop_assert_eq!(gpu.is_ok(), index == 7 || index == count);
            prop_assert!(gpu.map_or(true, |gpu| gpu.get() == index));

            let part = TensorParallel::parse(index, count);
            prop_assert_eq!(part.is_ok(), index < count);
            prop_assert!(part.map_or(true, |part| (part.index(), part.count()) == (index, count)));
            Ok(())
        })
        .unwrap();
}

#[test]
fn any_32_bytes_survive_being_written_as_hex_in_either_case() {
    runner()
        .run(&any::<[u8; 32]>(), |bytes| {
            let digest = DigestHex::from_bytes(bytes);
            prop_assert_eq!(digest.to_bytes(), bytes);
            prop_assert_eq!(DigestHex::parse(digest.as_str()).unwrap(), digest.clone());
            prop_assert_eq!(DigestHex::parse(&digest.as_str().to_uppercase()).unwrap(), digest.clone());
            let json = serde_json::to_string(&digest).unwrap();
            prop_assert_eq!(serde_json::from_str::<DigestHex>(&json).unwrap(), digest);
            Ok(())
        })
        .unwrap();
}
