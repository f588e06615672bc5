//! A bundle that exists under its name only when it is complete.

use std::fs::{self, File};
use std::ops::Deref;
use std::path::{Path, PathBuf};

use crate::bundle::{ProofBundle, TestType, partial, reserve};
use crate::store::{Disk, Store};
use crate::{Error, sums};

/// The bundle of a proof run, built in the hidden directory `.<run id>.partial`. [`publish`](Self::publish) gives it its
/// name; dropped before that, it is removed.
pub struct StagedBundle {
    bundle: ProofBundle,
    target: PathBuf,
}

impl StagedBundle {
    /// Begins a bundle that will be `<root>/<type>/<run id>/`, where the run id ends in the first eight digits of
    /// `commit`.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the directory cannot be made.
    pub fn new(root: impl AsRef<Path>, test_type: TestType, commit: &str) -> Result<Self, Error> {
        Self::with_store(root.as_ref(), test_type, commit, Box::new(Disk))
    }

    pub(crate) fn with_store(
        root: &Path,
        test_type: TestType,
        commit: &str,
        store: Box<dyn Store>,
    ) -> Result<Self, Error> {
        let parent = root.join(test_type.as_str());
        let (run_id, directory) = reserve(&parent, commit, |run_id| partial(&parent, run_id))?;
        let target = parent.join(&run_id);
        Ok(Self { bundle: ProofBundle::open(directory, run_id, store), target })
    }

    /// Writes `SHA256SUMS`, waits until the disk holds every file, and gives the bundle its name. Returns the bundle's
    /// directory.
    ///
    /// # Errors
    ///
    /// [`Error::Incomplete`] when an earlier write failed, [`Error::Io`] when one fails now. Either way the bundle is
    /// removed.
    pub fn publish(self) -> Result<PathBuf, Error> {
        if self.bundle.is_broken() {
            return Err(Error::Incomplete);
        }
        let root = self.bundle.root();
        self.bundle.put(sums::FILE, sums::of_directory(root)?.as_bytes())?;
        for entry in fs::read_dir(root).map_err(Error::io("list", root))? {
            let path = entry.map_err(Error::io("list", root))?.path();
            File::open(&path).and_then(|file| file.sync_all()).map_err(Error::io("write", &path))?;
        }
        fs::rename(root, &self.target).map_err(Error::io("create", &self.target))?;
        Ok(self.target.clone())
    }
}

impl Deref for StagedBundle {
    type Target = ProofBundle;

    fn deref(&self) -> &ProofBundle {
        &self.bundle
    }
}

impl Drop for StagedBundle {
    fn drop(&mut self) {
        // Gone already when it was published. What cannot be removed stays hidden and without `SHA256SUMS`' name.
        let _ = fs::remove_dir_all(self.bundle.root());
    }
}
