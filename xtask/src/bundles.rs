//! Where bundles are, and which one is the latest.

use std::path::{Path, PathBuf};

use proof_bundle::merge::run_order;

use crate::error::XtaskError;

/// The files that the bundle of a proof run has and nothing else does.
const OF_A_RUN: [&str; 4] = ["SHA256SUMS", "provenance.json", "requirements.json", "coverage.json"];

/// Where bundles go unless the user says otherwise, below the workspace's root.
pub(crate) const DEFAULT: &str = "proof_bundles";

/// The latest bundle of a proof run below `bundles`. Bundles are named by their run ids, whatever folder they are filed
/// under; one that is being written is not, nor is a copy under another name.
pub(crate) fn latest(bundles: &Path) -> Option<PathBuf> {
    let directories = |path: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
    };
    fn order(run: &Path) -> Option<(&str, u64)> {
        run.file_name()?.to_str().and_then(run_order)
    }
    let runs = directories(bundles).into_iter().flat_map(|folder| directories(&folder));
    runs.filter(|run| order(run).is_some() && missing(run).is_none()).max_by(|a, b| order(a).cmp(&order(b)))
}

/// The directory that the user named to look for bundles in.
///
/// # Errors
/// [`XtaskError::Input`] when there is no such directory.
pub(crate) fn named(bundles: &Path) -> Result<PathBuf, XtaskError> {
    if bundles.is_dir() {
        return Ok(bundles.to_owned());
    }
    Err(XtaskError::Input(format!("{} is no directory of bundles", bundles.display())))
}

/// The first file that keeps `directory` from being the bundle of a proof run.
pub(crate) fn missing(directory: &Path) -> Option<&'static str> {
    OF_A_RUN.into_iter().find(|file| !directory.join(file).is_file())
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
    use super::*;

    #[test]
    fn the_latest_is_the_one_of_the_latest_time_that_is_complete() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(latest(dir.path()), None);
        assert_eq!(latest(&dir.path().join("nowhere")), None);
        let bundle = |path: &str, files: &[&str]| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(&path).unwrap();
            files.iter().for_each(|file| std::fs::write(path.join(file), "").unwrap());
            path
        };
        bundle("unit/20260101-000000-aaaaaaaa", &OF_A_RUN);
        let latest_run = bundle("bdd/20260102-000000-aaaaaaaa", &OF_A_RUN);
        bundle("unit/20260103-000000-aaaaaaaa", &OF_A_RUN[..3]);
        bundle("unit/.20260104-000000-aaaaaaaa.partial", &OF_A_RUN);
        bundle("unit/copy-of-the-best", &OF_A_RUN);
        assert_eq!(latest(dir.path()), Some(latest_run.clone()));
        bundle("unit/20260102-000000-aaaaaaaa-9", &OF_A_RUN);
        bundle("unit/20260102-000000-bbbbbbbb-2", &OF_A_RUN);
        bundle("unit/20260102-000000-aaaaaaaa-copy of 11", &OF_A_RUN);
        bundle("unit/20260102-000000-aaaaaaaa-9-12", &OF_A_RUN);
        let suffixed = bundle("unit/20260102-000000-aaaaaaaa-10", &OF_A_RUN);
        assert_eq!(latest(dir.path()), Some(suffixed));
        assert_eq!(missing(&latest_run), None);
        assert_eq!(missing(dir.path()), Some("SHA256SUMS"));
    }
}
