//! Putting a kit together in a directory.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use proof_bundle::provenance::Commit;

use super::{PROFILE, glibc};
use crate::env::rustc;
use crate::error::XtaskError;
use crate::kit::{DEPS, MANIFEST, Manifest, PROVE, SOURCE, TESTS, XTASK, host, manifest, sums};
use crate::sources::sha256_hex;
use crate::suite::build::Built;
use crate::workspace::Workspace;
use crate::{env, git, output, process};

/// The script that a kit is started with.
const SCRIPT: &str = include_str!("prove.sh");

/// Writes a kit of what was built to `kit`, a directory that does not exist; returns its digest.
pub(super) fn stage(
    kit: &Path,
    root: &Path,
    workspace: &Workspace,
    commit: &Commit,
    built: &Built,
) -> Result<String, XtaskError> {
    let mut programs = Programs { kit, placed: BTreeMap::new() };
    // What runs, whatever a build has put in its place meanwhile. The others were built without symbols.
    programs.place(Path::new("/proc/self/exe"), XTASK.to_owned())?;
    strip(&kit.join(XTASK))?;
    let mut tests = Vec::new();
    for test in &built.tests {
        let file = programs.place(&test.executable, format!("{DEPS}/{}", file_name(&test.id)))?;
        let directory = test.directory.strip_prefix(root).unwrap_or(&test.directory).to_owned();
        tests.push(manifest::Test { id: test.id.clone(), file, directory });
    }
    let mut started = Vec::new();
    for program in &built.programs {
        let file = programs.place(&program.executable, format!("{TESTS}/{}", program.name))?;
        started.push(manifest::Program { package: program.package.clone(), name: program.name.clone(), file });
    }
    for library in &built.libraries {
        let name = library.file_name().unwrap_or_default().to_string_lossy();
        programs.place(library, format!("{DEPS}/{name}"))?;
    }
    let placed: Vec<PathBuf> = programs.placed.keys().map(|file| kit.join(file)).collect();
    for file in git::files(root)? {
        copy(&root.join(&file), &kit.join(SOURCE).join(&file))?;
    }
    let manifest = Manifest {
        commit: commit.clone(),
        cargo: cargo_version(root)?,
        rust_version: rustc(root, "--version")?,
        rustc: rustc(root, "-vV")?,
        profile: PROFILE.to_owned(),
        build_environment: env::of_builds(root)?,
        built_on: host::this(),
        arch: std::env::consts::ARCH.to_owned(),
        needs_glibc: glibc::needed(&placed)?,
        packages: manifest::relative(workspace, root),
        tests,
        programs: started,
    };
    write(&kit.join(MANIFEST), &output::json(&manifest)?)?;
    let script = kit.join(PROVE);
    write(&script, SCRIPT)?;
    fs::set_permissions(&script, Permissions::from_mode(0o755)).map_err(XtaskError::write(&script))?;
    let list = sums::text(&sums::digests(kit)?);
    write(&kit.join(sums::FILE), &list)?;
    Ok(sha256_hex(list.as_bytes()))
}

/// A test binary's name as a file: `seal.hmac` for `seal::hmac`.
fn file_name(id: &str) -> String {
    id.replace("::", ".").replace('/', ".")
}

/// The executables of a kit.
struct Programs<'a> {
    kit: &'a Path,
    /// Where each came from.
    placed: BTreeMap<String, PathBuf>,
}

impl Programs<'_> {
    /// Copies an executable to the path `to` in the kit, where no other may be.
    fn place(&mut self, from: &Path, to: String) -> Result<PathBuf, XtaskError> {
        if let Some(other) = self.placed.get(&to) {
            let same = fs::read(from).ok() == fs::read(other).ok();
            return match same {
                true => Ok(PathBuf::from(to)),
                false => Err(XtaskError::Input(format!(
                    "{} and {} would be one file of the kit, {to}: rename one of their targets",
                    from.display(),
                    other.display()
                ))),
            };
        }
        copy(from, &self.kit.join(&to))?;
        self.placed.insert(to.clone(), from.to_owned());
        Ok(PathBuf::from(to))
    }
}

/// Removes the symbols of a program, in place.
fn strip(program: &Path) -> Result<(), XtaskError> {
    let mut command = Command::new("strip");
    let ended = process::run(command.arg("--strip-all").arg(program).stdin(Stdio::null()), None)?;
    if ended.is_success() {
        return Ok(());
    }
    Err(XtaskError::Input(format!("strip cannot remove the symbols of xtask ({ended}): see what it said above")))
}

fn cargo_version(root: &Path) -> Result<String, XtaskError> {
    let output = env::cargo(root).arg("--version").output();
    let output = output.map_err(|source| XtaskError::Start { program: "cargo".to_owned(), source })?;
    Ok(host::line(&String::from_utf8_lossy(&output.stdout)))
}

/// Copies a file with its permissions.
fn copy(from: &Path, to: &Path) -> Result<(), XtaskError> {
    create_parent(to)?;
    fs::copy(from, to).map(drop).map_err(XtaskError::write(to))
}

fn write(path: &Path, text: &str) -> Result<(), XtaskError> {
    create_parent(path)?;
    fs::write(path, text).map_err(XtaskError::write(path))
}

fn create_parent(path: &Path) -> Result<(), XtaskError> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    fs::create_dir_all(directory).map_err(XtaskError::write(directory))
}
