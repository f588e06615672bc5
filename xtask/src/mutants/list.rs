//! The mutants that `cargo-mutants` generates: it makes the list, and runs nothing.

use std::path::Path;
use std::process::Command;

use serde::Deserialize;

use crate::env;
use crate::error::XtaskError;

/// What to do when the tool is not there.
const INSTALL: &str = "cargo-mutants is not installed: run `cargo install --locked cargo-mutants`";

/// A mutant as `cargo mutants --list --json --diff` describes it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Planned {
    /// Where it is and what it changes; no two mutants have the same.
    pub(super) name: String,
    /// The package that it is in.
    pub(super) package: String,
    /// The file that it changes, from the workspace's root.
    pub(super) file: String,
    /// The change, as a unified diff.
    pub(super) diff: String,
}

/// The tool's name and version.
///
/// # Errors
/// [`XtaskError::Input`] when it is not installed.
pub(super) fn version(root: &Path) -> Result<String, XtaskError> {
    let mut command = env::cargo(root);
    let output = run(command.args(["mutants", "--version"]))?;
    if !output.status.success() {
        return Err(XtaskError::Input(INSTALL.to_owned()));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The mutants of `package`, in the order of its source.
///
/// # Errors
/// [`XtaskError::Input`] when the tool fails or prints something else.
pub(super) fn of_package(root: &Path, package: &str) -> Result<Vec<Planned>, XtaskError> {
    let mut command = env::cargo(root);
    let output = run(command.args(["mutants", "--no-config", "--list", "--json", "--diff", "--package", package]))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let line = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        return Err(XtaskError::Input(format!("cargo-mutants cannot list the mutants of {package}: {line}")));
    }
    serde_json::from_slice(&output.stdout)
        .map_err(|error| XtaskError::Input(format!("cannot read what `cargo mutants --list` printed: {error}")))
}

fn run(command: &mut Command) -> Result<std::process::Output, XtaskError> {
    command.output().map_err(|source| XtaskError::Start { program: "cargo".into(), source })
}
