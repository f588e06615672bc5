//! Where the tests of a proof come from: a checkout that is built here, or a kit that was built elsewhere. Nothing but this
//! asks cargo, rustc or git, which the host of a kit need not have.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proof_bundle::junit::{Outcome, TestResult};
use proof_bundle::provenance::{self, Commit};
use proof_bundle::test_map::TestId;

use super::ProofArgs;
use crate::bundles;
use crate::env;
use crate::error::XtaskError;
use crate::kit::Kit;
use crate::progress::step;
use crate::suite::build::{self, TestBinary};
use crate::suite::doctests;
use crate::suite::map::Map;
use crate::watch::Watch;
use crate::workspace::{self, Workspace};

/// Where the tests come from.
#[derive(Debug)]
pub(super) enum Origin {
    /// The workspace at this root.
    Checkout(PathBuf),
    /// Test binaries that another host built.
    Kit(Box<Kit>),
}

/// What made the test binaries.
pub(super) struct Toolchain {
    /// What `rustc -vV` printed.
    pub(super) rustc: String,
    /// What `rustc --version` printed.
    pub(super) rust_version: String,
    /// The variables, and cargo's configuration outside the checkout, that changed the build.
    pub(super) build_environment: BTreeMap<String, String>,
}

impl Origin {
    pub(super) fn find(args: &ProofArgs) -> Result<Self, XtaskError> {
        match (&args.kit, &args.root) {
            (Some(kit), _) => Ok(Self::Kit(Box::new(Kit::open(kit)?))),
            (None, Some(root)) => Ok(Self::Checkout(root.canonicalize().map_err(XtaskError::read(root))?)),
            (None, None) => workspace::find_root().map(Self::Checkout),
        }
    }

    /// The root of the sources.
    pub(super) fn root(&self) -> PathBuf {
        match self {
            Self::Checkout(root) => root.clone(),
            Self::Kit(kit) => kit.root(),
        }
    }

    /// Where bundles go unless the user says otherwise.
    pub(super) fn bundles(&self) -> PathBuf {
        match self {
            Self::Checkout(root) => root.join(bundles::DEFAULT),
            Self::Kit(kit) => kit.directory().join(bundles::DEFAULT),
        }
    }

    /// The source tree, as it is now.
    pub(super) fn commit(&self) -> Result<Commit, XtaskError> {
        match self {
            Self::Checkout(root) => Ok(Commit::read(root)?),
            Self::Kit(kit) => {
                kit.check_unchanged()?;
                Ok(kit.manifest().commit.clone())
            }
        }
    }

    /// Watches the files that the tests are built from; None where they are not built here.
    pub(super) fn watch(&self, map: &Map) -> Result<Option<Watch>, XtaskError> {
        match self {
            Self::Checkout(root) => Watch::start(root, map).map(Some),
            Self::Kit(_) => Ok(None),
        }
    }

    pub(super) fn workspace(&self) -> Result<Workspace, XtaskError> {
        match self {
            Self::Checkout(root) => Workspace::load(root),
            Self::Kit(kit) => Ok(kit.workspace()),
        }
    }

    /// The test binaries, sorted by id.
    pub(super) fn tests(&self, workspace: &Workspace, scratch: &Path) -> Result<Vec<TestBinary>, XtaskError> {
        match self {
            Self::Checkout(root) => {
                step("building the tests: cargo test --workspace --no-run");
                Ok(build::build(root, workspace, scratch, None)?.tests)
            }
            Self::Kit(kit) => {
                let built_on = &kit.manifest().built_on;
                step(&format!("taking the tests of the kit, built on {} ({})", built_on.os, built_on.libc));
                kit.tests()
            }
        }
    }

    /// Why a test cannot run here; None when it can.
    pub(super) fn lacks(&self, needs: &BTreeMap<TestId, Vec<String>>, test: &TestId) -> Option<String> {
        match self {
            Self::Checkout(_) => None,
            Self::Kit(_) => {
                needs.get(test).map(|needs| format!("needs {}, and a kit runs without it", needs.join(" and ")))
            }
        }
    }

    /// The doc tests, where one test may take `timeout`.
    pub(super) fn doctests(&self, scratch: &Path, timeout: Duration) -> Result<TestResult, XtaskError> {
        match self {
            Self::Checkout(root) => {
                step("running the doc tests");
                doctests::run(root, &Workspace::load(root)?, scratch, timeout)
            }
            Self::Kit(_) => {
                let reason = "needs cargo and rustdoc, and a kit runs without them";
                Ok(doctests::result(Outcome::NotRun(reason.to_owned()), Duration::ZERO))
            }
        }
    }

    pub(super) fn toolchain(&self) -> Result<Toolchain, XtaskError> {
        match self {
            Self::Checkout(root) => Ok(Toolchain {
                rustc: env::rustc(root, "-vV")?,
                rust_version: env::rustc(root, "--version")?,
                build_environment: env::of_builds(root)?,
            }),
            Self::Kit(kit) => {
                let manifest = kit.manifest().clone();
                let (rustc, rust_version) = (manifest.rustc, manifest.rust_version);
                Ok(Toolchain { rustc, rust_version, build_environment: manifest.build_environment })
            }
        }
    }

    /// What the bundle says of the kit; None without one.
    pub(super) fn kit(&self) -> Option<provenance::Kit> {
        match self {
            Self::Checkout(_) => None,
            Self::Kit(kit) => Some(kit.provenance()),
        }
    }
}
