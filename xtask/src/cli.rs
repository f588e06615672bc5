//! The command line: what `cargo xtask --help` shows.

use clap::{Parser, Subcommand};
use proof_bundle::verify::command::VerifyArgs;

use crate::code_coverage::CodeCoverageArgs;
use crate::coverage::CoverageArgs;
use crate::diff::BundleDiffArgs;
use crate::exit::Exit;
use crate::explain::ExplainArgs;
use crate::gpu::GpuArgs;
use crate::kernels::KernelsArgs;
use crate::keygen::KeygenArgs;
use crate::merge::MergeArgs;
use crate::mutants::MutantsArgs;
use crate::pack::PackArgs;
use crate::proof::ProofArgs;
use crate::sign::SignArgs;
use crate::tidy::TidyArgs;

/// The project's own commands: prove the requirements, look at the device, keep the house tidy.
///
/// Those that build, test or read the sources are run inside the checkout.
#[derive(Debug, Parser)]
#[command(name = "xtask", bin_name = "cargo xtask", version, after_help = Exit::help(), max_term_width = 100)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// One subcommand each.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run every test of `cargo test` and write a proof bundle: what was observed, nothing else
    Proof(ProofArgs),
    /// Pack the tests for a machine without Rust, such as a GPU node: an archive with a script that makes the bundle there
    Pack(PackArgs),
    /// Decompress zstd from stdin to stdout, for the script `prove` of a kit
    #[command(hide = true)]
    Inflate,
    /// Plant faults in the library crates, one at a time, and see which mapped tests notice
    Mutants(MutantsArgs),
    /// Say which GPUs were found, or why there is none
    Gpu(GpuArgs),
    /// Judge the specifications as they are now by the latest bundle: a status for each requirement
    Coverage(CoverageArgs),
    /// Count the lines of the library crates that the tests run, with the coverage tool that is installed
    CodeCoverage(CodeCoverageArgs),
    /// Show a requirement: its text, its tests, the latest evidence, and the command that reruns it
    Explain(ExplainArgs),
    /// Check the rules of the house: dependency edges, lints, headers, docs, sizes
    Tidy(TidyArgs),
    /// Compare two bundles: fields marked volatile in the schemas may differ, nothing else
    BundleDiff(BundleDiffArgs),
    /// Build the committed image of the CUDA kernels with the pinned compiler, or check that it is what the sources give
    Kernels(KernelsArgs),
    /// Make a key that signs bundles: a private file, and FILE.pub for whoever checks them
    Keygen(KeygenArgs),
    /// Sign a bundle that is complete, in a process that runs no tests
    Sign(SignArgs),
    /// Join the bundles of several runs of one commit: a CI run on a CPU, a run on a GPU node
    Merge(MergeArgs),
    /// Check a bundle: recompute everything in it, trust nothing
    Verify(VerifyArgs),
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
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_exit_codes_in_the_help_are_the_contract() {
        let help = Cli::command().render_help().to_string();
        for (code, meaning) in [(0, "proven"), (2, "usage"), (10, "failed"), (11, "did not run"), (12, "missing")] {
            let line = help.lines().find(|line| line.trim_start().starts_with(&format!("{code} "))).unwrap();
            assert!(line.contains(meaning), "{line}");
        }
    }
}
