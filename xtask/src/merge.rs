//! `cargo xtask merge`: joins the bundles of several runs of one commit into one. This process runs no test.

use std::path::PathBuf;

use clap::Args;
use proof_bundle::attest::{self, SigningKey};
use proof_bundle::coverage::Status;
use proof_bundle::merge::{MergedCoverage, merge};
use proof_bundle::verify::one_line;
use serde::Serialize;

use crate::error::XtaskError;
use crate::exit::Exit;
use crate::process;
use crate::{bundles, key_file, output, workspace};

/// Options of `merge`.
#[derive(Args, Debug)]
#[command(
    override_usage = "cargo xtask merge A B … [--out DIR] [--key FILE] [--json]",
    after_help = format!("\
Examples:
  cargo xtask merge proof_bundles/unit/RUN_CPU proof_bundles/gpu/RUN_GPU
  cargo xtask merge ../from-ci/RUN_CPU ../from-gpu-node/RUN_GPU --out /mnt/audit --key ../signing.pem
  cargo xtask verify proof_bundles/merged/RUN_ID --public-key ci.pub --public-key gpu-node.pub

The bundles are of one commit with a clean tree and of the same requirements; each is verified before it is merged, and kept
whole, with its attestations. A requirement has the best status that one run by itself gives it, and is failed if any run
failed it; a run that failed makes the whole fail. Sign each bundle where it was made, before merging: whoever verifies the
merged bundle asks for trusted signatures of it and of every run in it. The last line of stdout is the bundle's directory.

{}", Exit::help())
)]
pub(crate) struct MergeArgs {
    /// The bundles' directories, two or more
    #[arg(value_name = "BUNDLE", required = true)]
    pub(crate) bundles: Vec<PathBuf>,
    /// Where bundles go; the bundle becomes DIR/merged/RUN_ID [default: proof_bundles]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Sign the merged bundle with this Ed25519 key
    #[arg(long, value_name = "FILE")]
    pub(crate) key: Option<PathBuf>,
    /// Print the summary as JSON instead of text
    #[arg(long)]
    pub(crate) json: bool,
}

/// The output of `--json`.
#[derive(Serialize)]
struct Output<'a> {
    bundle: String,
    exit_code: u8,
    signed: bool,
    unsigned_inputs: Vec<&'a str>,
    #[serde(flatten)]
    coverage: &'a MergedCoverage,
}

/// The subcommand.
pub(crate) fn run(args: &MergeArgs) -> Result<Exit, XtaskError> {
    // From here on Ctrl-C waits, and nothing half-written is left behind.
    process::catch_interrupts()?;
    join(args)
}

fn join(args: &MergeArgs) -> Result<Exit, XtaskError> {
    // A key that cannot be used is no reason to write a bundle first.
    let key = args.key.as_deref().map(|path| key_file::read(path, SigningKey::from_pem)).transpose()?;
    let root = match &args.out {
        Some(out) => out.clone(),
        None => workspace::find_root()?.join(bundles::DEFAULT),
    };
    let (bundle, coverage) = merge(&args.bundles, &root)?;
    if let Some(key) = &key {
        attest::sign(&bundle, key)?;
    }
    let unsigned_inputs: Vec<&str> = coverage
        .runs
        .iter()
        .map(|run| run.run_id.as_str())
        .filter(|run_id| !bundle.join(proof_bundle::merge::INPUTS).join(run_id).join(attest::DIRECTORY).is_dir())
        .collect();
    for run_id in &unsigned_inputs {
        output::say(&format!("note: the run {run_id} is not signed, so no verifier will trust the merged bundle"));
    }
    let exit = Exit::from(coverage.verdict());
    output::print(&match args.json {
        true => output::json(&Output {
            bundle: bundle.display().to_string(),
            exit_code: exit.code(),
            signed: key.is_some(),
            unsigned_inputs,
            coverage: &coverage,
        })?,
        false => {
            let signed = key.map(|key| format!("signed with key {}\n", key.public_key().keyid())).unwrap_or_default();
            format!("{}{signed}{}\n", summary(&coverage), bundle.display())
        }
    })?;
    Ok(exit)
}

/// The runs, then what they come to together.
fn summary(coverage: &MergedCoverage) -> String {
    let mut text = format!("merged {} runs of commit {}\n", coverage.runs.len(), coverage.commit);
    for run in &coverage.runs {
        let devices = if run.devices.is_empty() { "no device".to_owned() } else { run.devices.join(", ") };
        let count = &run.requirements;
        text.push_str(&format!(
            "  {}  proven {} of {}  ({})\n",
            run.run_id,
            count.proven,
            count.total,
            one_line(&devices)
        ));
    }
    let count = &coverage.summary.requirements;
    text.push_str(&format!("together      proven {} of {}\n", count.proven, count.total));
    for status in Status::ALL.into_iter().filter(|status| *status != Status::Proven && count.of(*status) > 0) {
        let of = coverage.requirements.iter().filter(|one| one.status == status);
        let ids: Vec<&str> = of.map(|one| one.id.as_str()).collect();
        text.push_str(&format!("{:<12}  {}: {}\n", status.as_str(), ids.len(), ids.join(", ")));
    }
    for problem in &coverage.problems {
        text.push_str(&format!("problem       {}\n", one_line(&problem.message)));
    }
    text
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
    use proof_bundle::merge::MergedSummary;

    use super::*;
    use crate::cli::{Cli, Command};

    fn parse(words: &[&str]) -> Result<MergeArgs, clap::Error> {
        match Cli::try_parse_from(["xtask", "merge"].iter().chain(words))?.command {
            Command::Merge(args) => Ok(args),
            _ => panic!("another subcommand"),
        }
    }

    #[test]
    fn a_problem_of_a_run_is_one_line_that_no_terminal_obeys() {
        let coverage: MergedCoverage = serde_json::from_value(serde_json::json!({
            "renderer_version": 1, "run_id": "r", "commit": "c", "summary": MergedSummary::default(), "runs": [],
            "requirements": [], "roll_ups": [], "vulnerabilities": [],
            "problems": [{"kind": "dead", "message": "\u{1b}[2J\ntogether      proven 55 of 55"}],
        }))
        .unwrap();
        let said = summary(&coverage);
        assert!(said.ends_with("problem       \\u{1b}[2J\\u{a}together      proven 55 of 55\n"), "{said}");
    }

    #[test]
    fn what_cannot_be_merged_is_refused_in_one_line_and_nothing_is_written() {
        let dir = tempfile::tempdir().unwrap();
        let (out, empty) = (dir.path().join("out"), dir.path().join("empty"));
        std::fs::create_dir(&empty).unwrap();
        let (out_name, empty) = (out.to_str().unwrap(), empty.to_str().unwrap());
        let missing = dir.path().join("missing");
        let missing = missing.to_str().unwrap();
        for (words, says) in [
            (&[empty][..], "two bundles or more"),
            (&[empty, empty], "cannot be merged: it is not intact"),
            (&[missing, empty], "no such directory"),
            (&[empty, empty, "--key", missing], "cannot read"),
            (&[empty, empty, "--key", empty], "it is not a file"),
        ] {
            let args = parse(&[words, &["--out", out_name]].concat()).unwrap();
            let error = join(&args).unwrap_err();
            assert!(error.line().contains(says) && !error.line().contains('\n'), "{}", error.line());
            assert_eq!((error.exit(), out.exists()), (Exit::BadInput, false));
        }
        assert_eq!(parse(&[]).unwrap_err().exit_code(), 2);
    }
}
