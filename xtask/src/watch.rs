//! The files that a build reads, watched from before it to its end. Tests are of these files only if none was written to
//! meanwhile, also where it was put back as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use proof_bundle::provenance::Commit;

use crate::error::XtaskError;
use crate::git;
use crate::suite::map::Map;

/// What changes a build by being there, tracked or not: seen when it comes and goes.
const BY_NAME: [&str; 6] =
    [".cargo", ".cargo/config", ".cargo/config.toml", "build.rs", "rust-toolchain", "rust-toolchain.toml"];

/// The watched files.
pub(crate) struct Watch {
    stamps: BTreeMap<PathBuf, Stamp>,
    all_tracked: bool,
}

/// The file at a path, and when it was last changed in seconds and nanoseconds, its mode and links included: a program
/// cannot set this time back.
type Stamp = Option<(u64, u64, i64, i64)>;

impl Watch {
    /// Begins with what git tracks at `root`, and with the sources of the tests.
    ///
    /// # Errors
    /// As [`git::tracked`]; [`XtaskError::Read`] when a file is not there.
    pub(crate) fn start(root: &Path, map: &Map) -> Result<Self, XtaskError> {
        let real = |path: &Path| path.canonicalize().map_err(XtaskError::read(path));
        let top = real(root)?;
        let tracked: BTreeSet<PathBuf> = git::tracked(root)?.iter().map(|file| top.join(file)).collect();
        let sources: BTreeSet<PathBuf> =
            map.files.values().flatten().map(|file| real(file)).collect::<Result<_, _>>()?;
        let all_tracked = sources.is_subset(&tracked);
        let by_name = BY_NAME.map(|name| top.join(name));
        let stamps = tracked.union(&sources).chain(&by_name).map(|file| (file.clone(), stamp(file))).collect();
        Ok(Self { stamps, all_tracked })
    }

    /// What is to be said of `commit`: the tree differs from it, too, where it does not hold a source of the tests.
    pub(crate) fn commit(&self, commit: Commit) -> Commit {
        Commit { dirty: commit.dirty || !self.all_tracked, ..commit }
    }

    /// Checks that none was written to since.
    ///
    /// # Errors
    /// [`XtaskError::Input`] with the first that was.
    pub(crate) fn check(&self) -> Result<(), XtaskError> {
        let changed = self.stamps.iter().find(|(file, before)| stamp(file) != **before);
        changed.map_or(Ok(()), |(file, _)| {
            Err(XtaskError::Input(format!("{} was written to meanwhile: run again and leave it alone", file.display())))
        })
    }
}

fn stamp(file: &Path) -> Stamp {
    let found = file.symlink_metadata().ok()?;
    Some((found.dev(), found.ino(), found.ctime(), found.ctime_nsec()))
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
    use evidence::needs;

    use super::*;

    #[test]
    fn a_file_that_is_written_to_and_put_back_is_noticed() {
        needs!("git");
        let directory = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| std::fs::write(directory.path().join(file), text).unwrap();
        let git = |arguments: &[&str]| {
            let ended = proof_bundle::provenance::git(directory.path()).args(arguments).status().unwrap();
            assert!(ended.success(), "{arguments:?}");
        };
        let files = BTreeMap::from([("a::b".to_owned(), BTreeSet::from([directory.path().join("test")]))]);
        let map = Map { tests: Vec::new(), scenarios: Vec::new(), files, needs: BTreeMap::new() };
        git(&["init", "--quiet"]);
        write("tracked", "good");
        write("test", "good");
        write("note", "good");
        git(&["add", "tracked"]);
        let watch = Watch::start(directory.path(), &map).unwrap();
        let clean = Commit { sha: String::new(), dirty: false };
        assert!(watch.commit(clean.clone()).dirty, "the test is none of the commit's");
        write("note", "changed");
        watch.check().unwrap();
        git(&["add", "test"]);
        assert!(!Watch::start(directory.path(), &map).unwrap().commit(clean).dirty);
        for file in ["tracked", "test"] {
            let watch = Watch::start(directory.path(), &map).unwrap();
            watch.check().unwrap();
            // The clock of a file system ticks every few milliseconds.
            std::thread::sleep(std::time::Duration::from_millis(20));
            write(file, "evil");
            write(file, "good");
            let error = watch.check().unwrap_err().to_string();
            assert!(error.contains(&format!("{file} was written to")), "{error}");
        }
    }
}
