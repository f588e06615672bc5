//! Which C library a program needs: the newest version of a symbol that it asks for.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::error::XtaskError;

/// The oldest glibc that has all that these programs and libraries need, such as `2.34`.
///
/// # Errors
/// [`XtaskError::Start`] and [`XtaskError::Input`] when readelf cannot say.
pub(super) fn needed(files: &[PathBuf]) -> Result<String, XtaskError> {
    let mut command = Command::new("readelf");
    command.args(["--version-info", "--wide"]).args(files).env("LC_ALL", "C").stdin(Stdio::null());
    let output = command.output().map_err(|source| XtaskError::Start { program: "readelf".to_owned(), source })?;
    let newest = newest(&String::from_utf8_lossy(&output.stdout)).filter(|_| output.status.success());
    let (major, minor) = newest.ok_or_else(|| {
        let said = String::from_utf8_lossy(&output.stderr);
        XtaskError::Input(format!(
            "readelf does not say which glibc the tests need ({}): build them for a target with glibc",
            said.lines().next().unwrap_or("it names no version")
        ))
    })?;
    Ok(format!("{major}.{minor}"))
}

/// The newest version among lines such as `0x0020: Name: GLIBC_2.34  Flags: none  Version: 5`.
fn newest(text: &str) -> Option<(u32, u32)> {
    let version = |name: &str| {
        if name == "ABI_DT_RELR" {
            return Some((2, 36));
        }
        let mut parts = name.split('.').map(str::parse);
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    };
    text.split_whitespace().filter_map(|word| version(word.strip_prefix("GLIBC_")?)).max()
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
    fn the_newest_version_is_found_by_number_and_other_names_are_none() {
        let line = |name: &str| format!("  0x0020:   Name: {name}  Flags: none  Version: 5\n");
        let text = ["GLIBC_2.9", "GLIBC_2.34", "GLIBC_2.3.4", "GLIBC_PRIVATE", "GCC_4.2.0"].map(line).concat();
        assert_eq!(newest(&text), Some((2, 34)));
        assert_eq!(newest(&(text + &line("GLIBC_ABI_DT_RELR"))), Some((2, 36)));
        assert_eq!(newest(&line("GCC_3.0")), None);
    }

    #[test]
    fn the_running_program_needs_a_version_that_this_host_has() {
        evidence::needs!("readelf");
        let own = std::env::current_exe().unwrap();
        let needed = needed(&[own]).unwrap();
        assert!(needed.starts_with("2."), "{needed}");
        assert!(super::needed(&[PathBuf::from("/dev/null")]).is_err());
    }
}
