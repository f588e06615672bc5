//! The commit of a source tree, and whether the tree is what that commit holds.
//!
//! `git` is asked what the commit holds and which files lie beside that. Whether a file is the commit's is seen by its bytes:
//! what an index, a cache or the configuration says of files counts for nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use serde::{Deserialize, Serialize};

use crate::{Error, hash};

/// The state of the source tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// The commit's full id, hexadecimal.
    pub sha: String,
    /// Whether a file of the commit is missing, has other bytes or is of another kind (a link, a program), an untracked file is
    /// there that the commit does not ignore, or the workspace is none of the commit's. Of untracked files that only this machine ignores, those count that a build
    /// or a proof reads, and repositories and linked directories, which can hold such.
    pub dirty: bool,
}

impl Commit {
    /// Asks `git` for the commit checked out around `directory`, and compares the files with it.
    ///
    /// # Errors
    ///
    /// [`Error::Commit`] outside a repository, before its first commit, without `git`, when the repository keeps its files in
    /// another directory (`core.worktree`), or when a name in it is not UTF-8.
    pub fn read(directory: impl AsRef<Path>) -> Result<Self, Error> {
        let directory = directory.as_ref();
        let fault = |problem: String| Error::Commit { directory: directory.to_owned(), problem };
        let top = Self::top_level(directory)?;
        let resolved = directory.canonicalize().map_err(|error| fault(error.to_string()))?;
        let Ok(below) = resolved.strip_prefix(&top) else {
            let problem = "its repository has its files in another directory: unset core.worktree";
            return Err(fault(problem.to_owned()));
        };
        let sha = ask(directory, &["rev-parse", "--verify", "HEAD"])?.trim().to_owned();
        let tree = ask(&top, &["ls-tree", "-r", "-z", "--full-tree", &sha])?;
        let files: BTreeMap<&str, Entry<'_>> = tree.split_terminator('\0').filter_map(Entry::parse).collect();
        let manifest = below.join("Cargo.toml");
        let is_foreign =
            top.join(&manifest).exists() && !manifest.to_str().is_some_and(|file| files.contains_key(file));
        let dirty =
            is_foreign || files.iter().any(|(file, entry)| !entry.is(&top.join(file))) || has_others(&top, &files)?;
        Ok(Self { sha, dirty })
    }

    /// The top directory of the repository around `directory`.
    pub(crate) fn top_level(directory: &Path) -> Result<PathBuf, Error> {
        Ok(ask(directory, &["rev-parse", "--show-toplevel"])?.trim_end_matches('\n').into())
    }
}

/// What a commit holds at a path.
struct Entry<'a> {
    mode: &'a str,
    id: &'a str,
}

impl<'a> Entry<'a> {
    /// Reads `MODE TYPE ID<tab>PATH`.
    fn parse(line: &'a str) -> Option<(&'a str, Self)> {
        let (entry, path) = line.split_once('\t')?;
        let mut words = entry.split(' ');
        Some((path, Self { mode: words.next()?, id: words.next_back()? }))
    }

    /// Whether it lies at `path`.
    fn is(&self, path: &Path) -> bool {
        let Ok(found) = path.symlink_metadata() else { return false };
        match self.mode {
            "160000" => found.is_dir() && self.is_submodule(path),
            "120000" => {
                let target = fs::read_link(path).ok().filter(|_| found.is_symlink());
                target.is_some_and(|target| self.holds(target.as_os_str().as_encoded_bytes()))
            }
            mode => {
                let is_alike = found.is_file() && is_executable(&found).is_none_or(|is| is == (mode == "100755"));
                is_alike && fs::read(path).is_ok_and(|bytes| self.holds(&bytes))
            }
        }
    }

    /// Whether these are the bytes that `git` named by this id; it is of SHA-1 or SHA-256.
    fn holds(&self, bytes: &[u8]) -> bool {
        let algorithm = if self.id.len() == 40 { &SHA1_FOR_LEGACY_USE_ONLY } else { &SHA256 };
        let mut blob = Context::new(algorithm);
        blob.update(format!("blob {}\0", bytes.len()).as_bytes());
        blob.update(bytes);
        hash::hex(&blob.finish()) == self.id
    }

    /// Whether the repository at `path` has this commit checked out, or nothing lies there.
    fn is_submodule(&self, path: &Path) -> bool {
        let is_empty = fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none());
        is_empty || Commit::read(path).is_ok_and(|commit| commit.sha == self.id && !commit.dirty)
    }
}

