//! `cargo xtask coverage` and `proof --code-coverage` from end to end, on a small workspace.
//!
//! Not part of `cargo test`, since it runs proofs: `cargo test -p xtask --test coverage_e2e`.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[allow(dead_code, reason = "what only signing needs")]
mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use support::{Case, Run, finish, xtask};

const SPECS: &str = "specs/20_fixture.md";
const TESTS: &str = "tests/doubling.rs";

/// `xtask coverage` on a copy of the fixture.
fn coverage(case: &Case, arguments: &[&str]) -> Run {
    let mut command = xtask();
    command.args(["coverage", "--root"]).arg(case.path("")).args(arguments).current_dir(case.path(""));
    finish(command)
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

#[test]
fn without_a_bundle_every_mapped_requirement_is_not_run_and_the_command_that_makes_one_is_named() {
    let case = Case::new();
    let words = ["run `cargo xtask proof`", "not run         IV-001, IV-002", "2/2 (100 %)  0/2 (0 %)"];
    coverage(&case, &["--out", "here"]).ends(11, &words);
    let written = json(&case.path("here/coverage.json"));
    assert_eq!(written["requirements"][0]["tests"][0]["result"], "absent", "a test that never ran is known: {written}");
    let matrix = std::fs::read_to_string(case.path("here/spec_coverage.md")).unwrap();
    assert!(matrix.contains("**Evidence**: none") && matrix.contains("`cargo xtask proof` makes one"), "{matrix}");
}

#[test]
fn bad_input_is_an_error_of_one_line_and_nothing_is_written() {
    let case = Case::new();
    std::fs::create_dir(case.path("empty")).unwrap();
    for (arguments, words) in [
        (["--bundle", "Cargo.toml"], "it is no directory"),
        (["--bundle", "nowhere"], "there is nothing"),
        (["--bundle", "empty"], "it has no SHA256SUMS"),
        (["--bundles", "nowhere"], "no directory of bundles"),
        (["--check", "--json"], "specs/coverage.snapshot.json is missing"),
    ] {
        coverage(&case, &arguments).refuses(12, &[words]);
    }
    case.write("specs/coverage.snapshot.json", "{");
    coverage(&case, &["--check"]).refuses(12, &["is no snapshot of coverage", "--update"]);
    case.write(SPECS, "# Nothing\n");
    coverage(&case, &[]).refuses(12, &["no requirement is defined here"]);
    assert!(!case.path("target").exists());
}

#[test]
fn a_bundle_that_is_broken_is_refused_by_its_file() {
    let case = Case::new();
    let bundle = case.proof(&[]).ends(0, &[]).bundle();
    for (file, words) in [("provenance.json", "provenance.json"), ("metadata.json", "metadata.json")] {
        let good = std::fs::read(bundle.join(file)).unwrap();
        std::fs::write(bundle.join(file), "{}").unwrap();
        coverage(&case, &[]).refuses(12, &["cannot be read", words, "--bundle"]);
        std::fs::write(bundle.join(file), good).unwrap();
    }
    let results = std::fs::read_to_string(bundle.join("tests.junit.xml")).unwrap();
    for changed in ["<html>".to_owned(), results.replace("IV-001", "IV-002")] {
        std::fs::write(bundle.join("tests.junit.xml"), changed).unwrap();
        coverage(&case, &[]).refuses(12, &["cannot be read", "not intact", "tests.junit.xml"]);
    }
}

#[test]
fn the_latest_bundle_judges_what_is_there_now() {
    let case = Case::new();
    case.proof(&[]).ends(0, &[]);
    let words = ["2/2 (100 %)  2/2 (100 %)", "code coverage   absent", "all that this host can prove is proven"];
    let said = coverage(&case, &["--out", "target/coverage"]).ends(0, &words);
    assert!(!said.stdout.contains("NOT the commit"), "{}", said.stdout);
    assert_eq!(json(&case.path("target/coverage/coverage.json"))["summary"]["requirements"]["proven"], 2);

    case.replace(SPECS, "MUST double a number", "MUST double each number");
    case.git(&["commit", "--quiet", "--all", "--message=reworded"]);
    let words =
        ["NOT the commit", "stale           IV-001", "IV-001: its text was changed", "reworded since the run: 1"];
    let said = coverage(&case, &["--json"]);
    assert_eq!(said.code, 11, "{}", said.stderr);
    let summary: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(summary["bundle"]["is_current"], false);
    assert_eq!((&summary["exit_code"], &summary["requirements"]["stale"]), (&11.into(), &1.into()));
    assert_eq!(summary["not_proven"][0]["status"], "stale");
    coverage(&case, &[]).ends(11, &words);
    let matrix = std::fs::read_to_string(case.path("target/coverage/spec_coverage.md")).unwrap();
    assert!(matrix.contains("which is another") && matrix.contains("| stale |"), "{matrix}");

    // What the bundle itself says is of the text that it holds.
    case.replace(TESTS, "fn a_number_is_doubled", "fn every_number_is_doubled");
    coverage(&case, &[]).ends(11, &["every_number_is_doubled did not run to its claim: the run does not list it"]);
    case.proof(&[]).ends(0, &[]);
    coverage(&case, &[]).ends(0, &["2/2 (100 %)  2/2 (100 %)"]);
}

#[test]
fn a_change_of_coverage_is_a_change_of_the_snapshot() {
    let case = Case::new();
    // Without a bundle it holds no status, and is the same however often it is written.
    coverage(&case, &["--update"]).ends(11, &["+ IV-001: new, tests mapped: 1"]);
    let snapshot = || std::fs::read_to_string(case.path("specs/coverage.snapshot.json")).unwrap();
    assert!(!snapshot().contains("proven"));
    case.git(&["add", "--all"]);
    case.git(&["commit", "--quiet", "--message=snapshot"]);
    case.proof(&[]).ends(0, &[]);
    coverage(&case, &["--check"]).ends(1, &["IV-001: proven instead of not known on a simulated host"]);
    coverage(&case, &["--update"]).ends(0, &[]);
    let first = snapshot();
    assert_eq!(first.matches("\"simulated\": \"proven\"").count(), 2, "{first}");
    coverage(&case, &["--check"]).ends(0, &["as it was"]);
    case.proof(&[]).ends(0, &[]);
    coverage(&case, &["--update"]).ends(0, &["as it was"]);
    assert_eq!(snapshot(), first, "another run of the same source changes nothing");

    case.replace(TESTS, "42, double(21)", "43, double(21)");
    case.proof(&[]).ends(10, &[]);
    coverage(&case, &["--check"]).ends(1, &["IV-001: failed instead of proven", "differs from its snapshot"]);
    // A new test is in the map before any run knows it: the statuses that nobody can know now stay.
    let more = "#[test]\nfn twice() {\n    evidence::proves!(\"IV-001\");\n}\n";
    case.write(TESTS, std::fs::read_to_string(case.path(TESTS)).unwrap() + more);
    coverage(&case, &["--update"]).ends(10, &["+ IV-001:", "twice is mapped to it now"]);
    assert_eq!(snapshot().matches("\"simulated\": \"proven\"").count(), 2);
}

/// A cargo whose coverage tool is `tool`, a shell script; every other subcommand is cargo's own.
fn cargo_with(case: &Case, tool: &str) -> PathBuf {
    let path = case.path("../").join(format!("cargo-of-{}", case.path("").file_name().unwrap().display()));
    let cargo = env!("CARGO");
    let script =
        format!("#!/bin/sh\ncase \"$1\" in llvm-cov) exit 101;; tarpaulin) {tool};; *) exec {cargo} \"$@\";; esac\n");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

const VERSION: &str = "if [ \"$2\" = --version ]; then echo cargo-tarpaulin-tarpaulin 0.1.2; exit; fi\n                       while [ $# -gt 0 ]; do [ \"$1\" = --output-dir ] && out=$2; shift; done\n";

fn proof_with(case: &Case, tool: &str) -> Run {
    let cargo = cargo_with(case, tool);
    let mut command = case.proof_command(&["--code-coverage"]);
    let run = finish({
        command.env("CARGO", &cargo);
        command
    });
    std::fs::remove_file(cargo).unwrap();
    run
}

#[test]
fn what_the_coverage_tool_counts_is_in_the_bundle_and_in_its_matrix() {
    let case = Case::new();
    let report = "[ -z \"$PROOF_SPOOL\" ] && [ \"$PROOF_SEED\" = 42 ] || exit 9\n                  printf 'SF:%s/src/lib.rs\nDA:1,7\nDA:2,0\nend_of_record\n' \"$PWD\" >\"$out/lcov.info\"";
    let bundle = proof_with(&case, &format!("{VERSION}{report}")).ends(0, &[]).bundle();
    let measured = json(&bundle.join("code_coverage.json"));
    assert_eq!(measured["tool"], "cargo-tarpaulin 0.1.2");
    assert_eq!((&measured["modules"][0]["lines"], &measured["modules"][0]["tested"]), (&2.into(), &1.into()));
    assert!(!measured.to_string().contains(case.path("").to_str().unwrap()), "no directory of the host: {measured}");
    let matrix = std::fs::read_to_string(bundle.join("spec_coverage.md")).unwrap();
    assert!(matrix.contains(" | 2 | 1 | 50 % |"), "{matrix}");
    coverage(&case, &[]).ends(0, &["code coverage   1/2 (50 %)"]);
}

#[test]
fn a_tool_that_fails_is_an_error_and_never_a_figure() {
    let case = Case::new();
    for (tool, words) in [
        ("exit 101".to_owned(), "no tool for code coverage is installed: `cargo install --locked cargo-tarpaulin`"),
        (format!("{VERSION}echo a test failed; exit 3"), "cargo-tarpaulin 0.1.2: it ended with exit code 3"),
        (format!("{VERSION}exit 0"), "it wrote no report"),
        (format!("{VERSION}echo '<html>' >\"$out/lcov.info\""), "no line of a library crate"),
    ] {
        let run = proof_with(&case, &tool).refuses(12, &[words]);
        assert_eq!(run.stderr.contains("    a test failed"), tool.contains("a test failed"), "{}", run.stderr);
    }
    assert_eq!(case.bundles(), [""; 0]);
}

#[test]
fn ctrl_c_stops_the_coverage_tool_and_leaves_no_bundle() {
    let case = Case::new();
    let cargo = cargo_with(&case, &format!("{VERSION}echo >\"$out/started\"; sleep 600"));
    let temporary = tempfile::tempdir().unwrap();
    let mut command = case.proof_command(&["--code-coverage"]);
    command.env("CARGO", &cargo).env("TMPDIR", temporary.path()).stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let began = Instant::now();
    let started = || {
        let mut scratch = std::fs::read_dir(temporary.path()).unwrap().flatten();
        scratch.any(|entry| entry.path().join("code-coverage/started").is_file())
    };
    while !started() {
        assert!(began.elapsed() < Duration::from_secs(60), "the tool never ran");
        std::thread::sleep(Duration::from_millis(10));
    }
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.lines().last().unwrap().starts_with("error: interrupted"), "{said}");
    assert_eq!(case.bundles(), [""; 0]);
    assert_eq!(case.processes(), [""; 0].map(PathBuf::from), "the tool lives on");
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0, "temporary files are left behind");
    std::fs::remove_file(cargo).unwrap();
}
