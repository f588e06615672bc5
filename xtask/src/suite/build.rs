//! Building the tests, and where cargo put them.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use proof_bundle::provenance::FileDigest;
use serde::Deserialize;

use crate::error::XtaskError;
use crate::process;
use crate::workspace::{Target, Workspace};

/// A test binary that was built.
#[derive(Clone, Debug)]
pub(crate) struct TestBinary {
    /// Its id (see [`Target::binary_id`]).
    pub(crate) id: String,
    /// The executable.
    pub(crate) executable: PathBuf,
    /// The package's directory: where its tests run.
    pub(crate) directory: PathBuf,
    /// The programs of its package, which cargo tells an integration test of: the name and where it is.
    pub(crate) programs: Vec<(String, PathBuf)>,
    /// Its SHA-256 when it had just been built.
    pub(crate) digest: FileDigest,
}

impl TestBinary {
    /// The binary `id` at `executable`, as it is now.
    pub(crate) fn new(id: String, executable: PathBuf, directory: PathBuf) -> Result<Self, XtaskError> {
        let digest = FileDigest::of(&id, &executable)?;
        Ok(Self { id, executable, directory, programs: Vec::new(), digest })
    }

    /// Checks that the file still is what was built.
    ///
    /// # Errors
    /// [`XtaskError::Input`] when it is not: then nobody knows which one the tests ran.
    pub(crate) fn check_unchanged(&self) -> Result<(), XtaskError> {
        if FileDigest::of(&self.id, &self.executable)? == self.digest {
            return Ok(());
        }
        Err(XtaskError::Input(format!(
            "the test binary of {} changed while the tests ran: run again, and build nothing else into this target \
             directory meanwhile",
            self.id
        )))
    }
}

/// A program of a package, built for the package's tests.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// The package's name.
    pub(crate) package: String,
    /// The program's name.
    pub(crate) name: String,
    /// The executable.
    pub(crate) executable: PathBuf,
}

/// What a build of the tests made.
#[derive(Debug, Default)]
pub(crate) struct Built {
    /// The test binaries, sorted by id.
    pub(crate) tests: Vec<TestBinary>,
    /// The programs that tests start.
    pub(crate) programs: Vec<Program>,
    /// The C libraries that tests open, sorted by path.
    pub(crate) libraries: Vec<PathBuf>,
}

/// A line of cargo's build messages. Only lines about a target have all of these; only tests have an executable and
/// `profile.test`.
#[derive(Deserialize)]
struct Artifact {
    package_id: String,
    target: Target,
    profile: Profile,
    filenames: Vec<PathBuf>,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// Builds every test of the workspace at `root`, as `cargo test` does with this profile or its own. The members are built anew:
/// cargo goes by times, and a file older than the last build is not seen to differ from it.
///
/// # Errors
/// [`XtaskError::Input`] when something does not compile; cargo's diagnostics are on stderr by then.
pub(crate) fn build(
    root: &Path,
    workspace: &Workspace,
    scratch: &Path,
    profile: Option<&str>,
) -> Result<Built, XtaskError> {
    let profile: Vec<&str> = profile.into_iter().flat_map(|profile| ["--profile", profile]).collect();
    let mut clean = super::cargo(root, scratch);
    clean.args(["clean", "--quiet"]).args(&profile);
    clean.args(workspace.packages.iter().flat_map(|package| ["--package", &package.name]));
    let ended = process::run(clean.stdin(Stdio::null()).stdout(Stdio::null()), None)?;
    if !ended.is_success() {
        return Err(XtaskError::Input(format!(
            "the last build cannot be removed ({ended}): see what cargo said above"
        )));
    }
    let messages = scratch.join("build.json");
    let output = File::create(&messages).map_err(XtaskError::write(&messages))?;
    let mut command = super::cargo(root, scratch);
    command.args(["test", "--workspace", "--no-run", "--message-format=json-render-diagnostics"]).args(&profile);
    let ended = process::run(command.stdin(Stdio::null()).stdout(output), None)?;
    if !ended.is_success() {
        return Err(XtaskError::Input(format!(
            "the tests do not build ({ended}): mend what cargo reported above; `cargo test --workspace --no-run` shows it again"
        )));
    }
    Built::read(&messages, workspace)
}

impl Built {
    /// What cargo's messages in a file announce.
    pub(crate) fn read(messages: &Path, workspace: &Workspace) -> Result<Self, XtaskError> {
        let messages = std::fs::read_to_string(messages).map_err(XtaskError::read(messages))?;
        let mut built = Self::default();
        for line in messages.lines() {
            built.add(line, workspace)?;
        }
        built.tests.sort_by(|a, b| a.id.cmp(&b.id));
        built.libraries.sort();
        built.libraries.dedup();
        for test in &mut built.tests {
            let package = test.id.split("::").next().unwrap_or_default();
            let own = built.programs.iter().filter(|program| program.package == package);
            test.programs = own.map(|program| (program.name.clone(), program.executable.clone())).collect();
        }
        Ok(built)
    }

