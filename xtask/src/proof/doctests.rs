//! Doc tests: one suite that maps to nothing. rustdoc builds and runs them, so there is one process and its counts.

use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use proof_bundle::junit::{Outcome, TestResult};

use super::verdict::Summary;
use crate::error::XtaskError;
use crate::{env, process};

/// The suite's name in JUnit.
const BINARY: &str = "doc-tests";

/// The suite's one test.
const TEST: &str = "all";

/// Runs `cargo test --doc` in the workspace at `root`.
pub(crate) fn run(root: &Path, scratch: &Path) -> Result<TestResult, XtaskError> {
    let path = scratch.join("doctests.out");
    let stdout = File::create(&path).map_err(XtaskError::write(&path))?;
    let stderr = stdout.try_clone().map_err(XtaskError::write(&path))?;
    let mut command = env::cargo(root);
    command.args(["test", "--workspace", "--doc", "--quiet"]).stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    let started = Instant::now();
    let ended = process::run(&mut command, None)?;
    let output = std::fs::read(&path).map_err(XtaskError::read(&path))?;
    let output = String::from_utf8_lossy(&output);
    let outcome = judge(ended, &output);
    Ok(TestResult::new(BINARY, TEST, outcome, started.elapsed()))
}

fn judge(ended: process::Ended, output: &str) -> Outcome {
    let summaries: Vec<Summary> = output.lines().filter_map(Summary::parse).collect();
    let sum = |count: fn(&Summary) -> u64| summaries.iter().map(count).fold(0_u64, u64::saturating_add);
    let (passed, failed) = (sum(|s| s.passed), sum(|s| s.failed));
    if !ended.is_success() {
        let names = output.lines().filter(|line| line.trim_start().starts_with("---- ")).collect::<Vec<_>>().join("; ");
        return Outcome::Failed(format!("{ended}; {passed} passed, {failed} failed: {names}"));
    }
    match (summaries.is_empty(), passed, failed) {
        (true, ..) => Outcome::Dead("exit code 0, and no summary was printed".to_owned()),
        (false, 0, 0) => Outcome::NotRun("no doc test ran".to_owned()),
        (false, _, 0) => Outcome::Passed,
        (false, ..) => Outcome::Dead(format!("exit code 0, but {failed} failed")),
    }
}
