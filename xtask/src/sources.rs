//! The sources that a matrix of mutants speaks of: those of the library crates, and those of the tests. A proof records them
//! as they are, so that whoever reads its bundle can tell which mutants and which tests are still the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proof_bundle::provenance::FileDigest;
use ring::digest::{SHA256, digest};

use crate::error::XtaskError;
use crate::suite::map::Map;
use crate::workspace::{Package, Workspace};

/// The order in which crates are mutated; others follow by name.
const FIRST: [&str; 4] = ["seal", "validation", "policy", "content-digest"];

/// Crates that only test or build, and are not what a requirement is about.
const TOOLING: [&str; 5] = ["acceptance", "evidence", "proof-bundle", "fake-cuda", "find_cuda_helper"];

/// Digests of the sources.
pub(crate) struct Sources {
    /// Each file of the library crates, by its path from the root, sorted.
    pub(crate) libraries: Vec<FileDigest>,
    /// The files of each test binary as one digest, by its id, sorted.
    pub(crate) tests: Vec<FileDigest>,
}

impl Sources {
    /// Reads the files of `workspace` at `root`.
    pub(crate) fn read(root: &Path, workspace: &Workspace, map: &Map) -> Result<Self, XtaskError> {
        let libraries: Vec<&Package> = libraries(workspace);
        let mut files = BTreeSet::new();
        for package in &libraries {
            rust_files(&package.directory().join("src"), &mut files)?;
        }
        let libraries: BTreeSet<&str> = libraries.iter().map(|package| package.name.as_str()).collect();
        let mut tests = Vec::new();
        for binary in map.files.keys() {
            let listing = list(root, files_of(binary, &libraries, &map.files))?;
            tests.push(FileDigest { name: binary.clone(), sha256: sha256_hex(listing.as_bytes()) });
        }
        let digests = files.iter().map(|file| Ok(FileDigest::of(name(root, file), file)?));
        Ok(Self { libraries: digests.collect::<Result<_, XtaskError>>()?, tests })
    }
}

/// The crates to mutate, in order.
pub(crate) fn libraries(workspace: &Workspace) -> Vec<&Package> {
    let is_library = |one: &&Package| {
        let has_library = one.targets.iter().any(|target| target.kind.iter().any(|kind| kind == "lib"));
        has_library && !TOOLING.contains(&one.name.as_str())
    };
    let mut packages: Vec<&Package> = workspace.packages.iter().filter(is_library).collect();
    packages.sort_by_key(|package| {
        let place = FIRST.iter().position(|first| *first == package.name).unwrap_or(FIRST.len());
        (place, package.name.clone())
    });
    packages
}

/// What a test binary is made of: its own files, and where its package is no library crate, the rest of that package.
fn files_of<'a>(
    binary: &str,
    libraries: &BTreeSet<&str>,
    files: &'a BTreeMap<String, BTreeSet<PathBuf>>,
) -> BTreeSet<&'a PathBuf> {
    let package = binary.split("::").next().unwrap_or(binary);
    let prefix = format!("{package}::bin/");
    let belongs = |other: &str| {
        other == binary || (!libraries.contains(package) && (other == package || other.starts_with(&prefix)))
    };
    files.iter().filter(|(other, _)| belongs(other)).flat_map(|(_, files)| files).collect()
}

/// A line for each file: its digest and its path from `root`.
fn list(root: &Path, files: BTreeSet<&PathBuf>) -> Result<String, XtaskError> {
    let mut text = String::new();
    for file in files {
        let name = name(root, file);
        text.push_str(&format!("{}  {name}\n", FileDigest::of("", file)?.sha256));
    }
    Ok(text)
}

fn name(root: &Path, file: &Path) -> String {
    file.strip_prefix(root).unwrap_or(file).to_string_lossy().into_owned()
}

/// Adds every `.rs` file below `directory`.
fn rust_files(directory: &Path, into: &mut BTreeSet<PathBuf>) -> Result<(), XtaskError> {
    for entry in std::fs::read_dir(directory).map_err(XtaskError::read(directory))? {
        let path = entry.map_err(XtaskError::read(directory))?.path();
        if path.is_dir() {
            rust_files(&path, into)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.insert(path);
        }
    }
    Ok(())
}

/// SHA-256 in lower-case hexadecimal.
pub(crate) fn sha256_hex(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
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
    use evidence::needs;

    use super::*;

    fn root() -> &'static Path {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
    }

    #[test]
    fn every_library_crate_is_mutated_and_no_crate_that_only_tests() {
        needs!("cargo");
        let workspace = Workspace::load(root()).unwrap();
        let names: Vec<&str> = libraries(&workspace).iter().map(|package| package.name.as_str()).collect();
        let rest = ["allocator", "audit", "cuda-driver", "cuda-ffi", "facts", "vram-residency"];
        assert_eq!(names, [FIRST.as_slice(), rest.as_slice()].concat());
    }

    #[test]
    fn every_mapped_test_has_sources_and_scenarios_have_their_features_and_steps() {
        needs!("cargo");
        let workspace = Workspace::load(root()).unwrap();
        let map = Map::read(root(), &workspace).unwrap();
        let sources = Sources::read(root(), &workspace, &map).unwrap();
        for test in &map.tests {
            assert!(sources.tests.iter().any(|binary| binary.name == test.binary), "{}", test.binary);
        }
        assert!(sources.libraries.iter().any(|file| file.name == "crates/seal/src/hkdf.rs"));
        let libraries = BTreeSet::from(["seal"]);
        let of = |binary: &str| files_of(binary, &libraries, &map.files);
        let scenarios = of("acceptance::scenarios");
        for file in ["specs/features/seal_model.feature", "crates/acceptance/src/world.rs"] {
            assert!(scenarios.contains(&root().join(file)), "{file}: {scenarios:?}");
        }
        let tokens = of("seal::tokens");
        assert!(tokens.contains(&root().join("crates/seal/tests/tokens.rs")), "{tokens:?}");
        assert!(
            !tokens.contains(&root().join("crates/seal/src/hkdf.rs")),
            "the library's own files count by themselves"
        );
    }
}
