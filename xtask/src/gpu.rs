//! `cargo xtask gpu`: what was found, and why or why not.

use clap::Args;
use vram_residency::{DeviceFacts, EccMode};

use crate::device::{self, Found};
use crate::error::XtaskError;
use crate::exit::Exit;
use crate::output;

/// Examples at the end of `cargo xtask gpu --help`.
const EXAMPLES: &str = "\
Examples:
  cargo xtask gpu
  cargo xtask gpu --json | jq .devices

It ends with 0 where there is a GPU and where there is none: a script looks at `devices`.";

/// Options of `gpu`.
#[derive(Args, Debug)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", Exit::help()))]
pub(crate) struct GpuArgs {
    /// Print JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// The subcommand.
pub(crate) fn run(args: &GpuArgs) -> Result<Exit, XtaskError> {
    let found = device::find();
    output::print(&if args.json { output::json(&found)? } else { render(&found) })?;
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
            text.push_str(&format!("        {}\n", details(facts)));
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

/// What else an operator wants to know of a device, as far as it was found out.
fn details(facts: &DeviceFacts) -> String {
    let mut details = vec![facts.class.to_string(), format!("driver model {}", facts.driver_model)];
    details.extend(facts.compute_capability.map(|(major, minor)| format!("compute capability {major}.{minor}")));
    details.push(match (facts.ecc_mode, facts.ecc_errors) {
        (EccMode::Enabled, Some(errors)) => {
            format!("ECC on, {} errors corrected and {} not", errors.corrected, errors.uncorrected)
        }
        (EccMode::Enabled, None) => "ECC on".to_owned(),
        (EccMode::Disabled, _) => "ECC off".to_owned(),
        (EccMode::Unsupported, _) => "no ECC".to_owned(),
        (EccMode::Unknown, _) => "ECC unknown".to_owned(),
    });
    let on = |state| if state { "on" } else { "off" };
    details.extend(facts.mig_enabled.map(|state| format!("MIG {}", on(state))));
    details.extend(facts.confidential_computing.map(|state| {
        // NVML's one answer to three questions.
        let words = if state { "on, in production and ready" } else { "off, not in production or not ready" };
        format!("confidential computing {words}")
    }));
    details.extend(facts.compute_processes.map(|count| format!("{count} processes compute on it, this one counted")));
    details.join(", ")
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
    use vram_residency::{DeviceClass, EccErrors, SimulatedConfig};

    use super::*;

    #[test]
    fn a_device_is_shown_with_what_was_found_out_and_nothing_else() {
        let bare = SimulatedConfig::for_index(0).device_facts;
        assert_eq!(details(&bare), "simulated, driver model linux, no ECC");
        let full = DeviceFacts {
            class: DeviceClass::Gpu,
            compute_capability: Some((9, 0)),
            ecc_mode: EccMode::Enabled,
            ecc_errors: Some(EccErrors { corrected: 2, uncorrected: 1 }),
            mig_enabled: Some(false),
            confidential_computing: Some(true),
            compute_processes: Some(3),
            ..bare
        };
        assert_eq!(
            details(&full),
            "gpu, driver model linux, compute capability 9.0, ECC on, 2 errors corrected and 1 not, MIG off, \
             confidential computing on, in production and ready, 3 processes compute on it, this one counted"
        );
        let other = details(&DeviceFacts { confidential_computing: Some(false), ..full });
        assert!(other.contains(", confidential computing off, not in production or not ready, "), "{other}");
    }
}