/// Whether its owner may run a file; None where the system does not tell.
#[cfg(unix)]
fn is_executable(file: &fs::Metadata) -> Option<bool> {
    Some(std::os::unix::fs::PermissionsExt::mode(&file.permissions()) & 0o100 != 0)
}

#[cfg(not(unix))]
fn is_executable(_: &fs::Metadata) -> Option<bool> {
    None
}

/// Whether something lies in the repository at `top` that its commit neither holds nor ignores, or a source that only this
/// machine ignores: by `.git/info/exclude` or `core.excludesFile`. The commit's own `.gitignore` files are of the tree.
fn has_others(top: &Path, files: &BTreeMap<&str, Entry<'_>>) -> Result<bool, Error> {
    let is_other = |file: &str| {
        let file = file.trim_end_matches('/');
        !files.contains_key(file) && top.join(file).symlink_metadata().is_ok()
    };
    let list = |excluding: &str| ask(top, &["ls-files", "-z", "--cached", "--others", excluding]);
    let seen = list("--exclude-standard")?;
    let hidden = list("--exclude-per-directory=.gitignore")?;
    Ok(seen.split_terminator('\0').any(is_other)
        || hidden.split_terminator('\0').any(|file| is_other(file) && can_be_read(top, file)))
}

/// Whether cargo, a compiler, a test or a proof can read an untracked file without being told of it by name. `git` lists a
/// repository of its own as a directory, and a linked directory as a file.
fn can_be_read(top: &Path, file: &str) -> bool {
    let path = Path::new(file);
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let is_below = |directory: &str| path.parent().is_some_and(|parent| parent.ends_with(directory));
    top.join(file).is_dir()
        || ["rs", "toml", "feature", "snap", "c", "h", "cu", "cuh", "S", "s"].contains(&extension)
        || ["Cargo.lock", "rust-toolchain"].contains(&name)
        || path.components().any(|part| part.as_os_str() == ".cargo")
        || (extension == "md" && is_below("specs"))
}

/// `git` in `directory`, asked about the repository around it as it is: no variable and no hook of a user answers for it.
#[must_use]
pub fn git(directory: &Path) -> Command {
    let mut command = Command::new("git");
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"GIT_") {
            command.env_remove(name);
        }
    }
    // Otherwise `git replace` shows another commit under the name of this one.
    command.env("GIT_NO_REPLACE_OBJECTS", "1");
    // The second would take a file for another whose name differs in case.
    command.args(["-c", "core.fsmonitor=false", "-c", "core.ignoreCase=false"]).current_dir(directory);
    command
}

fn ask(directory: &Path, arguments: &[&str]) -> Result<String, Error> {
    let fault = |problem: String| Error::Commit { directory: directory.to_owned(), problem };
    let output = git(directory).args(arguments).output();
    let Output { status, stdout, stderr } = output.map_err(|error| fault(format!("git did not start: {error}")))?;
    if !status.success() {
        let text = String::from_utf8_lossy(&stderr);
        return Err(fault(refusal(&text)));
    }
    String::from_utf8(stdout).map_err(|_| fault("git printed something else than UTF-8".to_owned()))
}

/// What git said on stderr, on one line, and what to do about it.
fn refusal(stderr: &str) -> String {
    let line = stderr.lines().next().unwrap_or("git failed");
    // A repository of another user; git names the command, with the directory as it wants it, on a later line.
    match stderr.lines().map(str::trim).find(|line| line.contains("safe.directory")) {
        Some(command) => format!("{line}: if you trust what is in it, run `{command}`"),
        None => format!("{line}: run inside a git repository with at least one commit"),
    }
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

    #[test]
    fn a_refusal_of_git_comes_with_what_to_do() {
        let foreign = "fatal: detected dubious ownership in repository at '/r'\nTo add an exception for this directory, \
                       call:\n\n\tgit config --global --add safe.directory /r\n";
        assert_eq!(
            refusal(foreign),
            "fatal: detected dubious ownership in repository at '/r': if you trust what is in it, run `git config \
             --global --add safe.directory /r`"
        );
        let none = "fatal: not a git repository (or any of the parent directories): .git\n";
        assert!(refusal(none).ends_with(": run inside a git repository with at least one commit"));
    }
}
