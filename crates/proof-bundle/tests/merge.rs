//! Merging: what several runs show together, and what is not merged.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod fixture;
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod runs;
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod tamper;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use fixture::{COMMIT, Fixture, digests};
use proof_bundle::attest::{RESIDENCY, TEST_RESULT};
use proof_bundle::coverage::{Status, Verdict};
use proof_bundle::diff::bundle_diff;
use proof_bundle::exit::Exit;
use proof_bundle::junit::Outcome;
use proof_bundle::merge::{MergedCoverage, merge};
use proof_bundle::mutants::{Mutant, MutantOutcome, Mutants, PackageMutants};
use proof_bundle::report::render_all;
use proof_bundle::test_map::MappedTest;
use proof_bundle::verify::verify;
use runs::{Runs, on_a_gpu, tree};
use serde_json::{Value, json};
use tamper::{sha256, trusting};

#[test]
fn a_gpu_run_proves_what_the_other_left_open() {
    let merged = Runs::cpu_and_gpu().merge().signed();
    let coverage = &merged.coverage;
    let statuses: Vec<Vec<Status>> =
        coverage.requirements.iter().map(|one| one.runs.iter().map(|run| run.status).collect()).collect();
    let (proven, needs_gpu) = (Status::Proven, Status::NeedsGpu);
    assert_eq!(statuses, [[proven, proven], [proven, proven], [proven, proven], [needs_gpu, proven]]);
    let vp = coverage.get("VP-001").unwrap();
    assert_eq!((vp.status, &vp.decided_by, vp.reasons.len()), (proven, &coverage.runs[1].run_id, 0));
    assert_eq!((coverage.verdict(), coverage.summary.requirements.proven), (Verdict::Proven, 4));
    assert_eq!(coverage.roll_ups.iter().map(|one| one.status).collect::<Vec<_>>(), [proven, proven]);

    let verification = merged.verify();
    assert_eq!(verification.exit(), Exit::Proven, "{verification:#?}");
    assert!(verification.intact.holds() && verification.trusted.holds() && verification.derived.holds());
    let shown = verification.shown.unwrap();
    assert_eq!((shown.requirements.proven, shown.needs_gpu.len(), shown.tests.listed), (4, 0, 10));
    assert_eq!(shown.runs.iter().map(|run| run.requirements.proven).collect::<Vec<_>>(), [3, 4]);
    assert!(shown.has_gpu());
}

#[test]
fn the_inputs_are_kept_byte_for_byte_with_their_attestations() {
    let merged = Runs::cpu_and_gpu().merge();
    for (index, bundle) in merged.runs.bundles.iter().enumerate() {
        assert_eq!(tree(bundle), tree(&merged.input(index)));
        assert!(merged.input(index).join("attestations").join(RESIDENCY).is_file());
        assert_eq!(verify(&merged.input(index), &trusting()).exit(), Exit::Proven, "each verifies by itself as well");
    }
    let files = tree(&merged.path);
    let sums = String::from_utf8(files["SHA256SUMS"].clone()).unwrap();
    let listed: Vec<&str> = sums.lines().map(|line| &line[66..]).collect();
    let expected: Vec<&String> = files.keys().filter(|name| *name != "SHA256SUMS").collect();
    assert_eq!(listed, expected);
}

#[test]
fn the_order_in_which_inputs_are_named_changes_nothing() {
    let runs = Runs::cpu_and_gpu();
    let mut reversed = runs.bundles.clone();
    reversed.reverse();
    let (path, other) = merge(&reversed, &runs.root()).unwrap();
    let merged = runs.merge();
    assert_ne!(path, merged.path);
    assert_eq!(MergedCoverage { run_id: merged.coverage.run_id.clone(), ..other }, merged.coverage);
}

#[test]
fn a_failure_in_one_input_fails_the_whole() {
    let failed = |fixture: &mut Fixture| {
        on_a_gpu(fixture);
        fixture.result("tag_is_right").outcome = Outcome::Failed("exit code 101".to_owned());
    };
    let merged = Runs::new().signed(|_| {}).signed(failed).merge().signed();
    let one = merged.coverage.get("CI-001").unwrap();
    let run_id = &merged.coverage.runs[1].run_id;
    assert_eq!((one.status, &one.decided_by), (Status::Failed, run_id));
    assert!(one.reasons.iter().any(|reason| reason.starts_with(run_id.as_str()) && reason.contains("exit code 101")));
    assert_eq!(merged.coverage.verdict(), Verdict::Failed);
    for (file, trouble, first) in [
        (
            "spec_coverage.md",
            "**Result**: FAILED: 1 test failed (of",
            format!("Failed or left no verdict: `{run_id}: seal::tag tag_is_right`."),
        ),
        (
            "VERIFY.md",
            "**FAILED: 1 test failed (of",
            format!("Failed or left no verdict: `{run_id}: seal::tag tag_is_right`."),
        ),
        ("report.html", "<b>1 test failed</b>: ", format!("<code>{run_id}: seal::tag tag_is_right</code>")),
    ] {
        let text = fs::read_to_string(merged.path.join(file)).unwrap();
        assert!(text.contains(trouble) && text.contains(&first), "{file}: {text}");
        assert!(
            !text.contains("Generated") && (file != "spec_coverage.md" || text.contains("**Merged at**: ")),
            "{file}"
        );
    }
    assert_eq!(merged.statement(TEST_RESULT)["predicate"]["result"], "FAILED");
    assert_eq!(merged.verify().exit(), Exit::Failed);
}

