//! From the `.jsonl` files of a bundle back to records, each line checked.

use std::fs;
use std::path::Path;

use evidence::Stream;
use serde::Deserialize;
use serde_json::Value;

use super::collect::file_of;
use super::{Class, Location, Record, is_device, status_follows};
use crate::bundle::chain_start;
use crate::hash::sha256_hex;
use crate::test_map::TestId;

/// Reads the six `.jsonl` files of the bundle at `directory`. A file that is missing or holds no observed record, a line
/// whose place in the chain is wrong, and a status that does not follow are problems: the second list names them as
/// `file:line: …`, and such a line is no record.
#[must_use]
pub fn read(directory: impl AsRef<Path>, run_id: &str) -> (Vec<Record>, Vec<String>) {
    let mut records = Vec::new();
    let mut problems = Vec::new();
    for stream in Stream::ALL {
        let file = file_of(stream);
        match fs::read_to_string(directory.as_ref().join(&file)) {
            Ok(text) => {
                let found = read_file(&file, &text, run_id, &mut problems);
                if !found.iter().any(|record| record.class == Class::Observed) {
                    problems.push(format!("{file}: no observed record"));
                }
                records.extend(found);
            }
            Err(error) => problems.push(format!("{file}: cannot be read: {error}")),
        }
    }
    (records, problems)
}

fn read_file(file: &str, text: &str, run_id: &str, problems: &mut Vec<String>) -> Vec<Record> {
    let mut records = Vec::new();
    let mut previous = chain_start(run_id, file);
    for (index, line) in text.lines().enumerate() {
        let location = Location { file: file.to_owned(), line: index.saturating_add(1) };
        let place = Place { seq: location.line, run_id, prev_sha256: &previous };
        match parse(line, &place, location.clone()) {
            Ok(record) => records.push(record),
            Err(problem) => problems.push(format!("{location}: {problem}")),
        }
        previous = sha256_hex(line.as_bytes());
    }
    records
}

/// What a line has to say of its place in the chain.
struct Place<'a> {
    seq: usize,
    run_id: &'a str,
    prev_sha256: &'a str,
}

/// The members that every line has; a declared one may have `null` for some.
#[derive(Deserialize)]
struct Members {
    class: String,
    seq: usize,
    run_id: String,
    prev_sha256: String,
    binary: Option<String>,
    test: Option<Value>,
    requirements: Vec<String>,
    device: Option<Value>,
    expected: Option<Value>,
    observed: Option<Value>,
    status: Option<Value>,
}

fn parse(line: &str, place: &Place<'_>, location: Location) -> Result<Record, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| format!("not JSON: {error}"))?;
    let members = Members::deserialize(&value).map_err(|error| format!("not a record: {error}"))?;
    if members.seq != place.seq {
        return Err(format!("`seq` is {} on line {}", members.seq, place.seq));
    }
    if members.run_id != place.run_id {
        return Err(format!("it belongs to run {}", members.run_id));
    }
    if members.prev_sha256 != place.prev_sha256 {
        return Err("`prev_sha256` is not the hash of the line before".to_owned());
    }
    match members.class.as_str() {
        "declared" => Ok(Record {
            location,
            class: Class::Declared,
            test: None,
            requirements: Vec::new(),
            device: String::new(),
            holds: false,
            value,
        }),
        "observed" => observed(members, value, location),
        other => Err(format!("class `{other}` is neither observed nor declared")),
    }
}

fn observed(members: Members, value: Value, location: Location) -> Result<Record, String> {
    let text = |member: &str, value: Option<Value>| match value {
        Some(Value::String(text)) => Ok(text),
        _ => Err(format!("`{member}` is missing")),
    };
    let test = TestId::new(members.binary.ok_or("`binary` is missing")?, text("test", members.test)?);
    let device = text("device", members.device)?;
    if !is_device(&device) {
        return Err(format!("device class `{device}` is unknown"));
    }
    // An absent member and `null` read the same here; `null` is a value like any other to compare.
    let expected = members.expected.unwrap_or_default();
    let seen = members.observed.unwrap_or_default();
    if !status_follows(&expected, &seen, &members.status.unwrap_or_default()) {
        return Err("the status does not follow from what was expected and observed".to_owned());
    }
    Ok(Record {
        location,
        class: Class::Observed,
        test: Some(test),
        requirements: members.requirements,
        device,
        holds: evidence::observe(&expected, &seen).holds(),
        value,
    })
}
