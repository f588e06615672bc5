//! What a matrix of mutants makes of a run: kills, what is vacuous, and when nothing follows from it.
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

use fixture::{Fixture, digests};
use proof_bundle::coverage::{Coverage, Inputs, MatrixState, Status, Verdict, derive};
use proof_bundle::mutants::{Mutant, MutantOutcome, Mutants, PackageMutants};
use proof_bundle::requirement::{Kind, parse_specs};
use proof_bundle::test_map::MappedTest;

/// The tests of the fixture, sorted: a scenario (of 00§2.1 and 00§2.2), then those of VP-001, 00§2.1, and CI-001 with 00§2.2.
const SCENARIO: usize = 0;
const POLICY: usize = 1;
const SEAL: usize = 2;
const TAG: usize = 3;

fn mutant(name: &str, file: &str, outcome: MutantOutcome, killed_by: &[usize]) -> Mutant {
    Mutant {
        name: format!("{file}:{name}"),
        package: file.split('/').nth(1).unwrap().to_owned(),
        file: file.to_owned(),
        outcome,
        killed_by: killed_by.to_vec(),
        reason: None,
    }
}

fn package(name: &str, listed: usize) -> PackageMutants {
    PackageMutants { package: name.to_owned(), listed }
}

/// A complete matrix in which every requirement has kills.
fn matrix(fixture: &Fixture) -> Mutants {
    let mut tests: Vec<_> = fixture.map.iter().map(MappedTest::id).collect();
    tests.sort();
    let mut survivor = mutant("9: d", "crates/seal/src/seal.rs", MutantOutcome::Survived, &[]);
    survivor.reason = Some("It is *equivalent*.".to_owned());
    Mutants {
        commit: fixture::COMMIT.to_owned(),
        dirty: false,
        generated_at: "2026-01-01T00:00:00Z".to_owned(),
        tool: "cargo-mutants 27.1.0".to_owned(),
        packages: vec![package("policy", 2), package("seal", 4)],
        listed: 6,
        sources: digests(&["crates/policy/src/policy.rs", "crates/seal/src/seal.rs"]),
        test_sources: digests(&["acceptance::scenarios", "policy", "seal", "seal::tag"]),
        tests,
        mutants: vec![
            mutant("1: a", "crates/seal/src/seal.rs", MutantOutcome::Killed, &[SCENARIO, SEAL]),
            mutant("2: b", "crates/seal/src/seal.rs", MutantOutcome::Killed, &[SCENARIO]),
            mutant("3: c", "crates/seal/src/seal.rs", MutantOutcome::Timeout, &[TAG]),
            survivor,
            mutant("1: e", "crates/policy/src/policy.rs", MutantOutcome::Killed, &[POLICY]),
            mutant("2: f", "crates/policy/src/policy.rs", MutantOutcome::Unviable, &[]),
        ],
    }
}

/// A run with a matrix that `change` has changed, of a run that it may change as well.
fn run(change: impl FnOnce(&mut Fixture, &mut Mutants)) -> Coverage {
    let mut fixture = Fixture::healthy();
    let mut mutants = matrix(&fixture);
    change(&mut fixture, &mut mutants);
    fixture.mutants = Some(mutants);
    fixture.run().1
}

fn kills(coverage: &Coverage) -> [Option<usize>; 4] {
    ["00§2.1", "00§2.2", "CI-001", "VP-001"].map(|id| coverage.get(id).unwrap().kills)
}

fn state(coverage: &Coverage) -> MatrixState {
    coverage.mutation.as_ref().unwrap().state
}

/// Takes what a test noticed out of a matrix.
fn blind(mutants: &mut Mutants, test: usize) {
    for mutant in &mut mutants.mutants {
        mutant.killed_by.retain(|one| *one != test);
        if mutant.killed_by.is_empty() && mutant.outcome != MutantOutcome::Unviable {
            mutant.outcome = MutantOutcome::Survived;
        }
    }
}

#[test]
fn a_requirement_has_the_mutants_that_any_of_its_tests_noticed_each_once() {
    let coverage = run(|_, _| ());
    assert_eq!(kills(&coverage), [Some(2), Some(3), Some(1), Some(1)]);
    assert_eq!(coverage.verdict(), Verdict::Proven);
    let mutation = coverage.mutation.unwrap();
    assert_eq!(mutation.state, MatrixState::Complete);
    let figures = [mutation.listed, mutation.tried, mutation.killed, mutation.timeout, mutation.survived];
    assert_eq!((figures, mutation.unviable, mutation.of_other_sources), ([6, 6, 3, 1, 1], 1, 0));
    assert_eq!(mutation.survivors[0].name, "crates/seal/src/seal.rs:9: d");
    assert!(mutation.sources_changed.is_empty() && mutation.tests_unknown.is_empty());
}

