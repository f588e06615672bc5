//! What differs between two bundles, apart from what may.
//!
//! Two runs of one commit may differ in the fields that the JSON Schemas mark `x-volatile`, in the times of
//! `tests.junit.xml`, and therefore in the hashes of `SHA256SUMS`. The reports show volatile figures, so the two sides'
//! are not compared with one another: each side is verified first, and its reports and hashes with it.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::Error;
use crate::attest;
use crate::junit;
use crate::merge;
use crate::report::REPORTS;
use crate::schema::Schema;
use crate::sums;
use crate::verify::{Options, verify};

/// Something that differs and should not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The file's name.
    pub file: String,
    /// Where in it: a line, a JSON pointer, a test; empty for the file as a whole.
    pub place: String,
    /// What the first bundle has there.
    pub left: String,
    /// What the second has.
    pub right: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, place, left, right } = self;
        write!(f, "{file}{}{place}: {left} / {right}", if place.is_empty() { "" } else { " " })
    }
}

/// What differs between the bundles at `left` and `right`, by file; empty when nothing does but what may.
///
/// # Errors
///
/// [`Error::Merge`] for a merged bundle, and for one that is not intact or does not follow from its evidence: two bundles that
/// are broken alike are not the same. [`Error::Io`], [`Error::Json`] or [`Error::Junit`] when a file is another by now.
pub fn bundle_diff(left: impl AsRef<Path>, right: impl AsRef<Path>) -> Result<Vec<Difference>, Error> {
    let (left, right) = (left.as_ref(), right.as_ref());
    if let Some(merged) = [left, right].into_iter().find(|bundle| merge::is_merged(bundle)) {
        let problem = format!("{} is a merged bundle: compare the runs in its {}/", merged.display(), merge::INPUTS);
        return Err(Error::Merge { problem });
    }
    for bundle in [left, right] {
        if let Some(fault) = verify(bundle, &Options::integrity_only()).fault() {
            return Err(Error::Merge { problem: format!("{} cannot be compared: {fault}", bundle.display()) });
        }
    }
    let (ours, theirs) = (files(left)?, files(right)?);
    let mut found = Found::default();
    let presence = |files: &BTreeSet<String>, file: &str| if files.contains(file) { "present" } else { "missing" };
    for file in ours.union(&theirs) {
        if !(ours.contains(file) && theirs.contains(file)) {
            found.differ(file, "", presence(&ours, file), presence(&theirs, file));
            continue;
        }
        match file.as_str() {
            junit::FILE => diff_junit(&mut found, left, right)?,
            sums::FILE => diff_text(&mut found, file, &listed(&read(left, file)?), &listed(&read(right, file)?)),
            _ if file.ends_with(".json") => diff_json(&mut found, file, &read(left, file)?, &read(right, file)?)?,
            _ if file.ends_with(".jsonl") => diff_lines(&mut found, file, &read(left, file)?, &read(right, file)?)?,
            _ if is_report(file) => {}
            _ => diff_text(&mut found, file, &read(left, file)?, &read(right, file)?),
        }
    }
    Ok(found.0)
}

fn is_report(file: &str) -> bool {
    REPORTS.contains(&file)
}

/// The names of a bundle's files. Its attestations are left out: they are about the hashes of one run, and whoever verifies
/// the bundle judges them.
fn files(directory: &Path) -> Result<BTreeSet<String>, Error> {
    fs::read_dir(directory)
        .map_err(Error::io("list", directory))?
        .map(|entry| {
            let entry = entry.map_err(Error::io("list", directory))?;
            Ok(entry.file_name().to_string_lossy().into_owned())
        })
        .filter(|name| !matches!(name, Ok(name) if name == attest::DIRECTORY))
        .collect()
}

fn read(directory: &Path, file: &str) -> Result<String, Error> {
    let path = directory.join(file);
    fs::read_to_string(&path).map_err(Error::io("read", &path))
}

/// The names in a `SHA256SUMS`, without the hashes.
fn listed(sums: &str) -> String {
    sums.lines().filter_map(|line| line.split_once("  ")).map(|(_, name)| format!("{name}\n")).collect()
}

