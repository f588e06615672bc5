//! What tests left behind: JUnit and records, written and read back.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::Path;
use std::time::Duration;

use evidence::{Record, Spool, Stream, needs};
use proof_bundle::junit::{self, Outcome, TestResult};
use proof_bundle::records::{self, Class, collect, spool_path};
use proof_bundle::{Error, ProofBundle, StagedBundle, TestType};
use proptest::prelude::*;
use serde_json::{Value, json};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

fn result(test: &str, outcome: Outcome) -> TestResult {
    TestResult::new("seal::hmac", test, outcome, Duration::from_millis(12))
}

fn outcome() -> impl Strategy<Value = Outcome> {
    let reason = || prop::collection::vec("\\PC{0,30}", 1..4).prop_map(|lines| lines.join("\n").trim().to_owned());
    prop_oneof![
        Just(Outcome::Passed),
        reason().prop_map(Outcome::Failed),
        reason().prop_map(Outcome::NotRun),
        reason().prop_map(Outcome::Dead),
    ]
}

fn write_junit(path: impl AsRef<std::path::Path>, results: &[TestResult]) -> Result<(), proof_bundle::Error> {
    std::fs::write(path, junit::to_xml(results)?).unwrap();
    Ok(())
}

proptest! {
    #[test]
    fn junit_comes_back_as_it_was_written(
        tests in prop::collection::btree_map(("\\PC{1,20}", "\\PC{1,40}"), (outcome(), 0_u64..100_000, prop::collection::btree_set("[A-Z]{2}-[0-9]{3}", 0..3)), 1..8)
    ) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("tests.junit.xml");
        let results: Vec<TestResult> = tests
            .into_iter()
            .map(|((binary, test), (outcome, milliseconds, claims))| TestResult {
                claims: claims.into_iter().collect(),
                ..TestResult::new(binary, test, outcome, Duration::from_millis(milliseconds))
            })
            .collect();
        let mut shuffled = results.clone();
        shuffled.reverse();
        write_junit(&path, &shuffled).unwrap();
        prop_assert_eq!(junit::read(&path).unwrap(), results);
    }
}

#[test]
fn junit_follows_the_conventions_of_nextest() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tests.junit.xml");
    let mut passed = result("tag", Outcome::Passed);
    passed.claims = vec!["CI-001".to_owned()];
    write_junit(
        &path,
        &[
            result("zeroed", Outcome::Failed("exit code 101\nleft: 1".to_owned())),
            passed,
            result("on_a_gpu", Outcome::NotRun("no GPU".to_owned())),
            result("aborted", Outcome::Dead("exited 0 without a summary".to_owned())),
        ],
    )
    .unwrap();
    insta::assert_snapshot!(fs::read_to_string(&path).unwrap());
}

#[test]
fn a_junit_without_tests_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let problem = |text: &str| {
        let path = directory.path().join("tests.junit.xml");
        fs::write(&path, text).unwrap();
        junit::read(&path).unwrap_err().to_string()
    };
    assert!(problem("").contains("empty"));
    assert!(problem("\n").contains("empty"));
    assert!(problem("<testsuites name=\"proof\"></testsuites>").contains("no test"));
    assert!(problem("<testsuites").contains("tests.junit.xml"));
    assert!(problem("not XML").contains("tests.junit.xml"));
    assert!(matches!(junit::read(directory.path().join("absent.xml")), Err(Error::Io { .. })));
    let path = directory.path().join("none.xml");
    write_junit(&path, &[]).unwrap();
    assert!(junit::read(&path).is_err());
}

#[test]
fn a_test_is_listed_once() {
    let directory = tempfile::tempdir().unwrap();
    let twice = [result("tag", Outcome::Passed), result("tag", Outcome::Failed("no".to_owned()))];
    assert!(write_junit(directory.path().join("a.xml"), &twice).is_err());

    let path = directory.path().join("b.xml");
    write_junit(&path, &twice[..1]).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    let case = text.lines().find(|line| line.contains("<testcase")).unwrap();
    fs::write(&path, text.replace(case, &format!("{case}\n{case}"))).unwrap();
    assert!(junit::read(&path).unwrap_err().to_string().contains("twice"));
}

/// A spool directory and a bundle to collect it into.
struct Collector {
    directory: tempfile::TempDir,
    bundle: StagedBundle,
}

impl Collector {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("spool")).unwrap();
        let bundle = StagedBundle::new(directory.path(), TestType::Unit, COMMIT).unwrap();
        Self { directory, bundle }
    }

    fn spool(&self, binary: &str, test: &str) -> Spool {
        let path = self.path(binary, test);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        Spool::create(path).unwrap()
    }

    fn path(&self, binary: &str, test: &str) -> std::path::PathBuf {
        spool_path(self.directory.path().join("spool"), binary, test)
    }

    fn write(&self, lines: &str) {
        let path = self.path("seal", "tests::tag");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, lines).unwrap();
    }

    fn collect(&self) -> Result<Vec<records::Claim>, Error> {
        collect(self.directory.path().join("spool"), &self.bundle)
    }

    fn lines(&self, file: &str) -> Vec<Value> {
        let text = fs::read_to_string(self.bundle.root().join(file)).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn read(&self) -> (Vec<records::Record>, Vec<String>) {
        records::read(self.bundle.root(), self.bundle.run_id())
    }
}

