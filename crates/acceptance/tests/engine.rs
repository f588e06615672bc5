//! The scenarios as a set, and the engine that runs them: a scenario cannot pass by saying nothing.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::path::Path;

use acceptance::{AcceptanceError, Scenario, Vocabulary, features_dir, load, parse, vocabulary};
use evidence::Stream::InputValidation;
use evidence::{Spool, check, proves};
use serde_json::{Value, json};

/// A world that counts what was done in it.
type Count = u64;

fn sample_vocabulary() -> Vocabulary<Count> {
    let mut steps = Vocabulary::new();
    steps.act("I count to {number}", |count, given| {
        *count = given.number(0)?;
        Ok(())
    });
    steps.act("I count each of:", |count, given| {
        *count = given.rows().len() as u64;
        Ok(())
    });
    steps.act("I fail", |_, _| Err("as asked".into()));
    steps.observe("the count is {number}", |count, given, then| then.sees(InputValidation, given.number(0)?, *count));
    steps.observe("nothing is looked at", |_, _, _| Ok(()));
    steps
}

fn sample(steps: &str) -> Scenario {
    let text = format!("Feature: sample\n  @MS-001 @00§2.1\n  Scenario: a sample\n{steps}\n");
    parse("sample", &text).expect("the sample is Gherkin").remove(0)
}

/// Runs a sample in a spool of its own, so that samples which are to fail leave no evidence of a failure.
fn run(steps: &str) -> (Result<(), AcceptanceError>, Count, Vec<Value>) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sample.ndjson");
    let spool = Spool::create(&path).unwrap();
    let mut count = 0;
    let result = sample_vocabulary().run_into(&sample(steps), &mut count, Some(&spool));
    let lines = std::fs::read_to_string(&path).unwrap();
    (result, count, lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect())
}

fn scenarios() -> Vec<Scenario> {
    load(&features_dir()).expect("the features load")
}

#[test]
fn seven_features_hold_31_scenarios() {
    proves!("40§1.3");
    let mut counts = BTreeMap::new();
    for scenario in scenarios() {
        *counts.entry(scenario.feature).or_insert(0) += 1;
    }
    let expected = json!({
        "error_recovery": 4,
        "multi_shard": 5,
        "seal_model": 6,
        "seal_verification_extended": 5,
        "security": 6,
        "verify_seal": 3,
        "vram_policy": 2,
    });
    check(InputValidation, "scenarios_by_feature", expected, counts);
}

#[test]
fn every_definition_is_used_by_a_scenario() {
    proves!("40§1.3");
    let unused = vocabulary().unused(&scenarios());
    check(InputValidation, "unused_step_definitions", Vec::<String>::new(), unused);
}

#[test]
fn every_tag_is_a_requirement_and_every_scenario_has_one() {
    proves!("40§1.3");
    let specifications = features_dir().join("..");
    let specifications = proof_bundle::requirement::parse_specs(specifications).unwrap();
    let scenarios = scenarios();
    let untagged: Vec<_> = scenarios.iter().filter(|one| one.requirements.is_empty()).map(|one| &one.name).collect();
    let unknown: Vec<_> =
        scenarios.iter().flat_map(|one| &one.requirements).filter(|id| specifications.get(id).is_none()).collect();
    check(
        InputValidation,
        "scenario_tags",
        json!({"untagged": [], "unknown": []}),
        json!({"untagged": untagged, "unknown": unknown}),
    );
}

#[test]
fn scenario_names_are_plain_lower_case_sentences() {
    let plain = |name: &str| {
        let mut words = name.split(' ').peekable();
        words.peek().is_some()
            && words.all(|word| !word.is_empty() && word.chars().all(|character| character.is_alphanumeric()))
    };
    for scenario in scenarios() {
        assert!(plain(&scenario.name), "{:?}", scenario.name);
        assert!(scenario.name.starts_with(char::is_lowercase), "{:?}", scenario.name);
    }
}

#[test]
fn a_then_that_observes_nothing_fails_its_scenario() {
    proves!("40§1.3");
    let (result, ..) = run("When I count to 3\nThen the count is 3\nAnd nothing is looked at");
    check(
        InputValidation,
        "then_without_observation",
        "`nothing is looked at` observed nothing: a `Then` that looks at nothing proves nothing",
        result.unwrap_err().to_string(),
    );
}

#[test]
fn a_scenario_that_does_not_end_with_an_observation_fails_before_it_runs() {
    proves!("40§1.3");
    for steps in ["", "When I count to 3", "When I count to 3\nThen the count is 3\nWhen I count to 4"] {
        let (result, count, _) = run(steps);
        let refused = matches!(result, Err(AcceptanceError::EndsUnobserved));
        check(
            InputValidation,
            "scenario_without_last_then",
            json!({"refused": true, "count": 0}),
            json!({"refused": refused, "count": count}),
        );
    }
}

