//! The manifest beside the image: of which sources it was made, by what, and what came out. With it the image can be checked
//! without a compiler.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::error::XtaskError;
use crate::sources::sha256_hex;

/// Where the sources are.
pub(crate) const SOURCES: &str = "kernels";
/// The image that programs include.
pub(crate) const IMAGE: &str = "kernels/images/vram_residency.fatbin";
/// What describes it.
pub(crate) const MANIFEST: &str = "kernels/images/manifest.json";

/// The file [`MANIFEST`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// The image's digest, in hexadecimal.
    pub(crate) image_sha256: String,
    /// The image's length.
    pub(crate) image_bytes: usize,
    /// The SHA-256 of each source, by its name in [`SOURCES`].
    pub(crate) sources: BTreeMap<String, String>,
    /// What compiled them.
    pub(crate) compiler: Compiler,
    /// The commands, in their order, each run in a directory that holds the sources.
    pub(crate) commands: Vec<String>,
    /// The part of the image that the driver compiles for a GPU that the machine code does not fit.
    pub(crate) ptx: Ptx,
    /// The part of the image that a GPU can run as it is.
    pub(crate) machine_code: MachineCode,
    /// What the assembler said of each kernel.
    pub(crate) kernels: Vec<Kernel>,
}

/// The compiler.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Compiler {
    /// Its release and version, as it says.
    pub(crate) nvcc: String,
    /// Its build, as it says.
    pub(crate) build: String,
    /// The Python packages that hold it; none when it was another one.
    pub(crate) packages: Vec<String>,
}

/// PTX in the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ptx {
    /// For which virtual architecture it is.
    pub(crate) target: String,
    /// The ISA version that the compiler wrote into its header.
    pub(crate) emitted_version: String,
    /// The ISA version that stands there now: the assembler makes the same machine code of both, or the build fails.
    pub(crate) version: String,
    /// The oldest driver that knows that version (PTX ISA, "Release Notes"; CUDA Toolkit release notes, driver versions).
    pub(crate) minimum_driver: String,
}

/// Machine code in the image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MachineCode {
    /// For which architecture it is.
    pub(crate) target: String,
    /// The version in its ELF header.
    pub(crate) elf_abi_version: u8,
    /// The driver of the CUDA release that made it; whether an older one takes it is not known.
    pub(crate) known_driver: String,
}

/// A kernel, once for each architecture that it was assembled for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kernel {
    /// Its name.
    pub(crate) name: String,
    /// The architecture.
    pub(crate) code: String,
    /// Registers of a thread.
    pub(crate) registers: u64,
    /// Its stack frame.
    pub(crate) stack_bytes: u64,
    /// Stores of what the registers do not hold.
    pub(crate) spill_store_bytes: u64,
    /// Loads of it.
    pub(crate) spill_load_bytes: u64,
    /// Shared memory of a block.
    pub(crate) shared_bytes: u64,
}

impl Manifest {
    /// Reads the committed one.
    ///
    /// # Errors
    /// [`XtaskError::Read`] and [`XtaskError::Input`] when it is missing or malformed.
    pub(crate) fn read(root: &Path) -> Result<Self, XtaskError> {
        let path = root.join(MANIFEST);
        let text = std::fs::read_to_string(&path).map_err(XtaskError::read(&path))?;
        serde_json::from_str(&text).map_err(|error| XtaskError::Input(format!("{MANIFEST} is not a manifest: {error}")))
    }
}

/// The names of the image's sources, sorted; none where there is no such directory.
///
/// # Errors
/// [`XtaskError::Read`] when it cannot be read.
pub(crate) fn source_names(root: &Path) -> Result<Vec<String>, XtaskError> {
    let directory = root.join(SOURCES);
    if !directory.is_dir() {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&directory).map_err(XtaskError::read(&directory))? {
        let name = entry.map_err(XtaskError::read(&directory))?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".cu") || name.ends_with(".cuh") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Checks without a compiler that the image is the one that the manifest describes, and the sources those that it was made of:
/// the file that each finding is about, and what is wrong with it.
///
/// # Errors
/// [`XtaskError::Read`] when a file that is there cannot be read.
pub(crate) fn check(root: &Path) -> Result<Vec<(PathBuf, String)>, XtaskError> {
    let names = source_names(root)?;
    let mut findings = Vec::new();
    let mut found = |file: &str, what: &str| findings.push((PathBuf::from(file), format!("{file} {what}")));
    for file in [IMAGE, MANIFEST] {
        if !names.is_empty() && !root.join(file).is_file() {
            found(file, "is missing: run `cargo xtask kernels`");
        }
    }
    if !root.join(MANIFEST).is_file() {
        return Ok(findings);
    }
    let manifest = match Manifest::read(root) {
        Ok(manifest) => manifest,
        Err(XtaskError::Input(_)) => {
            found(MANIFEST, "is not a manifest: run `cargo xtask kernels`");
            return Ok(findings);
        }
        Err(error) => return Err(error),
    };
    for name in &names {
        let file = format!("{SOURCES}/{name}");
        let path = root.join(&file);
        let digest = sha256_hex(&std::fs::read(&path).map_err(XtaskError::read(&path))?);
        match manifest.sources.get(name) {
            Some(built) if *built == digest => {}
            Some(_) => found(&file, "has changed since the image was built: run `cargo xtask kernels`"),
            None => found(&file, "is not in the image: run `cargo xtask kernels`"),
        }
    }
    for gone in manifest.sources.keys().filter(|name| !names.contains(name)) {
        found(&format!("{SOURCES}/{gone}"), "is gone, and the image was built of it: run `cargo xtask kernels`");
    }
    let image = root.join(IMAGE);
    if image.is_file() {
        let bytes = std::fs::read(&image).map_err(XtaskError::read(&image))?;
        if sha256_hex(&bytes) != manifest.image_sha256 || bytes.len() != manifest.image_bytes {
            found(IMAGE, "is not the image that the manifest describes: run `cargo xtask kernels`");
        }
    }
    Ok(findings)
}
