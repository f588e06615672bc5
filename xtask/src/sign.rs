//! `cargo xtask sign`: signs a bundle. This process runs no test, and hands the key to no other process.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use clap::Args;
use proof_bundle::attest::{self, ModelSigningKey, SigningKey};

use crate::error::XtaskError;
use crate::exit::Exit;
use crate::process::{self, Ended};
use crate::{env, key_file, output};

/// Options of `sign`.
#[derive(Args, Debug)]
#[command(
    override_usage = "cargo xtask sign BUNDLE --key FILE [--model-signing-key FILE]",
    after_help = format!("\
Examples:
  cargo xtask keygen ../signing.pem
  cargo xtask sign proof_bundles/unit/RUN_ID --key ../signing.pem
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out ../model.pem
  cargo xtask sign proof_bundles/unit/RUN_ID --key ../signing.pem --model-signing-key ../model.pem

The bundle must be as its run left it: intact, with statuses and reports that follow from its evidence. A signed bundle is
not signed again. Keys are unencrypted PKCS#8 files that only you can read. VERIFY.md in the bundle says how to check.

{}", Exit::help())
)]
pub(crate) struct SignArgs {
    /// The bundle's directory
    #[arg(value_name = "BUNDLE", required_unless_present = "check_keys")]
    pub(crate) bundle: Option<PathBuf>,
    /// The Ed25519 private key, from `cargo xtask keygen` or `openssl genpkey -algorithm ED25519`
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// A P-256 private key: also write BUNDLE.sigstore.json, which OpenSSF's `model_signing verify key` accepts
    #[arg(long, value_name = "FILE")]
    pub(crate) model_signing_key: Option<PathBuf>,
    /// Only say whether the keys can be used: `proof` asks before it begins
    #[arg(long, hide = true, conflicts_with = "bundle")]
    pub(crate) check_keys: bool,
}

/// The subcommand.
pub(crate) fn run(args: &SignArgs) -> Result<Exit, XtaskError> {
    // From here on Ctrl-C waits: what is begun takes a moment, and nothing half-written is left behind.
    process::catch_interrupts()?;
    sign(args)
}

fn sign(args: &SignArgs) -> Result<Exit, XtaskError> {
    let key = key_file::read(&args.key, SigningKey::from_pem)?;
    let model_key = match &args.model_signing_key {
        Some(path) => Some(key_file::read(path, ModelSigningKey::from_pem)?),
        None => None,
    };
    let Some(bundle) = &args.bundle else { return Ok(Exit::Proven) };
    if model_key.is_some() {
        let path = attest::signature_path(bundle)?;
        if path.symlink_metadata().is_ok() {
            let problem = "exists, and a signature is never overwritten: move it away";
            return Err(XtaskError::Input(format!("{} {problem}", path.display())));
        }
    }
    attest::sign(bundle, &key)?;
    output::print(&format!("signed {} with key {}\n", bundle.display(), key.public_key().keyid()))?;
    // Last, because it is about every file of the bundle, its attestations among them.
    if let Some(model_key) = model_key {
        let path = model_key.sign_directory(bundle)?;
        output::print(&format!("signed for model-signing: {}\n", path.display()))?;
    }
    Ok(Exit::Proven)
}

/// The keys of a proof. The proof itself never reads them: another process of this program does.
pub(crate) struct Keys<'a> {
    /// `--key`
    pub(crate) key: &'a Path,
    /// `--model-signing-key`
    pub(crate) model_signing_key: Option<&'a Path>,
}

impl Keys<'_> {
    /// Checks that the keys can be used.
    ///
    /// # Errors
    /// What the other process said.
    pub(crate) fn check(&self) -> Result<(), XtaskError> {
        self.run(&["--check-keys".as_ref()]).map(drop)
    }

    /// Signs the bundle; returns what the other process said of it.
    ///
    /// # Errors
    /// What the other process said.
    pub(crate) fn sign(&self, bundle: &Path) -> Result<String, XtaskError> {
        self.run(&["--".as_ref(), bundle])
    }

    fn run(&self, arguments: &[&Path]) -> Result<String, XtaskError> {
        let mut command = Command::new(own_executable()?);
        env::scrub(&mut command);
        command.arg("sign").arg("--key").arg(self.key);
        if let Some(path) = self.model_signing_key {
            command.arg("--model-signing-key").arg(path);
        }
        // Not stopped when the user interrupts: it takes a moment, and half of it is nothing.
        let Output { status, stdout, stderr } = command
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .map_err(|source| XtaskError::Start { program: "the process that signs".to_owned(), source })?;
        if status.success() {
            return Ok(String::from_utf8_lossy(&stdout).into_owned());
        }
        let text = String::from_utf8_lossy(&stderr);
        let last = text.lines().last().unwrap_or_default();
        Err(XtaskError::Input(match last.strip_prefix("error: ") {
            Some(error) => error.to_owned(),
            None => format!("signing ended with {}: {last}", Ended::from(status)),
        }))
    }
}

/// This very program, even when a build has put another file into its place meanwhile.
fn own_executable() -> Result<PathBuf, XtaskError> {
    let running = Path::new("/proc/self/exe");
    if running.exists() {
        return Ok(running.to_owned());
    }
    std::env::current_exe().map_err(|source| XtaskError::Start { program: "xtask".to_owned(), source })
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
    use proof_bundle::attest::SigningKey;

    use super::*;
    use crate::cli::{Cli, Command as Subcommand};

    fn parse(words: &[&str]) -> Result<SignArgs, clap::Error> {
        match Cli::try_parse_from(["xtask", "sign"].iter().chain(words))?.command {
            Subcommand::Sign(args) => Ok(args),
            _ => panic!("another subcommand"),
        }
    }

    #[test]
    fn a_bundle_and_a_key_are_asked_for_and_a_check_of_keys_signs_nothing() {
        assert!(parse(&["bundle", "--key", "k"]).is_ok() && parse(&["--check-keys", "--key", "k"]).is_ok());
        for words in [&["bundle"][..], &["--key", "k"], &["bundle", "--check-keys", "--key", "k"], &[]] {
            assert_eq!(parse(words).unwrap_err().exit_code(), 2, "{words:?}");
        }
    }

    #[test]
    fn what_is_no_bundle_is_refused_in_one_line_and_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("k");
        std::fs::write(&key, SigningKey::generate().unwrap().1.as_bytes()).unwrap();
        std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let key = key.to_str().unwrap();
        let empty = dir.path().join("empty");
        std::fs::create_dir(&empty).unwrap();
        for (bundle, words, exit) in [
            ("missing", "cannot open", Exit::BadInput),
            ("k", "is not signed", Exit::NotIntact),
            ("empty", "missing", Exit::NotIntact),
        ] {
            let path = dir.path().join(bundle);
            let error = sign(&parse(&[path.to_str().unwrap(), "--key", key]).unwrap()).unwrap_err();
            assert!(error.line().contains(words) && !error.line().contains('\n'), "{}", error.line());
            assert_eq!(error.exit(), exit);
        }
        assert_eq!(std::fs::read_dir(empty).unwrap().count(), 0);
        assert_eq!(sign(&parse(&["--check-keys", "--key", key]).unwrap()).unwrap(), Exit::Proven);
    }
}