#[test]
fn a_failed_test_that_proves_nothing_fails_the_whole_as_well() {
    let merged = Runs::new()
        .signed(|fixture| fixture.result("unmapped").outcome = Outcome::Failed("exit code 101".to_owned()))
        .signed(|fixture| fixture.result("unmapped").outcome = Outcome::Passed)
        .merge();
    assert_eq!(merged.coverage.summary.requirements.failed, 0);
    assert_eq!(merged.coverage.verdict(), Verdict::Failed);
}

#[test]
fn what_one_host_could_not_run_another_did_and_no_run_is_patched_with_tests_of_another() {
    let not_run = |fixture: &mut Fixture, test: &str| {
        fixture.result(test).outcome = Outcome::NotRun("not on this host".to_owned());
    };
    let merged = Runs::new()
        .signed(|fixture| fixture.result("tag_is_right").outcome = Outcome::NotRun("not on this host".to_owned()))
        .signed(|fixture| fixture.result("tag_is_right").outcome = Outcome::Passed)
        .merge()
        .signed();
    assert_eq!(merged.coverage.get("CI-001").unwrap().status, Status::Proven);
    assert_eq!(merged.verify().exit(), Exit::Proven);
    // No run was on a GPU, so what needs one is open.
    assert_eq!(merged.statement(TEST_RESULT)["predicate"]["result"], "WARNED");

    // 00§2.1 has two tests: each ran, but never both in one run.
    let mut runs = Runs::new();
    not_run(&mut runs.fixture, "test_seal");
    runs = runs.signed(|_| {});
    runs.fixture.result("test_seal").outcome = Outcome::Passed;
    not_run(&mut runs.fixture, "A model is sealed");
    let merged = runs.signed(|_| {}).merge().signed();
    assert_eq!(merged.coverage.get("00§2.1").unwrap().status, Status::NotRun);
    assert_eq!(merged.coverage.verdict(), Verdict::NotRun);
    assert_eq!(merged.statement(TEST_RESULT)["predicate"]["result"], "WARNED");
    assert_eq!(merged.verify().exit(), Exit::NotRun);
}

#[test]
fn a_run_with_bad_input_is_not_made_good_by_another() {
    let merged = Runs::new()
        .signed(|fixture| fixture.result("unmapped").outcome = Outcome::Dead("no summary".to_owned()))
        .signed(|fixture| fixture.result("unmapped").outcome = Outcome::Passed)
        .merge()
        .signed();
    assert_eq!(merged.coverage.verdict(), Verdict::Input);
    assert!(merged.coverage.problems[0].message.starts_with(&merged.coverage.runs[0].run_id));
    assert_eq!(merged.verify().exit(), Exit::BadInput);
}

/// A complete matrix, in which the test of CI-001 notices nothing.
fn unnoticed(fixture: &Fixture) -> Mutants {
    let mut tests: Vec<_> = fixture.map.iter().map(MappedTest::id).collect();
    tests.sort();
    let mutant = |name: &str, killed_by| Mutant {
        name: format!("crates/seal/src/seal.rs:{name}"),
        package: "seal".to_owned(),
        file: "crates/seal/src/seal.rs".to_owned(),
        outcome: MutantOutcome::Killed,
        killed_by,
        reason: None,
    };
    Mutants {
        commit: COMMIT.to_owned(),
        dirty: false,
        generated_at: "2026-01-01T00:00:00Z".to_owned(),
        tool: "cargo-mutants 27.1.0".to_owned(),
        packages: [("policy", 0), ("seal", 1)]
            .map(|(name, listed)| PackageMutants { package: name.to_owned(), listed })
            .to_vec(),
        listed: 1,
        sources: digests(&["crates/policy/src/policy.rs", "crates/seal/src/seal.rs"]),
        test_sources: digests(&["acceptance::scenarios", "policy", "seal", "seal::tag"]),
        tests,
        mutants: vec![mutant("1: a", vec![0, 1, 2])],
    }
}

