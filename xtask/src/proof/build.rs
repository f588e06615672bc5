//! Building the tests, and where cargo put them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use proof_bundle::provenance::FileDigest;
use serde::Deserialize;

use crate::error::XtaskError;
use crate::process;
use crate::workspace::{Target, Workspace};

/// A test binary that was built.
#[derive(Clone, Debug)]
pub(crate) struct TestBinary {
    /// Its id (see [`Target::binary_id`]).
    pub(crate) id: String,
    /// The executable.
    pub(crate) executable: PathBuf,
    /// The package's directory: where its tests run.
    pub(crate) directory: PathBuf,
    /// Its SHA-256 when it had just been built.
    pub(crate) digest: FileDigest,
}

impl TestBinary {
    /// The binary `id` at `executable`, as it is now.
    pub(crate) fn new(id: String, executable: PathBuf, directory: PathBuf) -> Result<Self, XtaskError> {
        let digest = FileDigest::of(&id, &executable)?;
        Ok(Self { id, executable, directory, digest })
    }

    /// Checks that the file still is what was built.
    ///
    /// # Errors
    /// [`XtaskError::Input`] when it is not: then nobody knows which one the tests ran.
    pub(crate) fn check_unchanged(&self) -> Result<(), XtaskError> {
        if FileDigest::of(&self.id, &self.executable)? == self.digest {
            return Ok(());
        }
        Err(XtaskError::Input(format!(
            "the test binary of {} changed while the tests ran: run again, and build nothing else into this target \
             directory meanwhile",
            self.id
        )))
    }
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

/// Builds every test of the workspace at `root`, as `cargo test` does, and returns the binaries sorted by id. The members
/// are built anew: cargo goes by times, and a file older than the last build is not seen to differ from it.
///
/// # Errors
/// [`XtaskError::Input`] when something does not compile; cargo's diagnostics are on stderr by then.
pub(crate) fn build(root: &Path, workspace: &Workspace, scratch: &Path) -> Result<Vec<TestBinary>, XtaskError> {
    let mut clean = super::cargo(root, scratch);
    clean.args(["clean", "--quiet"]).args(workspace.packages.iter().flat_map(|package| ["--package", &package.name]));
    let ended = process::run(clean.stdin(Stdio::null()).stdout(Stdio::null()), None)?;
    if !ended.is_success() {
        return Err(XtaskError::Input(format!(
            "the last build cannot be removed ({ended}): see what cargo said above"
        )));
    }
    let messages = scratch.join("build.json");
    let output = File::create(&messages).map_err(XtaskError::write(&messages))?;
    let mut command = super::cargo(root, scratch);
    command.args(["test", "--workspace", "--no-run", "--message-format=json-render-diagnostics"]);
    let ended = process::run(command.stdin(Stdio::null()).stdout(output), None)?;
    if !ended.is_success() {
        return Err(XtaskError::Input(format!(
            "the tests do not build ({ended}): mend what cargo reported above; `cargo test --workspace --no-run` shows it again"
        )));
    }
    binaries(&messages, workspace)
}

/// The test binaries that cargo's messages in a file announce, sorted by id.
pub(crate) fn binaries(messages: &Path, workspace: &Workspace) -> Result<Vec<TestBinary>, XtaskError> {
    let messages = std::fs::read_to_string(messages).map_err(XtaskError::read(messages))?;
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
    let id = artifact.target.binary_id(&package.name);
    TestBinary::new(id, executable, package.directory().to_owned()).map(Some)
}
