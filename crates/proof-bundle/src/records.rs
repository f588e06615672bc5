//! The six `.jsonl` files: collected from the spools of a run, and read back.

mod collect;
mod lines;
mod read;
mod spool_name;

use std::fmt;
use std::sync::{Arc, LazyLock};

use evidence::Stream;
use facts::DeviceClass;
use serde_json::Value;

use crate::test_map::TestId;

pub use collect::{Claim, LIVE, collect};
pub(crate) use lines::{Lines, Next};
pub use read::read;
pub(crate) use read::{FaultKind, Scan, read_stream, scan};
pub use spool_name::spool_path;

/// Whether a record counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Written by [`evidence`]: its status follows from what was expected and observed.
    Observed,
    /// Written by a caller of the plain writer: kept, shown as such, never counted.
    Declared,
}

/// One line of a `.jsonl` file, read back and checked: what coverage and reports need of it, and no more, since a bundle
/// may hold hundreds of thousands.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Where it stands.
    pub location: Location,
    /// Whether it counts.
    pub class: Class,
    /// The test that wrote it; `None` for a declared record.
    pub test: Option<Arc<TestId>>,
    /// The requirements that it is evidence for; none for a declared record.
    pub requirements: Arc<[String]>,
    /// The class of device: `host`, `simulated`, `fake-driver` or `gpu`; empty for a declared record.
    pub device: &'static str,
    /// Whether the observed value equals the expected one, compared again; false for a declared record.
    pub holds: bool,
    /// What an observed record of `performance.jsonl` measured.
    pub measurement: Option<Box<Measurement>>,
}

/// Timings of one operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measurement {
    /// What was timed.
    pub operation: String,
    /// The size of the model that it worked on, in bytes.
    pub model_size_bytes: Option<u64>,
    /// How many samples there are.
    pub count: Option<u64>,
    /// The shortest, in nanoseconds.
    pub minimum_ns: Option<u64>,
    /// The median, in nanoseconds.
    pub median_ns: Option<u64>,
    /// The 99th percentile, in nanoseconds.
    pub p99_ns: Option<u64>,
}

/// A line of a file, as `file:line`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The file's name.
    pub file: &'static str,
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

/// The word for records that were made without any device.
pub(crate) const HOST: &str = "host";

/// The binary of doc tests, as runs list it.
pub const DOC_TESTS: &str = "doc-tests";

/// The file of a stream.
pub(crate) fn file_of(stream: Stream) -> &'static str {
    match stream {
        Stream::CryptoValidation => "crypto_validation.jsonl",
        Stream::PolicyEnforcement => "policy_enforcement.jsonl",
        Stream::CudaOperations => "cuda_operations.jsonl",
        Stream::BoundsChecking => "bounds_checking.jsonl",
        Stream::InputValidation => "input_validation.jsonl",
        Stream::Performance => "performance.jsonl",
    }
}

/// The class of device that a record says it comes from: the host itself or a class that `facts` knows.
fn device_class(class: &str) -> Option<&'static str> {
    if class == HOST { Some(HOST) } else { class.parse().ok().map(DeviceClass::as_str) }
}

/// The words for an observation that holds and one that does not. Only `evidence` knows them.
static WORDS: LazyLock<[Option<Value>; 2]> = LazyLock::new(|| {
    let status = |observed| serde_json::to_value(evidence::observe(true, observed)).ok()?.get("status").cloned();
    [status(true), status(false)]
});

/// Whether a record's `status` is the one that follows from what it expected and observed.
fn status_follows(expected: &Value, observed: &Value, status: &Value) -> bool {
    let [pass, fail] = &*WORDS;
    let word = if expected == observed { pass } else { fail };
    word.as_ref() == Some(status)
}
