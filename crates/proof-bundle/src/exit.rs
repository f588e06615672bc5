//! The exit codes: a contract that scripts build on. README.md shows the same table, and a test keeps the two alike.

use std::process::ExitCode;

use crate::coverage::Verdict;

/// How a command ended. The numbers never change their meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done. Of `proof`, `coverage`, `merge` and `verify`: all that the run's host can prove is proven.
    Proven = 0,
    /// `tidy` found something, `bundle-diff`, `coverage --check` or `kernels --check` found a difference, or a file could not be
    /// written.
    Found = 1,
    /// The command line is wrong. clap uses the same number.
    Usage = 2,
    /// A requirement failed, or a test that maps to none.
    Failed = 10,
    /// A mapped test did not run, or a requirement has none, or none that observes, or says something else now than when they
    /// ran. A test that waits for a GPU, of a requirement that needs one, does not count here.
    NotRun = 11,
    /// An input is missing, empty or dead.
    BadInput = 12,
    /// The bundle is not intact.
    NotIntact = 20,
    /// The bundle is not signed by a trusted key.
    NotTrusted = 21,
    /// The bundle's statuses do not follow from its evidence.
    NotDerived = 22,
    /// The bundle is not for this commit, or its tree was dirty.
    OtherCommit = 23,
    /// The bundle is stale or not fresh.
    Stale = 24,
    /// Interrupted (Ctrl-C, SIGTERM): children stopped, nothing half-written left behind. `mutants` keeps its results.
    Interrupted = 130,
}

impl Exit {
    /// Every code with its meaning, in the words of `--help` and of README.md.
    pub const TABLE: [(Exit, &'static str); 12] = [
        (Exit::Proven, "done; of proof, coverage, merge and verify: all that the run's host can prove is proven"),
        (
            Exit::Found,
            "tidy, bundle-diff, coverage --check or kernels --check found something, or a file could not be written",
        ),
        (Exit::Usage, "usage: the command line is wrong"),
        (Exit::Failed, "a requirement or a test failed"),
        (
            Exit::NotRun,
            "a mapped test did not run, or a requirement has none, or none that observes (one that waits for a GPU apart)",
        ),
        (Exit::BadInput, "an input is missing, empty or dead"),
        (Exit::NotIntact, "bundle not intact"),
        (Exit::NotTrusted, "not signed by a trusted key"),
        (Exit::NotDerived, "statuses do not follow from the evidence"),
        (Exit::OtherCommit, "not for this commit, or its tree was dirty"),
        (Exit::Stale, "stale or not fresh"),
        (Exit::Interrupted, "interrupted; nothing half-written is left behind"),
    ];

    /// The number that the shell sees.
    #[must_use]
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The table as `--help` prints it.
    #[must_use]
    pub fn help() -> String {
        let mut text = String::from("Exit codes:\n");
        for (exit, meaning) in Self::TABLE {
            text.push_str(&format!("  {:>3}  {meaning}\n", exit.code()));
        }
        text
    }
}

impl From<Verdict> for Exit {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Proven => Self::Proven,
            Verdict::Failed => Self::Failed,
            Verdict::NotRun => Self::NotRun,
            Verdict::Input => Self::BadInput,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit.code())
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
    use super::*;

    #[test]
    fn the_readme_has_this_table_and_no_other() {
        let readme = std::fs::read_to_string("../../README.md").unwrap();
        let section = readme.split("## Exit codes").nth(1).unwrap();
        let rows = section.lines().skip_while(|line| !line.starts_with("| --- ")).skip(1);
        let rows: Vec<&str> = rows.take_while(|line| line.starts_with('|')).collect();
        let expected = Exit::TABLE.map(|(exit, meaning)| format!("| {} | {meaning} |", exit.code()));
        assert_eq!(rows, expected);
    }
}
