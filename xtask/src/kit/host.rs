//! What tells the host that built a kit from the one that runs it.

use std::process::Command;

use proof_bundle::provenance::Host;

/// As many characters as a fact keeps.
const MOST: usize = 200;

/// This host.
pub(crate) fn this() -> Host {
    let os_release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let os = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or_default();
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let libc = Command::new("getconf").arg("GNU_LIBC_VERSION").output();
    let libc = libc.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    Host { os: line(os.trim_matches('"')), kernel: line(&kernel), libc: line(&libc) }
}

/// One line of printable ASCII, as the schema of `provenance.json` wants it.
pub(crate) fn line(text: &str) -> String {
    let kept: String = text.trim().chars().filter(|one| (' '..='~').contains(one)).take(MOST).collect();
    if kept.is_empty() { "unknown".to_owned() } else { kept }
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
    fn a_fact_is_one_line_of_printable_ascii_and_never_empty() {
        assert_eq!(line(" glibc 2.36\n"), "glibc 2.36");
        assert_eq!(line("a\nb\u{1b}[31m\u{202e}"), "ab[31m");
        assert_eq!((line("\n"), line(&"x".repeat(900)).len()), ("unknown".to_owned(), MOST));
    }
}
