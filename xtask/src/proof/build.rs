//! Building the tests, and where cargo put them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde::Deserialize;

use crate::error::XtaskError;
use crate::workspace::{Target, Workspace};
use crate::{env, process};

/// A test binary that was built.
#[derive(Clone, Debug)]
pub(crate) struct TestBinary {
    /// Its id (see [`Target::binary_id`]).
    pub(crate) id: String,
    /// The executable.
    pub(crate) executable: PathBuf,
    /// The package's directory: where its tests run.
    pub(crate) directory: PathBuf,
}

/// A line of cargo's build messages. Only lines about a target have all of these; only tests have an executable and
/// `profile.test`.
#[derive(Deserialize)]
struct Artifact {
    package_id: String,
    target: Target,
    profile: Profile,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// Builds every test of the workspace at `root`, as `cargo test` does, and returns the binaries sorted by id.
///
/// # Errors
/// [`XtaskError::Input`] when something does not compile; cargo's diagnostics are on stderr by then.
pub(crate) fn build(root: &Path, workspace: &Workspace, scratch: &Path) -> Result<Vec<TestBinary>, XtaskError> {
    let messages = scratch.join("build.json");
    let output = File::create(&messages).map_err(XtaskError::write(&messages))?;
    let mut command = env::cargo(root);
    command.args(["test", "--workspace", "--no-run", "--message-format=json-render-diagnostics"]);
    let ended = process::run(command.stdin(Stdio::null()).stdout(output), None)?;
    if !ended.is_success() {
        return Err(XtaskError::Input(format!(
            "the tests do not build ({ended}): mend what cargo reported above; `cargo test --workspace --no-run` shows it again"
        )));
    }
    let messages = std::fs::read_to_string(&messages).map_err(XtaskError::read(&messages))?;
    let mut binaries =
        messages.lines().filter_map(|line| artifact(line, workspace).transpose()).collect::<Result<Vec<_>, _>>()?;
    binaries.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(binaries)
}

/// The test binary that a message announces, if it announces one.
fn artifact(line: &str, workspace: &Workspace) -> Result<Option<TestBinary>, XtaskError> {
    let unreadable = |error| XtaskError::Input(format!("cannot read cargo's build messages: {error}"));
    let message: serde_json::Value = serde_json::from_str(line).map_err(unreadable)?;
    if message.get("reason").and_then(serde_json::Value::as_str) != Some("compiler-artifact") {
        return Ok(None);
    }
    let artifact = Artifact::deserialize(message).map_err(unreadable)?;
    let Some(executable) = artifact.executable.filter(|_| artifact.profile.test) else { return Ok(None) };
    let id = artifact.package_id;
    let package = workspace
        .packages
        .iter()
        .find(|package| package.id == id)
        .ok_or_else(|| XtaskError::Input(format!("cargo built a test of {id}, which is not in the workspace")))?;
    Ok(Some(TestBinary {
        id: artifact.target.binary_id(&package.name),
        executable,
        directory: package.directory().to_owned(),
    }))
}
