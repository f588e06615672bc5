//! Signing a bundle: the last thing that is done to it.

use std::fs;
use std::path::{Path, PathBuf};

use super::{DIRECTORY, Envelope, SigningKey, statements};
use crate::Error;
use crate::exit::Exit;
use crate::store::{Disk, Store};
use crate::verify::{Finding, Options, verify};

/// Signs the bundle at `bundle` with `key`: it gets the directory [`DIRECTORY`] with both envelopes at once, or nothing.
///
/// # Errors
///
/// [`Error::Unsignable`] when the bundle is signed already, or the verifier finds it not intact, or with statuses or reports
/// that do not follow from its evidence; [`Error::Io`] when the disk refuses.
pub fn sign(bundle: &Path, key: &SigningKey) -> Result<(), Error> {
    // So that it has a name and a parent, whatever the path looks like.
    let bundle = &fs::canonicalize(bundle).map_err(Error::io("open", bundle))?;
    let refuse = |(exit, problem)| Error::Unsignable { bundle: bundle.clone(), exit, problem };
    if bundle.join(DIRECTORY).symlink_metadata().is_ok() {
        let problem = format!("it has a directory `{DIRECTORY}` already, and what is signed stays as it is");
        return Err(refuse((Exit::BadInput, problem)));
    }
    check(bundle).map_err(refuse)?;
    let envelopes = statements(bundle)?
        .into_iter()
        .map(|(name, statement)| Ok((name, Envelope::sign(statement, key)?.to_bytes())))
        .collect::<Result<Vec<_>, Error>>()?;
    publish(&Disk, bundle, &envelopes)?;
    // It may have been exchanged since it was looked at: what was signed must be what is there now.
    check(bundle).map_err(|found| {
        let _ = fs::remove_dir_all(bundle.join(DIRECTORY));
        refuse(found)
    })
}

/// Gives the bundle its attestations, all at once.
fn publish(store: &dyn Store, bundle: &Path, envelopes: &[(&str, Vec<u8>)]) -> Result<(), Error> {
    let target = bundle.join(DIRECTORY);
    // Beside the bundle, which stays as it is until everything is on the disk.
    let partial = Partial::create(bundle)?;
    for (name, bytes) in envelopes {
        let path = partial.0.join(name);
        store.create(&path, bytes).and_then(|()| store.sync(&path)).map_err(Error::io("write", &path))?;
    }
    store.sync(&partial.0).map_err(Error::io("write", &partial.0))?;
    // Fails when there is such a directory by now, unless it is empty.
    store.rename(&partial.0, &target).map_err(Error::io("create", &target))?;
    store.sync(bundle).map_err(|error| {
        // A name that a power cut may take back is none.
        let _ = fs::remove_dir_all(&target);
        Error::io("write", bundle)(error)
    })
}

/// Asks the verifier whether the bundle is complete and unchanged, and whether what it concludes follows from what it holds.
/// The error is the exit code that the verifier would end with, and the first finding.
fn check(bundle: &Path) -> Result<(), (Exit, String)> {
    let found = verify(bundle, &Options::integrity_only());
    for (check, exit) in [(&found.intact, Exit::NotIntact), (&found.derived, Exit::NotDerived)] {
        if !check.holds() {
            let problem =
                check.findings().first().map_or_else(|| "it cannot be verified".to_owned(), Finding::to_string);
            return Err((exit, problem));
        }
    }
    Ok(())
}

/// A hidden directory beside the bundle; removed unless it was given its name.
struct Partial(PathBuf);

impl Partial {
    fn create(bundle: &Path) -> Result<Self, Error> {
        let name = bundle.file_name().unwrap_or_default().to_string_lossy();
        // Nobody else uses this process's id now; a directory of this name is what an earlier process left.
        let path = bundle.with_file_name(format!(".{name}.{DIRECTORY}.{}.partial", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).map_err(Error::io("create", &path))?;
        Ok(Self(path))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Gone already when it was given its name.
        let _ = fs::remove_dir_all(&self.0);
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

    use super::*;

    /// A disk on which so many operations work; it cuts short the write that does not.
    struct FailingDisk(AtomicUsize);

    impl FailingDisk {
        fn works(&self) -> io::Result<()> {
            let left = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
            left.map(drop).map_err(|_| io::ErrorKind::StorageFull.into())
        }
    }

    impl Store for FailingDisk {
        fn create(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
            self.works().or_else(|error| Disk.create(path, &bytes[..bytes.len() / 2]).and(Err(error)))?;
            Disk.create(path, bytes)
        }

        fn append(&self, _: &Path, _: &[u8]) -> io::Result<()> {
            panic!("nothing is appended")
        }

        fn sync(&self, path: &Path) -> io::Result<()> {
            self.works().and_then(|()| Disk.sync(path))
        }

        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            self.works().and_then(|()| Disk.rename(from, to))
        }
    }

    #[test]
    fn a_disk_that_fails_leaves_the_bundle_unsigned_wherever_it_strikes() {
        let envelopes = [("one", b"1\n".to_vec()), ("two", b"2\n".to_vec())];
        // A write and a wait for each file, a wait for the directory, its name, and a wait for the name.
        for operations in 0..=7 {
            let place = tempfile::tempdir().unwrap();
            let bundle = place.path().join("bundle");
            fs::create_dir(&bundle).unwrap();
            let result = publish(&FailingDisk(AtomicUsize::new(operations)), &bundle, &envelopes);
            let signed = fs::read_dir(bundle.join(DIRECTORY)).map_or(0, Iterator::count);
            assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1, "after {operations} operations");
            match result {
                Ok(()) => assert_eq!((operations, signed), (7, 2)),
                Err(Error::Io { .. }) => assert!(operations < 7 && signed == 0, "after {operations} operations"),
                Err(other) => panic!("{other}"),
            }
        }
    }

    #[test]
    fn of_two_who_sign_at_once_the_second_fails_and_changes_nothing() {
        let place = tempfile::tempdir().unwrap();
        let bundle = place.path().join("bundle");
        fs::create_dir(&bundle).unwrap();
        publish(&Disk, &bundle, &[("one", b"1\n".to_vec())]).unwrap();
        assert!(publish(&Disk, &bundle, &[("one", b"2\n".to_vec())]).is_err());
        assert_eq!(fs::read(bundle.join(DIRECTORY).join("one")).unwrap(), b"1\n");
    }
}
