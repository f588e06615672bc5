//! The tools of Rust that xtask starts, and the environment of whatever it starts.
//!
//! `cargo run` sets variables for xtask that describe xtask. Leaked into another cargo they make build scripts that watch
//! them (ring's) run again: the build after a proof would compile ring once more, and the proof's own build as well.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::XtaskError;
use crate::sources::sha256_hex;

/// Variables that cargo sets for a program that it builds or runs, by exact name.
const SET_BY_CARGO: [&str; 5] =
    ["CARGO_BIN_NAME", "CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE", "CARGO_TARGET_TMPDIR", "OUT_DIR"];

/// The same, by prefix.
const SET_BY_CARGO_PREFIXES: [&str; 3] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_EXE_"];

/// Variables of the proof and of what judges the tests, by prefix. They must not come from the user's shell:
/// `INSTA_FORCE_PASS=1` or `PROPTEST_CASES=0` turns assertions off.
const OURS: [&str; 4] = ["INSTA_", "PROOF_", "PROPTEST_", "RUST_TEST_"];

/// Whether a variable describes xtask or decides over the tests, rather than being the user's wish.
fn is_leaked(name: &OsStr) -> bool {
    let Some(name) = name.to_str() else { return false };
    SET_BY_CARGO.contains(&name) || SET_BY_CARGO_PREFIXES.iter().chain(&OURS).any(|prefix| name.starts_with(prefix))
}

/// Variables that change what cargo builds, by exact name: its own, those of build scripts that compile C, and those of a C
/// compiler and linker themselves.
const OF_BUILDS: [&str; 23] = [
    "AR",
    "ARFLAGS",
    "CARGO_ENCODED_RUSTDOCFLAGS",
    "CARGO_ENCODED_RUSTFLAGS",
    "CARGO_INCREMENTAL",
    "CC",
    "CFLAGS",
    "COMPILER_PATH",
    "CPATH",
    "CPLUS_INCLUDE_PATH",
    "CXX",
    "CXXFLAGS",
    "C_INCLUDE_PATH",
    "GCC_EXEC_PREFIX",
    "LD_RUN_PATH",
    "LIBRARY_PATH",
    "RUSTC",
    "RUSTC_BOOTSTRAP",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTDOC",
    "RUSTDOCFLAGS",
    "RUSTFLAGS",
];

/// The same, by prefix.
const OF_BUILDS_PREFIXES: [&str; 15] = [
    "AR_",
    "CARGO_BUILD_",
    "CARGO_PROFILE_",
    "CARGO_TARGET_",
    "CC_",
    "CFLAGS_",
    "CXXFLAGS_",
    "CXX_",
    "ARFLAGS_",
    "HOST_AR",
    "HOST_C",
    "TARGET_AR",
    "TARGET_CC",
    "TARGET_CFLAGS",
    "TARGET_CXX",
];

/// Variables of those prefixes that say only where a build goes: nothing of it changes, and places are nobody's business.
const PLACES: [&str; 4] =
    ["CARGO_BUILD_BUILD_DIR", "CARGO_BUILD_TARGET_DIR", "CARGO_TARGET_DIR", "CARGO_TARGET_TMPDIR"];

fn changes_builds(name: &str) -> bool {
    let prefixed = OF_BUILDS_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    OF_BUILDS.contains(&name) || (prefixed && !PLACES.contains(&name))
}

