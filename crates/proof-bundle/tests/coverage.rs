//! What follows from a run, and that each planted lie changes it.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod fixture;

use std::fs;

use evidence::{Record, Stream, check, proves};
use fixture::Fixture;
use fixture::derived::{problems, reasons, record, status};
use proof_bundle::coverage::{Coverage, Inputs, ProblemKind, Status, TestOutcome, Verdict, derive};
use proof_bundle::junit::Outcome;
use serde_json::json;

#[test]
fn a_healthy_run_proves_all_but_what_needs_a_gpu() {
    let (_, coverage) = Fixture::healthy().run();
    assert_eq!(problems(&coverage), "");
    for id in ["00§2.1", "00§2.2", "CI-001"] {
        assert_eq!(status(&coverage, id), Status::Proven, "{}", reasons(&coverage, id));
    }
    assert_eq!(status(&coverage, "VP-001"), Status::NeedsGpu);
    assert_eq!(coverage.verdict(), Verdict::Proven);
    let seal = coverage.get("00§2.1").unwrap();
    assert_eq!((seal.mapped, seal.run, seal.passed, seal.failed, seal.absent), (2, 2, 2, 0, 0));
    assert_eq!(seal.devices, ["simulated"]);
    assert_eq!(seal.evidence, ["crypto_validation.jsonl:1", "crypto_validation.jsonl:4"]);
    let count = &coverage.summary.requirements;
    assert_eq!((count.total, count.mapped, count.run, count.proven, count.needs_gpu), (4, 4, 4, 3, 1));
    assert_eq!(coverage.features[0].passed, 1);
}

#[test]
fn the_evidence_cited_exists_and_names_the_requirement() {
    let fixture = Fixture::healthy();
    let (directory, coverage) = fixture.run();
    let mut seen = 0;
    for requirement in &coverage.requirements {
        for citation in &requirement.evidence {
            let (file, line) = citation.split_once(':').unwrap();
            let text = fs::read_to_string(directory.join(file)).unwrap();
            let line = text.lines().nth(line.parse::<usize>().unwrap() - 1).unwrap();
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            assert!(value["requirements"].as_array().unwrap().contains(&json!(requirement.id)), "{citation}");
            seen += 1;
        }
    }
    assert_eq!(seen, 6);
}

#[test]
fn what_the_bundle_holds_derives_to_what_it_says() {
    let fixture = Fixture::healthy();
    let (directory, coverage) = fixture.run();
    assert_eq!(derive(&Inputs::read(&directory).unwrap()), coverage);
    let written: Coverage =
        serde_json::from_str(&fs::read_to_string(directory.join("coverage.json")).unwrap()).unwrap();
    assert_eq!(written, coverage);
}

#[test]
fn every_test_is_accounted_for_as_passed_failed_not_run_or_dead() {
    proves!("40§1.1");
    let mut fixture = Fixture::healthy();
    fixture.result("test_seal").outcome = Outcome::Failed("left: 1".to_owned());
    fixture.result("weights_stay").outcome = Outcome::NotRun("no GPU".to_owned());
    fixture.result("unmapped").outcome = Outcome::Dead("exited 0 without a summary".to_owned());
    let (_, coverage) = fixture.run();
    let tests = &coverage.summary.tests;
    let named: Vec<_> =
        coverage.tests_not_passed.iter().map(|test| json!([test.test.test, test.result, test.reason])).collect();
    check(
        Stream::InputValidation,
        "account_for_every_test",
        json!({
            "listed": 5, "run": 3, "passed": 2, "failed": 1, "not_run": 1, "dead": 1,
            "named": [
                ["weights_stay", "not_run", "no GPU"],
                ["tests::test_seal", "failed", "left: 1"],
                ["unmapped", "dead", "exited 0 without a summary"],
            ],
        }),
        json!({
            "listed": tests.listed, "run": tests.run, "passed": tests.passed, "failed": tests.failed,
            "not_run": tests.not_run, "dead": tests.dead, "named": named,
        }),
    );
}

#[test]
fn a_failed_test_fails_its_requirements_and_the_groups_they_are_in() {
    let mut fixture = Fixture::healthy();
    fixture.result("tag_is_right").outcome = Outcome::Failed("exit code 101".to_owned());
    let (_, coverage) = fixture.run();
    assert_eq!(status(&coverage, "CI-001"), Status::Failed);
    assert_eq!(status(&coverage, "00§2.2"), Status::Failed);
    assert_eq!(status(&coverage, "00§2.1"), Status::Proven);
    assert!(reasons(&coverage, "CI-001").contains("seal::tag tag_is_right failed: exit code 101"));
    assert_eq!(coverage.roll_ups[0].status, Status::Failed);
    assert_eq!(coverage.roll_ups[0].open, ["CI-001"]);
    assert_eq!(coverage.vulnerabilities[0].status, Status::Failed);
    assert_eq!(coverage.verdict(), Verdict::Failed);
}

