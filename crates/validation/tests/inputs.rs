//! What each newtype accepts and refuses, at and around every boundary.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::fmt::Debug;

use evidence::{Stream, check, proves};
use validation::{DEFAULT_MAX_MODEL_BYTES, DigestHex, GpuIndex, ModelSize, ShardId, TensorParallel, ValidationError};

/// `accepted`, or the name of the error without its fields.
fn outcome<T>(parsed: Result<T, ValidationError>) -> String {
    match parsed {
        Ok(_) => "accepted".to_owned(),
        Err(error) => variant(&error),
    }
}

fn variant(error: &impl Debug) -> String {
    let text = format!("{error:?}");
    let end = text.find(|c: char| !c.is_ascii_alphanumeric());
    text[..end.unwrap_or(text.len())].to_owned()
}

/// Which of the numbers from 0 to 9, and of the largest two, are accepted.
fn accepted_indices(in_use: &[u32]) -> Vec<u32> {
    let asked = (0..10).chain([u32::MAX - 1, u32::MAX]);
    asked.filter_map(|index| GpuIndex::parse(index, in_use).ok()).map(GpuIndex::get).collect()
}

#[test]
fn test_valid_model_size() {
    proves!("00§4.3", "IV-001");
    let max = 4096;
    let sizes = [0, 1, 2, max - 1, max, max + 1, u64::MAX];
    let accepted: Vec<u64> =
        sizes.iter().filter_map(|bytes| ModelSize::parse(*bytes, max).ok()).map(ModelSize::get).collect();
    check(Stream::InputValidation, "model_sizes_accepted", [1, 2, max - 1, max], accepted);

    check(
        Stream::InputValidation,
        "model_size_refusals",
        ["ModelSizeZero", "ModelSizeTooLarge", "ModelSizeTooLarge"],
        [0, max + 1, u64::MAX].map(|bytes| outcome(ModelSize::parse(bytes, max))),
    );
    check(
        Stream::InputValidation,
        "model_size_default_maximum",
        ["accepted", "ModelSizeTooLarge"],
        [DEFAULT_MAX_MODEL_BYTES, DEFAULT_MAX_MODEL_BYTES + 1]
            .map(|bytes| outcome(ModelSize::parse(bytes, DEFAULT_MAX_MODEL_BYTES))),
    );
    check(
        Stream::InputValidation,
        "model_size_empty_refused_under_any_maximum",
        ["ModelSizeZero"; 3],
        [0, 1, u64::MAX].map(|max| outcome(ModelSize::parse(0, max))),
    );
}

#[test]
fn test_size_exceeds_max_rejected() {
    proves!("RP-003");
    check(Stream::BoundsChecking, "default_maximum_bytes", 107_374_182_400_u64, DEFAULT_MAX_MODEL_BYTES);
    // The same size under several maxima: it is the maximum that decides.
    check(
        Stream::BoundsChecking,
        "size_1000_under_maxima_0_1_999_1000_1001_largest",
        ["ModelSizeTooLarge", "ModelSizeTooLarge", "ModelSizeTooLarge", "accepted", "accepted", "accepted"],
        [0, 1, 999, 1000, 1001, u64::MAX].map(|max| outcome(ModelSize::parse(1000, max))),
    );
    for max in [1, 2, 1000, DEFAULT_MAX_MODEL_BYTES, u64::MAX - 1] {
        let error = ModelSize::parse(max + 1, max).expect_err("one byte more than the maximum");
        check(
            Stream::BoundsChecking,
            "one_byte_more_names_size_and_maximum",
            format!(
                "model has {} bytes, more than the configured maximum of {max}: raise the maximum or split the model",
                max + 1
            ),
            error.to_string(),
        );
        check(Stream::BoundsChecking, "maximum_itself", "accepted", outcome(ModelSize::parse(max, max)));
    }
    check(
        Stream::BoundsChecking,
        "largest_number_under_itself",
        u64::MAX,
        ModelSize::parse(u64::MAX, u64::MAX).map_or(0, ModelSize::get),
    );
}

#[test]
fn test_valid_device_in_range() {
    proves!("00§4.4", "IV-002");
    let all: Vec<u32> = (0..8).collect();
    for in_use in [&[][..], &[0], &[3], &[0, 1], &[2, 5, 7], &all, &[u32::MAX]] {
        check(Stream::InputValidation, "device_indices_accepted", in_use, accepted_indices(in_use));
    }
    check(
        Stream::InputValidation,
        "device_index_refusals",
        ["GpuIndexNotInUse"; 5],
        [(0, &[][..]), (1, &[0]), (1, &[0, 2]), (8, &all), (u32::MAX, &all)]
            .map(|(index, in_use)| outcome(GpuIndex::parse(index, in_use))),
    );
}

