//! What `report.html` shows of code coverage and of planted faults.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod fixture;
mod page;

use std::fs;

use fixture::Fixture;
use page::{Element, elements, text_of};
use proof_bundle::report::render_all;
use serde_json::{Value, json};

/// The page of a healthy run whose `coverage.json` is changed before, and with such a `code_coverage.json`.
fn page_with(change: impl FnOnce(&mut Value), code_coverage: Option<Value>) -> Vec<Element> {
    let fixture = Fixture::healthy();
    let (directory, _) = fixture.run();
    let path = directory.join("coverage.json");
    let mut coverage: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    change(&mut coverage);
    fs::write(&path, coverage.to_string()).unwrap();
    if let Some(measured) = code_coverage {
        fs::write(directory.join("code_coverage.json"), measured.to_string()).unwrap();
    }
    let (_, text) = render_all(&directory).unwrap().into_iter().find(|(name, _)| name == "report.html").unwrap();
    elements(&text)
}

fn matrix(state: &str, survivors: Value) -> Value {
    json!({
        "state": state, "commit": fixture::COMMIT, "dirty": true, "generated_at": "2026-01-01T00:00:00Z",
        "tool": "cargo-mutants 27.1.0", "listed": 9, "tried": 7, "killed": 3, "timeout": 1, "survived": 2, "unviable": 1,
        "of_other_sources": 2, "crates_missing": ["facts"], "sources_changed": ["crates/seal/src/seal.rs"],
        "tests_unknown": [{"binary": "seal::tag", "test": "tag_is_right"}], "survivors": survivors,
    })
}

#[test]
fn what_was_not_measured_is_absent_and_no_zero() {
    let elements = page_with(|_| (), None);
    assert_eq!(text_of(&elements, "code"), "Code coverage Absent: not measured by this run.");
    assert!(text_of(&elements, "mutation").starts_with("Planted faults Absent: this bundle has no mutants.json."));
    assert!(text_of(&elements, "r-CI-001").contains("Faults not measured"));
}

#[test]
fn lines_of_each_crate_come_with_their_denominators() {
    let measured = json!({
        "tool": "cargo-tarpaulin 0.35.5", "command": "cargo tarpaulin --engine llvm", "commit": fixture::COMMIT, "dirty": true,
        "modules": [{"module": "seal", "lines": 1000, "tested": 999}, {"module": "<b>", "lines": 0, "tested": 0}],
    });
    let code = text_of(&page_with(|_| (), Some(measured)), "code");
    for part in
        ["seal 1000 999 99 %", "<b> 0 0 absent", "All 1000 999 99 %", "cargo-tarpaulin 0.35.5", "uncommitted changes"]
    {
        assert!(code.contains(part), "{part}: {code}");
    }
}

#[test]
fn faults_that_tests_notice_are_counted_by_requirement_and_survivors_named() {
    let survivors =
        json!([{"name": "seal.rs:9: <d>", "reason": "It is equivalent."}, {"name": "seal.rs:10: e", "reason": null}]);
    let elements = page_with(
        |coverage| {
            coverage["mutation"] = matrix("partial", survivors);
            coverage["requirements"][2]["kills"] = json!(17);
        },
        None,
    );
    let section = text_of(&elements, "mutation");
    for part in [
        "The matrix is partial: not every mutant of every library crate was tried",
        "Tried on the sources of this run 7/9 (77 %)",
        "Noticed by a test that failed 3/6 (50 %)",
        "Survived: no mapped test noticed 2/6 (33 %)",
        "cargo-mutants 27.1.0",
        "with uncommitted changes, the last on 2026-01-01T00:00:00Z.",
        "a committed file that this run did not repeat. Nothing in this bundle can check it: whoever signs the bundle vouches for it.",
        "Library crates that are not in the matrix facts",
        "Library files that are not as they were then crates/seal/src/seal.rs",
        "Tests that did not run on the mutants as they are now seal::tag tag_is_right",
        "Survivors 2",
        "seal.rs:9: <d> It is equivalent.",
        "seal.rs:10: e no reason given",
    ] {
        assert!(section.contains(part), "{part}: {section}");
    }
    assert!(text_of(&elements, "r-CI-001").contains("Faults 17 of those planted were noticed"));
    let none = page_with(|coverage| coverage["mutation"] = matrix("complete", json!([])), None);
    assert!(text_of(&none, "mutation").ends_with("Survivors 0 None of those tried on the sources of this run."));
}
