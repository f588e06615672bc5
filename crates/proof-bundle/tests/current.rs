//! The specifications as they are now, judged by a run that may be older than they are.
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
use proof_bundle::coverage::{Coverage, Inputs, Status, TestOutcome, Verdict, derive, derive_current};
use proof_bundle::junit::Outcome;
use proof_bundle::provenance::Commit;
use proof_bundle::report::{Current, render_current};
use proof_bundle::requirement::{RequirementsFile, parse_specs};
use proof_bundle::test_map::MappedTest;

/// What the specifications and the map of `fixture` are after `change`, which is given the text of one document.
fn current(fixture: &mut Fixture, change: impl FnOnce(&mut Fixture, String) -> String) -> RequirementsFile {
    let specs = fixture.directory.path().join("specs");
    let core = change(fixture, fixture.core.clone());
    fs::write(specs.join("00_demo.md"), core).unwrap();
    RequirementsFile::new(parse_specs(specs).unwrap(), &fixture.map, &fixture.scenarios)
}

fn run(fixture: &Fixture) -> Inputs {
    Inputs::read(fixture.run().0).unwrap()
}

fn judged(coverage: &Coverage, id: &str) -> (Status, String) {
    let one = coverage.get(id).unwrap();
    (one.status, one.reasons.join("; "))
}

fn mapped(binary: &str, test: &str, id: &str) -> MappedTest {
    MappedTest { binary: binary.to_owned(), test: test.to_owned(), requirements: vec![id.to_owned()] }
}

#[test]
fn without_a_change_it_is_what_the_bundle_says() {
    let mut fixture = Fixture::healthy();
    let run = run(&fixture);
    let current = current(&mut fixture, |_, text| text);
    assert_eq!(derive_current(&current, Some(&run)), derive(&run));
}

#[test]
fn a_reworded_requirement_is_stale_and_the_others_are_not() {
    let mut fixture = Fixture::healthy();
    let run = run(&fixture);
    let reworded = current(&mut fixture, |_, text| text.replace("Sealing MUST work.", "Sealing MUST always work."));
    let coverage = derive_current(&reworded, Some(&run));
    assert_eq!(judged(&coverage, "00§2.1"), (Status::Stale, "its text was changed since this run".to_owned()));
    assert_eq!(coverage.get("00§2.2").unwrap().status, Status::Proven);
    assert_eq!((coverage.summary.requirements.stale, coverage.summary.requirements.proven), (1, 2));
    assert_eq!(coverage.verdict(), Verdict::NotRun);
    // Whatever rests on it is stale as well.
    assert_eq!(coverage.roll_ups[0].status, Status::Stale);

    let rewrapped = current(&mut fixture, |_, text| text.replace("Sealing MUST work.", "Sealing\n  MUST work."));
    assert_eq!(derive_current(&rewrapped, Some(&run)).verdict(), Verdict::Proven, "white space is no change");
}

#[test]
fn what_failed_or_did_not_run_is_that_however_the_text_changed() {
    let reword = |_: &mut Fixture, text: String| text.replace("Sealing MUST work.", "Sealing MUST always work.");
    for (outcome, expected) in [
        (Outcome::Failed("left: 1".to_owned()), Status::Failed),
        (Outcome::NotRun("ignored".to_owned()), Status::NotRun),
    ] {
        let mut fixture = Fixture::healthy();
        fixture.result("test_seal").outcome = outcome;
        let run = run(&fixture);
        let current = current(&mut fixture, reword);
        let (status, reasons) = judged(&derive_current(&current, Some(&run)), "00§2.1");
        assert_eq!(status, expected);
        assert!(reasons.contains("its text was changed"), "{reasons}");
    }
}

#[test]
fn a_test_that_came_after_the_run_did_not_run() {
    let mut fixture = Fixture::healthy();
    let run = run(&fixture);
    let current = current(&mut fixture, |fixture, text| {
        fixture.map.push(mapped("seal", "tests::newer", "CI-001"));
        text
    });
    let coverage = derive_current(&current, Some(&run));
    let (status, reasons) = judged(&coverage, "CI-001");
    assert_eq!(status, Status::NotRun);
    assert!(reasons.contains("seal tests::newer did not run to its claim: the run does not list it"), "{reasons}");
    assert_eq!(coverage.get("CI-001").unwrap().absent, 1);
}

