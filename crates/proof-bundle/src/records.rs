//! The six `.jsonl` files: collected from the spools of a run, and read back.

mod collect;
mod read;
mod spool_name;

use std::fmt;

use facts::DeviceClass;
use serde_json::Value;

use crate::test_map::TestId;

pub use collect::{Claim, LIVE, collect};
pub use read::read;
pub use spool_name::spool_path;

/// Whether a record counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Written by [`evidence`]: its status follows from what was expected and observed.
    Observed,
    /// Written by a caller of the plain writer: kept, shown as such, never counted.
    Declared,
}

/// One line of a `.jsonl` file, read back and checked.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Where it stands.
    pub location: Location,
    /// Whether it counts.
    pub class: Class,
    /// The test that wrote it; `None` for a declared record.
    pub test: Option<TestId>,
    /// The requirements that it is evidence for; none for a declared record.
    pub requirements: Vec<String>,
    /// The class of device: `host`, `simulated`, `fake-driver` or `gpu`; empty for a declared record.
    pub device: String,
    /// Whether the observed value equals the expected one, compared again; false for a declared record.
    pub holds: bool,
    /// The whole line.
    pub value: Value,
}

/// A line of a file, as `file:line`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The file's name.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// The class of device that only a GPU has, as records write it.
pub(crate) const GPU: &str = "gpu";

/// Whether a record can come from such a device: the host itself or a class that `facts` knows.
fn is_device(class: &str) -> bool {
    class == "host" || class.parse::<DeviceClass>().is_ok()
}

/// Whether a record's `status` is the one that follows from what it expected and observed. Only `evidence` knows the
/// words, so it is asked to write them again.
fn status_follows(expected: &Value, observed: &Value, status: &Value) -> bool {
    serde_json::to_value(evidence::observe(expected, observed))
        .is_ok_and(|derived| derived.get("status") == Some(status))
}
