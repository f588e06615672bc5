//! The compiler: the pinned one, installed by pip into a virtual environment, or one that the user names.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::XtaskError;
use crate::progress::{note, step};
use crate::{env, process};

/// The packages. The first one holds the compiler and fixes the versions of all its parts; the others show machine code, which
/// kernels/README.md tells how.
pub(super) const PACKAGES: [&str; 3] =
    ["cuda-toolkit[nvcc]==13.0.3.0", "nvidia-cuda-cuobjdump==13.5.37", "nvidia-cuda-nvdisasm==13.5.37"];

/// Lists the packages in a virtual environment that is complete.
const STAMP: &str = "installed.txt";

/// How much of a tool's last words is shown when it fails, in lines.
const LAST_WORDS: usize = 15;

/// A compiler with its parts.
#[derive(Debug)]
pub(super) struct Toolchain {
    /// The directory of nvcc, ptxas and fatbinary.
    bin: PathBuf,
    /// The packages that it came from.
    pub(super) packages: Vec<String>,
    /// nvcc's release, as it says: `Cuda compilation tools, release 13.0, V13.0.88`.
    pub(super) release: String,
    /// nvcc's build, as it says.
    pub(super) build: String,
}

impl Toolchain {
    /// The pinned one; `directory` is where it is or will be installed.
    ///
    /// # Errors
    /// [`XtaskError::Input`] and [`XtaskError::Start`] that say what is missing.
    pub(super) fn pinned(directory: &Path) -> Result<Self, XtaskError> {
        let venv = directory.join("venv");
        let wanted = PACKAGES.join("\n");
        if std::fs::read_to_string(venv.join(STAMP)).ok().as_deref() != Some(&wanted) {
            install(directory, &venv)?;
            let stamp = venv.join(STAMP);
            std::fs::write(&stamp, &wanted).map_err(XtaskError::write(&stamp))?;
        }
        let bin = bin(&venv)
            .ok_or_else(|| XtaskError::Input(format!("{} holds no nvcc: remove it, then try again", venv.display())))?;
        Self::of(bin, PACKAGES.map(str::to_owned).to_vec())
    }

    /// The one that `nvcc` belongs to.
    ///
    /// # Errors
    /// As [`Toolchain::pinned`].
    pub(super) fn beside(nvcc: &Path) -> Result<Self, XtaskError> {
        let nvcc = nvcc.canonicalize().map_err(XtaskError::read(nvcc))?;
        Self::of(nvcc.parent().unwrap_or(Path::new("/")).to_owned(), Vec::new())
    }

    fn of(bin: PathBuf, packages: Vec<String>) -> Result<Self, XtaskError> {
        for part in ["nvcc", "ptxas", "fatbinary"] {
            if !bin.join(part).is_file() {
                let message = format!("{} has no {part}: is it the bin directory of a CUDA toolkit?", bin.display());
                return Err(XtaskError::Input(message));
            }
        }
        host_compiler("g++")?;
        let mut toolchain = Self { bin, packages, release: String::new(), build: String::new() };
        let scratch = tempfile::tempdir().map_err(XtaskError::write(&std::env::temp_dir()))?;
        let said = run(&mut toolchain.command("nvcc", &["--version"]), scratch.path(), "it cannot say its version")?;
        let line = |begin: &str| said.lines().find_map(|line| line.strip_prefix(begin)).map(str::to_owned);
        let unknown = || XtaskError::Input("this nvcc does not say its version as nvcc does: give another one".into());
        toolchain.release = line("Cuda compilation tools, ").ok_or_else(unknown)?;
        toolchain.build = line("Build ").ok_or_else(unknown)?;
        Ok(toolchain)
    }

    /// One of the tools, with its arguments.
    pub(super) fn command(&self, tool: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.bin.join(tool));
        command.args(arguments);
        // What would add to the command lines that the manifest shows.
        for name in ["NVCC_PREPEND_FLAGS", "NVCC_APPEND_FLAGS", "CPATH", "CPLUS_INCLUDE_PATH"] {
            command.env_remove(name);
        }
        command
    }
}

/// nvcc preprocesses with a host C++ compiler.
fn host_compiler(name: &str) -> Result<(), XtaskError> {
    let started = Command::new(name).arg("--version").stdin(Stdio::null()).output();
    if started.is_ok_and(|output| output.status.success()) {
        return Ok(());
    }
    Err(XtaskError::Input(format!(
        "nvcc needs {name}, and there is none on PATH: install it (Debian: apt-get install g++)"
    )))
}

