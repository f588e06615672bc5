//! What a seal covers, and what its verification refuses.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use evidence::{Stream, check, proves};
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};
use seal::{AuditKey, SealError, SealKey, SealedFields, SecretToken, Tag, canonical};
use validation::{ShardId, TensorParallel};

/// The token 00 01 … 1f. Everything pinned below was computed from it with another implementation (Python's hmac).
fn token() -> SecretToken {
    SecretToken::from_bytes((0..32).collect()).unwrap()
}

fn key() -> SealKey {
    SealKey::derive(&token()).unwrap()
}

/// The fields of a shard, owned.
#[derive(Clone, Debug, PartialEq)]
struct Shard {
    shard_id: ShardId,
    vram_bytes: u64,
    gpu_device: u32,
    sha256: [u8; 32],
    tree_digest: [u8; 32],
    device_uuid: [u8; 16],
    sealed_at_unix_nanos: i128,
    tensor_parallel: TensorParallel,
}

impl Shard {
    fn example() -> Self {
        Self {
            shard_id: ShardId::parse("shard-1").unwrap(),
            vram_bytes: 0x0102_0304_0506_0708,
            gpu_device: 2,
            sha256: [0xa1; 32],
            tree_digest: [0xb2; 32],
            device_uuid: [0xc3; 16],
            sealed_at_unix_nanos: 1_759_392_000_123_456_789,
            tensor_parallel: TensorParallel::parse(1, 4).unwrap(),
        }
    }

    fn fields(&self) -> SealedFields<'_> {
        SealedFields {
            shard_id: &self.shard_id,
            vram_bytes: self.vram_bytes,
            gpu_device: self.gpu_device,
            sha256: &self.sha256,
            tree_digest: &self.tree_digest,
            device_uuid: &self.device_uuid,
            sealed_at_unix_nanos: self.sealed_at_unix_nanos,
            tensor_parallel: self.tensor_parallel,
        }
    }
}

/// The canonical encoding of the example: each field's length, then the field.
const CANONICAL: [(&str, &str); 10] = [
    ("1600000000000000", "7672616d2d7265736964656e63792f7365616c2f7631"),
    ("0700000000000000", "73686172642d31"),
    ("0800000000000000", "0807060504030201"),
    ("0400000000000000", "02000000"),
    ("2000000000000000", "a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1"),
    ("2000000000000000", "b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2"),
    ("1000000000000000", "c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3"),
    ("1000000000000000", "15cd05d4b39d6a180000000000000000"),
    ("0400000000000000", "01000000"),
    ("0400000000000000", "04000000"),
];
/// HMAC-SHA256 of those bytes under the seal key of the token.
const TAG: &str = "cd3dba9c27a509403a469c2e28e8eca8867c06bea3372288adf03674ae496225";
/// The same of the message `hello` in the domain `attestation`.
const MESSAGE_TAG: &str = "c774ab406faa3a06a0197ff011e6676b767257231933616ea3dce714096de30b";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `verified`, or the name of the error.
fn outcome(result: Result<(), SealError>) -> String {
    result.map_or_else(|error| format!("{error:?}"), |()| "verified".to_owned())
}

/// `bytes` with each of their bits flipped in turn.
fn each_bit_flipped<const N: usize>(bytes: [u8; N]) -> impl Iterator<Item = [u8; N]> {
    (0..N * 8).map(move |bit| {
        let mut flipped = bytes;
        flipped[bit / 8] ^= 1 << (bit % 8);
        flipped
    })
}

fn runner() -> TestRunner {
    TestRunner::new(ProptestConfig {
        rng_seed: RngSeed::Fixed(evidence::seed()),
        failure_persistence: None,
        ..ProptestConfig::default()
    })
}