#[test]
fn a_product_requirement_whose_tests_notice_nothing_is_vacuous_and_so_is_its_group() {
    let coverage = run(|_, mutants| blind(mutants, TAG));
    let tags = coverage.get("CI-001").unwrap();
    assert_eq!((tags.status, tags.kills), (Status::Vacuous, Some(0)));
    assert_eq!(tags.reasons, ["its tests notice none of 5 faults planted in the library crates"]);
    assert_eq!(coverage.get("00§2.2").unwrap().status, Status::Proven, "its scenario notices two");
    assert_eq!(coverage.roll_ups[0].status, Status::Vacuous);
    assert_eq!(coverage.verdict(), Verdict::NotRun);
    let on_gpu = run(|_, mutants| blind(mutants, POLICY));
    assert_eq!(on_gpu.get("VP-001").unwrap().status, Status::Vacuous);
}

#[test]
fn a_process_requirement_is_exempt() {
    let coverage = run(|fixture, mutants| {
        fixture.core = fixture.core.replace("- Kind: product", "- Kind: process");
        for test in [TAG, SCENARIO, SEAL] {
            blind(mutants, test);
        }
    });
    let status = |id: &str| coverage.get(id).map(|one| (one.status, one.kills));
    assert_eq!(status("00§2.1"), Some((Status::Proven, Some(0))));
    assert_eq!(status("CI-001"), Some((Status::Vacuous, Some(0))));
}

#[test]
fn the_process_requirements_are_these_and_no_others() {
    let specs = Path::new("../../specs");
    let specifications = parse_specs(specs).unwrap();
    let process = specifications.requirements.iter().filter(|one| one.kind == Kind::Process);
    let ids: Vec<&str> = process.map(|one| one.id.as_str()).collect();
    assert_eq!(ids, ["40§1.1", "40§1.2", "40§1.3", "40§1.4", "40§1.5"]);
}

#[test]
fn nothing_follows_from_a_partial_or_empty_matrix_and_it_says_so() {
    let partial = run(|_, mutants| {
        blind(mutants, TAG);
        mutants.mutants.pop();
    });
    assert_eq!((state(&partial), partial.verdict()), (MatrixState::Partial, Verdict::Proven));
    assert_eq!(kills(&partial), [Some(2), Some(2), Some(0), Some(1)]);
    let empty = run(|_, mutants| mutants.mutants.clear());
    assert_eq!((state(&empty), kills(&empty), empty.verdict()), (MatrixState::Empty, [None; 4], Verdict::Proven));
    let (_, absent) = Fixture::healthy().run();
    assert_eq!((absent.mutation.is_none(), kills(&absent), absent.verdict()), (true, [None; 4], Verdict::Proven));
}

#[test]
fn mutants_of_files_that_changed_and_kills_of_tests_that_changed_do_not_count() {
    let coverage = run(|fixture, mutants| {
        blind(mutants, TAG);
        fixture.sources[0].sha256 = "e".repeat(64);
    });
    let mutation = coverage.mutation.as_ref().unwrap();
    assert_eq!((mutation.state, mutation.tried, mutation.of_other_sources), (MatrixState::Partial, 2, 4));
    assert_eq!(mutation.sources_changed, ["crates/seal/src/seal.rs"]);
    assert_eq!((kills(&coverage), coverage.verdict()), ([Some(0), Some(0), Some(0), Some(1)], Verdict::Proven));

    let coverage = run(|fixture, mutants| {
        blind(mutants, TAG);
        fixture.test_sources.retain(|binary| binary.name != "seal::tag");
        fixture.test_sources.iter_mut().find(|binary| binary.name == "seal").unwrap().sha256 = "e".repeat(64);
    });
    let unknown = &coverage.mutation.as_ref().unwrap().tests_unknown;
    assert_eq!(
        unknown.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["seal tests::test_seal", "seal::tag tag_is_right"]
    );
    assert_eq!((kills(&coverage), coverage.verdict()), ([Some(2), Some(2), None, Some(1)], Verdict::Proven));
}

#[test]
fn a_file_that_came_or_went_since_makes_the_matrix_partial() {
    for names in [
        &["crates/policy/src/policy.rs", "crates/seal/src/seal.rs", "crates/seal/src/new.rs"][..],
        &["crates/seal/src/seal.rs"],
    ] {
        let coverage = run(|fixture, mutants| {
            blind(mutants, TAG);
            fixture.sources = digests(names);
        });
        assert_eq!((state(&coverage), coverage.verdict()), (MatrixState::Partial, Verdict::Proven), "{names:?}");
    }
}

