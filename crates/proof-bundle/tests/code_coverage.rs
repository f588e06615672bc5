//! The lines that the tests ran: in the bundle and in its reports when they were counted, and said to be absent when not.
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
use std::path::Path;

use fixture::{COMMIT, Fixture};
use proof_bundle::code_coverage::{CodeCoverage, FILE, ModuleCoverage};
use proof_bundle::diff::bundle_diff;
use proof_bundle::report::render_all;

fn measured(modules: &[(&str, usize, usize)]) -> CodeCoverage {
    let module = |(module, lines, tested): &(&str, usize, usize)| ModuleCoverage {
        module: (*module).to_owned(),
        lines: *lines,
        tested: *tested,
    };
    CodeCoverage {
        tool: "cargo-tarpaulin 0.37.5".to_owned(),
        command: "cargo tarpaulin --engine llvm --workspace".to_owned(),
        commit: COMMIT.to_owned(),
        dirty: true,
        modules: modules.iter().map(module).collect(),
    }
}

/// The section of `spec_coverage.md`.
fn section(directory: &Path) -> String {
    let text = fs::read_to_string(directory.join("spec_coverage.md")).unwrap();
    let (_, section) = text.split_once("## Code Coverage\n").unwrap();
    section.split_once("\n## ").unwrap().0.to_owned()
}

#[test]
fn what_was_not_measured_is_absent() {
    let fixture = Fixture::healthy();
    let (directory, _) = fixture.run();
    assert!(!directory.join(FILE).exists());
    assert_eq!(CodeCoverage::read(&directory).unwrap(), None);
    let section = section(&directory);
    assert!(section.contains("Absent: not measured by this run.") && !section.contains('%'), "{section}");
}

#[test]
fn what_was_measured_is_shown_by_crate_with_its_denominators() {
    let mut fixture = Fixture::healthy();
    fixture.code_coverage = Some(measured(&[("a_b", 1000, 999), ("empty", 0, 0), ("seal", 4, 4)]));
    let (directory, coverage) = fixture.run();
    assert_eq!(CodeCoverage::read(&directory).unwrap(), fixture.code_coverage);
    insta::assert_snapshot!(section(&directory));
    // It says nothing of a requirement.
    fixture.code_coverage = None;
    let (_, without) = fixture.run();
    assert_eq!(without.requirements, coverage.requirements);
}

#[test]
fn more_tested_lines_than_lines_or_an_unknown_member_is_refused() {
    let mut fixture = Fixture::healthy();
    fixture.code_coverage = Some(measured(&[("seal", 4, 4)]));
    let (directory, _) = fixture.run();
    let good = fs::read_to_string(directory.join(FILE)).unwrap();
    for (old, new, words) in [
        ("\"lines\": 4", "\"lines\": 3", "4 of 3 lines of seal"),
        ("\"lines\": 4", "\"lines\": 4, \"percent\": 100", "unknown field"),
        ("\"lines\": 4", "\"lines\": -4", "invalid value"),
        ("\"dirty\": true,", "", "missing field"),
    ] {
        assert!(good.contains(old));
        fs::write(directory.join(FILE), good.replace(old, new)).unwrap();
        let error = CodeCoverage::read(&directory).unwrap_err();
        assert!(error.to_string().starts_with(FILE), "{error}");
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains(words), "{new}: {cause}");
        assert!(render_all(&directory).is_err(), "{new}");
    }
}

#[test]
fn how_many_lines_there_are_may_not_differ_between_two_runs() {
    let mut fixture = Fixture::healthy();
    let mut run = |lines, tested| {
        fixture.code_coverage = Some(CodeCoverage { dirty: false, ..measured(&[("seal", lines, tested)]) });
        fixture.run().0
    };
    let [first, tested, lines] = [run(4, 4), run(4, 3), run(5, 4)];
    assert_eq!(bundle_diff(&first, tested).unwrap(), []);
    let differences = bundle_diff(&first, lines).unwrap();
    assert!(differences.iter().any(|one| one.file == FILE && one.place.contains("lines")), "{differences:?}");
}