#[test]
fn test_valid_shard_id_alphanumeric() {
    proves!("IV-003");
    // Every character below U+0250, and some that look like letters or digits, alone and inside an id.
    let alphabet = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
    let candidates = || ('\0'..'\u{250}').chain(['а', '０', '٣', '‐', '\u{202e}', '\u{feff}', '😀', char::MAX]);
    let accepted = |around: &str| -> String {
        candidates().filter(|c| ShardId::parse(&around.replace('?', &c.to_string())).is_ok()).collect()
    };
    for around in ["?", "?a", "a?", "model?shard"] {
        check(Stream::InputValidation, "shard_id_alphabet", alphabet, accepted(around));
    }

    let lengths: Vec<usize> = (0..=300).filter(|length| ShardId::parse(&"x".repeat(*length)).is_ok()).collect();
    check(Stream::InputValidation, "shard_id_lengths_accepted", (1..=256).collect::<Vec<usize>>(), lengths);
    check(
        Stream::InputValidation,
        "shard_id_refusals",
        ["ShardIdEmpty", "ShardIdTooLong", "ShardIdTooLong", "ShardIdCharacter"],
        ["", &"x".repeat(257), &"x".repeat(1 << 20), &"é".repeat(256)].map(|id| outcome(ShardId::parse(id))),
    );
    check(
        Stream::InputValidation,
        "shard_id_kept_as_given",
        "Llama-3_8B",
        ShardId::parse("Llama-3_8B").map_or_else(|error| error.to_string(), |id| id.to_string()),
    );
}

#[test]
fn test_path_traversal_with_dotdot_rejected() {
    proves!("IV-003");
    let paths = [
        "..",
        ".",
        "../etc/passwd",
        "model/../../secret",
        "/etc/passwd",
        "a/b",
        "..\\windows",
        "a\\b",
        "C:",
        "model..shard",
        ".hidden",
        "%2e%2e%2f",
        "~",
        "shard..",
        "\u{2024}\u{2024}",
        "\u{ff0f}",
        "\u{2215}",
    ];
    for path in paths {
        check(Stream::InputValidation, "path_refused_as_shard_id", "ShardIdCharacter", outcome(ShardId::parse(path)));
        check(
            Stream::InputValidation,
            "path_refused_as_shard_id_in_json",
            false,
            serde_json::from_value::<ShardId>(path.into()).is_ok(),
        );
    }
}

