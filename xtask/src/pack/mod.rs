//! `cargo xtask pack`: a kit for a machine without Rust and without network, which GPU nodes often are.

mod archive;
mod glibc;
mod stage;

use std::path::{Path, PathBuf};

use clap::Args;
use proof_bundle::provenance::Commit;
use proof_bundle::requirement::parse_specs;

use crate::error::XtaskError;
use crate::exit::Exit;
use crate::progress::{note, step};
use crate::suite::build;
use crate::suite::map::Map;
use crate::watch::Watch;
use crate::workspace::{self, Workspace};
use crate::{env, output, process};

/// The profile of the test binaries in a kit, which the workspace's `Cargo.toml` defines.
const PROFILE: &str = "kit";

/// Options of `pack`.
#[derive(Args, Debug)]
#[command(after_help = format!("\
Examples:
  cargo xtask pack                           target/vram-residency-kit-COMMIT.tar.gz
  cargo xtask pack --out /media/usb/kit.tar.gz

There, with a shell, tar, gzip, sed, coreutils, glibc and the NVIDIA driver:
  tar -xzf vram-residency-kit-COMMIT.tar.gz
  vram-residency-kit-COMMIT/bin/xtask keygen signing.pem
  vram-residency-kit-COMMIT/prove --device cuda --key signing.pem

The last line of stdout is the archive; the line before it is the kit's digest, which every bundle made with it repeats. Tests
that need cargo, git or readelf, and the doc tests, do not run there, and the bundle says so. Needs GNU tar, gzip, zstd and
binutils here.

{}", Exit::help()))]
pub(crate) struct PackArgs {
    /// The archive to write; never over another [default: target/vram-residency-kit-COMMIT.tar.gz]
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// The workspace to pack, for the end-to-end tests of this command
    #[arg(long, value_name = "DIR", hide = true)]
    pub(crate) root: Option<PathBuf>,
}

/// The subcommand.
pub(crate) fn run(args: &PackArgs) -> Result<Exit, XtaskError> {
    process::catch_interrupts()?;
    let root = match &args.root {
        Some(root) => std::path::absolute(root).map_err(XtaskError::read(root))?,
        None => workspace::find_root()?,
    };
    // What a proof would refuse there is refused here, before anything takes time.
    let before = Commit::read(&root)?;
    let workspace = Workspace::load(&root)?;
    parse_specs(root.join("specs"))?;
    let watch = Watch::start(&root, &Map::read(&root, &workspace)?)?;
    let commit = watch.commit(before.clone());
    env::of_builds(&root)?;
    let name = kit_name(&commit);
    let out = match &args.out {
        Some(out) => std::path::absolute(out).map_err(XtaskError::write(out))?,
        None => workspace.target_directory.join(format!("{name}.tar.gz")),
    };
    refuse_to_overwrite(&out)?;
    archive::check_tools()?;
    if commit.dirty {
        note("the working tree differs from its commit: every bundle made with the kit says so");
    }

    // Beside the archive, which is moved into place when it is complete.
    let place = out.parent().unwrap_or(Path::new("/"));
    std::fs::create_dir_all(place).map_err(XtaskError::write(place))?;
    let scratch = tempfile::Builder::new().prefix(".kit-").tempdir_in(place).map_err(XtaskError::write(place))?;
    std::fs::create_dir(scratch.path().join(crate::suite::TEMPORARY)).map_err(XtaskError::write(scratch.path()))?;
    step(&format!("building the tests: cargo test --workspace --no-run --profile {PROFILE}"));
    let built = build::build(&root, &workspace, scratch.path(), Some(PROFILE))?;
    step(&format!("packing {} test binaries and the sources", built.tests.len()));
    let kit = scratch.path().join(&name);
    let sha256 = stage::stage(&kit, &root, &workspace, &commit, &built)?;
    process::check_interrupted()?;
    watch.check()?;
    if Commit::read(&root)? != before {
        let problem = "the working tree changed while the kit was built: run again and leave it alone meanwhile";
        return Err(XtaskError::Input(problem.to_owned()));
    }
    let archive = archive::write(scratch.path(), &name)?;
    let bytes = std::fs::metadata(&archive).map_err(XtaskError::read(&archive))?.len();
    // A link, unlike a rename, fails where a file has come to be meanwhile.
    std::fs::hard_link(&archive, &out).map_err(XtaskError::write(&out))?;
    note(&format!("{bytes} bytes; unpack it there with `tar -xzf`, then run {name}/prove"));
    output::print(&format!("kit {sha256}\n{}\n", out.display()))?;
    Ok(Exit::Proven)
}

/// The name of the archive and of the directory in it.
fn kit_name(commit: &Commit) -> String {
    let short = commit.sha.get(..8).unwrap_or(&commit.sha);
    format!("vram-residency-kit-{short}{}", if commit.dirty { "-dirty" } else { "" })
}

fn refuse_to_overwrite(out: &Path) -> Result<(), XtaskError> {
    if out.symlink_metadata().is_err() {
        return Ok(());
    }
    Err(XtaskError::Input(format!(
        "{} exists, and nothing is overwritten: remove it, or name another file with --out",
        out.display()
    )))
}
