//! `kit.json`: what the host that packed knows, and the one that runs the kit cannot ask cargo, rustc or git for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proof_bundle::provenance::{Commit, Host};
use serde::{Deserialize, Serialize};

use crate::workspace::{Package, Workspace};

/// The file. All paths are relative: those of sources to `source/`, all others to the kit.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The source tree that it was built from.
    pub(crate) commit: Commit,
    /// What `cargo --version` printed.
    pub(crate) cargo: String,
    /// What `rustc --version` printed.
    pub(crate) rust_version: String,
    /// What `rustc -vV` printed.
    pub(crate) rustc: String,
    /// The profile of the test binaries, as `Cargo.toml` defines it.
    pub(crate) profile: String,
    /// The variables, and cargo's configuration outside the checkout, that changed the build.
    pub(crate) build_environment: BTreeMap<String, String>,
    /// The host that it was built on.
    pub(crate) built_on: Host,
    /// `uname -m` of the hosts that can run it.
    pub(crate) arch: String,
    /// The oldest C library that can run it: `2.34`.
    pub(crate) needs_glibc: String,
    /// The members of the workspace.
    pub(crate) packages: Vec<Package>,
    /// The test binaries, sorted by id.
    pub(crate) tests: Vec<Test>,
    /// The programs that tests start.
    pub(crate) programs: Vec<Program>,
}

/// A test binary.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Test {
    /// Its id (see [`crate::workspace::Target::binary_id`]).
    pub(crate) id: String,
    /// The executable.
    pub(crate) file: PathBuf,
    /// The package's directory, in which it runs.
    pub(crate) directory: PathBuf,
}

/// A program that tests of its package start.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Program {
    /// The package's name.
    pub(crate) package: String,
    /// The program's name.
    pub(crate) name: String,
    /// The executable.
    pub(crate) file: PathBuf,
}

/// The members of a workspace at `root`, with paths that mean the same elsewhere.
pub(crate) fn relative(workspace: &Workspace, root: &Path) -> Vec<Package> {
    let mut packages = workspace.packages.clone();
    for package in &mut packages {
        package.id.clone_from(&package.name);
        paths(package, |path| path.strip_prefix(root).unwrap_or(path).to_owned());
    }
    packages
}

/// The opposite: the workspace whose root is `root`.
pub(crate) fn rooted(packages: &[Package], root: &Path) -> Workspace {
    let mut packages = packages.to_owned();
    packages.iter_mut().for_each(|package| paths(package, |path| root.join(path)));
    Workspace { packages, target_directory: root.join("target") }
}

fn paths(package: &mut Package, change: impl Fn(&Path) -> PathBuf) {
    package.manifest_path = change(&package.manifest_path);
    for target in &mut package.targets {
        target.src_path = change(&target.src_path);
    }
}
