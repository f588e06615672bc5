//! From the sources to the image: machine code for one architecture, PTX for the others, and what the tools said of them.

use std::collections::BTreeMap;
use std::path::Path;

use super::manifest::{self, Compiler, Kernel, MachineCode, Manifest, Ptx};
use super::ptxas;
use super::toolchain::{self, Toolchain};
use crate::error::XtaskError;
use crate::sources::sha256_hex;

/// The source that includes the others.
const MAIN: &str = "vram_residency.cu";

/// The ISA version that the PTX is said to be of. The compiler always writes its own, which only drivers as new as itself
/// take; what it emits for these kernels is older.
const PTX_VERSION: &str = "7.0";

/// The oldest driver that knows [`PTX_VERSION`].
const PTX_DRIVER: &str = "450 (CUDA 11.0)";

/// The driver of the compiler's own CUDA release, 13.0.
const CODE_DRIVER: &str = "580 (CUDA 13.0)";

/// Where machine code says its version: ELF header, `e_ident[EI_ABIVERSION]`.
const ABI_VERSION: usize = 8;

/// The commands. Each reads and writes the directory that it runs in.
const COMPILE: [&str; 8] = ["nvcc", "-std=c++17", "-cubin", "-arch=sm_90", "-Xptxas=-v", MAIN, "-o", "sm_90.cubin"];
const EMIT: [&str; 7] = ["nvcc", "-std=c++17", "-ptx", "-arch=compute_75", MAIN, "-o", "emitted.ptx"];
const ASSEMBLE_EMITTED: [&str; 6] = ["ptxas", "-v", "-arch=sm_75", "emitted.ptx", "-o", "emitted.cubin"];
const ASSEMBLE: [&str; 6] = ["ptxas", "-v", "-arch=sm_75", "compute_75.ptx", "-o", "compute_75.cubin"];
const BIND: [&str; 6] = [
    "fatbinary",
    "--create=vram_residency.fatbin",
    "-64",
    "--compress-mode=size",
    "--image3=kind=elf,sm=90,file=sm_90.cubin",
    "--image3=kind=ptx,sm=75,file=compute_75.ptx",
];

/// What a build gives.
#[derive(Debug)]
pub(super) struct Built {
    /// The image.
    pub(super) image: Vec<u8>,
    /// What describes it.
    pub(super) manifest: Manifest,
}

/// Builds in a directory of its own, so that nothing but the sources goes in.
///
/// # Errors
/// [`XtaskError`] when a tool fails, or says something else than it is known to say.
pub(super) fn build(root: &Path, toolchain: &Toolchain) -> Result<Built, XtaskError> {
    let scratch = tempfile::tempdir().map_err(XtaskError::write(&std::env::temp_dir()))?;
    let directory = scratch.path();
    let sources = copy_sources(root, directory)?;
    let run = |words: &[&str]| {
        let (tool, arguments) = words.split_first().unwrap_or((&"", &[]));
        let mut command = toolchain.command(tool, arguments);
        toolchain::run(command.current_dir(directory), directory, "its last words are above")
    };
    let read = |name: &str| {
        let path = directory.join(name);
        std::fs::read(&path).map_err(XtaskError::read(&path))
    };

    let mut kernels = ptxas::kernels(&run(&COMPILE)?);
    run(&EMIT)?;
    let emitted = String::from_utf8_lossy(&read("emitted.ptx")?).into_owned();
    let (lowered, emitted_version) = with_version(&emitted, PTX_VERSION)?;
    let path = directory.join("compute_75.ptx");
    std::fs::write(&path, lowered).map_err(XtaskError::write(&path))?;
    run(&ASSEMBLE_EMITTED)?;
    kernels.extend(ptxas::kernels(&run(&ASSEMBLE)?));
    if read("emitted.cubin")? != read("compute_75.cubin")? {
        return Err(XtaskError::Input(format!(
            "PTX {emitted_version} and {PTX_VERSION} give different machine code: raise PTX_VERSION in xtask/src/kernels/build.rs"
        )));
    }
    run(&BIND)?;
    let image = read("vram_residency.fatbin")?;
    let manifest = Manifest {
        image_sha256: sha256_hex(&image),
        image_bytes: image.len(),
        sources,
        compiler: Compiler {
            nvcc: toolchain.release.clone(),
            build: toolchain.build.clone(),
            packages: toolchain.packages.clone(),
        },
        commands: commands(&emitted_version),
        ptx: Ptx {
            target: "compute_75".to_owned(),
            emitted_version,
            version: PTX_VERSION.to_owned(),
            minimum_driver: PTX_DRIVER.to_owned(),
        },
        machine_code: MachineCode {
            target: "sm_90".to_owned(),
            elf_abi_version: read("sm_90.cubin")?.get(ABI_VERSION).copied().unwrap_or(0),
            known_driver: CODE_DRIVER.to_owned(),
        },
        kernels: complete(kernels)?,
    };
    Ok(Built { image, manifest })
}

