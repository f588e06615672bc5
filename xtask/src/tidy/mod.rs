//! `cargo xtask tidy`: the rules of the house that the compiler does not check.

mod edges;
mod files;
mod kernels;
mod manifest;
mod paths;
mod records;
mod sources;
mod stand_in;
#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
mod tests;

use std::fmt;
use std::path::{Path, PathBuf};

use clap::Args;

use crate::error::XtaskError;
use crate::exit::Exit;
use crate::output;

use manifest::Manifest;

/// What `cargo xtask tidy --help` ends with.
const OUTPUT: &str = "Each finding is `path:line: what is wrong, and what to do`. `cargo test` runs the same check.";

/// Options of `tidy`.
#[derive(Args, Debug)]
#[command(after_help = format!("{OUTPUT}\n\n{}", Exit::help()))]
pub(crate) struct TidyArgs {}

/// One place that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// The file, relative to the workspace's root.
    path: PathBuf,
    /// The line, counted from 1.
    line: usize,
    /// What is wrong, and what to do.
    message: String,
}

impl Finding {
    fn new(path: &Path, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path.display(), self.line, self.message)
    }
}

/// The subcommand: prints every finding.
pub(crate) fn run(root: &Path) -> Result<Exit, XtaskError> {
    let findings = check(root)?;
    if findings.is_empty() {
        output::print("tidy: nothing found\n")?;
        return Ok(Exit::Proven);
    }
    let lines: String = findings.iter().map(|finding| format!("{finding}\n")).collect();
    output::print(&format!("{lines}tidy: {} found\n", findings.len()))?;
    Ok(Exit::Found)
}

/// Checks the workspace at `root` and returns what breaks a rule, sorted by path and line.
///
/// # Errors
/// [`XtaskError`] when a file cannot be read or a manifest cannot be parsed.
pub(crate) fn check(root: &Path) -> Result<Vec<Finding>, XtaskError> {
    let workspace = Manifest::load(root, Path::new("Cargo.toml"))?;
    let mut members = Vec::new();
    for path in files::member_manifests(root)? {
        members.push(Manifest::load(root, &path)?);
    }
    let mut findings = edges::check(&members);
    findings.extend(manifest::check(root, &workspace, &members)?);
    findings.extend(stand_in::check(root, &members));
    for member in &members {
        findings.extend(sources::check(root, member)?);
    }
    findings.extend(kernels::check(root)?);
    findings.extend(paths::check(root)?);
    findings.sort();
    Ok(findings)
}
