//! How many lines of the library crates the tests run: `cargo xtask proof --code-coverage` and `cargo xtask code-coverage`.
//!
//! A coverage tool runs the tests once more, built with counters in a target directory of their own. They belong to no proof:
//! they spool nothing, and nothing of what they build is used by one.

mod lcov;

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use clap::Args;
use proof_bundle::code_coverage::{CodeCoverage, ModuleCoverage};
use proof_bundle::provenance::Commit;

use crate::error::XtaskError;
use crate::exit::Exit;
use crate::progress::{note, step};
use crate::table::{columns, share};
use crate::workspace::{self, Workspace};
use crate::{env, output, process};

/// How much of the tool's last words is shown when it fails, in lines.
const LAST_WORDS: usize = 15;

/// How much of each of these lines is shown, in characters: cargo prints whole command lines of the compiler.
const LONGEST_WORDS: usize = 200;

/// How long a test binary may be silent, in seconds: counters make tests slow.
const SILENCE: &str = "600";

/// Examples at the end of `cargo xtask code-coverage --help`.
const EXAMPLES: &str = "\
Examples:
  cargo xtask code-coverage
  cargo xtask code-coverage --json >code_coverage.json

`cargo xtask proof --code-coverage` measures the same and keeps it in the bundle.";

/// Options of `code-coverage`.
#[derive(Args, Debug)]
#[command(
    after_help = format!("{EXAMPLES}\n\n{}", Exit::help())
)]
pub(crate) struct CodeCoverageArgs {
    /// Print the figures as a bundle holds them (code_coverage.json) instead of text
    #[arg(long)]
    json: bool,
}

/// The subcommand.
pub(crate) fn run(args: &CodeCoverageArgs) -> Result<Exit, XtaskError> {
    process::catch_interrupts()?;
    let root = workspace::find_root()?;
    let tool = Tool::find(&root)?;
    let commit = Commit::read(&root)?;
    let workspace = Workspace::load(&root)?;
    let scratch = tempfile::tempdir().map_err(XtaskError::write(&std::env::temp_dir()))?;
    let measured = tool.measure(&Measure {
        root: &root,
        workspace: &workspace,
        commit: &commit,
        scratch: scratch.path(),
        seed: 42,
    })?;
    output::print(&if args.json { output::json(&measured)? } else { text(&measured) })?;
    Ok(Exit::Proven)
}

fn text(measured: &CodeCoverage) -> String {
    let row = |one: &ModuleCoverage| [one.module.clone(), share(one.tested, one.lines)];
    let mut rows = vec![["crate", "tested lines"].map(str::to_owned)];
    rows.extend(measured.modules.iter().map(row));
    rows.push(row(&measured.total()));
    let tree = if measured.dirty { ", and the working tree differs from it" } else { "" };
    format!("{}\ncommit  {}{tree}\ntool    {}\n", columns(&rows), measured.commit, measured.tool)
}

/// What is to be measured, and where there is room for it.
pub(crate) struct Measure<'a> {
    /// The workspace's root.
    pub(crate) root: &'a Path,
    /// Its packages.
    pub(crate) workspace: &'a Workspace,
    /// The state of its source.
    pub(crate) commit: &'a Commit,
    /// A directory that is removed afterwards.
    pub(crate) scratch: &'a Path,
    /// The seed of the tests' randomness.
    pub(crate) seed: u64,
}

/// A coverage tool that is installed.
#[derive(Debug)]
pub(crate) struct Tool {
    kind: Kind,
    /// Its name and version, as it says.
    version: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    LlvmCov,
    Tarpaulin,
}

impl Kind {
    /// The words after `cargo`; none is a path.
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::LlvmCov => &["llvm-cov", "test", "--workspace", "--locked", "--lcov"],
            Self::Tarpaulin => &[
                "tarpaulin",
                "--engine",
                "llvm",
                "--workspace",
                "--locked",
                "--skip-clean",
                // The tests turn them all on, but the tool leaves out what stands behind one that it was not told of.
                "--all-features",
                "--out",
                "Lcov",
                "--timeout",
                SILENCE,
            ],
        }
    }
}

