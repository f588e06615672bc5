//! The workspace as cargo describes it: its packages and their targets.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::env;
use crate::error::XtaskError;

/// What `cargo metadata --no-deps` says.
#[derive(Debug, Deserialize)]
pub(crate) struct Workspace {
    /// The members of the workspace, and no other packages.
    pub(crate) packages: Vec<Package>,
    /// Where cargo builds.
    pub(crate) target_directory: PathBuf,
}

/// One member of the workspace.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    /// cargo's own name for it, as messages of a build give it.
    pub(crate) id: String,
    /// Its `Cargo.toml`.
    pub(crate) manifest_path: PathBuf,
    /// Its libraries, binaries, tests and examples.
    pub(crate) targets: Vec<Target>,
}

/// A library, binary, test or example.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Target {
    /// Its name.
    pub(crate) name: String,
    /// `["lib"]`, `["bin"]`, `["test"]`, `["example"]`, …
    pub(crate) kind: Vec<String>,
    /// Its root file.
    pub(crate) src_path: PathBuf,
    /// Whether a plain `cargo test` builds it as a test; false for `test = false`.
    pub(crate) test: bool,
    /// Whether `cargo test --doc` looks into it; false for `doctest = false`.
    #[serde(default)]
    pub(crate) doctest: bool,
}

impl Target {
    /// The id of this target's test binary, as nextest writes it: `seal` for the unit tests of a library, `seal::hmac` for
    /// `tests/hmac.rs`, `xtask::bin/xtask` for the unit tests of a binary.
    pub(crate) fn binary_id(&self, package: &str) -> String {
        match self.kind.first().map(String::as_str) {
            Some("test") => format!("{package}::{}", self.name),
            Some(kind @ ("bin" | "example" | "bench")) => format!("{package}::{kind}/{}", self.name),
            _ => package.to_owned(),
        }
    }
}

impl Package {
    /// The directory of its `Cargo.toml`: where its tests run.
    pub(crate) fn directory(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(Path::new(""))
    }
}

impl Workspace {
    /// Asks cargo about the workspace at `root`.
    ///
    /// # Errors
    /// [`XtaskError::Input`] when cargo cannot read a manifest; its own message is on stderr.
    pub(crate) fn load(root: &Path) -> Result<Self, XtaskError> {
        let output = env::cargo(root)
            .args(["metadata", "--no-deps", "--format-version", "1"])
            .stderr(std::process::Stdio::inherit())
            .output()
            .map_err(|source| XtaskError::Start { program: "cargo".into(), source })?;
        if !output.status.success() {
            return Err(XtaskError::Input(format!("cargo cannot read the workspace at {}", root.display())));
        }
        serde_json::from_slice(&output.stdout)
            .map_err(|error| XtaskError::Input(format!("cannot read what `cargo metadata` printed: {error}")))
    }
}

/// The root of the workspace around the current directory: the nearest directory upwards whose `Cargo.toml` has a
/// `[workspace]` table.
///
/// # Errors
/// [`XtaskError::Input`] when there is none.
pub(crate) fn find_root() -> Result<PathBuf, XtaskError> {
    let here = std::env::current_dir().map_err(XtaskError::read(Path::new(".")))?;
    here.ancestors()
        .find(|directory| {
            std::fs::read_to_string(directory.join("Cargo.toml"))
                .is_ok_and(|manifest| manifest.lines().any(|line| line.trim() == "[workspace]"))
        })
        .map(Path::to_owned)
        .ok_or_else(|| XtaskError::Input("no workspace here: run cargo xtask inside the repository".into()))
}
