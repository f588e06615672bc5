//! `SHA256SUMS`, in the format that coreutils' `sha256sum -c` reads.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::Error;
use crate::hash::sha256_file;

/// The file's name in a bundle.
pub(crate) const FILE: &str = "SHA256SUMS";

/// The text of the file: a line per name and digest.
pub(crate) fn text(digests: &BTreeMap<String, String>) -> String {
    digests.iter().map(|(name, digest)| format!("{digest}  {name}\n")).collect()
}

/// The digests by name of a text in the form of [`text`]; `None` when it has another form, no line, or a name twice.
pub(crate) fn parse(text: &str) -> Option<BTreeMap<String, String>> {
    let mut digests = BTreeMap::new();
    for line in text.lines() {
        let (digest, name) = line.split_once("  ")?;
        let is_digest = digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if !is_digest || name.is_empty() || digests.insert(name.to_owned(), digest.to_owned()).is_some() {
            return None;
        }
    }
    (!digests.is_empty()).then_some(digests)
}

/// The directories that hold these files, below that of the list; sorted.
pub(crate) fn directories<'a>(names: impl Iterator<Item = &'a str>) -> BTreeSet<&'a str> {
    let above = |name: &'a str| std::iter::successors(name.rsplit_once('/'), |(path, _)| path.rsplit_once('/'));
    names.flat_map(above).map(|(path, _)| path).collect()
}

/// Checks that `directory` holds the files that `digests` names and nothing else.
///
/// # Errors
///
/// [`Error::Foreign`] for the first entry, in the order of names, that is there too much, missing, no regular file, or of
/// another content; [`Error::Io`] when a directory or a file cannot be read.
pub(crate) fn check(directory: &Path, digests: &BTreeMap<String, String>) -> Result<(), Error> {
    let directories = directories(digests.keys().map(String::as_str));
    let mut names: Vec<String> = digests.keys().cloned().collect();
    for below in std::iter::once("").chain(directories.iter().copied()) {
        let path = directory.join(below);
        for entry in fs::read_dir(&path).map_err(Error::io("list", &path))? {
            let entry = entry.map_err(Error::io("list", &path))?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let name = if below.is_empty() { name } else { format!("{below}/{name}") };
            // A link's own type: what it leads to may be another directory tomorrow.
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if !(is_directory && directories.contains(name.as_str())) {
                names.push(name);
            }
        }
    }
    names.sort();
    for name in names {
        let path = directory.join(&name);
        let is_file = path.symlink_metadata().is_ok_and(|metadata| metadata.is_file());
        match digests.get(&name) {
            Some(digest) if is_file && *digest == sha256_file(&path)? => {}
            _ => return Err(Error::Foreign { name }),
        }
    }
    Ok(())
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
    use crate::hash::sha256_hex;

    #[test]
    fn a_list_with_folders_finds_what_is_too_much_in_each_of_them() {
        let place = tempfile::tempdir().unwrap();
        let digests: BTreeMap<String, String> =
            ["a", "b/c/d", "b/e"].map(|name| (name.to_owned(), sha256_hex(name.as_bytes()))).into();
        fs::create_dir_all(place.path().join("b/c")).unwrap();
        digests.keys().for_each(|name| fs::write(place.path().join(name), name).unwrap());
        check(place.path(), &digests).unwrap();
        for foreign in ["b/x", "b/c/x", "x"] {
            let path = place.path().join(foreign);
            fs::create_dir(&path).unwrap();
            let error = check(place.path(), &digests).unwrap_err();
            assert!(matches!(error, Error::Foreign { name } if name == foreign), "{foreign}");
            fs::remove_dir(path).unwrap();
        }
        fs::remove_dir_all(place.path().join("b/c")).unwrap();
        assert!(check(place.path(), &digests).is_err());
    }
}
