//! What a test process says of its one test: its exit status and the summary that the harness prints last.

use proof_bundle::junit::Outcome;

use crate::process::Ended;

/// How many lines of a failure's message are kept.
const MOST_LINES: usize = 20;

/// The counts of a harness's last line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
}

impl Summary {
    /// Reads `test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 9 filtered out; finished in 0.00s`.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (_, counts) = line.trim().strip_prefix("test result: ")?.split_once(". ")?;
        let count = |what: &str| {
            let field = counts.split("; ").find_map(|field| field.strip_suffix(what))?;
            field.trim().parse().ok()
        };
        Some(Self { passed: count("passed")?, failed: count("failed")?, ignored: count("ignored")? })
    }

    /// The summary of a process that ran to its end: the last line of its output, nowhere else.
    pub(crate) fn at_the_end(output: &str) -> Option<Self> {
        output.lines().rev().find(|line| !line.trim().is_empty()).and_then(Self::parse)
    }
}

/// Judges a process that was asked to run exactly the test `name`.
pub(crate) fn judge(name: &str, ended: Ended, stdout: &str, stderr: &str) -> Outcome {
    if ended != Ended::Code(0) {
        let message = failure(stdout).or_else(|| failure(stderr));
        return Outcome::Failed(match message {
            Some(message) => format!("{ended}: {message}"),
            None => ended.to_string(),
        });
    }
    match Summary::at_the_end(stdout) {
        Some(Summary { passed: 1, failed: 0, ignored: 0 }) if !says_ok(name, stdout) => {
            Outcome::Dead(format!("its summary says 1 passed, and the harness did not print `test {name} ... ok`"))
        }
        Some(Summary { passed: 1, failed: 0, ignored: 0 }) => Outcome::Passed,
        Some(Summary { passed: 0, failed: 0, ignored: 1 }) => Outcome::NotRun(ignored(name, stdout)),
        Some(Summary { passed: 0, failed: 0, ignored: 0 }) => {
            Outcome::Dead("exit code 0, but its binary ran no test of this name".to_owned())
        }
        Some(other) => Outcome::Dead(format!(
            "exit code 0, but its summary says {} passed, {} failed, {} ignored",
            other.passed, other.failed, other.ignored
        )),
        None => Outcome::Dead("exit code 0 before its summary: the process ended in mid-test".to_owned()),
    }
}

/// Whether the harness said that it runs one test, and that it is this one and passed: a summary alone may be one that the
/// test printed.
fn says_ok(name: &str, stdout: &str) -> bool {
    let passed = |line: &str| {
        let rest = line.strip_prefix("test ").and_then(|rest| rest.trim_start().strip_prefix(name));
        rest.is_some_and(|rest| ["... ok", "- should panic ... ok"].contains(&rest.trim()))
    };
    stdout.lines().any(|line| line == "running 1 test") && stdout.lines().any(passed)
}

/// The reason of an ignored test, from `test NAME ... ignored, REASON`, or `ignored (REASON)` as libtest-mimic prints it.
fn ignored(name: &str, stdout: &str) -> String {
    let reason = stdout.lines().find_map(|line| {
        let (_, rest) = line.strip_prefix("test ")?.trim_start().strip_prefix(name)?.split_once("... ignored")?;
        let rest = rest.trim_end();
        rest.strip_prefix(", ").or_else(|| rest.strip_prefix(" (")?.strip_suffix(')')).map(str::trim)
    });
    match reason {
        Some(reason) if !reason.is_empty() => format!("ignored: {reason}"),
        _ => "ignored, no reason given".to_owned(),
    }
}

/// The first panic's place and message, or else what the harness printed under the test's heading.
fn failure(output: &str) -> Option<String> {
    const PANIC: &str = "panicked at ";
    let mut lines = output.lines();
    let mut kept = Vec::new();
    match output.lines().position(|line| line.contains(PANIC)) {
        Some(position) => {
            // The thread's name and number before it say nothing more and differ from run to run.
            let line = lines.nth(position)?;
            kept.push(line.get(line.find(PANIC)?..)?);
        }
        None => drop(lines.by_ref().find(|line| line.starts_with("---- "))?),
    }
    kept.extend(lines.take_while(|line| !ends_message(line)).take(MOST_LINES).map(str::trim_end));
    let text = kept.join("\n").trim().to_owned();
    (!text.is_empty()).then_some(text)
}