#[test]
fn a_matrix_without_a_library_crate_of_the_run_is_partial_and_says_which_is_missing() {
    let mut fixture = Fixture::healthy();
    let mut mutants = matrix(&fixture);
    blind(&mut mutants, TAG);
    mutants.mutants.retain(|mutant| mutant.package == "seal");
    (mutants.packages, mutants.listed) = (vec![package("seal", 4)], 4);
    fixture.mutants = Some(mutants);
    let (directory, coverage) = fixture.run();
    let mutation = coverage.mutation.as_ref().unwrap();
    assert_eq!((mutation.state, mutation.tried, mutation.listed), (MatrixState::Partial, 4, 4));
    assert_eq!(mutation.crates_missing, ["policy"]);
    assert!(mutation.sources_changed.is_empty(), "the matrix names the sources of every crate");
    assert_eq!(coverage.verdict(), Verdict::Proven, "nothing follows from it");
    let report = fs::read_to_string(directory.join("spec_coverage.md")).unwrap();
    assert!(report.contains("Library crates that are not in the matrix: policy.\n"), "{report}");
    // A crate in which there is nothing to change has been covered as well.
    let covered = run(|_, mutants| {
        mutants.mutants.retain(|mutant| mutant.package == "seal");
        (mutants.packages, mutants.listed) = (vec![package("policy", 0), package("seal", 4)], 4);
    });
    assert_eq!(state(&covered), MatrixState::Complete);
    // No matrix is of a file that is in no crate.
}

#[test]
fn a_test_that_the_matrix_does_not_know_keeps_its_requirement_from_being_vacuous() {
    let coverage = run(|_, mutants| {
        // The scenario is last now, and unknown.
        mutants.tests.remove(SCENARIO);
        for mutant in &mut mutants.mutants {
            mutant.killed_by.clear();
            mutant.outcome = MutantOutcome::Survived;
        }
    });
    assert_eq!(coverage.get("CI-001").unwrap().status, Status::Vacuous);
    assert_eq!(coverage.get("00§2.1").unwrap().status, Status::Proven);
    assert_eq!(coverage.mutation.unwrap().tests_unknown.len(), 1);
}

#[test]
fn a_matrix_that_contradicts_itself_is_a_problem_and_counts_for_nothing() {
    type Change = fn(&mut Mutants);
    let changes: [Change; 12] = [
        |mutants| mutants.mutants[0].killed_by = vec![9],
        |mutants| mutants.mutants[0].killed_by = vec![SEAL, SCENARIO],
        |mutants| mutants.mutants[0].killed_by.clear(),
        |mutants| mutants.mutants[3].killed_by.push(TAG),
        |mutants| mutants.mutants[1] = mutants.mutants[0].clone(),
        |mutants| mutants.listed = 5,
        |mutants| mutants.sources.clear(),
        |mutants| mutants.packages = vec![package("policy", 1), package("seal", 5)],
        |mutants| mutants.packages = vec![package("seal", 6)],
        |mutants| mutants.packages = vec![package("policy", 2), package("seal", 2), package("seal", 2)],
        |mutants| mutants.mutants[0].reason = Some("it is equivalent".to_owned()),
        |mutants| mutants.mutants[5].reason = Some("it is equivalent".to_owned()),
    ];
    for (number, change) in changes.into_iter().enumerate() {
        let coverage = run(|_, mutants| change(mutants));
        let problem = &coverage.problems[0].message;
        assert!(problem.starts_with("mutants.json is not the JSON it should be"), "{number}: {problem}");
        assert_eq!((coverage.mutation.is_none(), coverage.verdict()), (true, Verdict::Input), "{number}");
    }
}

#[test]
fn the_matrix_is_in_the_bundle_and_what_follows_from_it_can_be_derived_again() {
    let mut fixture = Fixture::healthy();
    fixture.mutants = Some(matrix(&fixture));
    let (directory, coverage) = fixture.run();
    assert_eq!(Mutants::read(&directory).unwrap(), fixture.mutants);
    assert_eq!(derive(&Inputs::read(&directory).unwrap()), coverage);
    let report = fs::read_to_string(directory.join("spec_coverage.md")).unwrap();
    for line in [
        "**Matrix**: complete: every mutant that it lists was tried, and it lists every library crate; a product requirement whose tests notice none is vacuous",
        "The matrix is a committed file that this run did not repeat. Nothing in this bundle can check it: whoever signs the \
         bundle vouches for it.",
        "| Tried on the sources of this run | 6/6 (100 %) |",
        "| Noticed by a test that failed | 3/5 (60 %) |",
        "- crates/seal/src/seal.rs:9: d: It is \\*equivalent\\*.",
    ] {
        assert!(report.lines().any(|one| one == line), "{line}\n{report}");
    }
}
