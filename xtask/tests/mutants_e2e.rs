//! `cargo xtask mutants` from end to end, on a copy of the small workspace.
//!
//! Not part of `cargo test`, since it needs cargo-mutants: `cargo test -p xtask --test mutants_e2e`.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[allow(dead_code, reason = "what only proofs need")]
mod support;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use support::{Case, Run, finish, xtask};

/// A library with mutants of every outcome: two of `double` are killed, `unused` survives, `Odd` has no default, and the
/// loop never ends where it does not count.
const LIBRARY: &str = "//! A library.
/// Twice `number`, or the largest number when that is too small.
#[must_use]
pub fn double(number: u32) -> u32 {
    let mut left = 3_u8;
    while left != 0 {
        left -= 1;
    }
    number.saturating_mul(2)
}

/// Nobody asks.
pub fn unused() -> bool {
    true
}

/// Has no default.
pub struct Odd(core::num::NonZeroU8);

/// Makes one.
pub fn odd() -> Odd {
    Odd(core::num::NonZeroU8::MIN)
}
";

fn case() -> Case {
    Case::with(|case| case.write("src/lib.rs", LIBRARY))
}

fn command(case: &Case, arguments: &[&str]) -> Command {
    let mut command = xtask();
    command.args(["mutants", "--timeout", "2", "--root"]).arg(case.path("")).arg("--out").arg(case.path("target/out"));
    command.args(arguments);
    command
}

fn mutants(case: &Case, arguments: &[&str]) -> Run {
    finish(command(case, arguments))
}

#[test]
fn parts_merge_into_a_matrix_that_says_which_test_noticed_what_and_a_proof_uses_it() {
    let case = case();
    for part in ["1/2", "2/2"] {
        mutants(&case, &["--shard", part]).ends(0, &["mutants   "]);
    }
    let merged = mutants(&case, &["--merge", "--json"]);
    assert_eq!(merged.code, 0, "{}", merged.stderr);
    let figures: Value = serde_json::from_str(&merged.stdout).unwrap();
    let matrix: Value = serde_json::from_slice(&std::fs::read(case.path("mutants/summary.json")).unwrap()).unwrap();
    let all = matrix["mutants"].as_array().unwrap();
    assert_eq!(figures["listed"], figures["tried"]);
    assert_eq!(figures["listed"], all.len());
    let find = |words: &str| all.iter().find(|one| one["name"].as_str().unwrap().contains(words)).unwrap();
    assert_eq!(matrix["tests"][0]["test"], "a_number_is_doubled");
    assert_eq!(
        (&find("double -> u32 with 0")["outcome"], &find("double -> u32 with 0")["killed_by"]),
        (&"killed".into(), &vec![0, 1].into())
    );
    assert_eq!(find("replace -= with /=")["outcome"], "timeout");
    assert_eq!(find("unused -> bool with false")["outcome"], "survived");
    assert_eq!(find("odd -> Odd with Default")["outcome"], "unviable");
    assert!(matrix["tool"].as_str().unwrap().starts_with("cargo-mutants ") && matrix["dirty"] == false, "{matrix}");
    let again = mutants(&case, &[]);
    assert!(
        again.stderr.contains(&format!("{0} mutants, {0} of them have results already", all.len())),
        "{}",
        again.stderr
    );
    assert!(!again.stderr.contains("baseline"), "{}", again.stderr);

    let bundle = case.proof(&[]).ends(0, &["2 of 2 proven"]).bundle();
    let coverage: Value = serde_json::from_slice(&std::fs::read(bundle.join("coverage.json")).unwrap()).unwrap();
    assert_eq!(coverage["mutation"]["state"], "complete", "{:#}", coverage["mutation"]);
    assert_eq!(coverage["mutation"]["tests_unknown"], Value::Array(Vec::new()));
    assert!(coverage["requirements"][0]["kills"].as_u64().unwrap() >= 2, "{coverage:#}");

    case.replace("tests/doubling.rs", "42, double(21)", "44, double(22)");
    let other = mutants(&case, &["--shard", "9/9"]);
    assert!(other.stderr.contains("0 of them have results already"), "{}", other.stderr);
}

#[test]
fn an_interrupted_run_keeps_its_results_and_goes_on_without_the_tests_that_need_a_gpu() {
    let case = Case::with(|case| {
        case.write("src/lib.rs", LIBRARY);
        let claim = "    proves!(\"IV-001\");\n";
        let on_gpu = format!("{claim}}}\n\n#[test]\n#[ignore = \"needs a GPU\"]\nfn on_a_gpu() {{\n{claim}");
        case.replace("tests/doubling.rs", claim, &on_gpu);
    });
    let mut child = command(&case, &[]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let started = Instant::now();
    let lines = || {
        let entries = std::fs::read_dir(case.path("target/out")).into_iter().flatten().flatten();
        let results =
            entries.map(|entry| entry.path()).find(|path| path.extension().is_some_and(|end| end == "ndjson"));
        results.map_or(0, |path| std::fs::read_to_string(path).unwrap().lines().count())
    };
    while lines() < 3 {
        assert!(started.elapsed() < Duration::from_secs(300), "no result was kept");
        std::thread::sleep(Duration::from_millis(20));
    }
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let kept = lines() - 1;
    let again = mutants(&case, &[]).ends(0, &["survived  src/lib.rs"]);
    assert!(again.stderr.contains(&format!("mutants, {kept} of them have results already")), "{}", again.stderr);
    assert!(again.stderr.contains("left out, for they need a GPU: 1 mapped tests"), "{}", again.stderr);
    mutants(&case, &["--merge"]).ends(0, &[]);
    let matrix = std::fs::read_to_string(case.path("mutants/summary.json")).unwrap();
    assert!(matrix.contains("a_number_is_doubled") && !matrix.contains("on_a_gpu"), "{matrix}");
}

#[test]
fn a_test_that_does_not_pass_without_a_mutant_an_odd_crate_and_a_missing_tool_are_refused() {
    let case = Case::with(|case| case.replace("tests/doubling.rs", "42, double(21)", "43, double(21)"));
    mutants(&case, &[]).refuses(12, &["without a mutant", "a_number_is_doubled does not pass"]);
    mutants(&case, &["-p", "nothing"]).refuses(2, &["no library crate \"nothing\""]);
    mutants(&case, &["--merge"]).refuses(12, &["holds no results of these sources"]);
    let mut without = command(&case, &[]);
    without.env("CARGO_HOME", case.path("home")).env("PATH", "/usr/bin:/bin");
    finish(without).refuses(12, &["cargo-mutants is not installed: run `cargo install --locked cargo-mutants`"]);
}
