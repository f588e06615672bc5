//! Which files the checkout has, as git sees it.

use std::collections::BTreeSet;
use std::path::Path;

use proof_bundle::provenance::git;

use crate::error::XtaskError;

/// The regular files at and below `root` that git knows of, or would not ignore; paths from `root`.
///
/// # Errors
/// [`XtaskError::Start`] without git, [`XtaskError::Input`] outside a repository.
pub(crate) fn files(root: &Path) -> Result<BTreeSet<String>, XtaskError> {
    let output = git(root).args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).output();
    let output = output.map_err(|source| XtaskError::Start { program: "git".into(), source })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(XtaskError::Input(format!("git cannot list the sources: {}", said.lines().next().unwrap_or("?"))));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let is_there = |file: &&str| !file.is_empty() && root.join(file).is_file();
    Ok(text.split('\0').filter(is_there).map(str::to_owned).collect())
}
