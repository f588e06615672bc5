//! The list of a kit's files and digests: `SHA256SUMS`, in the format of coreutils.

use std::collections::BTreeMap;
use std::path::Path;

use proof_bundle::provenance::FileDigest;

use crate::bundles;
use crate::error::XtaskError;

/// The list's name.
pub(crate) const FILE: &str = "SHA256SUMS";

/// The digest of each file at and below `kit`, by its path, but for the list itself and for bundles.
///
/// # Errors
/// [`XtaskError::Read`], and [`XtaskError::Input`] for anything but a regular file with a plain name.
pub(crate) fn digests(kit: &Path) -> Result<BTreeMap<String, String>, XtaskError> {
    let mut found = BTreeMap::new();
    add(kit, "", &mut found)?;
    Ok(found)
}

fn add(kit: &Path, below: &str, into: &mut BTreeMap<String, String>) -> Result<(), XtaskError> {
    let directory = kit.join(below);
    for entry in std::fs::read_dir(&directory).map_err(XtaskError::read(&directory))? {
        let entry = entry.map_err(XtaskError::read(&directory))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if below.is_empty() && [FILE, bundles::DEFAULT].contains(&name.as_str()) {
            continue;
        }
        let name = if below.is_empty() { name } else { format!("{below}/{name}") };
        let kind = entry.file_type().map_err(XtaskError::read(&entry.path()))?;
        if kind.is_dir() {
            add(kit, &name, into)?;
        } else if kind.is_file() && !name.contains(['\n', '\r', '\\', '\u{fffd}']) {
            let sha256 = FileDigest::of("", entry.path())?.sha256;
            into.insert(name, sha256);
        } else {
            return Err(XtaskError::Input(format!(
                "a kit cannot hold {name:?}: it is no regular file with a plain name"
            )));
        }
    }
    Ok(())
}

/// The text of the list.
pub(crate) fn text(digests: &BTreeMap<String, String>) -> String {
    digests.iter().map(|(name, sha256)| format!("{sha256}  {name}\n")).collect()
}

/// Checks that `kit` holds what the list `text` says and nothing else.
///
/// # Errors
/// [`XtaskError::Input`] that names the first file, by name, that is missing, changed or there too much.
pub(crate) fn check(kit: &Path, list: &str) -> Result<(), XtaskError> {
    let found = digests(kit)?;
    if list == text(&found) {
        return Ok(());
    }
    let listed: BTreeMap<&str, &str> =
        list.lines().filter_map(|line| line.split_once("  ")).map(|(sha256, name)| (name, sha256)).collect();
    let mut names: Vec<&str> = listed.keys().copied().chain(found.keys().map(String::as_str)).collect();
    names.sort_unstable();
    let problem = names.into_iter().find_map(|name| match (listed.get(name), found.get(name)) {
        (Some(_), None) => Some(format!("{name} is missing")),
        (None, Some(_)) => Some(format!("{name} is not part of it")),
        (Some(listed), Some(found)) if listed != found => Some(format!("{name} was changed")),
        _ => None,
    });
    let problem = problem.unwrap_or_else(|| format!("{FILE} is not in its one form"));
    Err(XtaskError::Input(format!("the kit is not intact: {problem}; unpack the archive again, into a new directory")))
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
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_is_changed_missing_or_added_is_named_and_bundles_are_not_looked_at() {
        let dir = tempfile::tempdir().unwrap();
        let kit = dir.path();
        fs::create_dir_all(kit.join("bin")).unwrap();
        fs::write(kit.join("bin/a"), "a").unwrap();
        fs::write(kit.join("b"), "b").unwrap();
        let list = text(&digests(kit).unwrap());
        assert!(list.ends_with("  bin/a\n") && list.lines().count() == 2, "{list}");
        let problem = |list: &str| check(kit, list).map_err(|error| error.to_string());
        fs::create_dir(kit.join(bundles::DEFAULT)).unwrap();
        fs::write(kit.join(bundles::DEFAULT).join("anything"), "").unwrap();
        fs::write(kit.join(FILE), &list).unwrap();
        assert_eq!(problem(&list), Ok(()));
        assert!(problem(&format!("{list}\n")).unwrap_err().contains("not in its one form"));
        fs::write(kit.join("bin/a"), "A").unwrap();
        assert!(problem(&list).unwrap_err().contains("bin/a was changed"));
        fs::write(kit.join("bin/a"), "a").unwrap();
        fs::rename(kit.join("b"), kit.join("bin/b")).unwrap();
        assert!(problem(&list).unwrap_err().contains("b is missing"));
        fs::write(kit.join("b"), "b").unwrap();
        assert!(problem(&list).unwrap_err().contains("bin/b is not part of it"));
        fs::remove_file(kit.join("bin/b")).unwrap();
        std::os::unix::fs::symlink("a", kit.join("bin/b")).unwrap();
        assert!(problem(&list).unwrap_err().contains("no regular file"));
    }
}
