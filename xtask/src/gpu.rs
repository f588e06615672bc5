//! `cargo xtask gpu`: what was found, and why or why not.

use serde_json::json;

use crate::cli::GpuArgs;
use crate::device::{self, Found};
use crate::error::XtaskError;
use crate::exit::Exit;
use crate::output;

/// The subcommand.
pub(crate) fn run(args: &GpuArgs) -> Result<Exit, XtaskError> {
    let found = device::find();
    output::print(&if args.json { format!("{:#}\n", json!(found)) } else { render(&found) })?;
    Ok(Exit::Proven)
}

fn render(found: &Found) -> String {
    let mut text = String::new();
    if found.devices.is_empty() {
        text.push_str(&format!("no GPU: {}\n", found.reason));
        text.push_str("`cargo xtask proof` uses the simulated device here, and marks every record as simulated\n");
    } else {
        for facts in &found.devices {
            let driver = facts.driver_version.as_deref().unwrap_or("unknown");
            text.push_str(&format!(
                "cuda:{}  {}  {}  {} MiB  driver {driver}\n",
                facts.index,
                facts.name,
                facts.uuid,
                facts.total_bytes >> 20_u32
            ));
        }
        if !found.reason.is_empty() {
            text.push_str(&format!("{}\n", found.reason));
        }
    }
    text.push_str("looked at:\n");
    for line in &found.looked_at {
        text.push_str(&format!("  {line}\n"));
    }
    text
}