#[test]
fn tests_that_notice_no_fault_prove_nothing_on_any_host() {
    for outcome in [Outcome::Passed, Outcome::NotRun("not on this host".to_owned())] {
        let mut runs = Runs::new();
        runs.fixture.mutants = Some(unnoticed(&runs.fixture));
        runs.fixture.result("tag_is_right").outcome = outcome;
        let measured = runs.signed(|_| {});
        let merged = measured
            .signed(|fixture| {
                fixture.mutants = None;
                fixture.result("tag_is_right").outcome = Outcome::Passed;
            })
            .merge()
            .signed();
        let one = merged.coverage.get("CI-001").unwrap();
        assert_eq!(one.runs[1].status, Status::Proven, "by itself, without the matrix");
        assert_eq!((one.status, one.kills), (Status::Vacuous, Some(0)), "{one:#?}");
        assert_eq!(one.decided_by, merged.coverage.runs[0].run_id);
        assert!(one.reasons.iter().any(|reason| reason.contains("notice none of 1 fault")), "{:?}", one.reasons);
        assert_eq!(verify(&merged.path, &trusting()).exit(), Exit::NotRun);
    }
}

#[test]
fn the_statements_are_about_every_run() {
    let merged = Runs::cpu_and_gpu().merge().signed();
    let run_ids: Vec<&str> = merged.coverage.runs.iter().map(|run| run.run_id.as_str()).collect();
    let result = &merged.statement(TEST_RESULT)["predicate"];
    assert_eq!(result["result"], "PASSED");
    let passed: Vec<&str> =
        result["passedTests"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    for run_id in &run_ids {
        assert!(passed.contains(&format!("{run_id} seal tests::test_seal").as_str()), "{passed:?}");
    }
    let residency = merged.statement(RESIDENCY);
    assert_eq!(residency["subject"][1]["digest"]["gitCommit"], COMMIT);
    let residency = &residency["predicate"];
    assert_eq!((&residency["verdict"], &residency["dirty"]), (&json!("proven"), &json!(false)));
    assert_eq!(residency["requirement_counts"]["proven"], 4);
    let classes: Vec<&Value> = residency["devices"].as_array().unwrap().iter().map(|one| &one["class"]).collect();
    assert_eq!(classes, ["simulated", "gpu"]);
    let runs: Vec<&Value> = residency["runs"].as_array().unwrap().iter().map(|one| &one["run_id"]).collect();
    assert_eq!(runs, run_ids);
    let schema = include_str!("../../../proof_bundles/schemas/residency.schema.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    for name in residency.as_object().unwrap().keys() {
        assert!(schema["properties"].get(name).is_some(), "{name} is not in the schema");
    }
}

#[test]
fn the_reports_show_each_run_and_where_they_differ() {
    let merged = Runs::cpu_and_gpu().merge();
    let reports: BTreeMap<String, String> = render_all(&merged.path).unwrap().into_iter().collect();
    assert_eq!(reports.keys().collect::<Vec<_>>(), ["VERIFY.md", "report.html", "spec_coverage.md"]);
    let [cpu, gpu] = [0, 1].map(|index| merged.coverage.runs[index].run_id.clone());
    for (name, text) in &reports {
        for expected in [COMMIT, &cpu, &gpu, "GPU-11111111-2222-3333-4444-555555555555"] {
            assert!(text.contains(expected), "{name} has no {expected}");
        }
        assert_eq!(fs::read_to_string(merged.path.join(name)).unwrap(), *text);
    }
    let matrix = &reports["spec_coverage.md"];
    assert!(matrix.contains(&format!("| ID | Requirement | Status | `{cpu}` | `{gpu}` | Evidence |")), "{matrix}");
    let row = matrix.lines().find(|line| line.starts_with("| VP-001 ")).unwrap();
    assert!(row.contains("| **proven** | needs a GPU: 1/1 tests, simulated | proven: 1/1 tests, gpu |"), "{row}");
    assert!(row.contains(&format!("`inputs/{gpu}/crypto_validation.jsonl:")), "{row}");
    assert!(
        reports["VERIFY.md"].contains("Every requirement is proven") || matrix.contains("every requirement is proven")
    );
    let page = &reports["report.html"];
    assert!(page.contains(&format!("href=\"inputs/{gpu}/report.html\"")) && !page.contains("<script"));
}

#[test]
fn what_does_not_fit_together_is_not_merged() {
    Runs::new().refused(&["two bundles or more"]);
    Runs::new().unsigned(|_| {}).refused(&["two bundles or more"]);

    let mut runs = Runs::new().unsigned(|_| {});
    runs.bundles.push(runs.bundles[0].clone());
    runs.refused(&["both are the run"]);

    Runs::new().unsigned(|_| {}).unsigned(|fixture| fixture.dirty = true).refused(&["differed from its commit"]);
    let other_sources: fn(&mut Fixture) = |fixture| fixture.sources[0].sha256 = "0".repeat(64);
    Runs::new()
        .unsigned(|_| {})
        .unsigned(other_sources)
        .refused(&["one commit", "the sources of the library crates differ"]);
    // A list that is left out is another list.
    let no_list: fn(&mut Fixture) = |fixture| fixture.sources.clear();
    Runs::new().unsigned(|_| {}).unsigned(no_list).refused(&["the sources of the library crates differ"]);
    let other_tests: fn(&mut Fixture) = |fixture| fixture.test_sources[0].sha256 = "0".repeat(64);
    Runs::new().unsigned(|_| {}).unsigned(other_tests).refused(&["the sources of the tests differ"]);

    let reworded =
        |fixture: &mut Fixture| fixture.core = fixture.core.replace("Sealing MUST work.", "Sealing MUST be.");
    Runs::new().unsigned(|_| {}).unsigned(reworded).refused(&["the text of the requirement 00§2.1 differs"]);

    let remapped = |fixture: &mut Fixture| fixture.map[1].requirements.retain(|id| id != "00§2.2");
    Runs::new().unsigned(|_| {}).unsigned(remapped).refused(&["the tests mapped to the requirement 00§2.2 differ"]);

    let dropped = |fixture: &mut Fixture| {
        let end = fixture.core.find("### 00§2.2").unwrap();
        let roll_ups = fixture.core.find("## Roll-ups").unwrap();
        fixture.core.replace_range(end..roll_ups, "");
    };
    Runs::new().unsigned(|_| {}).unsigned(dropped).refused(&["only one of them knows the requirement 00§2.2"]);
}

#[test]
fn an_input_that_is_not_what_its_run_left_is_not_merged() {
    let change = |change: fn(&Path)| {
        let runs = Runs::cpu_and_gpu();
        change(&runs.bundles[1]);
        runs
    };
    change(|bundle| fs::write(bundle.join("seeds.txt"), "43\n").unwrap()).refused(&["not intact", "seeds.txt"]);
    change(|bundle| fs::write(bundle.join("more.txt"), "").unwrap()).refused(&["not intact", "more.txt"]);
    change(|bundle| fs::remove_dir_all(bundle).unwrap()).refused(&["no such directory"]);
    let lied = change(|bundle| {
        let edited = |name: &str, old: &str, new: &str| {
            let path = bundle.join(name);
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains(old), "{name}: {old}");
            fs::write(&path, text.replace(old, new)).unwrap();
        };
        let before = sha256(&fs::read(bundle.join("coverage.json")).unwrap());
        edited("coverage.json", "\"status\": \"proven\"", "\"status\": \"vacuous\"");
        edited("SHA256SUMS", &before, &sha256(&fs::read(bundle.join("coverage.json")).unwrap()));
    });
    lied.refused(&["does not follow", "coverage.json"]);
}

