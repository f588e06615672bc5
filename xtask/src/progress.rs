//! What a person sees while a command runs: a bar on a terminal, a line now and then elsewhere. All of it goes to stderr.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicU64, Ordering};

use indicatif::{ProgressBar, ProgressStyle};
use proof_bundle::junit::{Outcome, TestResult};
use proof_bundle::verify::one_line;

use crate::output;

/// How many lines a bar prints, at most, where there is no terminal.
const PLAIN_LINES: u64 = 10;

/// Announces a step of the command.
pub(crate) fn step(text: &str) {
    output::say(&format!("==> {}", one_line(text)));
}

/// A detail of the step.
pub(crate) fn note(text: &str) {
    output::say(&format!("    {}", one_line(text)));
}

/// The progress of something with a known length.
pub(crate) struct Bar {
    /// On a terminal.
    drawn: Option<ProgressBar>,
    what: String,
    length: u64,
    done: AtomicU64,
    shows_bytes: bool,
}

impl Bar {
    /// Counts tests.
    pub(crate) fn tests(length: usize) -> Self {
        Self::new("tests", u64::try_from(length).unwrap_or(u64::MAX), false)
    }

    /// Counts mutants.
    pub(crate) fn mutants(length: usize) -> Self {
        Self::new("mutants", u64::try_from(length).unwrap_or(u64::MAX), false)
    }

    /// Counts bytes.
    pub(crate) fn bytes(what: &str, length: u64) -> Self {
        Self::new(what, length, true)
    }

    fn new(what: &str, length: u64, shows_bytes: bool) -> Self {
        let template = if shows_bytes {
            "    {prefix} [{bar:30}] {bytes}/{total_bytes} ({bytes_per_sec}, {eta})"
        } else {
            "    {prefix} [{bar:30}] {pos}/{len} ({eta})"
        };
        let drawn = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(length).with_style(style).with_prefix(what.to_owned())
        });
        Self { drawn, what: what.to_owned(), length, done: AtomicU64::new(0), shows_bytes }
    }

    /// `amount` more is done.
    pub(crate) fn advance(&self, amount: u64) {
        let before = self.done.fetch_add(amount, Ordering::Relaxed);
        let after = before.saturating_add(amount);
        if let Some(bar) = &self.drawn {
            bar.set_position(after);
            return;
        }
        let tenth = |done: u64| done.saturating_mul(PLAIN_LINES).checked_div(self.length).unwrap_or(0);
        if tenth(after) > tenth(before) {
            let unit = if self.shows_bytes { " bytes" } else { "" };
            note(&format!("{}: {after} of {}{unit}", self.what, self.length));
        }
    }

    /// A test has ended; a bad end is shown at once.
    pub(crate) fn finished(&self, result: &TestResult) {
        let word = match result.outcome {
            Outcome::Passed | Outcome::NotRun(_) => None,
            Outcome::Failed(_) => Some("FAILED"),
            Outcome::Dead(_) => Some("DEAD"),
        };
        if let Some(word) = word {
            self.line(&format!("{word} {}", result.id()));
        }
        self.advance(1);
    }

    /// Whether it is drawn on a terminal.
    pub(crate) fn is_drawn(&self) -> bool {
        self.drawn.is_some()
    }

    /// A line above the bar.
    pub(crate) fn line(&self, text: &str) {
        match &self.drawn {
            Some(bar) => bar.suspend(|| note(text)),
            None => note(text),
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.drawn {
            bar.finish_and_clear();
        }
    }
}
