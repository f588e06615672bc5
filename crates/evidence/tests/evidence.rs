//! Statuses follow from what was observed; lines reach the spool; nothing else does.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::path::Path;
use std::process::{Command, Output};

use evidence::{Record, Spool, Stream, check, check_on, observe, proves, seed};
use serde::Serialize;
use serde_json::{Value, json};

fn lines(path: &Path) -> Vec<Value> {
    std::fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_status_follows_from_the_values() {
    let same = observe([1, 2], vec![1, 2]);
    let different = observe("a", "b");
    assert!(same.holds());
    assert!(!different.holds());
    assert_eq!(serde_json::to_value(&same).unwrap(), json!({"expected": [1, 2], "observed": [1, 2], "status": "pass"}));
    assert_eq!(serde_json::to_value(&different).unwrap(), json!({"expected": "a", "observed": "b", "status": "fail"}));
}

#[test]
fn a_difference_at_any_depth_is_seen() {
    assert!(!observe(json!({"a": [0, {"b": 1}]}), json!({"a": [0, {"b": 2}]})).holds());
    assert!(!observe(json!({"a": 1}), json!({"a": 1, "b": null})).holds());
    assert!(!observe(true, "true").holds());
}

/// JSON has one word for all of them, `null`: they would compare equal to each other and to nothing at all.
#[test]
fn a_number_that_json_cannot_write_is_refused_at_any_depth() {
    #[derive(Clone, Serialize)]
    struct Speed {
        bytes_per_second: f64,
    }
    #[derive(Clone, Serialize)]
    enum Timing {
        Mean(f64),
        Range(f64, f64),
        Of { seconds: f64 },
    }
    #[derive(Clone, Serialize)]
    struct Pair(f64, f64);
    #[derive(Clone, Serialize)]
    struct Wrapped(f64);

    fn refused(value: impl Serialize + Clone) -> bool {
        let attempts: [&dyn Fn(); 3] =
            [&|| drop(observe(value.clone(), 1)), &|| drop(observe(1, value.clone())), &|| {
                drop(Record::new(Stream::Performance, "seal").field("speed", value.clone()))
            }];
        attempts.map(|attempt| {
            let said = std::panic::catch_unwind(std::panic::AssertUnwindSafe(attempt));
            said.is_err_and(|panic| {
                panic.downcast_ref::<String>().unwrap().contains("is no number there: record it as text")
            })
        }) == [true; 3]
    }

    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert!(refused(number), "{number}");
        assert!(refused(number as f32), "{number}");
        assert!(refused(Some(number)), "{number}");
        assert!(refused([1.0, number]), "{number}");
        assert!(refused(vec![(1, number)]), "{number}");
        assert!(refused(std::collections::BTreeMap::from([("mean", number)])), "{number}");
        assert!(refused(Speed { bytes_per_second: number }), "{number}");
        assert!(refused(Timing::Mean(number)) && refused(Timing::Range(1.0, number)), "{number}");
        assert!(refused(Timing::Of { seconds: number }), "{number}");
        assert!(refused(Pair(1.0, number)) && refused(Wrapped(number)), "{number}");
    }
    let fine =
        (1.5, Some(0.1_f32), None::<f64>, Speed { bytes_per_second: f64::MAX }, ('a', "b", true, ()), [u64::MAX]);
    assert!(observe(fine.clone(), fine).holds());
    assert!(observe(json!({"a": [null, 1.5]}), json!({"a": [null, 1.5]})).holds());
}

#[test]
fn a_record_is_one_line_with_all_its_members() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("spool.ndjson");
    let spool = Spool::create(&path).unwrap();
    let holds = Record::new(Stream::CudaOperations, "allocate")
        .device("simulated")
        .requirement("RP-001")
        .field("bytes", 4096)
        .observe(4096, 0)
        .write_to(&spool);
    assert!(!holds);
    assert!(Record::new(Stream::Performance, "seal").observe(1, 1).write_to(&spool));

    let mut written = lines(&path);
    assert_eq!(written.len(), 2);
    let timestamp = written[0]["timestamp"].take();
    assert!(timestamp.as_str().unwrap().ends_with('Z'), "{timestamp}");
    assert_eq!(
        written[0],
        json!({
            "kind": "record", "stream": "cuda_operations", "operation": "allocate",
            "requirements": ["RP-001"], "device": "simulated", "timestamp": null,
            "expected": 4096, "observed": 0, "status": "fail", "bytes": 4096,
        })
    );
    assert_eq!(written[1]["requirements"], json!([]));
}

