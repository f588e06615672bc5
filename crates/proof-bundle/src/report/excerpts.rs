//! Of each requirement's records the few that a report shows in full: those that do not hold first, then one of each file.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

use evidence::Stream;
use serde::Deserialize;
use serde_json::Value;

use super::clip;
use crate::coverage::{Coverage, RequirementCoverage};
use crate::records::{Lines, Next, file_of};

/// How many records of a requirement are shown.
const SHOWN: usize = 3;

/// How many characters of a value are shown.
const VALUE: usize = 200;

/// A record in short.
#[derive(Clone, Debug)]
pub(super) struct Excerpt {
    pub(super) device: String,
    pub(super) operation: String,
    pub(super) expected: String,
    pub(super) observed: String,
    pub(super) holds: bool,
}

/// The records that are shown, by `file:line`.
#[derive(Debug, Default)]
pub(super) struct Excerpts(BTreeMap<String, Excerpt>);

impl Excerpts {
    /// Reads those lines that are shown from the bundle at `directory`. What cannot be read is not shown: that it cannot
    /// is a problem that `coverage` names.
    pub(super) fn read(directory: &Path, coverage: &Coverage) -> Self {
        let wanted: BTreeSet<&str> = coverage.requirements.iter().flat_map(chosen).collect();
        let mut excerpts = Self::default();
        for stream in Stream::ALL {
            let file = file_of(stream);
            let lines: BTreeSet<usize> = wanted
                .iter()
                .filter_map(|location| location.strip_prefix(file)?.strip_prefix(':')?.parse().ok())
                .collect();
            excerpts.read_file(directory, file, &lines);
        }
        excerpts
    }

    fn read_file(&mut self, directory: &Path, file: &str, wanted: &BTreeSet<usize>) {
        let Some(last) = wanted.last() else { return };
        let Ok(input) = File::open(directory.join(file)) else { return };
        let mut lines = Lines::new(input);
        for number in 1..=*last {
            let Ok(Next::Line(line)) = lines.next() else { return };
            if wanted.contains(&number)
                && let Some(excerpt) = Excerpt::of(line)
            {
                self.0.insert(format!("{file}:{number}"), excerpt);
            }
        }
    }

    /// The records shown for a requirement, each with its `file:line`.
    pub(super) fn of<'a>(&'a self, coverage: &'a RequirementCoverage) -> Vec<(&'a str, &'a Excerpt)> {
        chosen(coverage).into_iter().filter_map(|location| Some((location, self.0.get(location)?))).collect()
    }
}

/// The records of a requirement that are shown.
fn chosen(coverage: &RequirementCoverage) -> Vec<&str> {
    let failing = coverage.reasons.iter().filter_map(|reason| reason.strip_suffix(" does not hold"));
    let failing: BTreeSet<&str> = failing.collect();
    let mut files = BTreeSet::new();
    let evidence = || coverage.evidence.iter().map(String::as_str);
    let mut chosen: Vec<&str> = evidence().filter(|location| failing.contains(location)).take(SHOWN).collect();
    let first_of_each_file = evidence().filter(|location| files.insert(location.split(':').next()));
    for location in first_of_each_file.chain(evidence().take(SHOWN)) {
        if chosen.len() < SHOWN && !chosen.contains(&location) {
            chosen.push(location);
        }
    }
    chosen
}

/// The members of a record that are shown.
#[derive(Deserialize)]
struct Members {
    device: String,
    operation: String,
    #[serde(default)]
    expected: Value,
    #[serde(default)]
    observed: Value,
}

impl Excerpt {
    fn of(line: &[u8]) -> Option<Self> {
        let Members { device, operation, expected, observed } = serde_json::from_slice(line).ok()?;
        Some(Self {
            device,
            operation: clip(&operation, VALUE),
            expected: clip(&expected.to_string(), VALUE),
            observed: clip(&observed.to_string(), VALUE),
            holds: expected == observed,
        })
    }
}