fn a_record_in_every_stream(collector: &Collector) {
    let spool = collector.spool("live", "all");
    for stream in Stream::ALL {
        Record::new(stream, "operation").device("simulated").observe(1, 1).write_to(&spool);
    }
}

#[test]
fn records_are_collected_in_the_order_of_binary_test_and_line() {
    let collector = Collector::new();
    let second = collector.spool("seal", "b");
    let first = collector.spool("seal", "a");
    let other = collector.spool("policy::rules", "z");
    for (spool, operation) in [(&second, "4"), (&first, "2"), (&first, "3"), (&other, "1")] {
        Record::new(Stream::CryptoValidation, operation).requirement("CI-001").observe(true, true).write_to(spool);
    }
    collector.collect().unwrap();
    let lines = collector.lines("crypto_validation.jsonl");
    let members = |name: &str| lines.iter().map(|line| line[name].clone()).collect::<Vec<_>>();
    assert_eq!(members("operation"), ["1", "2", "3", "4"]);
    assert_eq!(members("seq"), [1, 2, 3, 4]);
    assert_eq!(members("binary"), ["policy::rules", "seal", "seal", "seal"]);
    assert_eq!(members("test"), ["z", "a", "a", "b"]);
    assert!(members("class").iter().all(|class| class == "observed"));
    assert!(members("requirements").iter().all(|ids| ids == &json!(["CI-001"])));
    assert!(members("run_id").iter().all(|id| id == collector.bundle.run_id()));
    for file in ["policy_enforcement.jsonl", "performance.jsonl"] {
        assert!(collector.lines(file).is_empty());
    }
}

#[test]
fn each_line_holds_the_hash_of_the_one_before() {
    let collector = Collector::new();
    a_record_in_every_stream(&collector);
    collector.bundle.append_ndjson("performance", &json!({"status": "success"})).unwrap();
    collector.collect().unwrap();
    let text = fs::read_to_string(collector.bundle.root().join("performance.jsonl")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2);
    let sha256 = |bytes: &[u8]| {
        let digest = ring::digest::digest(&ring::digest::SHA256, bytes);
        digest.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let previous = |line: &str| serde_json::from_str::<Value>(line).unwrap()["prev_sha256"].clone();
    let start = format!("{}/performance.jsonl", collector.bundle.run_id());
    assert_eq!(previous(lines[0]), sha256(start.as_bytes()));
    assert_eq!(previous(lines[1]), sha256(lines[0].as_bytes()));

    let (found, problems) = collector.read();
    assert_eq!(problems, Vec::<String>::new());
    let declared: Vec<_> = found.iter().filter(|record| record.class == Class::Declared).collect();
    assert_eq!((found.len(), declared.len()), (7, 1));
    assert!(declared[0].requirements.is_empty() && !declared[0].holds && declared[0].test.is_none());
}

#[test]
fn claims_are_collected_once_each() {
    let collector = Collector::new();
    let claim = |id: &str| format!("{}\n", json!({"kind": "claim", "requirement": id}));
    collector.write(&[claim("CI-002"), claim("CI-001"), claim("CI-002")].concat());
    let claims: Vec<String> = collector.collect().unwrap().into_iter().map(|claim| claim.requirement).collect();
    assert_eq!(claims, ["CI-001", "CI-002"]);
}

fn spooled(change: impl FnOnce(&mut Value)) -> String {
    let mut record = json!({
        "kind": "record", "stream": "crypto_validation", "operation": "tag", "requirements": [], "device": "host",
        "timestamp": "2026-01-01T00:00:00Z", "expected": 1, "observed": 1, "status": "pass",
    });
    change(&mut record);
    format!("{record}\n")
}

fn set(member: &'static str, value: Value) -> impl FnOnce(&mut Value) {
    move |record| record[member] = value
}

fn remove(member: &'static str) -> impl FnOnce(&mut Value) {
    move |record| {
        record.as_object_mut().unwrap().remove(member);
    }
}

#[test]
fn what_is_no_evidence_is_refused_with_its_line() {
    let good = spooled(|_| ());
    for (bad, what) in [
        (spooled(set("observed", json!(2))), "does not follow"),
        (spooled(set("status", json!("success"))), "does not follow"),
        (spooled(set("status", Value::Null)), "does not follow"),
        (spooled(remove("expected")), "`expected`"),
        (spooled(remove("status")), "`status`"),
        (spooled(set("stream", json!("weather"))), "stream `weather` is unknown"),
        (spooled(set("device", json!("quantum"))), "device class `quantum`"),
        (spooled(remove("timestamp")), "timestamp"),
        (spooled(set("timestamp", Value::Null)), "not a record"),
        (spooled(remove("requirements")), "requirements"),
        (spooled(set("kind", json!("gossip"))), "neither claim nor record"),
        (spooled(set("class", json!("observed"))), "`class` is set by the collector"),
        (spooled(set("seq", json!(1))), "`seq` is set by the collector"),
        ("{\"kind\":\"rec".to_owned(), "not JSON"),
        ("{\"kind\":\"claim\"}\n".to_owned(), "a claim has one member"),
    ] {
        let collector = Collector::new();
        collector.write(&format!("{good}{bad}"));
        let error = collector.collect().expect_err(&bad).to_string();
        assert!(error.contains("seal tests::tag, line 2") && error.contains(what), "{bad}: {error}");
    }
}

#[test]
fn a_record_that_does_not_hold_is_kept() {
    let collector = Collector::new();
    a_record_in_every_stream(&collector);
    let spool = collector.spool("seal", "tests::tag");
    Record::new(Stream::CryptoValidation, "tag").observe(1, 2).write_to(&spool);
    collector.collect().unwrap();
    let (found, problems) = collector.read();
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(found.iter().filter(|record| !record.holds).count(), 1);
}

#[test]
fn a_live_operation_claims_nothing() {
    let collector = Collector::new();
    let path = collector.path("live", "crypto");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, "{\"kind\":\"claim\",\"requirement\":\"CI-001\"}\n").unwrap();
    assert!(collector.collect().unwrap_err().to_string().contains("only tests do"));
}

