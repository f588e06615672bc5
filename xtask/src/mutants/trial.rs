//! Building the copy and running the mapped tests on it, with a fault in it or none.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use proof_bundle::junit::{Outcome, TestResult};
use proof_bundle::mutants::MutantOutcome;
use proof_bundle::provenance::FileDigest;
use proof_bundle::test_map::TestId;

use crate::env;
use crate::error::XtaskError;
use crate::process;
use crate::suite::build::{self, TestBinary};
use crate::suite::run;
use crate::workspace::Workspace;

/// The seed of all randomness, as `proof` takes it unless told otherwise.
const SEED: u64 = 42;

/// How many tests may run past their time on a mutant. Then no other is started: whatever they need hangs.
const PATIENCE: usize = 6;

/// What the builds change of cargo's development profile. Nothing that a test could see: overflow checks and debug
/// assertions stay. Optimised a little, the tests run several times as fast and build in the same time.
const PROFILE: [(&str, &str); 4] = [
    ("CARGO_PROFILE_DEV_DEBUG", "0"),
    ("CARGO_PROFILE_TEST_DEBUG", "0"),
    ("CARGO_PROFILE_DEV_OPT_LEVEL", "1"),
    ("CARGO_INCREMENTAL", "1"),
];

/// What a build gave.
pub(super) enum Built {
    /// The test binaries that were asked for.
    Binaries(Vec<Binary>),
    /// The compiler refused the source.
    Refused,
}

/// A test binary, and the digests of all that decides what it does: itself, the programs of its package, and the C libraries
/// that tests open.
pub(super) struct Binary {
    test: TestBinary,
    files: BTreeSet<String>,
}

impl Binary {
    fn new(test: TestBinary, libraries: &[PathBuf]) -> Result<Self, XtaskError> {
        let others = test.programs.iter().map(|(_, program)| program).chain(libraries);
        let digests = others.map(|file| Ok(FileDigest::of("", file)?.sha256));
        let mut files: BTreeSet<String> = digests.collect::<Result<_, XtaskError>>()?;
        files.insert(test.digest.sha256.clone());
        Ok(Self { test, files })
    }
}

/// A place to build and test in.
pub(super) struct Bench<'a> {
    /// The copy's root.
    pub(super) root: &'a Path,
    pub(super) workspace: &'a Workspace,
    /// Where cargo builds.
    pub(super) target: PathBuf,
    /// An existing directory for everything else.
    pub(super) scratch: &'a Path,
    /// The tests to run, sorted.
    pub(super) tests: Vec<TestId>,
    /// How long one test may run.
    pub(super) timeout: Duration,
    /// How long each test took without a mutant. The slow ones start first, so that none is waited for at the end.
    pub(super) durations: BTreeMap<TestId, Duration>,
    /// The files of each test binary without a mutant, by its id.
    pub(super) unchanged: BTreeMap<String, BTreeSet<String>>,
}

