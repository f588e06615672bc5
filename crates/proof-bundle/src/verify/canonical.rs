//! The one form of each file of a bundle. What a file says is not enough: bytes that say nothing could carry anything.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::findings::Findings;
use super::xml;
use crate::json::json_text;
use crate::junit::{self, TestResult};
use crate::schema::{Checker, Schema};
use crate::sums;

/// Reads a JSON file, checks it against its schema, and that writing it again gives the same bytes.
pub(super) fn json<T: Serialize + DeserializeOwned>(name: &str, bytes: &[u8], findings: &mut Findings) -> Option<T> {
    json_of(name, name, bytes, findings)
}

/// The same, with the schema of another name.
pub(super) fn json_of<T: Serialize + DeserializeOwned>(
    name: &str,
    schema: &str,
    bytes: &[u8],
    findings: &mut Findings,
) -> Option<T> {
    let value: T = match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(error) => {
            findings.add(name, Some(error.line()), format!("it is not the JSON that it should be: {error}"));
            return None;
        }
    };
    match json_text(&value) {
        Ok(text) if text == bytes => {}
        Ok(text) => {
            findings.add(name, first_difference(&text, bytes), "it is not in the one form that a bundle has");
            return Some(value);
        }
        Err(error) => findings.add(name, None, format!("it cannot be written again: {error}")),
    }
    // After the typed reading and the form, which refuse what would only be large.
    let checked = checker(schema).and_then(|checker| {
        let value: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        checker.check(&value)
    });
    if let Err(problem) = checked {
        findings.add(name, None, problem);
    }
    Some(value)
}

/// The schema of a file of a bundle.
pub(super) fn checker(name: &str) -> Result<Checker, String> {
    Schema::of(name).map_err(|error| error.to_string())?.checker()
}

/// Checks that `tests.junit.xml` is what its tests are written as, and returns them; `None` when it may not be parsed.
pub(super) fn junit(bytes: &[u8], findings: &mut Findings) -> Option<Vec<TestResult>> {
    let Ok(xml) = std::str::from_utf8(bytes) else {
        findings.add(junit::FILE, None, "it is not UTF-8");
        return Some(Vec::new());
    };
    if let Err(problem) = xml::check(xml) {
        findings.add(junit::FILE, None, format!("{problem}: it is not in the one form that a bundle has"));
        return None;
    }
    let tests = junit::parse(xml);
    // A run that saw no test writes a file that lists none: coverage says what that means.
    let written = junit::to_xml(tests.as_deref().unwrap_or_default());
    match (written, &tests) {
        (Ok(text), _) if text == xml => {}
        (_, Err(problem)) => findings.add(junit::FILE, None, problem.as_str()),
        (Ok(text), Ok(_)) => {
            let line = first_difference(text.as_bytes(), bytes);
            findings.add(junit::FILE, line, "it is not in the one form that a bundle has");
        }
        (Err(error), Ok(_)) => findings.add(junit::FILE, None, error.to_string()),
    }
    Some(tests.unwrap_or_default())
}

/// Checks that `seeds.txt` holds decimal numbers below 2^64, one per line.
pub(super) fn seeds(bytes: &[u8], findings: &mut Findings) {
    let text = String::from_utf8_lossy(bytes);
    let mut number = 0_usize;
    for line in text.split_inclusive('\n') {
        number = number.saturating_add(1);
        let seed = line.strip_suffix('\n').and_then(|line| line.parse::<u64>().ok());
        if seed.is_none_or(|seed| format!("{seed}\n") != line) {
            return findings.add("seeds.txt", Some(number), "a line holds one decimal number below 2^64");
        }
    }
    if number == 0 {
        findings.add("seeds.txt", None, "it holds no seed");
    }
}

/// Reads `SHA256SUMS` and checks its form; the digests by name.
pub(super) fn sums(bytes: &[u8], findings: &mut Findings) -> Option<std::collections::BTreeMap<String, String>> {
    const FORM: &str = "a line is 64 lower-case hexadecimal digits, two spaces, a name; sorted by name, each once";
    let text = String::from_utf8_lossy(bytes);
    let Some(digests) = sums::parse(&text) else {
        findings.add(sums::FILE, None, FORM);
        return None;
    };
    let written = sums::text(&digests);
    if written.as_bytes() != bytes {
        findings.add(sums::FILE, first_difference(written.as_bytes(), bytes), FORM);
    }
    Some(digests)
}

/// The first line in which two texts differ, from 1.
pub(super) fn first_difference(one: &[u8], other: &[u8]) -> Option<usize> {
    let same = one.iter().zip(other).take_while(|(one, other)| one == other).count();
    let newlines = one.get(..same)?.iter().filter(|byte| **byte == b'\n').count();
    Some(newlines.saturating_add(1))
}