#[test]
fn a_failed_test_without_requirements_fails_the_run() {
    let mut fixture = Fixture::healthy();
    fixture.result("unmapped").outcome = Outcome::Failed("exit code 101".to_owned());
    assert_eq!(fixture.run().1.verdict(), Verdict::Failed);
}

#[test]
fn a_live_record_that_does_not_hold_fails_its_requirements() {
    let mut fixture = Fixture::healthy();
    let tamper = record(Stream::CryptoValidation, "CI-001").device("simulated");
    fixture.spool("operations").records.push((Stream::CryptoValidation, tamper, json!("refused"), json!("accepted")));
    let (_, coverage) = fixture.run();
    assert_eq!(status(&coverage, "CI-001"), Status::Failed);
    assert_eq!(reasons(&coverage, "CI-001"), "crypto_validation.jsonl:3 does not hold");
    assert_eq!(coverage.verdict(), Verdict::Failed);
}

#[test]
fn a_record_that_does_not_hold_fails_the_run_even_without_requirements() {
    let mut fixture = Fixture::healthy();
    let stray = Record::new(Stream::CudaOperations, "free");
    fixture.spool("operations").records.push((Stream::CudaOperations, stray, json!(0), json!(1)));
    let (_, coverage) = fixture.run();
    assert_eq!(problems(&coverage), "cuda_operations.jsonl:2 does not hold");
    assert_eq!(coverage.verdict(), Verdict::Failed);
}

#[test]
fn an_ignored_mapped_test_is_not_run() {
    let mut fixture = Fixture::healthy();
    fixture.result("tag_is_right").outcome = Outcome::NotRun("ignored".to_owned());
    fixture.spool("tag_is_right").claims.clear();
    fixture.spool("tag_is_right").records.clear();
    let (_, coverage) = fixture.run();
    assert_eq!(status(&coverage, "CI-001"), Status::NotRun);
    assert_eq!(reasons(&coverage, "CI-001"), "seal::tag tag_is_right did not run: ignored");
    assert_eq!(coverage.get("CI-001").unwrap().absent, 1);
    assert_eq!(coverage.verdict(), Verdict::NotRun);
}

#[test]
fn a_mapped_test_that_the_run_does_not_list_is_not_run() {
    let mut fixture = Fixture::healthy();
    fixture.results.retain(|result| result.test != "tag_is_right");
    fixture.spooled.retain(|spooled| spooled.test != "tag_is_right");
    let (_, coverage) = fixture.run();
    assert_eq!(status(&coverage, "CI-001"), Status::NotRun);
    assert_eq!(coverage.get("CI-001").unwrap().tests[0].result, TestOutcome::Absent);
    assert_eq!(coverage.verdict(), Verdict::NotRun);
}

#[test]
fn a_renamed_named_test_is_missed() {
    let mut fixture = Fixture::healthy();
    fixture.map[0].test = "tests::test_seal_renamed".to_owned();
    fixture.result("test_seal").test = "tests::test_seal_renamed".to_owned();
    fixture.spool("test_seal").test = "tests::test_seal_renamed".to_owned();
    let (_, coverage) = fixture.run();
    assert_eq!(status(&coverage, "00§2.1"), Status::NotRun);
    assert_eq!(reasons(&coverage, "00§2.1"), "named test test_seal does not exist");
    assert_eq!(coverage.verdict(), Verdict::NotRun);
}

#[test]
fn a_named_test_that_does_not_claim_the_requirement_is_missed() {
    let mut fixture = Fixture::healthy();
    fixture.map[0].requirements = vec!["CI-001".to_owned()];
    fixture.spool("test_seal").claims = vec!["CI-001".to_owned()];
    let (_, coverage) = fixture.run();
    assert!(reasons(&coverage, "00§2.1").contains("named test test_seal is not mapped to it"));
    assert_eq!(status(&coverage, "00§2.1"), Status::NotRun);
}

#[test]
fn a_mapped_test_that_passes_without_reaching_its_claim_proves_nothing() {
    let mut fixture = Fixture::healthy();
    fixture.spool("tag_is_right").claims = vec!["00§2.2".to_owned()];
    let (_, coverage) = fixture.run();
    assert_eq!(status(&coverage, "CI-001"), Status::NotRun);
    assert!(reasons(&coverage, "CI-001").contains("it passed without claiming CI-001"));
    assert_eq!(coverage.get("CI-001").unwrap().tests[0].result, TestOutcome::Unclaimed);
    assert_eq!(status(&coverage, "00§2.2"), Status::Proven);
}

