//! Where a bundle comes from: the host, the files, the command.

use std::path::Path;

use proof_bundle::provenance::{Environment, FileDigest};

use super::ProofArgs;
use crate::device::DeviceChoice;
use crate::error::XtaskError;
use crate::shell::quoted;

/// A file's digest under the name that it has in the bundle.
pub(super) fn digest(name: &str, path: &Path) -> Result<FileDigest, XtaskError> {
    Ok(FileDigest::of(name, path)?)
}

/// The host, and the compiler that made the tests.
pub(super) fn environment(rust_version: String, cuda_available: bool) -> Environment {
    Environment {
        os: std::env::consts::OS.to_owned(),
        arch: std::env::consts::ARCH.to_owned(),
        rust_version,
        cuda_available,
    }
}

/// The command that makes such a bundle, without directories of this machine.
pub(super) fn command(args: &ProofArgs) -> String {
    let device = match args.device {
        DeviceChoice::Auto => "auto".to_owned(),
        DeviceChoice::Simulated => "simulated".to_owned(),
        DeviceChoice::Cuda(index) => format!("cuda:{index}"),
    };
    let ProofArgs { seed, timeout, bundle_type, .. } = args;
    let bundle_type = super::test_type(*bundle_type).as_str();
    let program = if args.kit.is_some() { "./prove" } else { "cargo xtask proof" };
    let mut command = format!("{program} --device {device} --seed {seed} --timeout {timeout} --type {bundle_type}");
    if args.code_coverage {
        command.push_str(" --code-coverage");
    }
    if let Some(nonce) = &args.nonce {
        command.push_str(&format!(" --nonce={}", quoted(nonce)));
    }
    for model in &args.models {
        let name = model.file_name().unwrap_or(model.as_os_str()).to_string_lossy();
        command.push_str(&format!(" --model={}", quoted(&name)));
    }
    command
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

    use super::*;
    use crate::cli::{Cli, Command};

    #[test]
    fn the_recorded_command_asks_for_the_same() {
        let words = [
            "xtask",
            "proof",
            "--device=cuda:1",
            "--seed=7",
            "--timeout=9",
            "--type=bdd",
            "--nonce=a b",
            "--code-coverage",
        ];
        let cli = Cli::parse_from(words.into_iter().chain(["--model=/somewhere/m x.gguf", "--out=/elsewhere"]));
        let Command::Proof(args) = cli.command else { panic!("another subcommand") };
        assert_eq!(
            command(&args),
            "cargo xtask proof --device cuda:1 --seed 7 --timeout 9 --type bdd --code-coverage --nonce='a b' --model='m x.gguf'"
        );
        let cli = Cli::parse_from(["xtask", "proof", "--kit=/somewhere"]);
        let Command::Proof(args) = cli.command else { panic!("another subcommand") };
        assert_eq!(command(&args), "./prove --device auto --seed 42 --timeout 120 --type unit");
    }
}