#[test]
fn an_observation_is_evidence_for_the_scenarios_tags() {
    proves!("40§1.3");
    let (result, _, records) = run("When I count to 3\nThen the count is 3");
    result.unwrap();
    assert_eq!(records.len(), 1, "{records:?}");
    let members = ["operation", "device", "requirements", "scenario", "expected", "observed", "status"];
    let observed: BTreeMap<_, _> = members.iter().map(|member| (*member, records[0][*member].clone())).collect();
    let expected = json!({
        "operation": "the count is 3",
        "device": "simulated",
        "requirements": ["MS-001", "00§2.1"],
        "scenario": "sample::a_sample",
        "expected": 3,
        "observed": 3,
        "status": "pass",
    });
    check(InputValidation, "record_of_a_then", expected, observed);
}

#[test]
fn an_observation_of_something_else_fails_the_scenario_and_is_kept() {
    let (result, _, records) = run("When I count to 3\nThen the count is 4");
    assert_eq!(result.unwrap_err().to_string(), "`the count is 4` failed: expected 4, observed 3");
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["status"], "fail");
}

#[test]
fn a_step_that_errs_fails_the_scenario() {
    let (result, ..) = run("When I fail\nThen the count is 0");
    assert_eq!(result.unwrap_err().to_string(), "`I fail` failed: as asked");
}

#[test]
fn a_step_without_a_definition_fails_before_any_step_runs() {
    for steps in [
        "When I count to 3\nThen the sum is 3",
        "When I count to three\nThen the count is 3",
        "When I count to 3\nAnd the count is 3\nThen the count is 3",
        "When I count to 3\nThen I count to 3",
    ] {
        let (result, count, _) = run(steps);
        assert!(matches!(result, Err(AcceptanceError::UnknownStep { .. })), "{steps}: {result:?}");
        assert_eq!(count, 0, "{steps}");
    }
}

#[test]
fn a_step_with_two_definitions_fails() {
    let mut steps = sample_vocabulary();
    steps.act("I count to 3", |_, _| Ok(()));
    let result = steps.run_into(&sample("When I count to 3\nThen the count is 3"), &mut 0, None);
    assert!(matches!(result, Err(AcceptanceError::AmbiguousStep { count: 2, .. })), "{result:?}");
}

#[test]
fn a_table_stands_under_a_step_that_reads_one_and_nowhere_else() {
    let (result, count, _) = run("When I count each of:\n| thing |\n| a |\n| b |\nThen the count is 2");
    result.unwrap();
    assert_eq!(count, 2);
    for steps in
        ["When I count each of:\nThen the count is 0", "When I count to 1\n| thing |\n| a |\nThen the count is 1"]
    {
        let (result, ..) = run(steps);
        assert!(matches!(result, Err(AcceptanceError::Table { .. })), "{steps}: {result:?}");
    }
}

#[test]
fn a_definition_that_no_step_uses_is_named() {
    let unused = sample_vocabulary().unused(&[sample("When I count to 3\nThen the count is 3")]);
    assert_eq!(unused, ["I count each of:", "I fail", "nothing is looked at"]);
}

#[test]
fn parts_of_gherkin_that_would_go_unread_are_errors() {
    let step = "    When I count to 3\n    Then the count is 3\n";
    for text in [
        format!("Feature: s\n  Background:\n    Given I count to 1\n  Scenario: a\n{step}"),
        format!("Feature: s\n  Rule: r\n    Scenario: a\n{step}"),
        format!("@MS-001\nFeature: s\n  Scenario: a\n{step}"),
        format!("Feature: s\n  Scenario: a\n    Wen I count to 3\n{step}"),
        format!("Feature: s\n  Scenario Outline: a\n{step}\n    Examples:\n      | n |\n      | 1 |\n"),
        format!("Feature: s\n  Scenario: a\n{step}    \"\"\"\n    text\n    \"\"\"\n"),
    ] {
        let result = parse("s", &text);
        assert!(matches!(result, Err(AcceptanceError::Unsupported { .. })), "{text}: {result:?}");
    }
    for text in ["", "Scenario: a\n", "Feature: s\n  Scenario: a\n    When I count to 3\n    Then\n"] {
        let result = parse("s", text);
        assert!(matches!(result, Err(AcceptanceError::Syntax { .. })), "{text}: {result:?}");
    }
}

#[test]
fn a_folder_without_scenarios_and_a_name_used_twice_are_errors() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(load(folder.path()), Err(AcceptanceError::NoScenarios { .. })));
    assert!(matches!(load(Path::new("no/such/folder")), Err(AcceptanceError::Read { .. })));
    let text = "Feature: s\n  Scenario: a\n    When I count to 3\n    Then the count is 3\n";
    std::fs::write(folder.path().join("one.feature"), text).unwrap();
    std::fs::write(folder.path().join("two.feature"), text).unwrap();
    assert!(matches!(load(folder.path()), Err(AcceptanceError::NameTwice { name }) if name == "a"));
}