/// Makes the virtual environment anew and installs the packages.
fn install(directory: &Path, venv: &Path) -> Result<(), XtaskError> {
    step(&format!("installing {} below {}", PACKAGES.join(", "), directory.display()));
    if venv.exists() {
        std::fs::remove_dir_all(venv).map_err(XtaskError::write(venv))?;
    }
    std::fs::create_dir_all(directory).map_err(XtaskError::write(directory))?;
    let mut python = Command::new("python3");
    python.args(["-m", "venv"]).arg(venv);
    run(&mut python, directory, "install Python 3 with venv (Debian: apt-get install python3-venv), or give --nvcc")?;
    let mut pip = Command::new(venv.join("bin").join("python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(PACKAGES);
    run(&mut pip, directory, "can pip reach a package index that has them? Or give --nvcc").map(drop)
}

/// Where the packages put their programs.
fn bin(venv: &Path) -> Option<PathBuf> {
    let pythons = std::fs::read_dir(venv.join("lib")).ok()?;
    let bins = pythons.flatten().map(|python| python.path().join("site-packages/nvidia/cu13/bin"));
    bins.into_iter().find(|bin| bin.join("nvcc").is_file())
}

/// Runs a tool to its end and returns what it said; `scratch` takes it meanwhile.
///
/// # Errors
/// [`XtaskError::Start`], [`XtaskError::Interrupted`], and [`XtaskError::Input`] with `remedy` when it fails; its last words are
/// then on stderr.
pub(super) fn run(command: &mut Command, scratch: &Path, remedy: &str) -> Result<String, XtaskError> {
    let log = scratch.join("said.txt");
    let said = File::create(&log).map_err(XtaskError::write(&log))?;
    let also = said.try_clone().map_err(XtaskError::write(&log))?;
    env::scrub(command);
    // In English, and without the user's own switches.
    command.env("LC_ALL", "C").stdin(Stdio::null()).stdout(said).stderr(also);
    let ended = process::run(command, None)?;
    let bytes = std::fs::read(&log).map_err(XtaskError::read(&log))?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    if ended.is_success() {
        return Ok(text);
    }
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.iter().skip(lines.len().saturating_sub(LAST_WORDS)).for_each(|line| note(line));
    let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let arguments: Vec<_> = command.get_args().take(2).map(|word| word.to_string_lossy()).collect();
    Err(XtaskError::Input(format!("{program} {} failed ({ended}): {remedy}", arguments.join(" "))))
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
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn program(path: &Path, script: &str) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[test]
    fn a_tool_that_fails_is_named_with_what_to_do() {
        let scratch = tempfile::tempdir().unwrap();
        let mut shell = Command::new("sh");
        let error = run(shell.args(["-c", "exit 3"]), scratch.path(), "mend it").unwrap_err();
        assert_eq!(error.line(), "sh -c exit 3 failed (exit code 3): mend it");
        assert_eq!(error.exit(), crate::exit::Exit::BadInput);
        let error = run(&mut Command::new("no-such-program-here"), scratch.path(), "mend it").unwrap_err();
        assert!(error.line().contains("no-such-program-here: is it installed"), "{}", error.line());
        let mut shell = Command::new("sh");
        assert_eq!(run(shell.args(["-c", "echo a; echo b >&2"]), scratch.path(), "").unwrap(), "a\nb\n");
    }

    #[test]
    fn a_host_without_a_compiler_is_told_what_to_install() {
        let error = host_compiler("no-such-compiler").unwrap_err().line();
        assert!(error.contains("nvcc needs no-such-compiler") && error.contains("apt-get install g++"), "{error}");
    }

    #[test]
    fn an_environment_that_is_complete_is_used_and_its_compiler_found() {
        let directory = tempfile::tempdir().unwrap();
        let venv = directory.path().join("venv");
        let bin = venv.join("lib/python3.11/site-packages/nvidia/cu13/bin");
        std::fs::create_dir_all(&venv).unwrap();
        std::fs::write(venv.join(STAMP), PACKAGES.join("\n")).unwrap();
        let error = Toolchain::pinned(directory.path()).unwrap_err().line();
        assert!(error.contains("holds no nvcc: remove it"), "{error}");
        program(&bin.join("nvcc"), "echo 'Cuda compilation tools, release 1'; echo 'Build b'");
        program(&bin.join("ptxas"), "");
        let error = Toolchain::pinned(directory.path()).unwrap_err().line();
        assert!(error.contains("has no fatbinary"), "{error}");
        assert!(Toolchain::beside(&directory.path().join("nvcc")).unwrap_err().line().starts_with("cannot read"));
    }
}