/// Copies the sources and takes their digests.
fn copy_sources(root: &Path, directory: &Path) -> Result<BTreeMap<String, String>, XtaskError> {
    let mut digests = BTreeMap::new();
    for name in manifest::source_names(root)? {
        let path = root.join(manifest::SOURCES).join(&name);
        let bytes = std::fs::read(&path).map_err(XtaskError::read(&path))?;
        let copy = directory.join(&name);
        std::fs::write(&copy, &bytes).map_err(XtaskError::write(&copy))?;
        digests.insert(name, sha256_hex(&bytes));
    }
    Ok(digests)
}

/// The PTX with `version` in its header, and the version that stood there.
fn with_version(ptx: &str, version: &str) -> Result<(String, String), XtaskError> {
    let line = ptx.lines().find(|line| line.starts_with(".version "));
    let line = line.ok_or_else(|| XtaskError::Input("nvcc wrote PTX without a version: give another nvcc".into()))?;
    let emitted = line.trim_start_matches(".version ").trim().to_owned();
    Ok((ptx.replacen(line, &format!(".version {version}"), 1), emitted))
}

/// The commands as a shell takes them.
fn commands(emitted_version: &str) -> Vec<String> {
    let shell = |words: &[&str]| words.join(" ");
    let lower = format!("sed 's/^\\.version {emitted_version}$/.version {PTX_VERSION}/' emitted.ptx > compute_75.ptx");
    let same = "cmp emitted.cubin compute_75.cubin".to_owned();
    vec![shell(&COMPILE), shell(&EMIT), lower, shell(&ASSEMBLE_EMITTED), shell(&ASSEMBLE), same, shell(&BIND)]
}

/// The kernels, when the assembler told of the same ones for both architectures.
fn complete(kernels: Vec<Kernel>) -> Result<Vec<Kernel>, XtaskError> {
    let names = |code: &str| -> Vec<&str> {
        kernels.iter().filter(|kernel| kernel.code == code).map(|kernel| kernel.name.as_str()).collect()
    };
    if names("sm_90").is_empty() || names("sm_90") != names("sm_75") {
        return Err(XtaskError::Input("ptxas -v did not tell of every kernel: give another nvcc".into()));
    }
    Ok(kernels)
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

    #[test]
    fn only_the_version_in_the_header_is_replaced() {
        let ptx = "// .version 1\n.version 9.0\n.target sm_75\n// .version 9.0\n";
        let lowered = "// .version 1\n.version 7.0\n.target sm_75\n// .version 9.0\n";
        assert_eq!(with_version(ptx, "7.0").unwrap(), (lowered.to_owned(), "9.0".to_owned()));
        assert!(with_version(".target sm_75\n", "7.0").is_err());
    }

    #[test]
    fn figures_of_one_architecture_alone_are_refused() {
        let kernel = |code: &str| Kernel {
            name: "probe".into(),
            code: code.into(),
            registers: 1,
            stack_bytes: 0,
            spill_store_bytes: 0,
            spill_load_bytes: 0,
            shared_bytes: 0,
        };
        assert!(complete(vec![]).is_err());
        assert!(complete(vec![kernel("sm_90")]).is_err());
        assert_eq!(complete(vec![kernel("sm_90"), kernel("sm_75")]).unwrap().len(), 2);
    }
}