#[test]
fn test_compute_signature_valid_inputs() {
    proves!("00§2.4", "CI-001");
    let shard = Shard::example();
    let tag = key().sign(&shard.fields());
    check(Stream::CryptoValidation, "seal_tag", TAG, tag.to_hex());
    check(Stream::CryptoValidation, "seal_tag_again", TAG, key().sign(&shard.clone().fields()).to_hex());
    check(Stream::CryptoValidation, "seal_tag_serialised", TAG, tag);
    check(Stream::CryptoValidation, "seal_tag_shown", format!("Tag({TAG})"), format!("{tag:?}"));
    check(Stream::CryptoValidation, "seal_tag_bytes", 32, tag.as_bytes().len());
    check(Stream::CryptoValidation, "seal_verifies", "verified", outcome(key().verify(&shard.fields(), &tag)));
    check(Stream::CryptoValidation, "message_tag", MESSAGE_TAG, key().sign_message("attestation", b"hello").to_hex());
    check(
        Stream::CryptoValidation,
        "message_verifies",
        "verified",
        outcome(key().verify_message("attestation", b"hello", &Tag::from_hex(MESSAGE_TAG).unwrap())),
    );

    // The largest, the smallest and the longest of everything.
    let mut extreme = shard;
    extreme.shard_id = ShardId::parse(&"x".repeat(256)).unwrap();
    (extreme.vram_bytes, extreme.gpu_device) = (u64::MAX, u32::MAX);
    extreme.tensor_parallel = TensorParallel::parse(u32::MAX - 1, u32::MAX).unwrap();
    for nanos in [i128::MIN, -1, 0, i128::MAX] {
        extreme.sealed_at_unix_nanos = nanos;
        let tag = key().sign(&extreme.fields());
        check(
            Stream::CryptoValidation,
            "extreme_seal_verifies",
            "verified",
            outcome(key().verify(&extreme.fields(), &tag)),
        );
    }
}

#[test]
fn test_signature_different_for_different_shards() {
    proves!("CI-002");
    let shard = Shard::example();
    let pinned: String = CANONICAL.iter().map(|(length, field)| format!("{length}{field}")).collect();
    check(Stream::CryptoValidation, "canonical_encoding", pinned, hex(&canonical(&shard.fields())));

    let change = |change: &dyn Fn(&mut Shard)| {
        let mut changed = shard.clone();
        change(&mut changed);
        assert_ne!(changed, shard);
        changed
    };
    let changes = [
        ("shard_id", change(&|s| s.shard_id = ShardId::parse("shard-2").unwrap())),
        ("shard_id", change(&|s| s.shard_id = ShardId::parse("shard-").unwrap())),
        ("shard_id", change(&|s| s.shard_id = ShardId::parse("shard-11").unwrap())),
        ("shard_id", change(&|s| s.shard_id = ShardId::parse("Shard-1").unwrap())),
        ("vram_bytes", change(&|s| s.vram_bytes += 1)),
        ("vram_bytes", change(&|s| s.vram_bytes ^= 1 << 63)),
        ("gpu_device", change(&|s| s.gpu_device += 1)),
        ("gpu_device", change(&|s| s.gpu_device ^= 1 << 31)),
        ("sha256", change(&|s| s.sha256[0] ^= 1)),
        ("sha256", change(&|s| s.sha256[31] ^= 0x80)),
        ("tree_digest", change(&|s| s.tree_digest[0] ^= 1)),
        ("tree_digest", change(&|s| s.tree_digest[31] ^= 0x80)),
        ("both digests exchanged", change(&|s| (s.sha256, s.tree_digest) = (s.tree_digest, s.sha256))),
        ("device_uuid", change(&|s| s.device_uuid[0] ^= 1)),
        ("device_uuid", change(&|s| s.device_uuid[15] ^= 0x80)),
        ("sealed_at_unix_nanos", change(&|s| s.sealed_at_unix_nanos += 1)),
        ("sealed_at_unix_nanos", change(&|s| s.sealed_at_unix_nanos = -s.sealed_at_unix_nanos)),
        ("sealed_at_unix_nanos", change(&|s| s.sealed_at_unix_nanos += 1 << 64)),
        ("tensor_parallel index", change(&|s| s.tensor_parallel = TensorParallel::parse(2, 4).unwrap())),
        ("tensor_parallel count", change(&|s| s.tensor_parallel = TensorParallel::parse(1, 5).unwrap())),
    ];
    let tag = key().sign(&shard.fields());
    let mut tags = vec![tag.to_hex()];
    for (field, changed) in &changes {
        let operation = format!("seal_verification_after_change_of: {field}");
        check(Stream::CryptoValidation, &operation, "TagMismatch", outcome(key().verify(&changed.fields(), &tag)));
        tags.push(key().sign(&changed.fields()).to_hex());
    }
    tags.sort_unstable();
    tags.dedup();
    check(Stream::CryptoValidation, "distinct_tags_of_distinct_shards", changes.len() + 1, tags.len());
}

