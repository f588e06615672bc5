//! `cargo xtask bundle-diff`: what differs between two bundles and should not.

use std::path::Path;

use crate::cli::BundleDiffArgs;
use crate::error::XtaskError;
use crate::exit::Exit;
use crate::output;

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
    let lines: String = differences.iter().map(|difference| format!("{difference}\n")).collect();
    output::print(&format!("{lines}{} differences in fields that are not volatile\n", differences.len()))?;
    Ok(Exit::Found)
}

/// Two empty directories would be equal, and two equal typing errors as well.
fn check_bundle(directory: &Path) -> Result<(), XtaskError> {
    if directory.join("SHA256SUMS").is_file() {
        return Ok(());
    }
    Err(XtaskError::Input(format!("{} is not a bundle: it has no SHA256SUMS", directory.display())))
}
