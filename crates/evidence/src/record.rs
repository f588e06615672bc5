//! Records: one operation, what was expected of it and what was observed.

use serde::Serialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::claim::claimed;
use crate::observation::{Observation, observe, to_value};
use crate::spool::Spool;

/// The file of a bundle that a record belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// Digests, keys, signatures.
    CryptoValidation,
    /// The VRAM-only rules and their decisions.
    PolicyEnforcement,
    /// Allocation, write, read, overwrite, free.
    CudaOperations,
    /// Offsets, lengths, capacities.
    BoundsChecking,
    /// Untrusted input: ids, sizes, indices, digests, files.
    InputValidation,
    /// Timings.
    Performance,
}

impl Stream {
    /// All six, in the order in which reports list them.
    pub const ALL: [Self; 6] = [
        Self::CryptoValidation,
        Self::PolicyEnforcement,
        Self::CudaOperations,
        Self::BoundsChecking,
        Self::InputValidation,
        Self::Performance,
    ];

    /// The name in records; the bundle's file is this and `.jsonl`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CryptoValidation => "crypto_validation",
            Self::PolicyEnforcement => "policy_enforcement",
            Self::CudaOperations => "cuda_operations",
            Self::BoundsChecking => "bounds_checking",
            Self::InputValidation => "input_validation",
            Self::Performance => "performance",
        }
    }
}

/// The members of a record that only this crate writes: a field of such a name could forge one.
const RESERVED: [&str; 16] = [
    "class",
    "device",
    "expected",
    "kind",
    "observed",
    "operation",
    "prev_sha256",
    "requirement",
    "requirements",
    "run_id",
    "seq",
    "status",
    "stream",
    "test",
    "binary",
    "timestamp",
];

/// A record that still lacks its observation.
#[derive(Clone, Debug)]
pub struct Record {
    stream: Stream,
    operation: String,
    device: String,
    requirements: Vec<String>,
    fields: Map<String, Value>,
}

impl Record {
    /// A record of `operation`, on device class `host` until [`device`](Self::device) says else.
    #[must_use]
    pub fn new(stream: Stream, operation: &str) -> Self {
        Self {
            stream,
            operation: operation.to_owned(),
            device: "host".to_owned(),
            requirements: Vec::new(),
            fields: Map::new(),
        }
    }

    /// The class of device that it ran on: `host`, `simulated`, `fake-driver` or `gpu`.
    #[must_use]
    pub fn device(mut self, class: &str) -> Self {
        class.clone_into(&mut self.device);
        self
    }

    /// Adds a requirement that this record is evidence for. A record without any gets all that
    /// the process has claimed when it is emitted.
    #[must_use]
    pub fn requirement(mut self, id: &str) -> Self {
        self.requirements.push(id.to_owned());
        self
    }

    /// Adds a member to the record. What differs between two runs of one commit (a duration, say)
    /// goes inside an object named `timings`.
    ///
    /// # Panics
    ///
    /// When `name` is one of the record's own members (`status`, `expected`, …), or when `value`
    /// cannot be represented in JSON.
    #[must_use]
    pub fn field(mut self, name: &str, value: impl Serialize) -> Self {
        assert!(
            !RESERVED.contains(&name),
            "`{name}` is a member that records have anyway: give the field another name"
        );
        self.fields.insert(name.to_owned(), to_value(name, value));
        self
    }

    /// Completes the record with what was expected and what was observed.
    ///
    /// # Panics
    ///
    /// When a value cannot be represented in JSON.
    #[must_use = "a record that is not emitted is lost"]
    pub fn observe(self, expected: impl Serialize, observed: impl Serialize) -> Recorded {
        Recorded { record: self, observation: observe(expected, observed) }
    }
}

/// A record with its observation, ready to be written.
#[derive(Clone, Debug)]
#[must_use = "a record that is not emitted is lost"]
pub struct Recorded {
    record: Record,
    observation: Observation,
}

impl Recorded {
    /// Writes to this process's spool, if it has one; a record without a requirement gets all that the process has
    /// claimed. Returns whether the observation holds.
    ///
    /// # Panics
    ///
    /// When the spool cannot be written: evidence is never lost in silence.
    pub fn emit(mut self) -> bool {
        if self.record.requirements.is_empty() {
            self.record.requirements = claimed();
        }
        match Spool::from_env() {
            Some(spool) => self.write_to(&spool),
            None => self.observation.holds(),
        }
    }

    /// Writes to `spool`, as it is. Returns whether the observation holds.
    ///
    /// # Panics
    ///
    /// When the spool cannot be written: evidence is never lost in silence.
    pub fn write_to(self, spool: &Spool) -> bool {
        let holds = self.observation.holds();
        spool.write_line(&self.into_line());
        holds
    }

    /// What was expected and observed.
    #[must_use]
    pub fn observation(&self) -> &Observation {
        &self.observation
    }

    fn into_line(self) -> Line {
        Line {
            kind: "record",
            stream: self.record.stream,
            operation: self.record.operation,
            requirements: self.record.requirements,
            device: self.record.device,
            // RFC 3339 formatting fails for years past 9999 only; a line without a timestamp is
            // refused by the collector.
            timestamp: OffsetDateTime::now_utc().format(&Rfc3339).ok(),
            observation: self.observation,
            fields: self.record.fields,
        }
    }
}

/// A record as the spool holds it.
#[derive(Serialize)]
struct Line {
    kind: &'static str,
    stream: Stream,
    operation: String,
    requirements: Vec<String>,
    device: String,
    timestamp: Option<String>,
    #[serde(flatten)]
    observation: Observation,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

/// Asserts that `observed` equals `expected`, and in a proof run records both first; the device
/// class is `host`.
///
/// # Panics
///
/// When the two differ as JSON values, when one cannot be represented in JSON, and when the spool
/// cannot be written.
#[track_caller]
pub fn check(stream: Stream, operation: &str, expected: impl Serialize, observed: impl Serialize) {
    check_on("host", stream, operation, expected, observed);
}

/// [`check`] for an operation on a device of class `simulated`, `fake-driver` or `gpu`.
///
/// # Panics
///
/// As [`check`].
#[track_caller]
pub fn check_on(device: &str, stream: Stream, operation: &str, expected: impl Serialize, observed: impl Serialize) {
    let recorded = Record::new(stream, operation).device(device).observe(expected, observed);
    let observation = recorded.observation().clone();
    assert!(
        recorded.emit(),
        "{operation}\n expected: {}\n observed: {}",
        observation.expected(),
        observation.observed()
    );
}
