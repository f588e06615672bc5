//! A copy of the fixture workspace in a git repository of its own, and runs of xtask on it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// The build of every copy goes here: what they share is compiled once.
const TARGET: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/proof-e2e");

static COPIES: AtomicU32 = AtomicU32::new(0);

/// A copy of the fixture.
pub(crate) struct Case {
    directory: tempfile::TempDir,
}

/// What a run of xtask gave.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// The bundle: the last line of stdout.
    pub(crate) fn bundle(&self) -> PathBuf {
        let path = PathBuf::from(self.stdout.lines().last().unwrap());
        assert!(path.is_dir(), "the last line of stdout is no directory:\n{}", self.stdout);
        path
    }

    /// Asserts the exit code, and that the summary names each of `words`.
    pub(crate) fn ends(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        for word in words {
            assert!(self.stdout.contains(word), "{word:?} is not in the summary:\n{}", self.stdout);
        }
        self
    }

    /// Asserts the exit code of a run that refuses to write a bundle, and one line on stderr that has each of `words`.
    pub(crate) fn refuses(self, code: i32, words: &[&str]) -> Self {
        assert_eq!(self.code, code, "{}\n{}", self.stdout, self.stderr);
        assert_eq!(self.stdout, "", "a refusal says nothing on stdout");
        let error = self.stderr.lines().last().unwrap_or_default();
        assert!(error.starts_with("error: "), "{}", self.stderr);
        for word in words {
            assert!(error.contains(word), "{word:?} is not in {error:?}");
        }
        self
    }
}

#[allow(dead_code, reason = "each test file looks at other parts of it")]
impl Case {
    /// An unchanged copy, committed.
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    /// A copy that `change` has changed, committed.
    pub(crate) fn with(change: impl FnOnce(&Self)) -> Self {
        let case = Self { directory: tempfile::tempdir().unwrap() };
        let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
        let fixture = xtask.join("tests/fixture");
        for file in ["Cargo.toml", ".gitignore", "build.rs", "src/lib.rs", "tests/doubling.rs", "specs/20_fixture.md"] {
            let to = case.path(file);
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::copy(fixture.join(file), to).unwrap();
        }
        let root = xtask.parent().unwrap();
        let evidence = root.join("crates/evidence");
        // Copies share a target directory, and what cargo cleans it tells apart by the names of packages and targets.
        let name = format!("doubling_{}", COPIES.fetch_add(1, Ordering::Relaxed));
        case.replace("Cargo.toml", "\"doubling\"", &format!("{name:?}"));
        for file in ["src/lib.rs", "tests/doubling.rs"] {
            case.replace(file, "doubling::", &format!("{name}::"));
        }
        case.replace("Cargo.toml", "../../../crates/evidence", evidence.to_str().unwrap());
        // The versions that the repository has, so that nothing is fetched.
        for file in ["Cargo.lock", "rust-toolchain.toml"] {
            std::fs::copy(root.join(file), case.path(file)).unwrap();
        }
        change(&case);
        case.cargo(&["metadata", "--offline", "--format-version", "1"]);
        case.git(&["init", "--quiet"]);
        case.git(&["add", "--all"]);
        case.git(&["commit", "--quiet", "--message=fixture"]);
        case
    }

    /// A file of the copy.
    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    /// Writes a file of the copy.
    pub(crate) fn write(&self, file: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(file), bytes).unwrap();
    }

    /// Replaces text that a file of the copy must have.
    pub(crate) fn replace(&self, file: &str, old: &str, new: &str) {
        let text = std::fs::read_to_string(self.path(file)).unwrap();
        assert!(text.contains(old), "{file} has no {old:?}");
        self.write(file, text.replace(old, new));
    }

    /// `xtask proof` on the copy.
    pub(crate) fn proof(&self, arguments: &[&str]) -> Run {
        finish(self.proof_command(arguments))
    }

    /// `xtask proof` on the copy, not started yet.
    pub(crate) fn proof_command(&self, arguments: &[&str]) -> Command {
        self.proof_command_on("simulated", arguments)
    }

    pub(crate) fn proof_command_on(&self, device: &str, arguments: &[&str]) -> Command {
        let mut command = xtask();
        command.args(["proof", "--device", device, "--root"]).arg(self.directory.path()).args(arguments);
        command
    }

    /// cargo in the copy; returns what it printed on stderr.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO"));
        let output = clean(&mut command).args(arguments).current_dir(self.directory.path()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "cargo {arguments:?}:\n{said}");
        said
    }

    /// git in the copy.
    pub(crate) fn git(&self, arguments: &[&str]) {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=fixture", "-c", "user.email=fixture@example.org", "-c", "commit.gpgsign=false"]);
        for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
            command.env_remove(name);
        }
        let status = command.args(arguments).current_dir(self.directory.path()).status().unwrap();
        assert!(status.success(), "git {arguments:?}");
    }

    /// The processes that run in the copy.
    pub(crate) fn processes(&self) -> Vec<PathBuf> {
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
        let here = |process: &PathBuf| {
            std::fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(self.directory.path()))
        };
        processes.filter(here).collect()
    }

    /// The names below `proof_bundles/unit`, hidden ones included.
    pub(crate) fn bundles(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.path("proof_bundles/unit")).into_iter().flatten();
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect()
    }
}

/// xtask, as cargo would start it: with the variables that cargo sets, and which must not leak.
pub(crate) fn xtask() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    clean(&mut command)
        .env("CARGO", env!("CARGO"))
        .env("CARGO_PKG_NAME", "xtask")
        .env("CARGO_PKG_VERSION", "9.9.9")
        .env("CARGO_MANIFEST_DIR", env!("CARGO_MANIFEST_DIR"))
        .env("CARGO_BIN_NAME", "xtask")
        .stdin(Stdio::null());
    command
}

/// `xtask keygen` in a directory of its own.
pub(crate) fn keygen(directory: &Path) -> PathBuf {
    let key = directory.join("signing.pem");
    let mut command = xtask();
    command.arg("keygen").arg(&key);
    finish(command).ends(0, &["signing.pem.pub", "key id"]);
    key
}

/// Removes what the cargo that runs these tests has set, and shares one target directory.
fn clean(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy().into_owned();
        if ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_"].iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    command.env("CARGO_TARGET_DIR", TARGET).env("CARGO_NET_OFFLINE", "true")
}

/// Runs a command to its end.
pub(crate) fn finish(mut command: Command) -> Run {
    let output = command.output().unwrap();
    Run {
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