    /// Adds what a message announces.
    fn add(&mut self, line: &str, workspace: &Workspace) -> Result<(), XtaskError> {
        let unreadable = |error| XtaskError::Input(format!("cannot read cargo's build messages: {error}"));
        let message: serde_json::Value = serde_json::from_str(line).map_err(unreadable)?;
        if message.get("reason").and_then(serde_json::Value::as_str) != Some("compiler-artifact") {
            return Ok(());
        }
        let Artifact { package_id, target, profile, filenames, executable } =
            Artifact::deserialize(message).map_err(unreadable)?;
        let is = |kind: &str| target.kind.iter().any(|one| one == kind);
        if is("cdylib") {
            self.libraries.extend(filenames.into_iter().filter(|file| file.extension().is_some_and(|end| end == "so")));
        }
        let Some(executable) = executable.filter(|_| profile.test || is("bin")) else { return Ok(()) };
        let package = workspace.packages.iter().find(|package| package.id == package_id).ok_or_else(|| {
            XtaskError::Input(format!("cargo built a test of {package_id}, which is not in the workspace"))
        })?;
        if profile.test {
            let id = target.binary_id(&package.name);
            self.tests.push(TestBinary::new(id, executable, package.directory().to_owned())?);
        } else {
            self.programs.push(Program { package: package.name.clone(), name: target.name, executable });
        }
        Ok(())
    }
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
    use serde_json::json;

    use super::*;
    use crate::workspace::Package;

    #[test]
    fn tests_programs_and_c_libraries_are_told_apart_and_a_test_knows_the_programs_of_its_package() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, name).unwrap();
            path
        };
        let line = |package: &str, kind: &[&str], name: &str, test: bool, executable: Option<PathBuf>, file: &str| {
            json!({
                "reason": "compiler-artifact", "package_id": package, "executable": executable, "filenames": [file],
                "target": {"kind": kind, "crate_types": kind, "name": name, "src_path": "/p/x.rs", "test": true},
                "profile": {"test": test},
            })
            .to_string()
        };
        let lines = [
            line("p 1", &["test"], "t", true, Some(file("t-1")), "t-1"),
            line("p 1", &["bin"], "tool", false, Some(file("tool")), "tool"),
            line("q 1", &["lib"], "q", true, Some(file("q-1")), "q-1"),
            line("p 1", &["cdylib", "rlib"], "fake", false, None, "/deps/libfake.so"),
            line("p 1", &["cdylib", "rlib"], "fake", false, None, "/deps/libfake.rlib"),
            line("m 1", &["proc-macro"], "m", false, None, "/deps/libm.so"),
            line("x 1", &["example"], "e", false, Some(file("e")), "e"),
            json!({"reason": "build-finished", "success": true}).to_string(),
        ];
        let messages = file("build.json");
        std::fs::write(&messages, lines.join("\n")).unwrap();
        let package = |name: &str| Package {
            name: name.to_owned(),
            id: format!("{name} 1"),
            manifest_path: Path::new("/").join(name).join("Cargo.toml"),
            targets: Vec::new(),
        };
        let workspace = Workspace { packages: vec![package("p"), package("q")], target_directory: PathBuf::new() };
        let built = Built::read(&messages, &workspace).unwrap();
        let tests: Vec<_> = built.tests.iter().map(|test| (test.id.as_str(), test.programs.as_slice())).collect();
        let programs = [("tool".to_owned(), dir.path().join("tool"))];
        assert_eq!(tests, [("p::t", programs.as_slice()), ("q", &[])]);
        assert_eq!(built.libraries, [PathBuf::from("/deps/libfake.so")]);
        assert_eq!(built.programs.len(), 1);
    }
}
