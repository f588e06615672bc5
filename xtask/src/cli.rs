//! The command line: what `cargo xtask --help` shows.

use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use proof_bundle::verify::command::VerifyArgs;

use crate::code_coverage::CodeCoverageArgs;
use crate::coverage::CoverageArgs;
use crate::exit::Exit;
use crate::kernels::KernelsArgs;
use crate::keygen::KeygenArgs;
use crate::merge::MergeArgs;
use crate::mutants::MutantsArgs;
use crate::pack::PackArgs;
use crate::sign::SignArgs;

/// The project's own commands: prove the requirements, look at the device, keep the house tidy.
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
    /// Run the whole test suite and write a proof bundle: what was observed, nothing else
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
    /// Sign a bundle: the last thing that is done to it, by a process that runs no tests
    Sign(SignArgs),
    /// Join the bundles of several runs of one commit: a CI run on a CPU, a run on a GPU node
    Merge(MergeArgs),
    /// Check a bundle: recompute everything in it, trust nothing
    Verify(VerifyArgs),
}

/// Examples at the end of `cargo xtask proof --help`.
const PROOF_EXAMPLES: &str = "\
Examples:
  cargo xtask proof                                 prove what this host can prove
  cargo xtask proof --device simulated              the same, even where there is a GPU
  cargo xtask proof --model model.safetensors       seal, verify, corrupt and release a real model, too
  cargo xtask proof --out /mnt/audit --nonce 7f3a   elsewhere, and bound to an auditor's challenge
  cargo xtask proof --key ../signing.pem            sign the bundle when it is complete

The last line of stdout is the bundle's directory. The steps and the progress go to stderr.";

/// Options of `proof`.
#[derive(Args, Debug)]
#[command(after_help = format!("{PROOF_EXAMPLES}\n\n{}", Exit::help()))]
pub(crate) struct ProofArgs {
    /// A model file to seal, verify, corrupt and release; may be given several times.
    ///
    /// .safetensors and .gguf are recognised and their headers checked; any other file is taken as it is.
    /// The file is read in chunks and never held whole beside the device's copy.
    #[arg(long = "model", value_name = "FILE")]
    pub(crate) models: Vec<PathBuf>,
    /// The device to use: auto, simulated, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value = "auto")]
    pub(crate) device: DeviceChoice,
    /// Where bundles go; the bundle becomes DIR/TYPE/RUN_ID [default: proof_bundles]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// The folder that the bundle is filed under; names the folder only, the whole suite runs
    #[arg(long = "type", value_name = "TYPE", value_enum, default_value_t = BundleType::Unit)]
    pub(crate) bundle_type: BundleType,
    /// An auditor's challenge, recorded in provenance.json: shows that the run is not older than it
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) nonce: Option<String>,
    /// The seed of all randomness in the run, recorded in seeds.txt
    #[arg(long, value_name = "N", default_value_t = 42)]
    pub(crate) seed: u64,
    /// How long one test may run, in seconds; then its whole process group is killed and it has failed
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) timeout: u64,
    /// Sign the bundle when it is complete, with this Ed25519 key, in a process that runs no tests
    ///
    /// The tests get neither the key nor its path in their environment; see `cargo xtask sign --help`.
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// With --key: also write an OpenSSF model-signing signature beside the bundle, with this P-256 key
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(crate) model_signing_key: Option<PathBuf>,
    /// Count the lines that the tests run, too, and keep the figures in the bundle; builds and runs them once more
    #[arg(long)]
    pub(crate) code_coverage: bool,
    /// Print the summary as JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
    /// The workspace to prove, for the end-to-end tests of this command
    #[arg(long, value_name = "DIR", hide = true)]
    pub(crate) root: Option<PathBuf>,
    /// The kit to prove, for the script `prove` of the kit itself
    #[arg(long, value_name = "DIR", hide = true, conflicts_with_all = ["root", "code_coverage"])]
    pub(crate) kit: Option<PathBuf>,
}

/// Options of `gpu`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  cargo xtask gpu\n  cargo xtask gpu --json | jq .devices")]
pub(crate) struct GpuArgs {
    /// Print JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// Options of `explain`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  cargo xtask explain MS-001\n  cargo xtask explain '00§2.1'")]
pub(crate) struct ExplainArgs {
    /// The requirement's id, as specs/ writes it
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Where to look for the latest bundle [default: proof_bundles]
    #[arg(long, value_name = "DIR")]
    pub(crate) bundles: Option<PathBuf>,
}

/// Options of `tidy`.
#[derive(Args, Debug)]
#[command(after_help = "Each finding is `path:line: what is wrong, and what to do`. `cargo test` runs the same check.")]
pub(crate) struct TidyArgs {}

/// Options of `bundle-diff`.
#[derive(Args, Debug)]
#[command(after_help = "Examples:\n  cargo xtask bundle-diff proof_bundles/unit/RUN_A proof_bundles/unit/RUN_B")]
pub(crate) struct BundleDiffArgs {
    /// The first bundle's directory
    #[arg(value_name = "A")]
    pub(crate) first: PathBuf,
    /// The second bundle's directory
    #[arg(value_name = "B")]
    pub(crate) second: PathBuf,
}

/// The folder that a bundle is filed under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum BundleType {
    /// `unit/`
    Unit,
    /// `integration/`
    Integration,
    /// `bdd/`
    Bdd,
    /// `gpu/`
    Gpu,
}

/// `--device`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeviceChoice {
    /// A GPU where there is one, otherwise the simulated device.
    Auto,
    /// The simulated device.
    Simulated,
    /// A GPU, by its index; the first one unless said otherwise.
    Cuda(u32),
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || format!("no such device: use auto, simulated, cuda or cuda:N (N counts from 0), not {text:?}");
        match text {
            "auto" => Ok(Self::Auto),
            "simulated" => Ok(Self::Simulated),
            "cuda" => Ok(Self::Cuda(0)),
            _ => text
                .strip_prefix("cuda:")
                .filter(|index| index.bytes().all(|b| b.is_ascii_digit()))
                .and_then(|index| index.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(unknown),
        }
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
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn devices_parse_and_odd_ones_are_refused_with_the_choices() {
        assert_eq!("auto".parse(), Ok(DeviceChoice::Auto));
        assert_eq!("simulated".parse(), Ok(DeviceChoice::Simulated));
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
        assert_eq!("cuda:3".parse(), Ok(DeviceChoice::Cuda(3)));
        for odd in ["", "cuda:", "cuda:-1", "cuda:+1", "cuda:x", "gpu", "CUDA", "cuda:99999999999"] {
            let message = odd.parse::<DeviceChoice>().unwrap_err();
            assert!(message.contains("auto, simulated, cuda or cuda:N"), "{odd}: {message}");
        }
    }

    #[test]
    fn a_challenge_that_says_nothing_is_refused() {
        assert!(Cli::try_parse_from(["xtask", "proof", "--nonce", "7f3a"]).is_ok());
        assert!(Cli::try_parse_from(["xtask", "proof", "--nonce", ""]).is_err());
        assert!(Cli::try_parse_from(["xtask", "proof", "--nonce="]).is_err());
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