#[test]
fn a_spool_of_no_test_is_refused() {
    let collector = Collector::new();
    let folder = collector.directory.path().join("spool/seal");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("notes.txt"), "").unwrap();
    assert!(collector.collect().unwrap_err().to_string().contains("no test has a spool of this name"));
}

/// Each planted lie in a collected file, and the line that it is found on.
#[test]
fn a_changed_line_is_found_when_the_file_is_read_back() {
    let edit = |change: &dyn Fn(Vec<String>) -> Vec<String>| {
        let collector = Collector::new();
        a_record_in_every_stream(&collector);
        let spool = collector.spool("seal", "a");
        for (operation, observed) in [("first", 1), ("second", 2)] {
            Record::new(Stream::CryptoValidation, operation).observe(1, observed).write_to(&spool);
        }
        collector.collect().unwrap();
        let path = collector.bundle.root().join("crypto_validation.jsonl");
        let lines = fs::read_to_string(&path).unwrap().lines().map(str::to_owned).collect();
        fs::write(&path, change(lines).iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
        collector.read().1.join("; ")
    };
    assert_eq!(edit(&|lines| lines), "");
    let found = edit(&|mut lines| {
        let fail = lines[2].clone();
        lines[2] = fail.replace("\"status\":\"fail\"", "\"status\":\"pass\"");
        assert_ne!(lines[2], fail);
        lines
    });
    assert_eq!(found, "crypto_validation.jsonl:3: the status does not follow from what was expected and observed");
    let found = edit(&|mut lines| {
        lines[0] = lines[0].replace("\"device\":\"simulated\"", "\"device\":\"gpu\"");
        lines
    });
    assert_eq!(found, "crypto_validation.jsonl:2: `prev_sha256` is not the hash of the line before");
    assert!(
        edit(&|mut lines| {
            lines.remove(1);
            lines
        })
        .contains("crypto_validation.jsonl:2: `seq` is 3")
    );
    assert!(
        edit(&|mut lines| {
            lines.swap(1, 2);
            lines
        })
        .contains("crypto_validation.jsonl:2: `seq` is 3")
    );
    assert!(edit(&|_| Vec::new()).contains("crypto_validation.jsonl: no observed record"));
}

#[test]
fn a_file_of_another_run_is_found() {
    let collector = Collector::new();
    a_record_in_every_stream(&collector);
    collector.collect().unwrap();
    let (_, problems) = records::read(collector.bundle.root(), "20260101-000000-01234567");
    assert!(problems.iter().any(|problem| problem.contains("belongs to run")), "{problems:?}");
}

#[test]
fn a_missing_file_is_found() {
    let collector = Collector::new();
    a_record_in_every_stream(&collector);
    collector.collect().unwrap();
    fs::remove_file(collector.bundle.root().join("bounds_checking.jsonl")).unwrap();
    let (_, problems) = collector.read();
    assert!(problems.len() == 1 && problems[0].contains("bounds_checking.jsonl: cannot be read"), "{problems:?}");
}

/// Declared records count for nothing, whatever they say.
#[test]
fn a_stream_of_declared_records_alone_is_empty() {
    needs!("git");
    let directory = tempfile::tempdir().unwrap();
    let bundle = ProofBundle::for_type_in(directory.path(), TestType::Unit).unwrap();
    bundle.append_ndjson("crypto_validation", &json!({"test": "seal", "status": "pass"})).unwrap();
    let (found, problems) = records::read(bundle.root(), bundle.run_id());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].class, Class::Declared);
    assert!(problems.contains(&"crypto_validation.jsonl: no observed record".to_owned()), "{problems:?}");
    assert!(Path::new(&found[0].location.file).is_relative());
}
