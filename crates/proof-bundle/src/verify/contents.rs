//! The contents of a bundle, file by file: hashed, compared with `SHA256SUMS`, and checked for its one form.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;
use std::thread;

use evidence::Stream;

use super::canonical;
use super::findings::Findings;
use super::limits;
use super::lines::{self, LinesRead};
use super::listing::{ATTESTATIONS, Listing};
use super::live::Stated;
use crate::code_coverage::{self, CodeCoverage};
use crate::coverage::Coverage;
use crate::hash::sha256_hex;
use crate::mutants::Mutants;
use crate::provenance::{Metadata, Provenance};
use crate::records::file_of;
use crate::requirement::RequirementsFile;
use crate::{junit, mutants, sums};

/// What was read.
#[derive(Default)]
pub(super) struct Contents {
    /// SHA-256 of each file, by name.
    pub(super) digests: BTreeMap<String, String>,
    pub(super) metadata: Option<Metadata>,
    pub(super) provenance: Option<Provenance>,
    pub(super) requirements: Option<RequirementsFile>,
    pub(super) code_coverage: Option<CodeCoverage>,
    /// The binaries of the tests that ran.
    pub(super) binaries: BTreeSet<String>,
    /// What the bundle says that follows from the rest.
    pub(super) coverage: Option<Coverage>,
    /// Whether more would follow from it than a bundle can hold: then nothing may be derived.
    pub(super) is_too_much: bool,
    /// The files of records, in the order of [`Stream::ALL`].
    pub(super) lines: Vec<LinesRead>,
}

impl Contents {
    /// Reads every file of the listing once.
    pub(super) fn read(bundle: &Path, listing: &Listing, findings: &mut Findings) -> Self {
        let mut contents = Self::default();
        let mut listed = None;
        let mut tests = Some(Vec::new());
        let mut mutants = None;
        for name in listing.names().filter(|name| !is_lines(name)) {
            let bytes = match read_whole(bundle, listing, name) {
                Ok(bytes) => bytes,
                Err(problem) => {
                    findings.add(name, None, problem);
                    continue;
                }
            };
            contents.digests.insert(name.to_owned(), sha256_hex(&bytes));
            match name {
                "metadata.json" => contents.metadata = canonical::json(name, &bytes, findings),
                "provenance.json" => contents.provenance = canonical::json(name, &bytes, findings),
                "requirements.json" => contents.requirements = canonical::json(name, &bytes, findings),
                "coverage.json" => contents.coverage = canonical::json(name, &bytes, findings),
                code_coverage::FILE => contents.code_coverage = canonical::json(name, &bytes, findings),
                mutants::FILE => mutants = canonical::json::<Mutants>(name, &bytes, findings),
                "seeds.txt" => canonical::seeds(&bytes, findings),
                junit::FILE => tests = canonical::junit(&bytes, findings),
                sums::FILE => listed = canonical::sums(&bytes, findings),
                // A report is compared with what the files render to.
                _ => {}
            }
        }
        contents.is_too_much = match (&contents.requirements, &tests) {
            (_, None) => true,
            (Some(file), Some(tests)) => limits::exceeded(file, tests, mutants.as_ref(), findings),
            (None, _) => false,
        };
        contents.binaries = tests.into_iter().flatten().map(|test| test.binary).collect();
        drop(mutants);
        contents.read_lines(bundle, listing, findings);
        if let Some(listed) = listed {
            let names = listing.names().map(str::to_owned).collect();
            compare(&listed, &contents.digests, &names, findings);
        }
        contents
    }

    /// Reads the files of records side by side.
    fn read_lines(&mut self, bundle: &Path, listing: &Listing, findings: &mut Findings) {
        let schema = match canonical::checker("performance.jsonl") {
            Ok(schema) => schema,
            Err(problem) => return findings.add("performance.jsonl", None, problem),
        };
        let run_id = self.provenance.as_ref().map(|provenance| provenance.run_id.as_str()).unwrap_or_default();
        let stated = Stated {
            devices: self.provenance.as_ref().map(|provenance| &*provenance.devices).unwrap_or_default(),
            models: self.metadata.as_ref().map(|metadata| &*metadata.models).unwrap_or_default(),
        };
        let read: Vec<LinesRead> = thread::scope(|scope| {
            let schema = &schema;
            let start = |stream| scope.spawn(move || lines::read(bundle, listing, stream, run_id, stated, schema));
            let readers: Vec<_> = Stream::ALL.into_iter().map(start).collect();
            readers.into_iter().filter_map(|reader| reader.join().ok().flatten()).collect()
        });
        for lines in read {
            self.digests.insert(file_of(lines.stream).to_owned(), lines.digest.clone());
            self.lines.push(lines);
        }
        for lines in &mut self.lines {
            findings.extend(std::mem::take(&mut lines.form));
        }
    }
}

/// Compares the digests of the files `names` with those listed, both ways.
pub(super) fn compare(
    listed: &BTreeMap<String, String>,
    digests: &BTreeMap<String, String>,
    names: &BTreeSet<String>,
    findings: &mut Findings,
) {
    for (index, (name, digest)) in listed.iter().enumerate() {
        let line = Some(index.saturating_add(1));
        let shown: String = name.escape_default().collect();
        if name == sums::FILE || ATTESTATIONS.contains(&name.as_str()) {
            findings.add(sums::FILE, line, format!("it lists {shown}, which no list of hashes can hold"));
        } else if !names.contains(name) {
            findings.add(sums::FILE, line, format!("it lists {shown}, and there is no such file that can be used"));
        } else if digests.get(name).is_some_and(|actual| actual != digest) {
            findings.add(name.as_str(), None, "its SHA-256 is not the one that SHA256SUMS lists");
        }
    }
    for name in names.iter().filter(|name| *name != sums::FILE && !ATTESTATIONS.contains(&name.as_str())) {
        if !listed.contains_key(name) {
            findings.add(name.as_str(), None, "SHA256SUMS does not list it");
        }
    }
}

fn is_lines(name: &str) -> bool {
    Stream::ALL.into_iter().any(|stream| file_of(stream) == name)
}

/// Reads a file of which the listing knows that it is not too large.
pub(super) fn read_whole(bundle: &Path, listing: &Listing, name: &str) -> Result<Vec<u8>, String> {
    let (file, size) = listing.open(bundle, name)?;
    let mut bytes = Vec::new();
    // It may grow while it is read.
    file.take(size).read_to_end(&mut bytes).map_err(|error| format!("cannot be read: {error}"))?;
    Ok(bytes)
}
