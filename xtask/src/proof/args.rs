//! The options of `cargo xtask proof`.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, ValueEnum};

use crate::device::DeviceChoice;
use crate::exit::Exit;

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
    /// The folder that the bundle is filed under; names the folder only, every test runs
    #[arg(long = "type", value_name = "TYPE", value_enum, default_value_t = BundleType::Unit)]
    pub(crate) bundle_type: BundleType,
    /// An auditor's challenge, recorded in provenance.json: shows that the run began after the challenge was made
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
    /// The tests get neither the key nor its path in their environment; see `cargo xtask sign --help`. Whether the key can be
    /// used is asked before anything is built. When signing fails all the same, the bundle stays, unsigned, and the exit code
    /// is 12.
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
    use clap::Parser;

    use crate::cli::Cli;

    #[test]
    fn a_challenge_that_says_nothing_is_refused() {
        assert!(Cli::try_parse_from(["xtask", "proof", "--nonce", "7f3a"]).is_ok());
        assert!(Cli::try_parse_from(["xtask", "proof", "--nonce", ""]).is_err());
        assert!(Cli::try_parse_from(["xtask", "proof", "--nonce="]).is_err());
    }
}
