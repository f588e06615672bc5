//! A bundle that exists under its name only when it is complete.

use std::fs;
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
        Self::with_store(&root.as_ref().join(test_type.as_str()), commit, Box::new(Disk))
    }

    /// Begins a merged bundle, which will be `<root>/merged/<run id>/`.
    pub(crate) fn merged(root: &Path, commit: &str) -> Result<Self, Error> {
        Self::with_store(&root.join("merged"), commit, Box::new(Disk))
    }

    /// Begins a bundle that will be `<parent>/<run id>/`.
    pub(crate) fn with_store(parent: &Path, commit: &str, store: Box<dyn Store>) -> Result<Self, Error> {
        let (run_id, directory) = reserve(parent, commit, |run_id| partial(parent, run_id))?;
        let target = parent.join(&run_id);
        Ok(Self { bundle: ProofBundle::open(directory, run_id, store), target })
    }

    /// Writes `SHA256SUMS`, waits until the disk holds every file, gives the bundle its name, and waits until the disk
    /// holds that too. Returns the bundle's directory.
    ///
    /// # Errors
    ///
    /// [`Error::Incomplete`] when an earlier write failed, [`Error::Io`] when one fails now, [`Error::Foreign`] when the
    /// directory holds anything that this bundle did not write. In each case the bundle is removed.
    pub fn publish(self) -> Result<PathBuf, Error> {
        if self.bundle.is_broken() {
            return Err(Error::Incomplete);
        }
        self.bundle.put(sums::FILE, sums::text(&self.bundle.written()).as_bytes())?;
        let root = self.bundle.root();
        let written = self.bundle.written();
        sums::check(root, &written)?;
        for file in written.keys() {
            self.sync(&root.join(file))?;
        }
        for directory in sums::directories(written.keys().map(String::as_str)) {
            self.sync(&root.join(directory))?;
        }
        self.sync(root)?;
        self.bundle.store().rename(root, &self.target).map_err(Error::io("create", &self.target))?;
        if let Err(error) = self.target.parent().map_or(Ok(()), |parent| self.sync(parent)) {
            // A name that a power cut may take back is none; what cannot be removed is complete at least.
            let _ = fs::remove_dir_all(&self.target);
            return Err(error);
        }
        Ok(self.target.clone())
    }

    fn sync(&self, path: &Path) -> Result<(), Error> {
        self.bundle.store().sync(path).map_err(Error::io("write", path))
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
    use std::sync::{Arc, Mutex};

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

        fn sync(&self, path: &Path) -> io::Result<()> {
            Disk.sync(path)
        }

        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            Disk.rename(from, to)
        }
    }

    /// A disk that notes what has to survive a power cut, and loses it at the last of so many waits.
    struct NotingDisk {
        notes: Arc<Mutex<Vec<String>>>,
        syncs_that_work: usize,
    }

    impl Store for NotingDisk {
        fn create(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
            Disk.create(path, bytes)
        }

        fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
            Disk.append(path, bytes)
        }

        fn sync(&self, path: &Path) -> io::Result<()> {
            let mut notes = self.notes.lock().unwrap();
            if notes.iter().filter(|note| note.starts_with("sync ")).count() == self.syncs_that_work {
                return Err(io::ErrorKind::StorageFull.into());
            }
            notes.push(format!("sync {}", path.file_name().unwrap().display()));
            Disk.sync(path)
        }

        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            let names = [from, to].map(|path| path.file_name().unwrap().display().to_string());
            self.notes.lock().unwrap().push(format!("rename {} {}", names[0], names[1]));
            Disk.rename(from, to)
        }
    }

    fn write_on_a_disk_of(writes: usize, root: &Path) -> Result<PathBuf, Error> {
        let store = Box::new(SmallDisk(AtomicUsize::new(writes)));
        let staged = StagedBundle::with_store(&root.join("unit"), "0123456789abcdef", store)?;
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
        let staged = StagedBundle::with_store(&directory.path().join("unit"), "0123456789abcdef", store).unwrap();
        assert!(staged.seeds().record(42).is_err());
        assert!(matches!(staged.publish(), Err(Error::Incomplete)));
        assert_eq!(fs::read_dir(directory.path().join("unit")).unwrap().count(), 0);
    }

    #[test]
    fn the_disk_holds_the_files_before_the_name_and_the_name_before_it_is_told() {
        let publish = |syncs_that_work| {
            let directory = tempfile::tempdir().unwrap();
            let notes = Arc::new(Mutex::new(Vec::new()));
            let store = Box::new(NotingDisk { notes: Arc::clone(&notes), syncs_that_work });
            let staged = StagedBundle::with_store(&directory.path().join("unit"), "0123456789abcdef", store).unwrap();
            let run_id = staged.run_id().to_owned();
            staged.seeds().record(42).unwrap();
            let published = staged.publish();
            let left = fs::read_dir(directory.path().join("unit")).unwrap().count();
            let notes = notes.lock().unwrap().join(", ").replace(&run_id, "ID");
            (published.is_ok(), left, notes)
        };
        let all = "sync SHA256SUMS, sync seeds.txt, sync .ID.partial, rename .ID.partial ID, sync unit";
        assert_eq!(publish(4), (true, 1, all.to_owned()));
        for syncs_that_work in 0..4 {
            let (published, left, _) = publish(syncs_that_work);
            assert_eq!((published, left), (false, 0), "after {syncs_that_work} syncs");
        }
    }
}
