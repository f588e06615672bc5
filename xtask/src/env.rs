//! The tools of Rust that xtask starts, and the environment of whatever it starts.
//!
//! `cargo run` sets variables for xtask that describe xtask. Leaked into another cargo they make build scripts that watch
//! them (ring's) run again: the build after a proof would compile ring once more, and the proof's own build as well.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;
use std::process::Command;

use crate::error::XtaskError;

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

/// Variables that change what cargo builds, by exact name.
const OF_BUILDS: [&str; 6] =
    ["CARGO_ENCODED_RUSTFLAGS", "RUSTC", "RUSTC_WORKSPACE_WRAPPER", "RUSTC_WRAPPER", "RUSTDOCFLAGS", "RUSTFLAGS"];

/// The same, by prefix.
const OF_BUILDS_PREFIXES: [&str; 3] = ["CARGO_BUILD_", "CARGO_PROFILE_", "CARGO_TARGET_"];

/// Variables of those prefixes that say only where a build goes: nothing of it changes, and places are nobody's business.
const PLACES: [&str; 4] =
    ["CARGO_BUILD_BUILD_DIR", "CARGO_BUILD_TARGET_DIR", "CARGO_TARGET_DIR", "CARGO_TARGET_TMPDIR"];

fn changes_builds(name: &str) -> bool {
    let prefixed = OF_BUILDS_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    OF_BUILDS.contains(&name) || (prefixed && !PLACES.contains(&name))
}

/// What in this process's environment changes what cargo builds.
pub(crate) fn of_builds() -> BTreeMap<String, String> {
    let text = |(name, value): (OsString, OsString)| {
        (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
    };
    std::env::vars_os().map(text).filter(|(name, _)| changes_builds(name)).collect()
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

/// What the compiler of the workspace prints for `argument`.
pub(crate) fn rustc(root: &Path, argument: &str) -> Result<String, XtaskError> {
    let mut command = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc")));
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
    fn what_the_user_asked_of_cargo_is_passed_on() {
        for wish in ["CARGO_HOME", "CARGO_TARGET_DIR", "RUSTFLAGS", "CARGO_NET_OFFLINE", "PATH", "RUSTUP_TOOLCHAIN"] {
            assert!(!is_leaked(OsStr::new(wish)), "{wish}");
        }
    }
}
