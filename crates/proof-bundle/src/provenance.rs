//! Where a bundle comes from: `metadata.json` for people, `provenance.json` for checking.

mod commit;

use std::collections::BTreeMap;
use std::path::Path;

use facts::{DeviceClass, DeviceFacts};
use serde::{Deserialize, Serialize, Serializer};

use crate::{Error, hash};
pub use commit::{Commit, git};

/// A file and its SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileDigest {
    /// What it is: a test binary's id, a kernel image's name.
    pub name: String,
    /// SHA-256 of its bytes, lower-case hexadecimal.
    pub sha256: String,
}

impl FileDigest {
    /// Reads the file at `path` in chunks.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] when the file cannot be read.
    pub fn of(name: impl Into<String>, path: impl AsRef<Path>) -> Result<Self, Error> {
        Ok(Self { name: name.into(), sha256: hash::sha256_file(path.as_ref())? })
    }
}

/// `provenance.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The bundle's run id.
    pub run_id: String,
    /// The source tree.
    #[serde(flatten)]
    pub commit: Commit,
    /// SHA-256 of `Cargo.lock`, lower-case hexadecimal.
    pub cargo_lock_sha256: String,
    /// What `rustc -vV` prints.
    pub rustc: String,
    /// The environment variables that change what cargo builds, by name: `RUSTFLAGS`, `CARGO_PROFILE_…` and the like; and
    /// cargo's configuration, by where it is (`cargo config in CARGO_HOME`), with its SHA-256.
    pub build_environment: BTreeMap<String, String>,
    /// The source files of the library crates, sorted by name: the path from the workspace's root. They tell which mutants
    /// ([`crate::mutants`]) are of this source.
    pub sources: Vec<FileDigest>,
    /// What each test binary was built from, apart from the library crates; by its id, sorted.
    pub test_sources: Vec<FileDigest>,
    /// The test binaries by their ids, sorted.
    pub test_binaries: Vec<FileDigest>,
    /// The kernel images that the library has in it, sorted by name: the path from the workspace's root.
    pub kernel_images: Vec<FileDigest>,
    /// The devices that the run used, as their drivers reported them.
    pub devices: Vec<DeviceFacts>,
    /// The NVIDIA libraries that the process of the live operations had loaded and that could be read at its end, sorted by
    /// name: the file's name without its folder. They say which driver it was. No such member without a GPU.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub driver_libraries: Vec<FileDigest>,
    /// SHA-256 of the program that judged the tests and made the live operations, with the library that it has in it;
    /// lower-case hexadecimal.
    pub program_sha256: String,
    /// The kit that the test binaries came in; no such member when they were built on the host that ran them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kit: Option<Kit>,
    /// What the one who asked for the run wants to find in it.
    pub nonce: Option<String>,
    /// When the run began and ended.
    pub timings: RunTimings,
}

impl Provenance {
    /// What two runs of one commit, each of a clean tree, cannot differ in, and do.
    pub(crate) fn of_other_sources(&self, other: &Self) -> Option<&'static str> {
        [
            (self.cargo_lock_sha256 != other.cargo_lock_sha256, "Cargo.lock"),
            (self.sources != other.sources, "the sources of the library crates"),
            (self.test_sources != other.test_sources, "the sources of the tests"),
            (self.kernel_images != other.kernel_images, "the kernel images"),
        ]
        .into_iter()
        .find_map(|(differs, what)| differs.then_some(what))
    }
}

/// A kit: test binaries built on one host for runs on another. The commit, the compiler and the build's environment are what
/// its maker wrote down there; the host that runs it cannot see them for itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kit {
    /// SHA-256 of the kit's `SHA256SUMS`, lower-case hexadecimal: it stands for all that the kit holds.
    pub sha256: String,
    /// What `cargo --version` printed where it was built.
    pub cargo: String,
    /// The profile of the test binaries, as `Cargo.toml` of the commit defines it.
    pub profile: String,
    /// The host that it was built on.
    pub built_on: Host,
    /// The host that ran it.
    pub run_on: Host,
}

/// What tells hosts apart for a program. No name of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Host {
    /// The distribution, as `PRETTY_NAME` of os-release gives it.
    pub os: String,
    /// The kernel's release.
    pub kernel: String,
    /// The C library, as `getconf GNU_LIBC_VERSION` prints it.
    pub libc: String,
}

impl Kit {
    /// Where it was built and where it ran, in one sentence.
    pub(crate) fn sentence(&self) -> String {
        let host = |host: &Host| format!("{} (kernel {}, {})", host.os, host.kernel, host.libc);
        format!(
            "the binaries were not built by this run but came in a kit: built on {}, run on {}",
            host(&self.built_on),
            host(&self.run_on)
        )
    }
}

/// When a run began and ended; RFC 3339 in UTC.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunTimings {
    /// The first thing done.
    pub started: String,
    /// The last test or operation.
    pub finished: String,
}

/// `metadata.json`: the members of the guide for a rich proof bundle, and the models that were given.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Metadata {
    /// The crate under test.
    #[serde(rename = "crate")]
    pub crate_name: String,
    /// Its version.
    pub version: String,
    /// The commit's full id, hexadecimal.
    pub git_sha: String,
    /// The class of the device that live operations ran on.
    pub test_mode: DeviceClass,
    /// Why that device was taken.
    pub device_reason: String,
    /// What was looked at to find a GPU, and what was there; a line each.
    pub looked_at: Vec<String>,
    /// RFC 3339 in UTC.
    pub timestamp: String,
    /// The host.
    pub environment: Environment,
    /// The devices used, as their drivers reported them.
    pub gpu_devices: Vec<DeviceFacts>,
    /// The model files given with `--model`.
    pub models: Vec<ModelFile>,
    /// The command that makes such a bundle.
    pub command: String,
}

/// The host of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Environment {
    /// `std::env::consts::OS`.
    pub os: String,
    /// `std::env::consts::ARCH`.
    pub arch: String,
    /// What `rustc --version` prints.
    pub rust_version: String,
    /// Whether a CUDA device could be used.
    pub cuda_available: bool,
}

/// A model file that was sealed and verified.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFile {
    /// The file's name; where the directories around it lie is nobody's business, so they are never written.
    #[serde(serialize_with = "write_file_name")]
    pub name: String,
    /// `safetensors`, `gguf` or `opaque`.
    pub format: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// The size of its header in bytes, where the format has one.
    pub header_bytes: Option<u64>,
    /// How many tensors its header lists.
    pub tensors: Option<u64>,
    /// Its SHA-256, as `sha256sum` prints it.
    pub sha256: String,
    /// Its fs-verity digest, as `fsverity digest` prints it.
    pub tree_digest: String,
}

fn write_file_name<S: Serializer>(path: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(path.rsplit('/').next().unwrap_or_default())
}