#[test]
fn test_null_byte_injection_rejected() {
    proves!("IV-005");
    let controls: Vec<char> = ('\0'..='\u{1f}').chain('\u{7f}'..='\u{9f}').collect();
    for control in controls {
        for position in [0, 1, 127, 254, 255] {
            let mut id = vec!['a'; 256];
            id[position] = control;
            let error = ShardId::parse(&id.iter().collect::<String>()).expect_err("a control character");
            let expected = ValidationError::ShardIdCharacter { character: control, position: position + 1 };
            assert_eq!(error, expected);
            assert!(error.to_string().chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{error}");
        }
        for position in [0, 31, 63] {
            let mut digest = ['0'; 64];
            digest[position] = control;
            let error = DigestHex::parse(&digest.iter().collect::<String>()).expect_err("a control character");
            let expected = ValidationError::DigestCharacter { character: control, position: position + 1 };
            assert_eq!(error, expected);
            assert!(error.to_string().chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{error}");
        }
    }
    check(
        Stream::InputValidation,
        "nul_refused_in_shard_id",
        [
            "shard id has '\\u{0}' as character 1: use only ASCII letters, digits, '-' and '_'",
            "shard id has '\\u{0}' as character 6: use only ASCII letters, digits, '-' and '_'",
            "shard id has '\\u{0}' as character 6: use only ASCII letters, digits, '-' and '_'",
        ],
        ["\0", "model\0", "model\0.safetensors"]
            .map(|id| ShardId::parse(id).map_or_else(|error| error.to_string(), |id| id.to_string())),
    );
    check(
        Stream::InputValidation,
        "nul_refused_in_shard_id_in_json",
        false,
        serde_json::from_str::<ShardId>(r#""model\u0000""#).is_ok(),
    );
    check(
        Stream::InputValidation,
        "nul_refused_in_digest",
        "DigestCharacter",
        outcome(DigestHex::parse(&format!("{}\0", "0".repeat(63)))),
    );
}

#[test]
fn a_digest_is_64_hex_digits_kept_in_lower_case() {
    proves!("IV-004");
    let lengths: Vec<usize> = (0..=130).filter(|length| DigestHex::parse(&"a".repeat(*length)).is_ok()).collect();
    check(Stream::InputValidation, "digest_lengths_accepted", [64], lengths);

    // Every character below U+0250, at the first, an inner and the last position.
    for position in [0, 33, 63] {
        let accepted: String = ('\0'..'\u{250}')
            .filter(|character| {
                let mut digits = ['0'; 64];
                digits[position] = *character;
                DigestHex::parse(&digits.iter().collect::<String>()).is_ok()
            })
            .collect();
        check(Stream::InputValidation, "digest_alphabet", "0123456789ABCDEFabcdef", accepted);
    }

    let mixed = "00112233445566778899AaBbCcDdEeFf".repeat(2);
    let digest = DigestHex::parse(&mixed).expect("hex digits of both cases");
    check(Stream::InputValidation, "digest_kept_in_lower_case", mixed.to_lowercase(), digest.as_str());
    check(Stream::InputValidation, "digest_shown_in_lower_case", mixed.to_lowercase(), digest.to_string());
    check(Stream::InputValidation, "digest_serialised_in_lower_case", mixed.to_lowercase(), &digest);
    check(
        Stream::InputValidation,
        "digest_bytes",
        [0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff].repeat(2),
        digest.to_bytes(),
    );
    check(
        Stream::InputValidation,
        "digest_refusals",
        ["DigestLength", "DigestLength", "DigestCharacter", "DigestCharacter"],
        [String::new(), format!("0x{mixed}"), format!("0x{}", &mixed[2..]), format!("{} ", &mixed[1..])]
            .map(|text| outcome(DigestHex::parse(&text))),
    );
}

#[test]
fn a_tensor_parallel_index_lies_below_its_count() {
    let accepted: Vec<(u32, u32)> = (0..4)
        .flat_map(|count| (0..5).map(move |index| (index, count)))
        .filter(|(index, count)| TensorParallel::parse(*index, *count).is_ok())
        .collect();
    assert_eq!(accepted, [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]);
    assert_eq!(TensorParallel::parse(0, 0), Err(ValidationError::TensorParallelCountZero));
    let whole = TensorParallel::default();
    assert_eq!((whole.index(), whole.count()), (0, 1));

    let part = TensorParallel::parse(3, 8).unwrap();
    assert_eq!(serde_json::to_string(&part).unwrap(), r#"{"index":3,"count":8}"#);
    assert_eq!(serde_json::from_str::<TensorParallel>(r#"{"index":3,"count":8}"#).unwrap(), part);
    for refused in [r#"{"index":8,"count":8}"#, r#"{"index":0,"count":0}"#, r#"{"index":0}"#] {
        assert!(serde_json::from_str::<TensorParallel>(refused).is_err(), "{refused}");
    }
}

#[test]
fn error_messages_say_what_is_accepted() {
    proves!("RP-004");
    let messages = [
        ShardId::parse("").unwrap_err(),
        ShardId::parse(&"x".repeat(257)).unwrap_err(),
        ShardId::parse("model/shard").unwrap_err(),
        ShardId::parse("model\n2025 INFO all is well").unwrap_err(),
        ShardId::parse("\u{202e}ledom").unwrap_err(),
        ShardId::parse("modèle").unwrap_err(),
        GpuIndex::parse(2, &[0, 1]).unwrap_err(),
        ModelSize::parse(0, 1).unwrap_err(),
        ModelSize::parse(2, 1).unwrap_err(),
        DigestHex::parse("abc").unwrap_err(),
        DigestHex::parse(&"g".repeat(64)).unwrap_err(),
        TensorParallel::parse(0, 0).unwrap_err(),
        TensorParallel::parse(2, 2).unwrap_err(),
    ]
    .map(|error| error.to_string());
    check(
        Stream::InputValidation,
        "accepted_values_are_shown",
        ["4096", "7", "part 3 of 8"],
        [
            ModelSize::parse(4096, 4096).map(|size| size.to_string()),
            GpuIndex::parse(7, &[1, 7]).map(|index| index.to_string()),
            TensorParallel::parse(3, 8).map(|part| part.to_string()),
        ]
        .map(|shown| shown.unwrap_or_else(|error| error.to_string())),
    );
    // Each says after its colon what is accepted.
    check(
        Stream::InputValidation,
        "messages_that_say_what_is_accepted",
        messages.len(),
        messages.iter().filter(|message| message.contains(": ")).count(),
    );
    // Inline, because a machine that only runs the tests need not have the sources.
    insta::assert_snapshot!(messages.join("\n"), @r"
    shard id is empty: use 1 to 256 letters, digits, '-' or '_'
    shard id has 257 characters: use at most 256
    shard id has '/' as character 6: use only ASCII letters, digits, '-' and '_'
    shard id has '\n' as character 6: use only ASCII letters, digits, '-' and '_'
    shard id has '\u{202e}' as character 1: use only ASCII letters, digits, '-' and '_'
    shard id has '\u{e8}' as character 4: use only ASCII letters, digits, '-' and '_'
    gpu index 2 is not in use: choose one of [0, 1]
    model is empty: give at least 1 byte
    model has 2 bytes, more than the configured maximum of 1: raise the maximum or split the model
    digest has 3 characters: give exactly 64 hex digits
    digest has 'g' as character 1: use only hex digits, 0-9 and a-f
    tensor-parallel count is 0: a model has at least 1 part
    tensor-parallel index 2 does not exist: the model has 2, numbered from 0
    ");
}
