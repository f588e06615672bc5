//! `cargo xtask coverage`: the specifications and tests as they are now, judged by the latest bundle.
//!
//! Which tests exist is read from the source, so a test that never ran is known. Statuses are derived by `proof-bundle` from
//! what the run left; nothing here decides one.

mod snapshot;
pub(crate) mod summary;

use std::fs::Permissions;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use proof_bundle::code_coverage::CodeCoverage;
use proof_bundle::coverage::{Inputs, derive_current};
use proof_bundle::provenance::{Commit, Metadata};
use proof_bundle::report::{Current, render_current};
use proof_bundle::requirement::{RequirementsFile, parse_specs};
use proof_bundle::verify::{Options, verify};

use crate::error::XtaskError;
use crate::exit::Exit;
use crate::suite::map::Map;
use crate::workspace::{self, Workspace};
use crate::{bundles, output};
use snapshot::{Observed, Snapshot};
use summary::{Bundle, SnapshotState, Summary};

/// Where the results go unless the user says otherwise, below the workspace's root.
const OUT: &str = "target/coverage";

/// Examples at the end of `cargo xtask coverage --help`.
const EXAMPLES: &str = "\
Examples:
  cargo xtask coverage                       judge the specifications as they are now by the latest bundle
  cargo xtask coverage --bundle BUNDLE       by this one
  cargo xtask coverage --check               and compare with specs/coverage.snapshot.json: 1 when it differs
  cargo xtask coverage --update              and write that snapshot";

/// Options of `coverage`.
#[derive(Args, Debug)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", Exit::help()))]
pub(crate) struct CoverageArgs {
    /// The bundle to judge by [default: the latest]
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
    /// Where to look for the latest bundle [default: proof_bundles]
    #[arg(long, value_name = "DIR", conflicts_with = "bundle")]
    bundles: Option<PathBuf>,
    /// Where coverage.json and spec_coverage.md go [default: target/coverage]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Compare with the committed snapshot
    #[arg(long)]
    check: bool,
    /// Write the snapshot. Statuses come from a bundle that judged the same texts by the same tests; others stay
    #[arg(long, conflicts_with = "check")]
    update: bool,
    /// Print the summary as JSON instead of text
    #[arg(long)]
    json: bool,
    /// The workspace, for the end-to-end tests of this command
    #[arg(long, value_name = "DIR", hide = true)]
    root: Option<PathBuf>,
}

/// A bundle as it was read.
struct Read {
    directory: PathBuf,
    inputs: Inputs,
    host: String,
    code_coverage: Option<CodeCoverage>,
}

