//! Which files the checkout has, as git sees it.

use std::collections::BTreeSet;
use std::path::Path;

use proof_bundle::provenance::git;

use crate::error::XtaskError;

/// The files at and below `root` that git tracks; paths from `root`.
///
/// # Errors
/// [`XtaskError::Start`] without git, [`XtaskError::Input`] outside a repository.
pub(crate) fn tracked(root: &Path) -> Result<BTreeSet<String>, XtaskError> {
    list(root, &["--cached"])
}

/// The regular files at and below `root` that git knows of, or would not ignore; paths from `root`.
///
/// # Errors
/// As [`tracked`].
pub(crate) fn files(root: &Path) -> Result<BTreeSet<String>, XtaskError> {
    let mut files = list(root, &["--cached", "--others", "--exclude-standard"])?;
    files.retain(|file| root.join(file).is_file());
    Ok(files)
}

fn list(root: &Path, which: &[&str]) -> Result<BTreeSet<String>, XtaskError> {
    let output = git(root).args(["ls-files", "-z"]).args(which).output();
    let output = output.map_err(|source| XtaskError::Start { program: "git".into(), source })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(XtaskError::Input(format!("git cannot list the sources: {}", said.lines().next().unwrap_or("?"))));
    }
    Ok(String::from_utf8_lossy(&output.stdout).split_terminator('\0').map(str::to_owned).collect())
}
