//! The command line of the verifier: `verify-bundle` and `cargo xtask verify` are both this.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use serde::Serialize;
use time::OffsetDateTime;

use super::{Options, Verification, parse_age, plain_json, text, verify};
use crate::attest::PublicKey;
use crate::exit::Exit;
use crate::sums;

/// Examples at the end of `--help`.
const EXAMPLES: &str = "\
Examples:
  verify-bundle proof_bundles/unit/RUN_ID --public-key maker.pub.pem
  verify-bundle RUN_ID --public-key maker.pub.pem --commit $(git rev-parse HEAD) --max-age 7d
  verify-bundle RUN_ID --public-key maker.pub.pem --nonce 7f3a --json
  verify-bundle RUN_ID --integrity-only        what the bundle says, vouched for by nobody

The key has to come from outside the bundle. `cargo xtask verify` is the same command.";

/// The most that a file of a key may have, in bytes.
const KEY_LIMIT: u64 = 1 << 16;

/// Options of the verifier.
#[derive(Args, Debug)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", Exit::help()))]
pub struct VerifyArgs {
    /// The bundle's directory
    #[arg(value_name = "BUNDLE")]
    pub bundle: PathBuf,
    /// A file with a public key that you trust (Ed25519, PEM); may be given several times
    #[arg(long = "public-key", value_name = "FILE", conflicts_with = "integrity_only")]
    pub public_keys: Vec<PathBuf>,
    /// The full id of the commit that the bundle has to be of; its tree must have been clean
    #[arg(long, value_name = "FULL_COMMIT_ID", value_parser = parse_commit)]
    pub commit: Option<String>,
    /// The nonce that the run was asked for with
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub nonce: Option<String>,
    /// How long ago the run may have ended: 30m, 12h, 7d
    #[arg(long, value_name = "DURATION", value_parser = parse_age)]
    pub max_age: Option<Duration>,
    /// Leave signatures out: check everything but who made the bundle
    #[arg(long)]
    pub integrity_only: bool,
    /// Print JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// The output of `--json`.
#[derive(Serialize)]
struct Output<'a> {
    bundle: String,
    exit_code: u8,
    #[serde(flatten)]
    verification: &'a Verification,
}

/// Verifies as the command line says; the output for stdout, and the exit code.
///
/// # Errors
///
/// One line that says what to do, when there is no bundle or no key to work with; the exit code is
/// [`Exit::BadInput`].
pub fn run(args: &VerifyArgs) -> Result<(String, Exit), String> {
    check_is_bundle(&args.bundle)?;
    let options = Options {
        public_keys: args.public_keys.iter().map(|path| read_key(path)).collect::<Result<_, _>>()?,
        commit: args.commit.clone(),
        nonce: args.nonce.clone(),
        max_age: args.max_age,
        integrity_only: args.integrity_only,
        now: OffsetDateTime::now_utc(),
    };
    let verification = verify(&args.bundle, &options);
    let exit = verification.exit();
    let output = if args.json {
        let bundle = args.bundle.display().to_string();
        let output = Output { bundle, exit_code: exit.code(), verification: &verification };
        let text = serde_json::to_string_pretty(&output).map_err(|error| format!("cannot write JSON: {error}"))?;
        format!("{}\n", plain_json(&text))
    } else {
        text::of(&args.bundle, &verification)
    };
    Ok((output, exit))
}

/// A typing error is no broken bundle.
fn check_is_bundle(path: &Path) -> Result<(), String> {
    let shown: String = path.display().to_string().escape_debug().collect();
    let metadata = fs::metadata(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    if !metadata.is_dir() {
        return Err(format!("{shown} is no directory: give the directory of a bundle, the one with {}", sums::FILE));
    }
    fs::read_dir(path).map_err(|error| format!("cannot list {shown}: {error}"))?;
    let known = [sums::FILE, "coverage.json", "metadata.json", "provenance.json"];
    if known.iter().all(|file| path.join(file).symlink_metadata().is_err()) {
        return Err(format!("{shown} is no bundle: give the directory of one, the one with {}", sums::FILE));
    }
    Ok(())
}

fn read_key(path: &Path) -> Result<PublicKey, String> {
    let shown: String = path.display().to_string().escape_debug().collect();
    let metadata = fs::metadata(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    if !metadata.is_file() || metadata.len() > KEY_LIMIT {
        return Err(format!("{shown} is no file of a key: give the PEM file of an Ed25519 public key"));
    }
    let pem = fs::read_to_string(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
    PublicKey::from_pem(&pem).map_err(|error| format!("{shown}: {error}"))
}

fn parse_commit(text: &str) -> Result<String, String> {
    let commit = text.to_ascii_lowercase();
    if matches!(commit.len(), 40 | 64) && commit.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(commit);
    }
    Err("give the commit's full id, 40 or 64 hexadecimal digits, as `git rev-parse HEAD` prints it".to_owned())
}
