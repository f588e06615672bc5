//! `cargo xtask verify`: the verifier of `proof-bundle`, which is also the program `verify-bundle`.

use proof_bundle::exit::Exit;
use proof_bundle::verify::command::{VerifyArgs, run as verify};

use crate::error::XtaskError;
use crate::output;

/// The subcommand.
pub(crate) fn run(args: &VerifyArgs) -> Result<Exit, XtaskError> {
    let (text, exit) = verify(args).map_err(XtaskError::Input)?;
    output::print(&text)?;
    Ok(exit)
}
