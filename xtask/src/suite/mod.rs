//! The test suite: which test is mapped to which requirement, how the tests are built, and what became of each.

pub(crate) mod attributes;
pub(crate) mod build;
pub(crate) mod doctests;
pub(crate) mod map;
pub(crate) mod run;
mod verdict;

use std::path::Path;
use std::process::Command;

use crate::env;

/// Where the children of a run put their temporary files, below its own.
pub(crate) const TEMPORARY: &str = "tmp";

/// The file of a package's tests that need a GPU: all of them are ignored, and `tidy` lets no other test be.
pub(crate) const ON_GPU: &str = "tests/on_gpu.rs";

/// cargo in `root`. Its temporary files, and those of all that it starts, go away with the run's own.
fn cargo(root: &Path, scratch: &Path) -> Command {
    let mut command = env::cargo(root);
    command.env("TMPDIR", scratch.join(TEMPORARY));
    command
}
