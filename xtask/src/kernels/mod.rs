//! `cargo xtask kernels`: builds the committed image of the CUDA kernels from its sources with the pinned compiler, or checks
//! that it is what they give.

mod build;
pub(crate) mod manifest;
mod ptxas;
mod toolchain;

use std::path::{Path, PathBuf};

use clap::Args;

use crate::error::XtaskError;
use crate::exit::Exit;
use crate::progress::step;
use crate::table::columns;
use crate::workspace::{self, Workspace};
use crate::{output, process};

use build::Built;
pub(crate) use manifest::IMAGE;
use manifest::{MANIFEST, Manifest};
use toolchain::Toolchain;

/// What `cargo xtask kernels --help` ends with.
const HELP: &str = "\
The compiler comes from Python packages of fixed versions, which pip installs into a virtual environment below the target
directory at the first use (some 300 MB); a later call uses what is there. Also needed: Python 3 with venv, and g++, which
nvcc calls. No GPU is needed, and none of this by `cargo build` or `cargo test`.

The build is reproducible: the same sources and compiler give the same image to the byte, in any directory.
--check exits with 1 when the committed image or its manifest is not what the sources give.

Examples:
  cargo xtask kernels                     after a change of kernels/*.cu or *.cuh: build, then commit kernels/images
  cargo xtask kernels --check             what CI runs
  cargo xtask kernels --nvcc /opt/cuda/bin/nvcc    another compiler; its image will differ";

/// Options of `kernels`.
#[derive(Args, Debug)]
#[command(after_help = format!("{HELP}\n\n{}", Exit::help()))]
pub(crate) struct KernelsArgs {
    /// Write nothing: build, and compare with the committed image and manifest
    #[arg(long)]
    check: bool,
    /// An nvcc to use instead of the pinned one; ptxas and fatbinary are taken from its directory
    #[arg(long, value_name = "PATH")]
    nvcc: Option<PathBuf>,
}

/// The subcommand.
pub(crate) fn run(args: &KernelsArgs) -> Result<Exit, XtaskError> {
    process::catch_interrupts()?;
    let root = workspace::find_root()?;
    let toolchain = match &args.nvcc {
        Some(nvcc) => Toolchain::beside(nvcc)?,
        None => Toolchain::pinned(&Workspace::load(&root)?.target_directory.join("kernels"))?,
    };
    step("building the kernels' image");
    let built = build::build(&root, &toolchain)?;
    if args.check {
        return report(&built, &differences(&root, &built)?);
    }
    write(&root, &built)?;
    output::print(&format!("{}\nwritten: {IMAGE}, {MANIFEST}\n", text(&built.manifest)))?;
    Ok(Exit::Proven)
}

fn write(root: &Path, built: &Built) -> Result<(), XtaskError> {
    let manifest = output::json(&built.manifest)?;
    for (path, bytes) in [(IMAGE, built.image.as_slice()), (MANIFEST, manifest.as_bytes())] {
        let path = root.join(path);
        let directory = path.parent().unwrap_or(root);
        std::fs::create_dir_all(directory).map_err(XtaskError::write(directory))?;
        std::fs::write(&path, bytes).map_err(XtaskError::write(&path))?;
    }
    Ok(())
}

fn report(built: &Built, findings: &[String]) -> Result<Exit, XtaskError> {
    if findings.is_empty() {
        output::print(&format!("{}\nthe committed image is what the sources give\n", text(&built.manifest)))?;
        return Ok(Exit::Proven);
    }
    let lines: String = findings.iter().map(|finding| format!("{finding}\n")).collect();
    output::print(&format!("{lines}kernels: {} found; run `cargo xtask kernels` and commit\n", findings.len()))?;
    Ok(Exit::Found)
}

/// What of the committed files is not what was built.
fn differences(root: &Path, built: &Built) -> Result<Vec<String>, XtaskError> {
    let mut findings: Vec<String> = manifest::check(root)?.into_iter().map(|(_, finding)| finding).collect();
    let committed = root.join(IMAGE);
    if std::fs::read(&committed).is_ok_and(|bytes| bytes != built.image) {
        findings.push(format!("{IMAGE} is not the image that the sources give"));
    }
    if let Ok(committed) = Manifest::read(root) {
        let (there, here) = (&committed.compiler, &built.manifest.compiler);
        let same_packages = here.packages.is_empty() || there.packages == here.packages;
        let figures = [
            ("compiler", there.nvcc == here.nvcc && there.build == here.build && same_packages),
            ("commands", committed.commands == built.manifest.commands),
            ("PTX", committed.ptx == built.manifest.ptx),
            ("machine code", committed.machine_code == built.manifest.machine_code),
            ("figures of the kernels", committed.kernels == built.manifest.kernels),
        ];
        let others = figures.iter().filter(|(_, same)| !same);
        findings.extend(others.map(|(what, _)| format!("{MANIFEST}: other {what} than this build's")));
    }
    Ok(findings)
}

/// The figures, for people.
fn text(manifest: &Manifest) -> String {
    let head = ["kernel", "code", "registers", "stack", "spilled", "shared memory"].map(str::to_owned);
    let mut rows = vec![head];
    rows.extend(manifest.kernels.iter().map(|kernel| {
        let spilled = kernel.spill_store_bytes.saturating_add(kernel.spill_load_bytes);
        let bytes = |bytes: u64| format!("{bytes} B");
        [
            kernel.name.clone(),
            kernel.code.clone(),
            kernel.registers.to_string(),
            bytes(kernel.stack_bytes),
            bytes(spilled),
            bytes(kernel.shared_bytes),
        ]
    }));
    format!("{}\nimage     {} bytes, SHA-256 {}\n", columns(&rows), manifest.image_bytes, manifest.image_sha256)
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
    use super::*;

    /// What a build of the committed sources gives, as far as it can be had without a compiler.
    fn committed() -> (tempfile::TempDir, Built) {
        let here = Path::new("..");
        let copy = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(copy.path().join("kernels/images")).unwrap();
        let manifest = Manifest::read(here).unwrap();
        let sources = manifest.sources.keys().map(|name| format!("kernels/{name}"));
        for file in sources.chain([IMAGE.to_owned(), MANIFEST.to_owned()]) {
            std::fs::copy(here.join(&file), copy.path().join(&file)).unwrap();
        }
        let image = std::fs::read(here.join(IMAGE)).unwrap();
        (copy, Built { image, manifest })
    }

    #[test]
    fn the_committed_files_have_no_differences() {
        let (copy, built) = committed();
        assert_eq!(differences(copy.path(), &built).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn each_thing_that_differs_is_found_and_named() {
        let finds = |change: &dyn Fn(&Path, &mut Built), words: &[&str]| {
            let (copy, mut built) = committed();
            change(copy.path(), &mut built);
            let findings = differences(copy.path(), &built).unwrap();
            assert_eq!(findings.len(), words.len(), "{findings:?}");
            for (finding, word) in findings.iter().zip(words) {
                assert!(finding.contains(word), "{finding} does not say {word}");
            }
        };
        finds(&|_, built| built.image[0] ^= 1, &["is not the image that the sources give"]);
        finds(&|_, built| built.manifest.compiler.nvcc.push('x'), &["other compiler"]);
        finds(&|_, built| built.manifest.commands.clear(), &["other commands"]);
        finds(&|_, built| built.manifest.ptx.version.push('x'), &["other PTX"]);
        finds(&|_, built| built.manifest.machine_code.elf_abi_version += 1, &["other machine code"]);
        finds(&|_, built| built.manifest.kernels[0].registers += 1, &["other figures of the kernels"]);
        let append = |file: &'static str| {
            move |root: &Path, _: &mut Built| {
                let mut bytes = std::fs::read(root.join(file)).unwrap();
                bytes.push(b'\n');
                std::fs::write(root.join(file), bytes).unwrap();
            }
        };
        finds(&append("kernels/sha256.cuh"), &["sha256.cuh has changed"]);
        finds(&append(IMAGE), &["not the image that the manifest describes", "is not the image that the sources give"]);
        finds(&|_, built| built.manifest.compiler.packages.truncate(1), &["other compiler"]);
        finds(&|root, _| std::fs::write(root.join("kernels/more.cuh"), "").unwrap(), &["more.cuh is not in"]);
        finds(&|root, _| std::fs::remove_file(root.join("kernels/probe.cu")).unwrap(), &["probe.cu is gone"]);
        finds(&|root, _| std::fs::remove_file(root.join(IMAGE)).unwrap(), &["is missing"]);
        finds(&|root, _| std::fs::remove_file(root.join(MANIFEST)).unwrap(), &["is missing"]);
        finds(&|root, _| std::fs::write(root.join(MANIFEST), "{").unwrap(), &["is not a manifest"]);
    }

    #[test]
    fn a_build_is_written_where_the_check_looks_for_it() {
        let (copy, built) = committed();
        std::fs::remove_dir_all(copy.path().join("kernels/images")).unwrap();
        write(copy.path(), &built).unwrap();
        assert_eq!(differences(copy.path(), &built).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn the_committed_kernels_spill_nothing_and_have_the_names_that_the_host_calls() {
        let here = Path::new("..");
        let manifest = Manifest::read(here).unwrap();
        for code in ["sm_75", "sm_90"] {
            let of_code = manifest.kernels.iter().filter(|kernel| kernel.code == code);
            let names: Vec<&str> = of_code.map(|kernel| kernel.name.as_str()).collect();
            assert_eq!(names, ["find_nonzero", "hash_blocks", "probe"], "{code}");
        }
        for kernel in &manifest.kernels {
            assert_eq!(
                (kernel.spill_store_bytes, kernel.spill_load_bytes, kernel.stack_bytes),
                (0, 0, 0),
                "{kernel:?}"
            );
        }
    }
}