fn ends_message(line: &str) -> bool {
    line.starts_with("note: ") || line.starts_with("stack backtrace:") || line.starts_with("failures:")
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

    const PASSED: &str = "\nrunning 1 test\ntest a::t ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 6 filtered out; finished in 0.00s\n\n";

    fn with(counts: &str) -> String {
        PASSED.replace("1 passed; 0 failed; 0 ignored", counts)
    }

    #[test]
    fn only_exit_code_zero_and_one_passed_is_a_pass() {
        assert_eq!(judge("a::t", Ended::Code(0), PASSED, ""), Outcome::Passed);
        for counts in [
            "0 passed; 0 failed; 0 ignored",
            "2 passed; 0 failed; 0 ignored",
            "1 passed; 1 failed; 0 ignored",
            "1 passed; 0 failed; 1 ignored",
            "11 passed; 0 failed; 0 ignored",
        ] {
            assert!(matches!(judge("a::t", Ended::Code(0), &with(counts), ""), Outcome::Dead(_)), "{counts}");
        }
        for ended in [Ended::Code(101), Ended::Code(1), Ended::Signal(9), Ended::TimedOut(std::time::Duration::ZERO)] {
            assert!(matches!(judge("a::t", ended, PASSED, ""), Outcome::Failed(_)), "{ended}");
        }
    }

    #[test]
    fn a_process_that_ends_before_its_summary_is_dead_whatever_it_printed() {
        for output in ["", "\nrunning 1 test\n", &format!("{PASSED}then more\n"), "test result: ok. 1 passed"] {
            assert!(matches!(judge("a::t", Ended::Code(0), output, ""), Outcome::Dead(_)), "{output:?}");
        }
    }

    #[test]
    fn a_summary_without_the_test_before_it_is_dead() {
        for (from, to) in [("running 1 test\n", ""), ("test a::t ... ok\n", ""), ("a::t", "a::b"), ("a::t", "a::tt")] {
            let output = PASSED.replace(from, to);
            assert!(matches!(judge("a::t", Ended::Code(0), &output, ""), Outcome::Dead(_)), "{output:?}");
        }
        for line in ["a::t - should panic ... ok", "a::t      ... ok"] {
            assert_eq!(judge("a::t", Ended::Code(0), &PASSED.replace("a::t ... ok", line), ""), Outcome::Passed);
        }
    }

    #[test]
    fn an_ignored_test_is_not_run_and_says_why() {
        let output = with("0 passed; 0 failed; 1 ignored").replace("... ok", "... ignored, needs fsverity");
        assert_eq!(judge("a::t", Ended::Code(0), &output, ""), Outcome::NotRun("ignored: needs fsverity".into()));
        let of_mimic = output.replace(", needs fsverity", " (needs (a) b)");
        assert_eq!(judge("a::t", Ended::Code(0), &of_mimic, ""), Outcome::NotRun("ignored: needs (a) b".into()));
        let output = output.replace(", needs fsverity", "");
        assert_eq!(judge("a::t", Ended::Code(0), &output, ""), Outcome::NotRun("ignored, no reason given".into()));
    }

    #[test]
    fn a_failure_carries_place_and_message_without_thread_and_backtrace() {
        let output = "\nrunning 1 test\ntest a::t ... FAILED\n\nfailures:\n\n---- a::t stdout ----\n\nthread 'a::t' (4711) \
                      panicked at src/a.rs:7:5:\nassertion `left == right` failed\n  left: 1\n right: 2\nnote: run with \
                      `RUST_BACKTRACE=1` environment variable\n\nfailures:\n    a::t\n";
        let expected =
            "exit code 101: panicked at src/a.rs:7:5:\nassertion `left == right` failed\n  left: 1\n right: 2";
        assert_eq!(judge("a::t", Ended::Code(101), output, ""), Outcome::Failed(expected.into()));
        let mimic = "failures:\n\n---- s ----\nstep failed: no event\n\n\nfailures:\n    s\n";
        assert_eq!(
            judge("s", Ended::Code(101), mimic, ""),
            Outcome::Failed("exit code 101: step failed: no event".into())
        );
    }
}
