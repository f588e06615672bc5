//! From the `.jsonl` files of a bundle back to records, each line checked.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use evidence::Stream;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::lines::{LINE_LIMIT, Lines, Next};
use super::{Class, Location, Measurement, Record, device_class, file_of, status_follows};
use crate::bundle::chain_start;
use crate::hash::sha256_hex;
use crate::test_map::TestId;

/// More faults than anybody reads. A file that has as many is given up.
const FAULTS_LIMIT: usize = 1_000;

/// More than may come of the records of any run's file, in bytes; 100,000 records come to half of it. The number of lines
/// alone does not limit it: a record may name a hundred thousand requirements.
const KEPT_LIMIT: usize = 128 << 20;

/// What may come of every record, in bytes, and of each requirement that it names: what is kept, and what is said of it.
const RECORD: usize = 300;
const ID: usize = 150;

/// Reads the six `.jsonl` files of the bundle at `directory`. A file that is missing or holds no observed record, a line
/// whose place in the chain is wrong, and a status that does not follow are problems: the second list names them as
/// `file:line: …`, and such a line is no record.
#[must_use]
pub fn read(directory: impl AsRef<Path>, run_id: &str) -> (Vec<Record>, Vec<String>) {
    let mut records = Vec::new();
    let mut problems = Vec::new();
    for stream in Stream::ALL {
        let found = read_stream(directory.as_ref(), stream, run_id);
        problems.extend(found.problems(file_of(stream)));
        records.extend(found.records);
    }
    (records, problems)
}

/// Reads one of the six files, in the same way.
pub(crate) fn read_stream(directory: &Path, stream: Stream, run_id: &str) -> Scan {
    match File::open(directory.join(file_of(stream))) {
        Ok(input) => scan(input, stream, run_id, |_, _, _| {}),
        Err(error) => Scan::broken(format!("cannot be read: {error}")),
    }
}

/// More lines than the file of any run has; what is kept of each takes memory.
const LINES_LIMIT: usize = 500_000;

/// What a file holds.
#[derive(Debug, Default)]
pub(crate) struct Scan {
    /// Its records, in order.
    pub(crate) records: Vec<Record>,
    /// What is wrong with it, in order.
    pub(crate) faults: Vec<Fault>,
}

/// Something that is wrong with a line, or with the file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// The line, from 1; `None` for the file as a whole.
    pub(crate) line: Option<usize>,
    /// What kind of thing.
    pub(crate) kind: FaultKind,
    /// What is wrong.
    pub(crate) problem: String,
}

/// The kinds of [`Fault`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// The file is not what the collector writes.
    Form,
    /// A status does not follow from what was expected and observed.
    Status,
    /// The run left no observed record here.
    Empty,
}

impl Scan {
    /// A file that cannot be read.
    pub(crate) fn broken(problem: String) -> Self {
        Self { records: Vec::new(), faults: vec![Fault { line: None, kind: FaultKind::Form, problem }] }
    }

    /// What is wrong with it, each as `file:line: …`.
    pub(crate) fn problems(&self, file: &'static str) -> impl Iterator<Item = String> {
        self.faults.iter().map(move |fault| fault.at(file))
    }

    fn fault(&mut self, line: usize, problem: impl Into<String>) {
        self.faults.push(Fault { line: Some(line), kind: FaultKind::Form, problem: problem.into() });
    }
}

impl Fault {
    fn at(&self, file: &'static str) -> String {
        let Self { line, problem, .. } = self;
        match line {
            Some(line) => format!("{}: {problem}", Location { file, line: *line }),
            None => format!("{file}: {problem}"),
        }
    }
}

/// Reads a file line by line and keeps no more of each than a [`Record`]. `inspect` sees every line that is JSON: its
/// number, its bytes, its value.
pub(crate) fn scan(
    input: impl Read,
    stream: Stream,
    run_id: &str,
    mut inspect: impl FnMut(usize, &[u8], &Value),
) -> Scan {
    let file = file_of(stream);
    let mut scan = Scan::default();
    let mut lines = Lines::new(input);
    let mut reader = Reader::new(file, run_id);
    loop {
        let number = reader.seq;
        let line = match lines.next() {
            Ok(Next::Line(line)) => line,
            Ok(Next::Unended(line)) => {
                scan.fault(number, "the line has no newline: the file was cut off");
                line
            }
            Ok(Next::End) => break,
            Ok(Next::TooLong) => {
                scan.fault(number, format!("the line is longer than {LINE_LIMIT} bytes"));
                break;
            }
            Err(error) => {
                scan.fault(number, format!("cannot be read: {error}"));
                break;
            }
        };
        if number > LINES_LIMIT {
            scan.fault(number, format!("the file has more than {LINES_LIMIT} lines"));
            break;
        }
        match serde_json::from_slice::<Value>(line) {
            Ok(value) => {
                inspect(number, line, &value);
                match reader.record(value) {
                    Ok(record) => scan.records.push(record),
                    Err(Refusal(kind, problem)) => scan.faults.push(Fault { line: Some(number), kind, problem }),
                }
            }
            Err(error) => scan.fault(number, format!("not JSON: {error}")),
        }
        reader.pass(line);
        if scan.faults.len() >= FAULTS_LIMIT || reader.kept > KEPT_LIMIT {
            scan.fault(number, "too many faults or too much in this file: the rest of it was not read");
            break;
        }
    }
    if !scan.records.iter().any(|record| record.class == Class::Observed) {
        scan.faults.push(Fault { line: None, kind: FaultKind::Empty, problem: "no observed record".to_owned() });
    }
    scan
}

/// Why a line is no record.
struct Refusal(FaultKind, String);

