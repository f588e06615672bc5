//! Where a bundle comes from: the compiler, the files, the command, the time.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use proof_bundle::provenance::{Environment, FileDigest};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::cli::{DeviceChoice, ProofArgs};
use crate::env;
use crate::error::XtaskError;

/// RFC 3339 in UTC; empty past the year 9999.
pub(crate) fn now() -> String {
    OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default()
}

/// A file's digest under the name that it has in the bundle.
pub(super) fn digest(name: &str, path: &Path) -> Result<FileDigest, XtaskError> {
    Ok(FileDigest::of(name, path)?)
}

/// What the compiler of the workspace prints for `argument`.
pub(crate) fn rustc(root: &Path, argument: &str) -> Result<String, XtaskError> {
    let mut command = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc")));
    env::scrub(&mut command);
    let output = command
        .arg(argument)
        .current_dir(root)
        .output()
        .map_err(|source| XtaskError::Start { program: "rustc".to_owned(), source })?;
    if !output.status.success() {
        return Err(XtaskError::Input(format!("rustc {argument} failed: {}", String::from_utf8_lossy(&output.stderr))));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
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

/// A word as a POSIX shell takes it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-+=./:@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
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
    use crate::cli::{Cli, Command as Subcommand};

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
        let Subcommand::Proof(args) = cli.command else { panic!("another subcommand") };
        assert_eq!(
            command(&args),
            "cargo xtask proof --device cuda:1 --seed 7 --timeout 9 --type bdd --code-coverage --nonce='a b' --model='m x.gguf'"
        );
        let cli = Cli::parse_from(["xtask", "proof", "--kit=/somewhere"]);
        let Subcommand::Proof(args) = cli.command else { panic!("another subcommand") };
        assert_eq!(command(&args), "./prove --device auto --seed 42 --timeout 120 --type unit");
    }

    #[test]
    fn a_shell_takes_a_quoted_word_as_it_is() {
        for word in ["plain::name", "it's; rm -rf /", "", "a b", "$HOME", "\"x\"", "<script>|.gguf", "§"] {
            let output = Command::new("sh").arg("-c").arg(format!("printf %s {}", quoted(word))).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word);
        }
    }
}