fn diff_junit(found: &mut Found, left: &Path, right: &Path) -> Result<(), Error> {
    let tests = |directory: &Path| -> Result<BTreeSet<String>, Error> {
        Ok(junit::read(directory.join(junit::FILE))?
            .into_iter()
            .map(|mut result| {
                result.duration = Duration::ZERO;
                format!("{}: {:?}, claims {:?}", result.id(), result.outcome, result.claims)
            })
            .collect())
    };
    let (ours, theirs) = (tests(left)?, tests(right)?);
    for only in ours.difference(&theirs) {
        found.differ(junit::FILE, "", only, "missing");
    }
    for only in theirs.difference(&ours) {
        found.differ(junit::FILE, "", "missing", only);
    }
    Ok(())
}

fn diff_json(found: &mut Found, file: &str, left: &str, right: &str) -> Result<(), Error> {
    let schema = Schema::of(file)?;
    let masked = |text: &str| -> Result<Value, Error> {
        let mut value = serde_json::from_str(text).map_err(Error::json(file))?;
        schema.mask(&mut value);
        Ok(value)
    };
    found.compare(file, "", &masked(left)?, &masked(right)?);
    Ok(())
}

fn diff_lines(found: &mut Found, file: &str, left: &str, right: &str) -> Result<(), Error> {
    let schema = Schema::of(file)?;
    let parsed = |line: &str| -> Result<Value, Error> {
        let mut value = serde_json::from_str(line).map_err(Error::json(file))?;
        schema.mask(&mut value);
        Ok(value)
    };
    let [ours, theirs] = [left, right].map(|text| text.lines().count());
    if ours != theirs {
        found.differ(file, "", &format!("{ours} lines"), &format!("{theirs} lines"));
    }
    // Two lines at a time: as values they take many times their bytes.
    for (index, (ours, theirs)) in left.lines().zip(right.lines()).enumerate() {
        found.compare(file, &format!("line {} ", index.saturating_add(1)), &parsed(ours)?, &parsed(theirs)?);
    }
    Ok(())
}

fn diff_text(found: &mut Found, file: &str, left: &str, right: &str) {
    for (index, pair) in lines_of(left).zip(lines_of(right)).enumerate() {
        match pair {
            (None, None) => return,
            (ours, theirs) if ours != theirs => {
                let place = format!("line {}", index.saturating_add(1));
                found.differ(file, &place, ours.unwrap_or("(end)"), theirs.unwrap_or("(end)"));
                return;
            }
            _ => {}
        }
    }
}

/// The lines of a text with what ends them, then nothing without end.
fn lines_of(text: &str) -> impl Iterator<Item = Option<&str>> {
    text.split_inclusive('\n').map(Some).chain(std::iter::repeat(None))
}

/// The differences found so far.
#[derive(Default)]
struct Found(Vec<Difference>);

impl Found {
    fn differ(&mut self, file: &str, place: &str, left: &str, right: &str) {
        self.0.push(Difference {
            file: file.to_owned(),
            place: place.to_owned(),
            left: left.to_owned(),
            right: right.to_owned(),
        });
    }

    fn compare(&mut self, file: &str, place: &str, left: &Value, right: &Value) {
        match (left, right) {
            (Value::Object(ours), Value::Object(theirs)) => {
                let names: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
                for name in names {
                    let place = format!("{place}/{name}");
                    match (ours.get(name), theirs.get(name)) {
                        (Some(one), Some(other)) => self.compare(file, &place, one, other),
                        (one, other) => self.differ(file, &place, &shown(one), &shown(other)),
                    }
                }
            }
            (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
                for (index, (one, other)) in ours.iter().zip(theirs).enumerate() {
                    self.compare(file, &format!("{place}/{index}"), one, other);
                }
            }
            _ if left == right => {}
            _ => self.differ(file, place, &shown(Some(left)), &shown(Some(right))),
        }
    }
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(|| "missing".to_owned(), Value::to_string)
}
