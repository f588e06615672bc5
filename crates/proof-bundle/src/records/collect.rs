//! From the spools of a run's tests to the `.jsonl` files of its bundle.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use evidence::Stream;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::spool_name::test_of;
use super::{device_class, file_of, status_follows};
use crate::test_map::TestId;
use crate::{Error, ProofBundle};

/// The binary's id under which a proof run spools its live operations: they are no tests, claim nothing, and are found in
/// `<spool>/live/`.
pub const LIVE: &str = "live";

/// A requirement that a test claimed while it ran.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// The test.
    pub test: TestId,
    /// The requirement's id.
    pub requirement: String,
}

/// Writes the records of all spools below `spool` into the bundle's six `.jsonl` files, in the order of binary, test and
/// line, and returns what the tests claimed, sorted, each once. All six files exist afterwards.
///
/// # Errors
///
/// [`Error::Spool`] for a line that is not JSON, a kind or stream that does not exist, a member that is missing or only
/// the collector sets, and a status that does not follow from what was expected and observed; [`Error::Io`] when a file
/// cannot be read or written.
pub fn collect(spool: impl AsRef<Path>, bundle: &ProofBundle) -> Result<Vec<Claim>, Error> {
    for stream in Stream::ALL {
        bundle.append(file_of(stream), b"")?;
    }
    let mut claims = Vec::new();
    for (test, path) in spools(spool.as_ref())? {
        let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
        for (index, line) in text.lines().enumerate() {
            let fault = |problem: String| Error::Spool {
                binary: test.binary.clone(),
                test: test.test.clone(),
                line: index.saturating_add(1),
                problem,
            };
            match parse(line).map_err(fault)? {
                Line::Claim(_) if test.binary == LIVE => {
                    return Err(fault("a live operation cannot claim a requirement: only tests do".to_owned()));
                }
                Line::Claim(requirement) => claims.push(Claim { test: test.clone(), requirement }),
                Line::Record(stream, mut record) => {
                    record.insert("class".to_owned(), json!("observed"));
                    record.insert("binary".to_owned(), json!(test.binary));
                    record.insert("test".to_owned(), json!(test.test));
                    bundle.append_chained(file_of(stream), record)?;
                }
            }
        }
    }
    claims.sort();
    claims.dedup();
    Ok(claims)
}

/// The spool files by test.
fn spools(directory: &Path) -> Result<BTreeMap<TestId, PathBuf>, Error> {
    let mut spools = BTreeMap::new();
    for folder in list(directory)? {
        for file in list(&folder)? {
            let test = test_of(&name(&folder), &name(&file)).ok_or_else(|| Error::Spool {
                binary: name(&folder),
                test: name(&file),
                line: 0,
                problem: "no test has a spool of this name: empty the directory before the run".to_owned(),
            })?;
            spools.insert(test, file);
        }
    }
    Ok(spools)
}

fn list(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    fs::read_dir(directory)
        .map_err(Error::io("list", directory))?
        .map(|entry| Ok(entry.map_err(Error::io("list", directory))?.path()))
        .collect()
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// A line of a spool.
enum Line {
    Claim(String),
    Record(Stream, Map<String, Value>),
}

/// The members that a record has to have; the rest are its own.
#[derive(Deserialize)]
struct Required {
    stream: String,
    #[serde(rename = "operation")]
    _operation: String,
    #[serde(rename = "requirements")]
    _requirements: Vec<String>,
    device: String,
    #[serde(rename = "timestamp")]
    _timestamp: String,
}

fn parse(line: &str) -> Result<Line, String> {
    let mut object: Map<String, Value> = serde_json::from_str(line).map_err(|error| format!("not JSON: {error}"))?;
    match object.remove("kind").as_ref().and_then(Value::as_str) {
        Some("claim") => match object.get("requirement").and_then(Value::as_str) {
            Some(requirement) if object.len() == 1 => Ok(Line::Claim(requirement.to_owned())),
            _ => Err("a claim has one member, `requirement`".to_owned()),
        },
        Some("record") => {
            let stream = check(&object)?;
            object.remove("stream");
            Ok(Line::Record(stream, object))
        }
        _ => Err("`kind` is neither claim nor record".to_owned()),
    }
}

fn check(record: &Map<String, Value>) -> Result<Stream, String> {
    let required = Required::deserialize(record).map_err(|error| format!("not a record: {error}"))?;
    if device_class(&required.device).is_none() {
        let class = required.device;
        return Err(format!("device class `{class}` is unknown: use host, simulated, fake-driver or gpu"));
    }
    for member in ["class", "binary", "test", "seq", "run_id", "prev_sha256"] {
        if record.contains_key(member) {
            return Err(format!("`{member}` is set by the collector"));
        }
    }
    match (record.get("expected"), record.get("observed"), record.get("status")) {
        (Some(expected), Some(observed), Some(status)) if status_follows(expected, observed, status) => {}
        (Some(_), Some(_), Some(status)) => {
            return Err(format!("status {status} does not follow from what was expected and observed"));
        }
        _ => return Err("a record has `expected`, `observed` and `status`".to_owned()),
    }
    Stream::ALL
        .into_iter()
        .find(|stream| stream.as_str() == required.stream)
        .ok_or_else(|| format!("stream `{}` is unknown", required.stream))
}