#[test]
fn test_verify_signature_tampered_digest_rejected() {
    proves!("10§2.1");
    let shard = Shard::example();
    let tag = key().sign(&shard.fields());
    check(Stream::CryptoValidation, "untampered_seal", "verified", outcome(key().verify(&shard.fields(), &tag)));
    let refused = |tampered: Vec<Shard>| {
        tampered.iter().filter(|shard| outcome(key().verify(&shard.fields(), &tag)) == "TagMismatch").count()
    };
    let sha256 = each_bit_flipped(shard.sha256).map(|sha256| Shard { sha256, ..shard.clone() }).collect();
    check(Stream::CryptoValidation, "sha256_with_a_flipped_bit_refused", 256, refused(sha256));
    let tree = each_bit_flipped(shard.tree_digest).map(|tree_digest| Shard { tree_digest, ..shard.clone() }).collect();
    check(Stream::CryptoValidation, "tree_digest_with_a_flipped_bit_refused", 256, refused(tree));
    let zeroed = vec![Shard { sha256: [0; 32], ..shard.clone() }, Shard { tree_digest: [0; 32], ..shard.clone() }];
    check(Stream::CryptoValidation, "zeroed_digest_refused", 2, refused(zeroed));
}

#[test]
fn test_verify_signature_wrong_key_rejected() {
    proves!("10§2.2", "CI-001");
    let shard = Shard::example();
    let tag = key().sign(&shard.fields());
    check(Stream::CryptoValidation, "seal_under_its_own_key", "verified", outcome(key().verify(&shard.fields(), &tag)));

    let right: [u8; 32] = std::array::from_fn(|i| i as u8);
    let refused = each_bit_flipped(right)
        .map(|wrong| SealKey::derive(&SecretToken::from_bytes(wrong.to_vec()).unwrap()).unwrap())
        .filter(|wrong| outcome(wrong.verify(&shard.fields(), &tag)) == "TagMismatch")
        .count();
    check(Stream::CryptoValidation, "keys_of_tokens_with_a_flipped_bit_refused", 256, refused);
    let random = [SealKey::random().unwrap(), SealKey::random().unwrap()];
    for (one, other) in [(0, 1), (1, 0)] {
        let foreign = random[other].sign(&shard.fields());
        let verify = |tag| outcome(random[one].verify(&shard.fields(), tag));
        check(Stream::CryptoValidation, "seal_of_another_process", "TagMismatch", verify(&foreign));
        check(Stream::CryptoValidation, "seal_of_the_token", "TagMismatch", verify(&tag));
        check(
            Stream::CryptoValidation,
            "seal_of_the_same_process",
            "verified",
            verify(&random[one].sign(&shard.fields())),
        );
    }

    let forged = each_bit_flipped(*tag.as_bytes())
        .filter(|bytes| outcome(key().verify(&shard.fields(), &Tag::from_bytes(*bytes))) == "TagMismatch")
        .count();
    check(Stream::CryptoValidation, "tags_with_a_flipped_bit_refused", 256, forged);
    for bytes in [[0; 32], [0xff; 32]] {
        let verified = outcome(key().verify(&shard.fields(), &Tag::from_bytes(bytes)));
        check(Stream::CryptoValidation, "tag_of_equal_bytes", "TagMismatch", verified);
    }
}

#[test]
fn test_derive_seal_key_valid_inputs() {
    proves!("CI-005");
    let shard = Shard::example();
    // The seal key shows itself in nothing but its tags; the pinned one fixes salt, info and expansion.
    check(Stream::CryptoValidation, "tag_under_the_derived_seal_key", TAG, key().sign(&shard.fields()).to_hex());
    let audit = AuditKey::derive(&token()).unwrap();
    check(
        Stream::CryptoValidation,
        "audit_key_is_the_pinned_one",
        true,
        hex(audit.expose()) == "94a8e91d6a15ba5586a583ebb0e893aa6b280ee80355927636dcddd17b51e951",
    );
    let under_audit_key =
        ring::hmac::sign(&ring::hmac::Key::new(ring::hmac::HMAC_SHA256, audit.expose()), &canonical(&shard.fields()));
    check(Stream::CryptoValidation, "seal_key_is_the_audit_key", false, hex(under_audit_key.as_ref()) == TAG);

    let tags: Vec<String> = [32, 33, 64, 4096]
        .map(|bytes| SealKey::derive(&SecretToken::from_bytes(vec![7; bytes]).unwrap()).unwrap())
        .map(|key| key.sign(&shard.fields()).to_hex())
        .to_vec();
    let distinct: std::collections::BTreeSet<&String> = tags.iter().collect();
    check(Stream::CryptoValidation, "distinct_keys_of_tokens_of_32_33_64_4096_bytes", 4, distinct.len());

    let refused: Vec<usize> = (0..=4097).filter(|bytes| SecretToken::from_bytes(vec![7; *bytes]).is_err()).collect();
    let expected: Vec<usize> = (0..32).chain([4097]).collect();
    check(Stream::CryptoValidation, "token_lengths_refused", expected, refused);
}

