//! Which files tidy looks at.

use std::path::{Path, PathBuf};

use crate::error::XtaskError;

/// Directories that hold nothing of ours: build output, git's store, bundles.
const SKIPPED: [&str; 4] = ["target", ".git", "proof_bundles", "node_modules"];

/// The `Cargo.toml` of every member of the workspace, relative to `root`, sorted.
pub(super) fn member_manifests(root: &Path) -> Result<Vec<PathBuf>, XtaskError> {
    let mut manifests = Vec::new();
    for name in entries(&root.join("crates"))? {
        manifests.push(Path::new("crates").join(name).join("Cargo.toml"));
    }
    manifests.push(Path::new("xtask").join("Cargo.toml"));
    manifests.retain(|manifest| root.join(manifest).is_file());
    Ok(manifests)
}

/// Every file below `root/below` whose name ends in one of `endings`, relative to `root`, sorted. An absent directory has
/// none.
pub(super) fn below(root: &Path, below: &Path, endings: &[&str]) -> Result<Vec<PathBuf>, XtaskError> {
    let mut found = Vec::new();
    let mut pending = vec![below.to_owned()];
    while let Some(directory) = pending.pop() {
        for name in entries(&root.join(&directory))? {
            let path = directory.join(&name);
            if root.join(&path).is_symlink() {
                continue;
            }
            if root.join(&path).is_dir() {
                if !SKIPPED.contains(&name.as_str()) {
                    pending.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// The names in a directory, sorted; none when it does not exist.
fn entries(directory: &Path) -> Result<Vec<String>, XtaskError> {
    if !directory.is_dir() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(XtaskError::read(directory))? {
        let entry = entry.map_err(XtaskError::read(directory))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// The text of a file, given relative to `root`.
pub(super) fn text(root: &Path, path: &Path) -> Result<String, XtaskError> {
    let path = root.join(path);
    std::fs::read_to_string(&path).map_err(XtaskError::read(&path))
}
