//! A kit that was unpacked: checked before anything of it is run, and again when everything has run.

use std::path::{Path, PathBuf};

use proof_bundle::provenance::{FileDigest, Kit as Provenance};

use super::{MANIFEST, Manifest, SOURCE, XTASK, host, manifest, sums};
use crate::error::XtaskError;
use crate::sources::sha256_hex;
use crate::suite::build::TestBinary;
use crate::workspace::Workspace;

/// An intact kit.
#[derive(Debug)]
pub(crate) struct Kit {
    directory: PathBuf,
    /// Its list as it was when it was opened.
    list: String,
    manifest: Manifest,
}

impl Kit {
    /// Opens the kit in `directory`.
    ///
    /// # Errors
    /// [`XtaskError::Read`] and [`XtaskError::Input`] when it is no kit, is not intact, or brought another xtask than this.
    pub(crate) fn open(directory: &Path) -> Result<Self, XtaskError> {
        let directory = std::path::absolute(directory).map_err(XtaskError::read(directory))?;
        let read = |name: &str| {
            let path = directory.join(name);
            std::fs::read_to_string(&path).map_err(XtaskError::read(&path))
        };
        let list = read(sums::FILE)?;
        sums::check(&directory, &list)?;
        let manifest = serde_json::from_str(&read(MANIFEST)?)
            .map_err(|error| XtaskError::Input(format!("{MANIFEST} is not of this version of xtask: {error}")))?;
        let own = std::env::current_exe().map_err(XtaskError::read(Path::new("the running program")))?;
        if FileDigest::of("", own)? != FileDigest::of("", directory.join(XTASK))? {
            let problem = "this is not the xtask of the kit: start its `prove`";
            return Err(XtaskError::Input(problem.to_owned()));
        }
        Ok(Self { directory, list, manifest })
    }

    /// Checks that it still is what was opened.
    ///
    /// # Errors
    /// As [`open`](Self::open): then nobody knows what the tests ran.
    pub(crate) fn check_unchanged(&self) -> Result<(), XtaskError> {
        sums::check(&self.directory, &self.list)
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The root of its sources.
    pub(crate) fn root(&self) -> PathBuf {
        self.directory.join(SOURCE)
    }

    /// The workspace that cargo saw where it was built.
    pub(crate) fn workspace(&self) -> Workspace {
        manifest::rooted(&self.manifest.packages, &self.root())
    }

    /// The test binaries, sorted by id.
    pub(crate) fn tests(&self) -> Result<Vec<TestBinary>, XtaskError> {
        let root = self.root();
        let binary = |test: &manifest::Test| {
            let executable = self.directory.join(&test.file);
            let mut binary = TestBinary::new(test.id.clone(), executable, root.join(&test.directory))?;
            let package = test.id.split("::").next().unwrap_or_default();
            let own = self.manifest.programs.iter().filter(|program| program.package == package);
            binary.programs = own.map(|program| (program.name.clone(), self.directory.join(&program.file))).collect();
            Ok(binary)
        };
        self.manifest.tests.iter().map(binary).collect()
    }

    /// What a bundle says of it.
    pub(crate) fn provenance(&self) -> Provenance {
        let Manifest { cargo, profile, built_on, .. } = &self.manifest;
        Provenance {
            sha256: sha256_hex(self.list.as_bytes()),
            cargo: cargo.clone(),
            profile: profile.clone(),
            built_on: built_on.clone(),
            run_on: host::this(),
        }
    }
}