/// The subcommand.
pub(crate) fn run(args: &CoverageArgs) -> Result<Exit, XtaskError> {
    let root = match &args.root {
        Some(root) => std::path::absolute(root).map_err(XtaskError::read(root))?,
        None => workspace::find_root()?,
    };
    let commit = Commit::read(&root)?;
    let map = Map::read(&root, &Workspace::load(&root)?)?;
    let current = RequirementsFile::new(parse_specs(root.join("specs"))?, &map.tests, &map.scenarios);
    let bundles = args.bundles.clone().unwrap_or_else(|| root.join(bundles::DEFAULT));
    let read = find(args, &bundles)?.map(Read::from).transpose()?;
    let run = read.as_ref().map(|read| &read.inputs);
    let coverage = derive_current(&current, run);

    let bundle = read.as_ref().map(|read| Bundle {
        directory: read.directory.clone(),
        run_id: read.inputs.provenance.run_id.clone(),
        is_current: read.inputs.provenance.commit.sha == commit.sha,
        commit: read.inputs.provenance.commit.clone(),
    });
    let code_coverage = read.as_ref().and_then(|read| read.code_coverage.clone());
    let matrix = render_current(&Current {
        commit: &commit,
        run,
        requirements: &current,
        coverage: &coverage,
        code_coverage: code_coverage.as_ref(),
    });
    let mut summary = Summary::new(&coverage, commit, bundle, bundles, code_coverage);

    let observed =
        read.as_ref().map(|read| Observed { host: &read.host, coverage: &coverage, judged: &read.inputs.requirements });
    if args.check {
        let committed = Snapshot::read(&root)?;
        let mut now = Snapshot::new(&current, None, &committed);
        if let Some(Observed { host, coverage, .. }) = &observed {
            now = now.with_statuses(host, coverage);
        }
        let differences = committed.differences(&now, observed.as_ref().map(|observed| observed.host));
        if !differences.is_empty() {
            summary.differs();
        }
        summary.snapshot = Some(SnapshotState { word: "differs", differences });
    }
    let out = args.out.clone().unwrap_or_else(|| root.join(OUT));
    let mut written =
        vec![(out.join("coverage.json"), output::json(&coverage)?), (out.join("spec_coverage.md"), matrix)];
    if args.update {
        let before = Snapshot::read(&root).unwrap_or_default();
        let now = Snapshot::new(&current, observed.as_ref(), &before);
        let differences = before.differences(&now, observed.as_ref().map(|observed| observed.host));
        summary.snapshot = Some(SnapshotState { word: "changed", differences });
        written.push((root.join(snapshot::FILE), output::json(&now)?));
    }
    for (path, text) in written {
        write(&path, &text)?;
        summary.written.push(path);
    }
    let text = if args.json { output::json(&summary)? } else { format!("{summary}\n") };
    output::print(&text)?;
    Ok(summary.exit)
}

/// The bundle that was asked for, or the latest.
fn find(args: &CoverageArgs, bundles: &Path) -> Result<Option<PathBuf>, XtaskError> {
    let Some(bundle) = &args.bundle else {
        args.bundles.as_deref().map(bundles::named).transpose()?;
        return Ok(bundles::latest(bundles));
    };
    let problem = match bundles::missing(bundle) {
        _ if !bundle.exists() => "there is nothing".to_owned(),
        _ if !bundle.is_dir() => "it is no directory".to_owned(),
        Some(file) => format!("it has no {file}"),
        None => return Ok(Some(bundle.clone())),
    };
    let name = bundle.display();
    Err(XtaskError::Input(format!("{name} is not a bundle: {problem}; `cargo xtask proof` makes one and prints where")))
}

impl Read {
    fn from(directory: PathBuf) -> Result<Self, XtaskError> {
        let read = || {
            if let Some(fault) = verify(&directory, &Options::integrity_only()).fault() {
                return Err(fault);
            }
            let text = std::fs::read(directory.join("metadata.json")).map_err(|error| error.to_string())?;
            let metadata: Metadata =
                serde_json::from_slice(&text).map_err(|error| format!("metadata.json: {error}"))?;
            let line = |error| XtaskError::Bundle(error).line();
            let inputs = Inputs::read(&directory).map_err(line)?;
            let code_coverage = CodeCoverage::read(&directory).map_err(line)?;
            Ok((metadata.test_mode, inputs, code_coverage))
        };
        match read() {
            Ok((host, inputs, code_coverage)) => Ok(Self { directory, inputs, host: host.to_string(), code_coverage }),
            Err::<_, String>(problem) => Err(XtaskError::Input(format!(
                "the bundle {} cannot be read ({problem}): run `cargo xtask proof` again, or name another with --bundle",
                directory.display()
            ))),
        }
    }
}

/// Writes a file whole or not at all; who may read it is up to the umask.
fn write(path: &Path, text: &str) -> Result<(), XtaskError> {
    let directory = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory).map_err(XtaskError::write(directory))?;
    let everybody = Permissions::from_mode(0o666);
    let mut file =
        tempfile::Builder::new().permissions(everybody).tempfile_in(directory).map_err(XtaskError::write(directory))?;
    file.write_all(text.as_bytes()).map_err(XtaskError::write(path))?;
    file.persist(path).map(drop).map_err(|error| XtaskError::write(path)(error.error))
}