#[test]
fn stream_names_are_those_of_the_files() {
    for stream in Stream::ALL {
        assert_eq!(serde_json::to_value(stream).unwrap(), stream.as_str());
    }
}

#[test]
#[should_panic(expected = "`status` is a member that records have anyway")]
fn a_field_cannot_take_the_place_of_the_status() {
    let _ = Record::new(Stream::Performance, "seal").field("status", "fine");
}

#[test]
fn a_spool_is_created_new() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("spool.ndjson");
    Spool::create(&path).unwrap();
    assert!(Spool::create(&path).is_err());
}

/// What the child processes below run.
fn emit() {
    check(Stream::InputValidation, "before_any_claim", 1, 1);
    proves!("XX-001", "XX-002");
    check(Stream::InputValidation, "inherits", 1, 1);
    Record::new(Stream::InputValidation, "names_its_own").requirement("XX-003").observe(1, 1).emit();
    check_on("simulated", Stream::InputValidation, "does_not_hold", "refused", "accepted");
}

#[test]
fn child_of_the_tests_below() {
    if std::env::var_os("EVIDENCE_TEST_CHILD").is_some() {
        emit();
    }
}

#[test]
fn child_that_prints_the_seed() {
    if std::env::var_os("EVIDENCE_TEST_CHILD").is_some() {
        println!("seed={}", seed());
    }
}

fn child(test: &str, variables: &[(&str, &str)]) -> Output {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env_remove("PROOF_SPOOL")
        .env_remove("PROOF_SEED")
        .env("EVIDENCE_TEST_CHILD", "1")
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}

#[test]
fn a_process_with_a_spool_writes_claims_and_records_as_they_come() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("spool.ndjson");
    let output = child("child_of_the_tests_below", &[("PROOF_SPOOL", path.to_str().unwrap())]);
    assert!(!output.status.success());
    let written: Vec<(Value, Value, Value)> = lines(&path)
        .into_iter()
        .map(|mut line| {
            let name = if line["kind"] == "claim" { line["requirement"].take() } else { line["operation"].take() };
            (name, line["requirements"].take(), line["status"].take())
        })
        .collect();
    let ours = json!(["XX-001", "XX-002"]);
    assert_eq!(
        written,
        [
            (json!("before_any_claim"), json!([]), json!("pass")),
            (json!("XX-001"), Value::Null, Value::Null),
            (json!("XX-002"), Value::Null, Value::Null),
            (json!("inherits"), ours.clone(), json!("pass")),
            (json!("names_its_own"), json!(["XX-003"]), json!("pass")),
            // Recorded although the test fails of it.
            (json!("does_not_hold"), ours, json!("fail")),
        ]
    );
}

#[test]
fn a_process_without_a_spool_writes_nothing_and_still_fails() {
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_of_the_tests_below"])
        .env_remove("PROOF_SPOOL")
        .env("EVIDENCE_TEST_CHILD", "1")
        .current_dir(directory.path())
        .output()
        .unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for part in ["does_not_hold", "expected: \"refused\"", "observed: \"accepted\""] {
        assert!(text.contains(part), "{text}");
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn a_spool_that_cannot_be_written_fails_the_test() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("absent").join("spool.ndjson");
    let output = child("child_of_the_tests_below", &[("PROOF_SPOOL", path.to_str().unwrap())]);
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.contains("cannot write evidence to"), "{text}");
}

#[test]
fn the_seed_is_taken_from_the_environment() {
    let text = |variables: &[(&str, &str)]| {
        let output = child("child_that_prints_the_seed", variables);
        (output.status.success(), String::from_utf8_lossy(&output.stdout).into_owned())
    };
    assert!(text(&[]).1.contains("seed=42"));
    assert!(text(&[("PROOF_SEED", "7")]).1.contains("seed=7"));
    assert!(!text(&[("PROOF_SEED", "seven")]).0);
}