#[test]
fn a_mapped_test_that_records_nothing_is_vacuous() {
    let mut fixture = Fixture::healthy();
    fixture.spool("tag_is_right").records.clear();
    let (_, coverage) = fixture.run();
    assert_eq!(status(&coverage, "CI-001"), Status::Vacuous);
    assert_eq!(reasons(&coverage, "CI-001"), "seal::tag tag_is_right passed and recorded nothing for it");
    assert_eq!(coverage.verdict(), Verdict::NotRun);
}

#[test]
fn a_record_of_another_test_does_not_fill_in() {
    let mut fixture = Fixture::healthy();
    fixture.spool("tag_is_right").records.clear();
    let more = record(Stream::CryptoValidation, "CI-001");
    fixture.spool("operations").records.push((Stream::CryptoValidation, more, json!(1), json!(1)));
    assert_eq!(status(&fixture.run().1, "CI-001"), Status::Vacuous);
}

#[test]
fn a_requirement_without_a_test_is_unmapped() {
    let mut fixture = Fixture::healthy();
    fixture.map.retain(|test| test.test != "weights_stay");
    fixture.spool("weights_stay").claims.clear();
    fixture.spool("weights_stay").records.clear();
    let (_, coverage) = fixture.run();
    assert_eq!(status(&coverage, "VP-001"), Status::Unmapped);
    assert_eq!(coverage.summary.requirements.mapped, 3);
    assert_eq!(coverage.verdict(), Verdict::NotRun);
}

#[test]
fn a_claim_outside_the_map_or_the_specifications_is_a_problem() {
    for (id, what) in [("CI-001", "which the map does not say"), ("CI-999", "which no specification defines")] {
        let mut fixture = Fixture::healthy();
        fixture.spool("test_seal").claims.push(id.to_owned());
        let (_, coverage) = fixture.run();
        assert_eq!(problems(&coverage), format!("seal tests::test_seal claimed {id}, {what}"));
        assert_eq!(coverage.problems[0].kind, ProblemKind::Map);
        assert_eq!(coverage.verdict(), Verdict::Input);
    }
}

#[test]
fn a_mapped_id_that_no_specification_defines_is_a_problem() {
    let mut fixture = Fixture::healthy();
    fixture.map[1].requirements.push("CI-999".to_owned());
    let (_, coverage) = fixture.run();
    assert_eq!(problems(&coverage), "seal::tag tag_is_right says it proves CI-999, which no specification defines");
    assert_eq!(coverage.verdict(), Verdict::Input);
}

#[test]
fn evidence_for_an_unknown_id_is_a_problem() {
    let mut fixture = Fixture::healthy();
    let more = record(Stream::Performance, "CI-999");
    fixture.spool("operations").records.push((Stream::Performance, more, json!(1), json!(1)));
    let (_, coverage) = fixture.run();
    assert_eq!(problems(&coverage), "performance.jsonl:2: evidence for CI-999, which no specification defines");
}

#[test]
fn evidence_from_a_test_outside_the_map_is_a_problem_and_a_live_operation_may_give_it() {
    let from = |test: &str| {
        let mut fixture = Fixture::healthy();
        let more = record(Stream::Performance, "CI-001");
        fixture.spool(test).records.push((Stream::Performance, more, json!(1), json!(1)));
        let (_, coverage) = fixture.run();
        (problems(&coverage), coverage.verdict())
    };
    let problem = "performance.jsonl:2: evidence for CI-001 from a test that is not mapped to it".to_owned();
    assert_eq!(from("weights_stay"), (problem, Verdict::Input));
    assert_eq!(from("tag_is_right"), (String::new(), Verdict::Proven));
    assert_eq!(from("operations"), (String::new(), Verdict::Proven));
}

#[test]
fn records_of_a_test_that_the_run_does_not_list_are_a_problem() {
    let mut fixture = Fixture::healthy();
    fixture.results.retain(|result| result.test != "tag_is_right");
    fixture.spool("tag_is_right").claims.clear();
    let (_, coverage) = fixture.run();
    assert!(problems(&coverage).contains("seal::tag tag_is_right is not among the tests of the run"));
    assert_eq!(coverage.verdict(), Verdict::Input);
}

#[test]
fn declared_records_are_kept_and_count_for_nothing() {
    let mut fixture = Fixture::healthy();
    fixture.spool("tag_is_right").records.clear();
    fixture.declared = vec![
        ("crypto_validation", json!({"test": "tag_is_right", "binary": "seal::tag", "status": "pass"})),
        ("performance", json!({"operation": "boast", "status": "success", "timings": {"median_ns": 1}})),
    ];
    let (directory, coverage) = fixture.run();
    assert_eq!(status(&coverage, "CI-001"), Status::Vacuous);
    let counts: Vec<_> = coverage.records.iter().map(|count| (count.observed, count.declared)).collect();
    assert_eq!(counts, [(4, 1), (1, 0), (1, 0), (1, 0), (1, 0), (1, 1)]);
    let kept = fs::read_to_string(directory.join("performance.jsonl")).unwrap();
    assert!(kept.contains("boast"), "{kept}");
    let report = fs::read_to_string(directory.join("test_report.md")).unwrap();
    assert!(!report.contains("boast"), "{report}");
}