#[test]
fn a_test_that_is_gone_since_the_run_proves_nothing_and_is_no_mistake_of_the_run() {
    let mut fixture = Fixture::healthy();
    let run = run(&fixture);
    let current = current(&mut fixture, |fixture, text| {
        fixture.map.retain(|test| test.test != "weights_stay");
        text
    });
    let coverage = derive_current(&current, Some(&run));
    assert_eq!(coverage.get("VP-001").unwrap().status, Status::Unmapped);
    assert_eq!(coverage.problems, []);
}

#[test]
fn a_requirement_that_the_run_does_not_know_is_not_proven_by_it() {
    let mut fixture = Fixture::healthy();
    let run = run(&fixture);
    let newer =
        "### 00§2.3 Newer\n\nIt MUST be new.\n\n- Kind: product\n- Needs a GPU: no\n- Not claimed: Age.\n\n## Roll";
    let current = current(&mut fixture, |fixture, text| {
        fixture.map.push(mapped("seal", "tests::test_seal", "00§2.3"));
        text.replace("## Roll", newer)
    });
    let (status, reasons) = judged(&derive_current(&current, Some(&run)), "00§2.3");
    assert_eq!(status, Status::NotRun);
    assert!(reasons.contains("this run does not know it"), "{reasons}");
}

#[test]
fn without_a_run_everything_mapped_is_not_run_and_every_test_is_named() {
    let mut fixture = Fixture::healthy();
    fixture.run();
    let current = current(&mut fixture, |fixture, text| {
        fixture.map.retain(|test| test.test != "weights_stay");
        text
    });
    let coverage = derive_current(&current, None);
    for id in ["00§2.1", "00§2.2", "CI-001"] {
        let one = coverage.get(id).unwrap();
        assert_eq!(one.status, Status::NotRun, "{id}");
        assert!(one.tests.iter().all(|test| test.result == TestOutcome::Absent), "{id}");
    }
    assert_eq!(coverage.get("00§2.1").unwrap().mapped, 2);
    assert_eq!(coverage.get("VP-001").unwrap().status, Status::Unmapped);
    assert_eq!(coverage.verdict(), Verdict::NotRun);
    assert_eq!((coverage.features[0].scenarios, coverage.features[0].run), (1, 0));
}

#[test]
fn a_claim_that_no_specification_defines_is_an_input_error_even_without_a_run() {
    let mut fixture = Fixture::healthy();
    fixture.run();
    let current = current(&mut fixture, |fixture, text| {
        fixture.map.push(mapped("seal", "tests::lost", "XX-001"));
        text
    });
    let coverage = derive_current(&current, None);
    assert_eq!(coverage.verdict(), Verdict::Input);
    assert!(coverage.problems[0].message.contains("tests::lost says it proves XX-001"), "{:?}", coverage.problems);
}

#[test]
fn what_is_wrong_with_the_run_stays_wrong() {
    let mut fixture = Fixture::healthy();
    let (directory, _) = fixture.run();
    fs::remove_file(directory.join("tests.junit.xml")).unwrap();
    let run = Inputs::read(&directory).unwrap();
    let current = current(&mut fixture, |_, text| text);
    assert_eq!(derive_current(&current, Some(&run)).verdict(), Verdict::Input);
}

#[test]
fn the_matrix_of_now_says_which_evidence_is_whose() {
    let mut fixture = Fixture::healthy();
    let (directory, _) = fixture.run();
    let run = Inputs::read(&directory).unwrap();
    let requirements = current(&mut fixture, |_, text| text.replace("Sealing MUST work.", "Sealing MUST always work."));
    let text = |commit: &Commit, run: Option<&Inputs>| {
        let coverage = derive_current(&requirements, run);
        let current = Current { commit, run, requirements: &requirements, coverage: &coverage, code_coverage: None };
        let name = directory.file_name().map(Path::new).unwrap().display().to_string();
        render_current(&current).replace(&name, "(run id)")
    };
    let commit = Commit { sha: "f".repeat(40), dirty: true };
    insta::assert_snapshot!("a_stale_requirement_in_the_matrix_of_now", text(&commit, Some(&run)));
    let same = text(&Commit { sha: COMMIT.to_owned(), dirty: false }, Some(&run));
    assert!(!same.contains("which is another") && !same.contains("uncommitted"), "{same}");
    let none = text(&commit, None);
    assert!(
        none.contains("`cargo xtask proof` makes one") && none.contains("| 0/2 (0 %) | not measured | not run |"),
        "{none}"
    );
}
