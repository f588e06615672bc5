//! A copy of the workspace's sources to plant faults in, beside which it is built again and again.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proof_bundle::provenance::FileDigest;

use super::DIRECTORY;
use crate::error::XtaskError;
use crate::git;
use crate::sources::sha256_hex;

/// The copy.
pub(super) struct Tree {
    root: PathBuf,
    /// Each file with its SHA-256, lower-case hexadecimal, as it is without a fault.
    sources: BTreeMap<String, String>,
}

impl Tree {
    /// Makes the tree at `root` a copy of what git knows of, or would not ignore, around `from`. Files that are the same
    /// already are left alone, so that what was built of them still stands.
    pub(super) fn copy(from: &Path, root: PathBuf) -> Result<Self, XtaskError> {
        let files = files(from)?;
        remove_others(&root, &root, &files)?;
        let mut sources = BTreeMap::new();
        for file in files {
            let bytes = read(&from.join(&file))?;
            let path = root.join(&file);
            if std::fs::read(&path).ok().as_deref() != Some(&bytes) {
                write(&path, &bytes)?;
            }
            sources.insert(file, FileDigest::of("", &path)?.sha256);
        }
        Ok(Self { root, sources })
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// One digest of all sources, lower-case hexadecimal. Whatever changes, results made before are not of these.
    pub(super) fn sha256(&self) -> String {
        let list: String = self.sources.iter().map(|(file, sha256)| format!("{sha256}  {file}\n")).collect();
        sha256_hex(list.as_bytes())
    }

    /// A file as it is now.
    pub(super) fn text(&self, file: &str) -> Result<String, XtaskError> {
        let path = self.root.join(file);
        std::fs::read_to_string(&path).map_err(XtaskError::read(&path))
    }

    /// Gives a file another text.
    pub(super) fn set(&self, file: &str, text: &str) -> Result<(), XtaskError> {
        write(&self.root.join(file), text.as_bytes())
    }
}

/// The workspace's files that results depend on: all but those about mutants themselves.
fn files(root: &Path) -> Result<BTreeSet<String>, XtaskError> {
    let mut files = git::files(root)?;
    files.retain(|file| !Path::new(file).starts_with(DIRECTORY));
    Ok(files)
}

/// Removes what is below `directory` and not among `files`.
fn remove_others(root: &Path, directory: &Path, files: &BTreeSet<String>) -> Result<(), XtaskError> {
    if !directory.is_dir() {
        return Ok(());
    }
    for entry in std::fs::read_dir(directory).map_err(XtaskError::read(directory))? {
        let path = entry.map_err(XtaskError::read(directory))?.path();
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy();
        if path.is_dir() && !path.is_symlink() {
            remove_others(root, &path, files)?;
        } else if !files.contains(name.as_ref()) {
            std::fs::remove_file(&path).map_err(XtaskError::write(&path))?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, XtaskError> {
    std::fs::read(path).map_err(XtaskError::read(path))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), XtaskError> {
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory).map_err(XtaskError::write(directory))?;
    std::fs::write(path, bytes).map_err(XtaskError::write(path))
}
