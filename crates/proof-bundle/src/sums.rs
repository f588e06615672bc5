//! `SHA256SUMS`, in the format that coreutils' `sha256sum -c` reads.

use std::collections::BTreeMap;
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

/// Checks that `directory` holds the files that `digests` names and nothing else.
///
/// # Errors
///
/// [`Error::Foreign`] for the first entry, in the order of names, that is there too much, missing, no regular file, or of
/// another content; [`Error::Io`] when the directory or a file cannot be read.
pub(crate) fn check(directory: &Path, digests: &BTreeMap<String, String>) -> Result<(), Error> {
    let mut names: Vec<String> = digests.keys().cloned().collect();
    for entry in fs::read_dir(directory).map_err(Error::io("list", directory))? {
        let entry = entry.map_err(Error::io("list", directory))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    for name in names {
        let path = directory.join(&name);
        // A link's own type: what it leads to may be another file tomorrow.
        let is_file = path.symlink_metadata().is_ok_and(|metadata| metadata.is_file());
        match digests.get(&name) {
            Some(digest) if is_file && *digest == sha256_file(&path)? => {}
            _ => return Err(Error::Foreign { name }),
        }
    }
    Ok(())
}