impl<T: Into<String>> From<T> for Refusal {
    fn from(problem: T) -> Self {
        Self(FaultKind::Form, problem.into())
    }
}

/// Where the next line stands in the chain, and what it may share with the line before.
struct Reader<'a> {
    file: &'static str,
    run_id: &'a str,
    seq: usize,
    previous: String,
    /// How much may come of the lines so far, in bytes.
    kept: usize,
    /// The tests' lines stand together, so that remembering one is enough.
    test: Option<Arc<TestId>>,
    requirements: Arc<[String]>,
}

impl<'a> Reader<'a> {
    fn new(file: &'static str, run_id: &'a str) -> Self {
        let previous = chain_start(run_id, file);
        Self { file, run_id, seq: 1, previous, kept: 0, test: None, requirements: Arc::default() }
    }

    /// Goes on to the line after this one.
    fn pass(&mut self, line: &[u8]) {
        self.seq = self.seq.saturating_add(1);
        self.previous = sha256_hex(line);
    }

    fn record(&mut self, value: Value) -> Result<Record, Refusal> {
        let Value::Object(mut members) = value else {
            return Err("not a record: it is no JSON object".into());
        };
        let seq = members.get("seq").and_then(Value::as_u64).ok_or("not a record: `seq` is no number")?;
        if usize::try_from(seq) != Ok(self.seq) {
            return Err(format!("`seq` is {seq} on line {}", self.seq).into());
        }
        let run_id = text(&mut members, "run_id")?;
        if run_id != self.run_id {
            return Err(format!("it belongs to run {}", run_id.escape_debug()).into());
        }
        if text(&mut members, "prev_sha256")? != self.previous {
            return Err("`prev_sha256` is not the hash of the line before".into());
        }
        let requirements = match members.remove("requirements") {
            Some(Value::Array(ids)) => texts(ids).ok_or("not a record: `requirements` holds more than texts")?,
            _ => return Err("not a record: `requirements` is no list".into()),
        };
        let kept = requirements.iter().fold(RECORD, |sum, id| sum.saturating_add(ID).saturating_add(id.len()));
        self.kept = self.kept.saturating_add(kept);
        let location = Location { file: self.file, line: self.seq };
        match text(&mut members, "class")?.as_str() {
            "declared" => Ok(Record {
                location,
                class: Class::Declared,
                test: None,
                requirements: Arc::default(),
                device: "",
                holds: false,
                measurement: None,
            }),
            "observed" => self.observed(members, requirements, location),
            other => Err(format!("class `{}` is neither observed nor declared", other.escape_debug()).into()),
        }
    }

    fn observed(
        &mut self,
        mut members: Map<String, Value>,
        requirements: Vec<String>,
        location: Location,
    ) -> Result<Record, Refusal> {
        let test = TestId::new(text(&mut members, "binary")?, text(&mut members, "test")?);
        let class = text(&mut members, "device")?;
        let device =
            device_class(&class).ok_or_else(|| format!("device class `{}` is unknown", class.escape_debug()))?;
        // An absent member and `null` read the same here; `null` is a value like any other to compare.
        let expected = members.remove("expected").unwrap_or_default();
        let seen = members.remove("observed").unwrap_or_default();
        if !status_follows(&expected, &seen, &members.remove("status").unwrap_or_default()) {
            let problem = "the status does not follow from what was expected and observed";
            return Err(Refusal(FaultKind::Status, problem.to_owned()));
        }
        Ok(Record {
            measurement: Measurement::of(location.file, &members),
            location,
            class: Class::Observed,
            test: Some(self.share_test(test)),
            requirements: self.share_requirements(requirements),
            device,
            holds: expected == seen,
        })
    }

    fn share_test(&mut self, test: TestId) -> Arc<TestId> {
        match &self.test {
            Some(last) if **last == test => Arc::clone(last),
            _ => {
                self.kept = self.kept.saturating_add(test.binary.len()).saturating_add(test.test.len());
                let test = Arc::new(test);
                self.test = Some(Arc::clone(&test));
                test
            }
        }
    }

    fn share_requirements(&mut self, requirements: Vec<String>) -> Arc<[String]> {
        if *self.requirements != *requirements {
            self.requirements = requirements.into();
        }
        Arc::clone(&self.requirements)
    }
}

fn text(members: &mut Map<String, Value>, member: &str) -> Result<String, String> {
    match members.remove(member) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(format!("not a record: `{member}` is no text")),
        None => Err(format!("not a record: `{member}` is missing")),
    }
}

fn texts(values: Vec<Value>) -> Option<Vec<String>> {
    let text = |value| match value {
        Value::String(text) => Some(text),
        _ => None,
    };
    values.into_iter().map(text).collect()
}

impl Measurement {
    /// What a record of `performance.jsonl` measured; `None` for any other.
    fn of(file: &str, members: &Map<String, Value>) -> Option<Box<Self>> {
        if file != file_of(Stream::Performance) {
            return None;
        }
        let timings = Timings::deserialize(members.get("timings")?).ok()?;
        Some(Box::new(Self {
            operation: members.get("operation")?.as_str()?.to_owned(),
            model_size_bytes: members.get("model_size_bytes").and_then(Value::as_u64),
            count: timings.count,
            minimum_ns: timings.minimum_ns,
            median_ns: timings.median_ns,
            p99_ns: timings.p99_ns,
        }))
    }
}

/// The `timings` of a performance record.
#[derive(Deserialize)]
struct Timings {
    count: Option<u64>,
    minimum_ns: Option<u64>,
    median_ns: Option<u64>,
    p99_ns: Option<u64>,
}