impl Bench<'_> {
    /// Builds the test binaries that hold one of the tests. cargo's diagnostics go to stderr only when `shown`.
    pub(super) fn build(&self, shown: bool) -> Result<Built, XtaskError> {
        let messages = self.scratch.join("build.json");
        let output = File::create(&messages).map_err(XtaskError::write(&messages))?;
        let mut command = self.cargo();
        command.args(["test", "--workspace", "--no-run", "--quiet"]).args(self.targets());
        command.arg(if shown { "--message-format=json-render-diagnostics" } else { "--message-format=json" });
        command.stdin(Stdio::null()).stdout(output);
        if !shown {
            command.stderr(Stdio::null());
        }
        let ended = process::run(&mut command, None)?;
        if ended.is_success() {
            let needed: BTreeSet<&str> = self.tests.iter().map(|test| test.binary.as_str()).collect();
            let built = build::Built::read(&messages, self.workspace)?;
            let tests = built.tests.into_iter().filter(|binary| needed.contains(binary.id.as_str()));
            let binaries = tests.map(|test| Binary::new(test, &built.libraries));
            return Ok(Built::Binaries(binaries.collect::<Result<_, _>>()?));
        }
        if shown || has_error(&messages)? {
            return Ok(Built::Refused);
        }
        Err(XtaskError::Input(format!(
            "cargo failed without an error of the compiler ({ended}): is the disk full? The results so far are kept"
        )))
    }

    /// Remembers these binaries as those without a mutant.
    pub(super) fn remember(&mut self, binaries: Vec<Binary>) {
        self.unchanged = binaries.into_iter().map(|binary| (binary.test.id, binary.files)).collect();
    }

    /// Runs the tests. Missing from what it returns are those that no binary holds, and those of binaries that are the same to
    /// the byte without a mutant: they would do the same again.
    pub(super) fn test(&self, binaries: &[Binary]) -> Result<Vec<TestResult>, XtaskError> {
        let scratch = tempfile::tempdir_in(self.scratch).map_err(XtaskError::write(self.scratch))?;
        let [spool, output, temporary] = ["spool", "output", "tmp"].map(|name| scratch.path().join(name));
        for directory in [&output, &temporary] {
            std::fs::create_dir(directory).map_err(XtaskError::write(directory))?;
        }
        let settings = run::Settings {
            root: self.root,
            spool: &spool,
            output: &output,
            temporary: &temporary,
            seed: SEED,
            gpu: None,
            timeout: self.timeout,
            patience: Some(PATIENCE),
        };
        let mut tests: Vec<&TestId> = self.tests.iter().collect();
        tests.sort_by_key(|test| std::cmp::Reverse(self.durations.get(test)));
        let listed = tests.into_iter().filter_map(|test| {
            let binary = binaries.iter().find(|binary| binary.test.id == test.binary)?;
            let is_unchanged = self.unchanged.get(&test.binary) == Some(&binary.files);
            (!is_unchanged).then(|| run::Listed::new(&binary.test, &test.test))
        });
        run::run(&settings, &listed.collect::<Vec<_>>(), &|_| ())
    }

    /// cargo in the copy, which builds where nothing else does.
    fn cargo(&self) -> Command {
        let mut command = env::cargo(self.root);
        let flags = std::env::var("RUSTFLAGS").unwrap_or_default();
        command.env("CARGO_TARGET_DIR", &self.target).envs(PROFILE);
        // A fault may leave something unused: that is not what makes it unviable.
        command.env("RUSTFLAGS", format!("{flags} --cap-lints=warn").trim());
        command
    }

    /// What selects the targets whose test binaries are needed. cargo selects test targets by name, in every package.
    fn targets(&self) -> Vec<String> {
        let mut arguments = BTreeSet::new();
        for test in &self.tests {
            match test.binary.split_once("::") {
                None => arguments.insert("--lib".to_owned()),
                Some((_, name)) => match name.split_once('/') {
                    Some((kind, name)) => arguments.insert(format!("--{kind}={name}")),
                    None => arguments.insert(format!("--test={name}")),
                },
            };
        }
        arguments.into_iter().collect()
    }
}

/// Whether the compiler reported an error in cargo's messages.
fn has_error(messages: &Path) -> Result<bool, XtaskError> {
    let text = std::fs::read_to_string(messages).map_err(XtaskError::read(messages))?;
    let is_error = |line: &str| {
        let message = serde_json::from_str::<serde_json::Value>(line).unwrap_or_default();
        message.pointer("/message/level").and_then(serde_json::Value::as_str) == Some("error")
    };
    Ok(text.lines().any(is_error))
}

/// What the tests make of a mutant: what became of it, and the indices of the tests that noticed it.
pub(super) fn judge(tests: &[TestId], results: &[TestResult]) -> (MutantOutcome, Vec<usize>) {
    let mut failed = false;
    let mut killed_by = Vec::new();
    for result in results {
        let fails = match &result.outcome {
            Outcome::Passed | Outcome::NotRun(_) => continue,
            Outcome::Failed(reason) => !reason.starts_with("timed out"),
            Outcome::Dead(_) => true,
        };
        failed |= fails;
        killed_by.extend(tests.binary_search(&result.id()).ok());
    }
    killed_by.sort_unstable();
    let outcome = match (failed, killed_by.is_empty()) {
        (_, true) => MutantOutcome::Survived,
        (true, false) => MutantOutcome::Killed,
        (false, false) => MutantOutcome::Timeout,
    };
    (outcome, killed_by)
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
    fn a_test_that_fails_dies_or_times_out_kills_and_one_that_is_skipped_does_not() {
        let tests: Vec<TestId> = ["a", "b", "c"].iter().map(|name| TestId::new("p", *name)).collect();
        let failed = |reason: &str| Outcome::Failed(reason.to_owned());
        let timed_out = || failed(&process::Ended::TimedOut(Duration::from_secs(1)).to_string());
        for (outcomes, expected) in [
            (vec![("a", Outcome::Passed), ("b", Outcome::NotRun("no GPU".into()))], (MutantOutcome::Survived, vec![])),
            (vec![("c", failed("exit code 101")), ("a", timed_out())], (MutantOutcome::Killed, vec![0, 2])),
            (vec![("a", Outcome::Passed), ("b", Outcome::Dead("x".into()))], (MutantOutcome::Killed, vec![1])),
            (vec![("a", Outcome::Passed), ("b", timed_out())], (MutantOutcome::Timeout, vec![1])),
        ] {
            let results: Vec<TestResult> =
                outcomes.into_iter().map(|(name, how)| TestResult::new("p", name, how, Duration::ZERO)).collect();
            assert_eq!(judge(&tests, &results), expected);
        }
    }
}
