//! Doc tests: one suite that maps to nothing. rustdoc builds and runs them, so there is one process and its counts.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use proof_bundle::junit::{Outcome, TestResult};
use proof_bundle::records::DOC_TESTS;

use super::verdict::Summary;
use crate::error::XtaskError;
use crate::process;
use crate::workspace::Workspace;

/// The suite's one test.
const TEST: &str = "all";

/// The least time that the suite has, however little one test has: rustdoc compiles every doc test as well.
const LEAST: Duration = Duration::from_secs(600);

/// How many tests' time the suite has.
const TESTS: u32 = 10;

/// Runs `cargo test --doc` in the workspace at `root`, where one test may take `timeout`. Packages that have no doc tests by
/// their manifest are left out: cargo would build what their tests need, and build that anew for the next `cargo test`.
pub(crate) fn run(
    root: &Path,
    workspace: &Workspace,
    scratch: &Path,
    timeout: Duration,
) -> Result<TestResult, XtaskError> {
    let mut command = super::cargo(root, scratch);
    command.args(["test", "--workspace", "--doc", "--quiet"]);
    for package in workspace.packages.iter().filter(|package| !package.targets.iter().any(|target| target.doctest)) {
        command.args(["--exclude", &package.name]);
    }
    watch(command, scratch, limit(timeout))
}

fn limit(timeout: Duration) -> Duration {
    timeout.saturating_mul(TESTS).max(LEAST)
}

/// Runs the suite, and kills it when it takes longer than `limit`.
fn watch(mut command: Command, scratch: &Path, limit: Duration) -> Result<TestResult, XtaskError> {
    let path = scratch.join("doctests.out");
    let stdout = File::create(&path).map_err(XtaskError::write(&path))?;
    let stderr = stdout.try_clone().map_err(XtaskError::write(&path))?;
    command.stdin(Stdio::null()).stdout(stdout).stderr(stderr);
    let started = Instant::now();
    let ended = process::run(&mut command, Some(limit))?;
    let output = std::fs::read(&path).map_err(XtaskError::read(&path))?;
    let output = String::from_utf8_lossy(&output);
    let outcome = judge(ended, &output);
    Ok(result(outcome, started.elapsed()))
}

/// The suite's result.
pub(crate) fn result(outcome: Outcome, duration: Duration) -> TestResult {
    TestResult::new(DOC_TESTS, TEST, outcome, duration)
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

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_that_hangs_is_killed_and_has_failed() {
        let dir = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo 'test result: ok. 1 passed; 0 failed; 0 ignored'; sleep 60"]);
        let result = watch(command, dir.path(), Duration::from_secs(1)).unwrap();
        let Outcome::Failed(reason) = &result.outcome else { panic!("{:?}", result.outcome) };
        assert!(reason.starts_with("timed out after 1 s; 1 passed"), "{reason}");
    }

    #[test]
    fn temporary_files_of_cargo_and_what_it_starts_are_below_the_proofs_own() {
        let command = crate::suite::cargo(Path::new("/"), Path::new("/scratch"));
        let temporary = command.get_envs().find(|(name, _)| *name == "TMPDIR").and_then(|(_, value)| value);
        assert_eq!(temporary, Some(Path::new("/scratch/tmp").as_os_str()));
    }

    #[test]
    fn the_suite_has_the_time_of_ten_tests_and_ten_minutes_at_least() {
        assert_eq!(limit(Duration::from_secs(2)), Duration::from_secs(600));
        assert_eq!(limit(Duration::from_secs(120)), Duration::from_secs(1200));
        assert_eq!(limit(Duration::MAX), Duration::MAX);
    }
}
