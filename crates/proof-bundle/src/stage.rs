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

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
mod tests {
    use std::io;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use serde_json::json;

    use super::*;

    /// A disk that is full after so many writes, the last of which it cuts short.
    struct SmallDisk(AtomicUsize);

    impl SmallDisk {
        fn write(&self, bytes: &[u8], write: impl Fn(&[u8]) -> io::Result<()>) -> io::Result<()> {
            match self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
                Ok(_) => write(bytes),
                Err(_) => {
                    write(&bytes[..bytes.len() / 2])?;
                    Err(io::ErrorKind::StorageFull.into())
                }
            }
        }
    }

    impl Store for SmallDisk {
        fn create(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
            self.write(bytes, |bytes| Disk.create(path, bytes))
        }

        fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
            self.write(bytes, |bytes| Disk.append(path, bytes))
        }
    }

    fn write_on_a_disk_of(writes: usize, root: &Path) -> Result<PathBuf, Error> {
        let store = Box::new(SmallDisk(AtomicUsize::new(writes)));
        let staged = StagedBundle::with_store(root, TestType::Unit, "0123456789abcdef", store)?;
        staged.write_json("metadata", &json!({"crate": "demo"}))?;
        staged.append_ndjson("performance", &json!({"operation": "seal"}))?;
        staged.append_ndjson("performance", &json!({"operation": "verify"}))?;
        staged.seeds().record(42)?;
        staged.publish()
    }

    #[test]
    fn a_full_disk_leaves_nothing_wherever_it_strikes() {
        for writes in 0..5 {
            let directory = tempfile::tempdir().unwrap();
            let error = write_on_a_disk_of(writes, directory.path()).unwrap_err();
            match error {
                Error::Io { source, .. } => assert_eq!(source.kind(), io::ErrorKind::StorageFull),
                other => panic!("{other}"),
            }
            let left = fs::read_dir(directory.path().join("unit")).unwrap().count();
            assert_eq!(left, 0, "after {writes} writes");
        }
        let directory = tempfile::tempdir().unwrap();
        assert!(write_on_a_disk_of(5, directory.path()).unwrap().join("SHA256SUMS").is_file());
    }

    #[test]
    fn a_bundle_whose_writer_ignored_an_error_is_not_published() {
        let directory = tempfile::tempdir().unwrap();
        let store = Box::new(SmallDisk(AtomicUsize::new(0)));
        let staged = StagedBundle::with_store(directory.path(), TestType::Unit, "0123456789abcdef", store).unwrap();
        assert!(staged.seeds().record(42).is_err());
        assert!(matches!(staged.publish(), Err(Error::Incomplete)));
        assert_eq!(fs::read_dir(directory.path().join("unit")).unwrap().count(), 0);
    }
}
