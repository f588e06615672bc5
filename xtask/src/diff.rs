//! `cargo xtask bundle-diff`: what differs between two bundles and should not.

use std::path::{Path, PathBuf};

use clap::Args;
use proof_bundle::verify::one_line;

use crate::error::XtaskError;
use crate::exit::Exit;
use crate::output;

/// Examples at the end of `cargo xtask bundle-diff --help`.
const EXAMPLES: &str = "Examples:\n  cargo xtask bundle-diff proof_bundles/unit/RUN_A proof_bundles/unit/RUN_B";

/// Options of `bundle-diff`.
#[derive(Args, Debug)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", Exit::help()))]
pub(crate) struct BundleDiffArgs {
    /// The first bundle's directory
    #[arg(value_name = "A")]
    pub(crate) first: PathBuf,
    /// The second bundle's directory
    #[arg(value_name = "B")]
    pub(crate) second: PathBuf,
}

/// The subcommand.
pub(crate) fn run(args: &BundleDiffArgs) -> Result<Exit, XtaskError> {
    for directory in [&args.first, &args.second] {
        check_bundle(directory)?;
    }
    let differences = proof_bundle::diff::bundle_diff(&args.first, &args.second)?;
    if differences.is_empty() {
        output::print("the bundles differ in nothing but fields marked volatile\n")?;
        return Ok(Exit::Proven);
    }
    let lines: String = differences.iter().map(|one| format!("{}\n", one_line(&one.to_string()))).collect();
    output::print(&format!("{lines}{} differences in fields that are not volatile\n", differences.len()))?;
    Ok(Exit::Found)
}

/// Two empty directories would be equal, and two equal typing errors as well.
fn check_bundle(directory: &Path) -> Result<(), XtaskError> {
    for file in ["SHA256SUMS", "coverage.json"] {
        if !directory.join(file).is_file() {
            return Err(XtaskError::Input(format!("{} is not a bundle: it has no {file}", directory.display())));
        }
    }
    Ok(())
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
    fn a_folder_with_nothing_but_a_list_is_no_bundle() {
        let dir = tempfile::tempdir().unwrap();
        let args = || BundleDiffArgs { first: dir.path().to_owned(), second: dir.path().to_owned() };
        assert!(run(&args()).unwrap_err().to_string().contains("no SHA256SUMS"));
        std::fs::write(dir.path().join("SHA256SUMS"), "").unwrap();
        assert!(run(&args()).unwrap_err().to_string().contains("no coverage.json"));
    }
}