impl Tool {
    /// `cargo llvm-cov` where it is installed, else `cargo tarpaulin`.
    ///
    /// # Errors
    /// [`XtaskError::Input`] when there is neither.
    pub(crate) fn find(root: &Path) -> Result<Self, XtaskError> {
        Self::find_with(|| env::cargo(root))
    }

    fn find_with(cargo: impl Fn() -> Command) -> Result<Self, XtaskError> {
        for kind in [Kind::LlvmCov, Kind::Tarpaulin] {
            let name = kind.arguments().first().copied().unwrap_or_default();
            let output = cargo().args([name, "--version"]).stdin(Stdio::null()).output();
            let output = output.map_err(|source| XtaskError::Start { program: "cargo".to_owned(), source })?;
            let said = String::from_utf8_lossy(&output.stdout);
            if let Some(version) = said.split_whitespace().last().filter(|_| output.status.success()) {
                return Ok(Self { kind, version: format!("cargo-{name} {version}") });
            }
        }
        Err(XtaskError::Input(
            "no tool for code coverage is installed: `cargo install --locked cargo-tarpaulin` gets one, or leave --code-coverage out"
                .to_owned(),
        ))
    }

    /// Runs the tests with counters and counts.
    ///
    /// # Errors
    /// [`XtaskError::Input`] when the tests fail under the tool or its report cannot be read, with the tool's last words on
    /// stderr; [`XtaskError::Interrupted`].
    pub(crate) fn measure(&self, what: &Measure<'_>) -> Result<CodeCoverage, XtaskError> {
        let command = format!("cargo {}", self.kind.arguments().join(" "));
        step(&format!("measuring code coverage: {command}"));
        let [temporary, log, report] =
            ["tmp", "log", "lcov.info"].map(|name| what.scratch.join("code-coverage").join(name));
        std::fs::create_dir_all(&temporary).map_err(XtaskError::write(&temporary))?;
        let said = File::create(&log).map_err(XtaskError::write(&log))?;
        let also = said.try_clone().map_err(XtaskError::write(&log))?;
        let mut cargo = self.cargo(what, &report);
        let seed = what.seed.to_string();
        cargo.envs([("PROOF_SEED", &seed), ("PROPTEST_RNG_SEED", &seed)]);
        cargo.env("TMPDIR", &temporary).env("INSTA_UPDATE", "no").env("RUST_BACKTRACE", "0");
        let ended = process::run(cargo.stdin(Stdio::null()).stdout(said).stderr(also), None)?;
        let modules = match std::fs::read_to_string(&report) {
            _ if !ended.is_success() => Err(format!("it ended with {ended}")),
            Err(error) => Err(format!("it wrote no report: {error}")),
            Ok(report) => {
                lcov::modules(&report, what.root, what.workspace).map_err(|problem| format!("its report: {problem}"))
            }
        };
        let modules = modules.map_err(|problem| {
            last_words(&log).iter().for_each(|line| note(line));
            XtaskError::Input(format!(
                "code coverage was not measured by {}: {problem}; see its last words above",
                self.version
            ))
        })?;
        let Commit { sha, dirty } = what.commit.clone();
        Ok(CodeCoverage { tool: self.version.clone(), command, commit: sha, dirty, modules })
    }

    /// The command, with the directories that it is given.
    fn cargo(&self, what: &Measure<'_>, report: &Path) -> Command {
        let target = what.workspace.target_directory.join("code-coverage");
        let mut cargo = env::cargo(what.root);
        cargo.args(self.kind.arguments());
        match self.kind {
            Kind::LlvmCov => cargo.arg("--output-path").arg(report).env("CARGO_LLVM_COV_TARGET_DIR", target),
            Kind::Tarpaulin => {
                let directory = report.parent().unwrap_or(what.scratch);
                cargo.arg("--output-dir").arg(directory).arg("--target-dir").arg(target)
            }
        };
        cargo
    }
}

/// The last lines of a log that say something.
fn last_words(log: &Path) -> Vec<String> {
    let bytes = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let first = lines.len().saturating_sub(LAST_WORDS);
    let plain = |line: &str| {
        let shown = line.chars().take(LONGEST_WORDS);
        shown.map(|c| if c.is_control() { c.escape_debug().to_string() } else { c.to_string() }).collect()
    };
    lines.into_iter().skip(first).map(plain).collect()
}