/// What around the checkout at `root` changes what cargo builds: variables of this process, and cargo's configuration, of
/// which the digest is kept.
///
/// # Errors
/// [`XtaskError::Read`] when a configuration cannot be read, [`XtaskError::Input`] when it says what a bundle could not show.
pub(crate) fn of_builds(root: &Path) -> Result<BTreeMap<String, String>, XtaskError> {
    let text = |(name, value): (OsString, OsString)| {
        (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
    };
    let variables = std::env::vars_os().map(text).filter(|(name, _)| changes_builds(name));
    // Like cargo, which takes an empty one for none.
    let home = std::env::var_os("CARGO_HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let mut found: BTreeMap<String, String> = variables.collect();
    found.extend(configurations(root, home.as_deref())?);
    Ok(found)
}

/// The configuration that cargo reads from `root`, the directories above it and `home`: what it is, without a place on this
/// machine, and its SHA-256.
fn configurations(root: &Path, home: Option<&Path>) -> Result<BTreeMap<String, String>, XtaskError> {
    // cargo knows no links on the way to where it is started.
    let root = root.canonicalize().map_err(XtaskError::read(root))?;
    let levels = root.ancestors().enumerate().map(|(levels, directory)| {
        let name = match levels {
            // The commit may ignore it.
            0 => "in the checkout".to_owned(),
            1 => "1 level above".to_owned(),
            _ => format!("{levels} levels above"),
        };
        (name, directory.join(".cargo"))
    });
    let home = home.map(|home| ("in CARGO_HOME".to_owned(), root.join(home)));
    let mut found = BTreeMap::new();
    for (name, directory) in levels.chain(home) {
        // Where both are there, cargo reads the first.
        let files = ["config", "config.toml"].map(|file| directory.join(file));
        let Some(file) = files.iter().find(|file| file.is_file()) else { continue };
        let text = std::fs::read_to_string(file).map_err(XtaskError::read(file))?;
        check_configuration(&text).map_err(|problem| XtaskError::Input(format!("{}: {problem}", file.display())))?;
        found.insert(format!("cargo config {name}"), sha256_hex(text.as_bytes()));
    }
    Ok(found)
}

/// Refuses what a bundle would not show: files besides this one, and a compiler that [`rustc`] does not ask.
fn check_configuration(text: &str) -> Result<(), String> {
    let table: toml::Table = toml::from_str(text).map_err(|error| format!("it is no TOML: {}", error.message()))?;
    if table.contains_key("include") {
        return Err("no bundle could say what it includes: write that into this file instead of `include`".to_owned());
    }
    if table.get("build").is_some_and(|build| build.get("rustc").is_some()) {
        return Err("name the compiler with the variable RUSTC instead of `build.rustc`".to_owned());
    }
    Ok(())
}

/// Removes from `command` what this process inherited and must not pass on.
pub(crate) fn scrub(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if is_leaked(&name) {
            command.env_remove(name);
        }
    }
}

/// The cargo that runs xtask, in `root`, with a clean environment.
pub(crate) fn cargo(root: &Path) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(program);
    scrub(&mut command);
    command.current_dir(root);
    command
}

/// The compiler that cargo takes.
fn compiler(variable: impl Fn(&str) -> Option<OsString>) -> OsString {
    variable("RUSTC").or_else(|| variable("CARGO_BUILD_RUSTC")).unwrap_or_else(|| OsString::from("rustc"))
}

