//! Plain SHA-256 against the vectors of NIST, however a message is cut into pieces, and the text form of digests.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use content_digest::{DigestError, Sha256Digest, Sha256Stream, TreeDigest, sha256};
use evidence::{Stream, check, proves};
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestRunner};

const SHORT: &str = include_str!("vectors/SHA256ShortMsg.rsp");
const LONG: &str = include_str!("vectors/SHA256LongMsg.rsp");

/// Messages with their digests in hex, from a response file of the SHAVS.
fn vectors(response: &str) -> Vec<(Vec<u8>, String)> {
    let mut bits = 0;
    let mut message = Vec::new();
    let mut vectors = Vec::new();
    for line in response.lines() {
        match line.split_once(" = ") {
            Some(("Len", value)) => bits = value.parse().unwrap(),
            Some(("Msg", value)) => {
                message = unhex(value);
                // The empty message is written as one byte.
                message.truncate(bits / 8);
                assert_eq!(message.len() * 8, bits, "a byte-oriented message of {bits} bits");
            }
            Some(("MD", value)) => vectors.push((message.clone(), value.to_owned())),
            _ => {}
        }
    }
    vectors
}

fn unhex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn in_pieces_of(bytes: usize, message: &[u8]) -> Sha256Digest {
    let mut stream = Sha256Stream::new();
    for piece in message.chunks(bytes) {
        stream.update(piece);
    }
    stream.finish()
}

/// How many vectors of a file agree: in one call, and cut into pieces around the compression function's 64 bytes.
fn agreeing(response: &str) -> usize {
    vectors(response)
        .iter()
        .filter(|(message, digest)| {
            sha256(message).to_hex() == *digest
                && [1, 55, 63, 64, 65, 1000].iter().all(|bytes| in_pieces_of(*bytes, message).to_hex() == *digest)
        })
        .count()
}

fn runner() -> TestRunner {
    TestRunner::new(ProptestConfig {
        rng_seed: RngSeed::Fixed(evidence::seed()),
        failure_persistence: None,
        ..ProptestConfig::default()
    })
}

#[test]
fn all_nist_shavs_messages_have_their_digests() {
    proves!("CI-004");
    for (file, response, count) in [("SHA256ShortMsg.rsp", SHORT, 65), ("SHA256LongMsg.rsp", LONG, 64)] {
        check(Stream::CryptoValidation, &format!("{file}: messages"), count, vectors(response).len());
        check(Stream::CryptoValidation, &format!("{file}: messages that agree"), count, agreeing(response));
    }
}

#[test]
fn test_compute_digest_deterministic() {
    proves!("00§2.3", "CI-004");
    // FIPS 180-4's example messages, and what `sha256sum` prints of nothing.
    let examples = [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
        ),
    ];
    for (message, digest) in examples {
        check(Stream::CryptoValidation, "sha256_of_example", digest, sha256(message.as_bytes()).to_hex());
    }

    let model: Vec<u8> = (0..1_000_003_u32).map(|i| (i % 251) as u8).collect();
    let whole = sha256(&model).to_hex();
    check(Stream::CryptoValidation, "sha256_again", &whole, sha256(&model).to_hex());
    for bytes in [1, 63, 64, 65, 4095, 4096, 4097, 65_536, 1_000_002, 1_000_003, 2_000_000] {
        let operation = format!("sha256_in_pieces_of_{bytes}");
        check(Stream::CryptoValidation, &operation, &whole, in_pieces_of(bytes, &model).to_hex());
    }
    let mut flipped = model;
    flipped[1_000_002] ^= 0x80;
    let unfinished = format!("{:?}", Sha256Stream::new());
    check(Stream::CryptoValidation, "sha256_shows_no_state", "Sha256Stream { .. }", unfinished);
    check(Stream::CryptoValidation, "sha256_of_one_flipped_bit_is_the_same", false, whole == sha256(&flipped).to_hex());
}

#[test]
fn any_cut_into_pieces_gives_the_same_digest() {
    let pieces = proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..20);
    runner()
        .run(&pieces, |pieces| {
            let mut stream = Sha256Stream::default();
            for piece in &pieces {
                stream.update(piece);
            }
            prop_assert_eq!(stream.finish(), sha256(&pieces.concat()));
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_digest_reads_what_it_writes_and_nothing_else() {
    proves!("IV-004");
    runner()
        .run(&any::<[u8; 32]>(), |bytes| {
            let digest = Sha256Digest::from_bytes(bytes);
            prop_assert_eq!(digest.as_bytes(), &bytes);
            prop_assert_eq!(Sha256Digest::from_hex(&digest.to_hex()), Ok(digest));
            prop_assert_eq!(Sha256Digest::from_hex(&digest.to_hex().to_uppercase()), Ok(digest));
            prop_assert_eq!(format!("{digest:?}"), format!("Sha256Digest({digest})"));
            let json = serde_json::to_string(&digest).unwrap();
            prop_assert_eq!(&json, &format!("\"{digest}\""));
            prop_assert_eq!(serde_json::from_str::<Sha256Digest>(&json).unwrap(), digest);
            let tree = TreeDigest::from_bytes(bytes);
            prop_assert_eq!(tree.to_hex(), digest.to_hex());
            prop_assert_eq!(TreeDigest::from_hex(&tree.to_hex()), Ok(tree));
            Ok(())
        })
        .unwrap();
    let digits = "0".repeat(64);
    let refused = [
        "",
        &digits[1..],
        &format!("{digits}0"),
        &format!("{digits}00"),
        &digits.replacen('0', "g", 1),
        &"é".repeat(32),
    ];
    for text in refused {
        let read = Sha256Digest::from_hex(text).map_or_else(|error| error.to_string(), |digest| digest.to_hex());
        check(Stream::InputValidation, "digest_refused", DigestError::NotHex.to_string(), read);
    }
    let mixed = "0123456789abcdefABCDEF".repeat(3)[..64].to_owned();
    let read = Sha256Digest::from_hex(&mixed).unwrap();
    check(Stream::InputValidation, "digest_read_in_either_case", mixed.to_lowercase(), read);
    check(Stream::InputValidation, "digest_bytes_read", [0x01, 0x23, 0x45, 0x67], &read.as_bytes()[..4]);
}