#[test]
fn bundles_of_other_commits_are_not_merged_and_neither_are_merged_ones() {
    let merged = Runs::cpu_and_gpu().merge();
    let out = merged.runs.fixture.directory.path().join("elsewhere");
    let error = merge(&[merged.path.clone(), merged.runs.bundles[0].clone()], &out).unwrap_err().to_string();
    assert!(error.contains("is a merged bundle") && error.contains("inputs/"), "{error}");
    let error = bundle_diff(&merged.path, &merged.path).unwrap_err().to_string();
    assert!(error.contains("is a merged bundle") && error.contains("inputs/"), "{error}");

    // Another commit of the same length, everywhere.
    let other = "1".repeat(40);
    let mut runs = Runs::new().unsigned(|_| {});
    runs.fixture.commit.clone_from(&other);
    runs = runs.unsigned(|_| {});
    runs.refused(&["different commits", COMMIT, &other]);
    assert!(!out.exists());
}

#[test]
fn a_merge_that_cannot_write_leaves_nothing() {
    let runs = Runs::cpu_and_gpu();
    fs::create_dir(runs.root()).unwrap();
    fs::write(runs.root().join("merged"), "in the way").unwrap();
    merge(&runs.bundles, &runs.root()).unwrap_err();
    assert_eq!(tree(&runs.root()).keys().collect::<Vec<_>>(), ["merged"]);
}
