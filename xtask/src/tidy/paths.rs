//! No path of somebody's machine in a file of ours.

use std::path::Path;

use super::{Finding, files};
use crate::error::XtaskError;

/// Directories that exist on one machine only. Written in pieces, so that this file does not find itself.
const HOMES: [&str; 4] =
    [concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/ro", "ot/"), concat!("\\Us", "ers\\")];

/// Names of nobody: a home directory of theirs is an example.
const NOBODY: [&str; 3] = ["somebody/", "user/", "you/"];

/// Text files; anything else is data.
const TEXT: [&str; 16] = [
    ".rs",
    ".toml",
    ".md",
    ".feature",
    ".json",
    ".yml",
    ".yaml",
    ".sh",
    ".cu",
    ".cuh",
    ".cpp",
    ".h",
    ".lock",
    ".gitignore",
    ".snap",
    "run",
];

/// Looks for home directories, and for this checkout's own path, in every text file below `root`.
pub(super) fn check(root: &Path) -> Result<Vec<Finding>, XtaskError> {
    let mut needles: Vec<String> = HOMES.iter().map(ToString::to_string).collect();
    // A checkout directly below `/` has a name too common to look for.
    if root.components().count() > 2 {
        needles.push(root.display().to_string());
    }
    let mut findings = Vec::new();
    for path in files::below(root, Path::new(""), &TEXT)? {
        let text = files::text(root, &path)?;
        for (index, line) in text.lines().enumerate() {
            if let Some(needle) = needles.iter().find(|needle| names_a_machine(line, needle)) {
                let message =
                    format!("`{needle}` names a place on one machine: write a relative path or an example name");
                findings.push(Finding::new(&path, index.saturating_add(1), message));
            }
        }
    }
    Ok(findings)
}

/// Whether `needle` stands in `line` as the beginning of a path, not in the middle of a longer one or of a URL.
fn names_a_machine(line: &str, needle: &str) -> bool {
    line.match_indices(needle).any(|(at, _)| {
        let before = line.get(..at).and_then(|before| before.chars().next_back());
        let inside = before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}' | '>'));
        let after = line.get(at..).and_then(|rest| rest.strip_prefix(needle)).unwrap_or_default();
        !inside && !NOBODY.iter().any(|name| after.starts_with(name))
    })
}