#[test]
fn a_scenario_that_no_test_runs_is_a_problem() {
    let mut fixture = Fixture::healthy();
    fixture.scenarios[0].test = "another name".to_owned();
    let (_, coverage) = fixture.run();
    assert!(problems(&coverage).contains("seal_model.feature: no test runs the scenario `A model is sealed`"));
    assert_eq!((coverage.features[0].scenarios, coverage.features[0].run), (1, 0));
    assert_eq!(coverage.verdict(), Verdict::Input);
}

#[test]
fn a_dead_binary_is_a_problem_and_its_requirements_are_not_run() {
    let mut fixture = Fixture::healthy();
    fixture.result("tag_is_right").outcome = Outcome::Dead("exited 0 without a summary".to_owned());
    let (_, coverage) = fixture.run();
    assert_eq!(status(&coverage, "CI-001"), Status::NotRun);
    assert_eq!(problems(&coverage), "seal::tag tag_is_right left no verdict: exited 0 without a summary");
    assert_eq!(coverage.verdict(), Verdict::Input);
}

#[test]
fn a_run_without_tests_says_so() {
    let mut fixture = Fixture::healthy();
    fixture.results.clear();
    fixture.scenarios.clear();
    fixture.spooled.retain(|spooled| spooled.binary == "live");
    let (directory, coverage) = fixture.run();
    assert_eq!(problems(&coverage), "tests.junit.xml: the file lists no test");
    assert_eq!(coverage.verdict(), Verdict::Input);
    let report = fs::read_to_string(directory.join("test_report.md")).unwrap();
    assert!(report.contains("tests.junit.xml: the file lists no test") && report.contains("INCOMPLETE"), "{report}");
}

#[test]
fn a_stream_without_records_says_so() {
    let mut fixture = Fixture::healthy();
    fixture.spool("operations").records.retain(|(stream, ..)| *stream != Stream::Performance);
    let (_, coverage) = fixture.run();
    assert_eq!(problems(&coverage), "performance.jsonl: no observed record");
    assert_eq!(coverage.verdict(), Verdict::Input);
}

#[test]
fn a_spool_of_a_test_that_is_not_among_the_results_stops_the_run() {
    let mut fixture = Fixture::healthy();
    fixture.results.retain(|result| result.test != "tag_is_right");
    let error = fixture.try_run().unwrap_err().to_string();
    assert!(error.contains("seal::tag tag_is_right") && error.contains("no such test is among the results"), "{error}");
    let left = fs::read_dir(fixture.directory.path().join("bundles/unit")).unwrap().count();
    assert_eq!(left, 0, "no half bundle");
}

/// Lies planted in a finished bundle: what its files hold no longer derives to what it says.
#[test]
fn a_lie_planted_in_a_bundle_changes_what_follows() {
    let replant = |file: &str, from: &str, to: &str| {
        let fixture = Fixture::healthy();
        let (directory, before) = fixture.run();
        let path = directory.join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from), "{file}: {from}");
        fs::write(&path, text.replacen(from, to, 1)).unwrap();
        let after = derive(&Inputs::read(&directory).unwrap());
        assert_ne!(after, before, "{file}: {from}");
        after
    };
    let after = replant("crypto_validation.jsonl", "\"observed\":\"as expected\"", "\"observed\":\"else\"");
    assert!(problems(&after).contains("crypto_validation.jsonl:1: the status does not follow"), "{}", problems(&after));
    let after = replant("crypto_validation.jsonl", "\"device\":\"simulated\"", "\"device\":\"gpu\"");
    assert_eq!(after.verdict(), Verdict::Input);
    let after = replant("tests.junit.xml", "<property name=\"proves\" value=\"CI-001\"/>", "");
    assert_eq!(status(&after, "CI-001"), Status::NotRun);
    let after = replant("requirements.json", "\"needs_gpu\": true", "\"needs_gpu\": false");
    assert_eq!(status(&after, "VP-001"), Status::Proven);
    let fixture = Fixture::healthy();
    let (directory, _) = fixture.run();
    fs::write(directory.join("tests.junit.xml"), "").unwrap();
    let after = derive(&Inputs::read(&directory).unwrap());
    assert_eq!(after.verdict(), Verdict::Input);
    assert!(problems(&after).contains("tests.junit.xml: the file is empty"), "{}", problems(&after));
}