#[test]
fn tags_of_one_domain_mean_nothing_in_another() {
    proves!("CI-002");
    let shard = Shard::example();
    let key = key();
    let seal = key.sign(&shard.fields());
    // A message of the very bytes that a seal is taken over, in the domain of seals.
    for domain in ["vram-residency/seal/v1", "", "attestation"] {
        for message in [canonical(&shard.fields()), canonical(&shard.fields())[30..].to_vec()] {
            let verified = outcome(key.verify_message(domain, &message, &seal));
            check(Stream::CryptoValidation, "seal_offered_as_a_message_tag", "TagMismatch", verified);
            let tag = key.sign_message(domain, &message);
            let verified = outcome(key.verify(&shard.fields(), &tag));
            check(Stream::CryptoValidation, "message_tag_offered_as_a_seal", "TagMismatch", verified);
        }
    }
    let tag = key.sign_message("attestation", b"hello");
    for (domain, message) in
        [("attestation", "hellp"), ("attestatio", "nhello"), ("attestationh", "ello"), ("other", "hello")]
    {
        let verified = outcome(key.verify_message(domain, message.as_bytes(), &tag));
        check(Stream::CryptoValidation, "message_or_domain_changed", "TagMismatch", verified);
    }
}

/// Takes the canonical encoding apart again.
fn decode(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut fields = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<8>() {
        let (field, rest) = rest.split_at(u64::from_le_bytes(*length) as usize);
        fields.push(field.to_vec());
        bytes = rest;
    }
    assert!(bytes.is_empty());
    fields
}

#[test]
fn the_canonical_encoding_of_any_shard_can_be_taken_apart_again() {
    let ids = proptest::collection::vec(proptest::sample::select(b"az09-_".to_vec()), 1..=256)
        .prop_map(|bytes| ShardId::parse(&String::from_utf8(bytes).unwrap()).unwrap());
    let parts = (1_u32..).prop_flat_map(|count| (0..count, Just(count)));
    let shards = (ids, any::<(u64, u32, [u8; 32], [u8; 32], [u8; 16], i128)>(), parts);
    runner()
        .run(&shards, |(shard_id, (vram_bytes, gpu_device, sha256, tree_digest, device_uuid, at), (index, count))| {
            let shard = Shard {
                shard_id,
                vram_bytes,
                gpu_device,
                sha256,
                tree_digest,
                device_uuid,
                sealed_at_unix_nanos: at,
                tensor_parallel: TensorParallel::parse(index, count).unwrap(),
            };
            let expected = [
                b"vram-residency/seal/v1".to_vec(),
                shard.shard_id.as_str().as_bytes().to_vec(),
                vram_bytes.to_le_bytes().to_vec(),
                gpu_device.to_le_bytes().to_vec(),
                sha256.to_vec(),
                tree_digest.to_vec(),
                device_uuid.to_vec(),
                at.to_le_bytes().to_vec(),
                index.to_le_bytes().to_vec(),
                count.to_le_bytes().to_vec(),
            ];
            prop_assert_eq!(decode(&canonical(&shard.fields())), expected.to_vec());
            let tag = key().sign(&shard.fields());
            prop_assert!(key().verify(&shard.fields(), &tag).is_ok());
            prop_assert!(key().verify(&Shard::example().fields(), &tag).is_err());
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_tag_reads_what_it_writes_and_nothing_else() {
    let tag = Tag::from_hex(TAG).unwrap();
    assert_eq!(Tag::from_hex(&TAG.to_uppercase()).unwrap(), tag);
    assert_eq!(Tag::from_bytes(*tag.as_bytes()).to_hex(), TAG);
    let json = serde_json::to_string(&tag).unwrap();
    assert_eq!(json, format!("\"{TAG}\""));
    assert_eq!(serde_json::from_str::<Tag>(&json).unwrap(), tag);
    for refused in ["", &TAG[1..], &format!("{TAG}0"), &TAG.replace('c', "g")] {
        assert!(matches!(Tag::from_hex(refused), Err(SealError::TagNotHex)), "{refused}");
        assert!(serde_json::from_value::<Tag>(refused.into()).is_err());
    }
}