/// What the compiler of the workspace prints for `argument`.
pub(crate) fn rustc(root: &Path, argument: &str) -> Result<String, XtaskError> {
    let mut command = Command::new(compiler(|name| std::env::var_os(name)));
    scrub(&mut command);
    let output = command
        .arg(argument)
        .current_dir(root)
        .output()
        .map_err(|source| XtaskError::Start { program: "rustc".to_owned(), source })?;
    if !output.status.success() {
        return Err(XtaskError::Input(format!("rustc {argument} failed: {}", String::from_utf8_lossy(&output.stderr))));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
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
    fn what_cargo_tells_xtask_about_itself_is_not_passed_on() {
        for leaked in ["CARGO_PKG_NAME", "CARGO_PKG_VERSION_MAJOR", "CARGO_MANIFEST_DIR", "CARGO_MANIFEST_LINKS"] {
            assert!(is_leaked(OsStr::new(leaked)), "{leaked}");
        }
        for leaked in ["CARGO_BIN_NAME", "CARGO_CRATE_NAME", "CARGO_BIN_EXE_xtask", "OUT_DIR", "PROOF_SPOOL"] {
            assert!(is_leaked(OsStr::new(leaked)), "{leaked}");
        }
    }

    #[test]
    fn what_could_turn_assertions_off_is_not_passed_on() {
        for off in ["INSTA_FORCE_PASS", "INSTA_UPDATE", "PROPTEST_CASES", "PROPTEST_MAX_SHRINK_ITERS"] {
            assert!(is_leaked(OsStr::new(off)), "{off}");
        }
        for off in ["RUST_TEST_THREADS", "RUST_TEST_NOCAPTURE", "PROOF_SEED", "PROOF_BUNDLES"] {
            assert!(is_leaked(OsStr::new(off)), "{off}");
        }
    }

    #[test]
    fn what_changes_a_build_is_told_from_where_it_goes() {
        for change in ["RUSTFLAGS", "CARGO_PROFILE_TEST_OPT_LEVEL", "CARGO_BUILD_RUSTFLAGS", "RUSTC_WRAPPER"] {
            assert!(changes_builds(change), "{change}");
        }
        assert!(changes_builds("CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUSTFLAGS"));
        for place in ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR", "CARGO_HOME", "PATH", "RUSTUP_TOOLCHAIN"] {
            assert!(!changes_builds(place), "{place}");
        }
    }

    #[test]
    fn what_changes_the_c_of_a_dependency_is_told_from_the_rest() {
        for change in [
            "CC",
            "CFLAGS",
            "AR",
            "CC_x86_64-unknown-linux-gnu",
            "TARGET_CFLAGS",
            "HOST_CC",
            "RUSTC_BOOTSTRAP",
            "CPATH",
        ] {
            assert!(changes_builds(change), "{change}");
        }
        for change in ["LIBRARY_PATH", "C_INCLUDE_PATH", "GCC_EXEC_PREFIX", "CXX", "CXXFLAGS_x86_64", "TARGET_CXXFLAGS"]
        {
            assert!(changes_builds(change), "{change}");
        }
        for other in ["CCACHE_DIR", "HOSTNAME", "ARCH", "TARGET", "CARGO", "CARGO_TERM_COLOR"] {
            assert!(!changes_builds(other), "{other}");
        }
    }

    #[test]
    fn cargo_configuration_outside_the_checkout_is_known_by_its_digest_and_by_no_place() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("above/root");
        let write = |path: &str, text: &str| {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        write("above/root/.cargo/config.toml", "of = 'the commit'");
        let home = dir.path().join("home");
        let found = || configurations(&root, Some(&home)).unwrap();
        assert_eq!(found().into_keys().collect::<Vec<_>>(), ["cargo config in the checkout"]);
        write("above/.cargo/config.toml", "a = 'one'");
        write(".cargo/config", "a = 'two'");
        write(".cargo/config.toml", "not read beside the other");
        write("home/config.toml", "a = 'three'");
        let expected = [
            ("in the checkout", "of = 'the commit'"),
            ("1 level above", "a = 'one'"),
            ("2 levels above", "a = 'two'"),
            ("in CARGO_HOME", "a = 'three'"),
        ]
        .map(|(place, text)| (format!("cargo config {place}"), sha256_hex(text.as_bytes())));
        assert_eq!(found(), expected.into());
        for place in ["above/root/.cargo/config.toml", "above/.cargo/config.toml", "home/config.toml"] {
            for (text, words) in [
                ("include = ['more.toml']", "instead of `include`"),
                ("[build]\nrustc = 'other'", "instead of `build.rustc`"),
                ("build.rustc = 'other'", "instead of `build.rustc`"),
                ("[", "is no TOML"),
            ] {
                write(place, text);
                let error = configurations(&root, Some(&home)).unwrap_err().to_string();
                assert!(error.contains(place) && error.contains(words), "{error}");
            }
            write(place, "[build]\nrustflags = []");
        }
        configurations(&root, Some(&home)).unwrap();
        let link = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(&root, link.path().join("root")).unwrap();
        assert_eq!(configurations(&link.path().join("root"), Some(&home)).unwrap(), found());
    }

    #[test]
    fn the_compiler_that_is_asked_is_the_one_that_cargo_takes() {
        let asked = |set: &[&str]| compiler(|name| set.contains(&name).then(|| OsString::from(name)));
        assert_eq!(asked(&["RUSTC", "CARGO_BUILD_RUSTC"]), "RUSTC");
        assert_eq!(asked(&["CARGO_BUILD_RUSTC", "RUSTC_WRAPPER"]), "CARGO_BUILD_RUSTC");
        assert_eq!(asked(&["PATH"]), "rustc");
    }

    #[test]
    fn what_the_user_asked_of_cargo_is_passed_on() {
        for wish in ["CARGO_HOME", "CARGO_TARGET_DIR", "RUSTFLAGS", "CARGO_NET_OFFLINE", "PATH", "RUSTUP_TOOLCHAIN"] {
            assert!(!is_leaked(OsStr::new(wish)), "{wish}");
        }
    }
}
