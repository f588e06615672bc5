//! What a check comes to, and what it found.

use std::fmt;

use serde::Serialize;

/// How many findings a check shows: a broken chain breaks every line after it.
const SHOWN: usize = 20;

/// How many characters of a finding are kept: what it cites may be as long as a line.
const LONGEST: usize = 500;

/// Something that should not be so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file's name in the bundle; `.` for the bundle itself.
    pub file: String,
    /// The line, from 1; `None` for the file as a whole.
    pub line: Option<usize>,
    /// What is wrong.
    pub problem: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.file, self.problem),
            None => write!(f, "{}: {}", self.file, self.problem),
        }
    }
}

/// What one check comes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum Check {
    /// It was made and holds.
    Holds {
        /// What was looked at.
        what: Vec<String>,
    },
    /// It was made and does not hold.
    Fails {
        /// Why; at least one, and at most so many that a reader still reads them.
        findings: Vec<Finding>,
    },
    /// Nobody asked for it.
    NotAsked {
        /// How to ask.
        why: String,
    },
    /// It could not be made.
    NotReached {
        /// What is missing.
        why: String,
    },
}

impl Check {
    /// Whether the check was made and does not hold.
    #[must_use]
    pub fn fails(&self) -> bool {
        matches!(self, Self::Fails { .. })
    }

    /// Whether the check was made and holds.
    #[must_use]
    pub fn holds(&self) -> bool {
        matches!(self, Self::Holds { .. })
    }

    /// What it found; nothing when it holds.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        match self {
            Self::Fails { findings } => findings,
            _ => &[],
        }
    }
}

/// The findings of one check, the first of them kept and all of them counted.
#[derive(Debug, Default)]
pub(super) struct Findings {
    first: Vec<Finding>,
    all: usize,
}

impl Findings {
    pub(super) fn add(&mut self, file: impl Into<String>, line: Option<usize>, problem: impl Into<String>) {
        self.all = self.all.saturating_add(1);
        if self.first.len() < SHOWN {
            let problem = problem.into();
            let shown: String = problem.chars().take(LONGEST).collect();
            let problem = if shown.len() < problem.len() { format!("{shown}…") } else { shown };
            self.first.push(Finding { file: file.into(), line, problem });
        }
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.all = self.all.saturating_add(other.all);
        let room = SHOWN.saturating_sub(self.first.len());
        self.first.extend(other.first.into_iter().take(room));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all == 0
    }

    /// The check that these findings are of; `what` is what it says when there are none.
    pub(super) fn check(mut self, what: Vec<String>) -> Check {
        if self.is_empty() {
            return Check::Holds { what };
        }
        let more = self.all.saturating_sub(self.first.len());
        if more > 0 {
            self.first.push(Finding { file: ".".to_owned(), line: None, problem: format!("{more} more findings") });
        }
        Check::Fails { findings: self.first }
    }
}
