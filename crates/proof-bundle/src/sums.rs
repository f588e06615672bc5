//! `SHA256SUMS`, in the format that coreutils' `sha256sum -c` reads.

use std::fs;
use std::path::Path;

use crate::Error;
use crate::hash::sha256_file;

/// The file's name in a bundle.
pub(crate) const FILE: &str = "SHA256SUMS";

/// A line per file of `directory` but `SHA256SUMS` itself, sorted by name; directories are left out.
pub(crate) fn of_directory(directory: &Path) -> Result<String, Error> {
    let mut lines = Vec::new();
    for entry in fs::read_dir(directory).map_err(Error::io("list", directory))? {
        let path = entry.map_err(Error::io("list", directory))?.path();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if path.is_file() && name != FILE {
            lines.push((name, sha256_file(&path)?));
        }
    }
    lines.sort();
    Ok(lines.iter().map(|(name, hash)| format!("{hash}  {name}\n")).collect())
}
