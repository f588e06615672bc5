//! The committed image of the kernels belongs to their sources. Whether it is what they give takes a compiler to say:
//! `cargo xtask kernels --check`.

use std::path::Path;

use super::Finding;
use crate::error::XtaskError;
use crate::kernels::manifest;

/// Compares digests: sources and image against the manifest.
pub(super) fn check(root: &Path) -> Result<Vec<Finding>, XtaskError> {
    let findings = manifest::check(root)?;
    Ok(findings.into_iter().map(|(path, message)| Finding::new(&path, 1, message)).collect())
}
