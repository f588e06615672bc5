//! A `.jsonl` file, read once from its first byte to its last: its hash, its chain, each line's form, schema and decisions.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::Path;

use evidence::Stream;

use super::findings::Findings;
use super::listing::Listing;
use super::live::Stated;
use super::policy;
use crate::hash::Sha256;
use crate::records::{FaultKind, Scan, file_of, scan};
use crate::schema::Checker;

/// What a file holds and what is wrong with it.
pub(super) struct LinesRead {
    pub(super) stream: Stream,
    /// SHA-256 of the file.
    pub(super) digest: String,
    pub(super) scan: Scan,
    /// How many lines were read.
    pub(super) count: usize,
    /// Where the file is not what a run writes.
    pub(super) form: Findings,
    /// Where a status or a decision does not follow.
    pub(super) judged: Findings,
    /// How many policy decisions were judged again.
    pub(super) decisions: usize,
    /// The models that live operations sealed, by their numbers in `metadata.json`.
    pub(super) sealed: BTreeSet<usize>,
}

/// Reads the file of `stream`; `None` when it cannot be read, which the listing knows.
pub(super) fn read(
    bundle: &Path,
    listing: &Listing,
    stream: Stream,
    run_id: &str,
    stated: Stated<'_>,
    schema: &Checker,
) -> Option<LinesRead> {
    let file = file_of(stream);
    if !listing.has(file) {
        return None;
    }
    let mut form = Findings::default();
    let mut judged = Findings::default();
    let (input, bytes) = match listing.open(bundle, file) {
        Ok(opened) => opened,
        Err(problem) => {
            form.add(file, None, problem);
            let (scan, sealed) = (Scan::default(), BTreeSet::new());
            return Some(LinesRead {
                stream,
                digest: String::new(),
                scan,
                count: 0,
                form,
                judged,
                decisions: 0,
                sealed,
            });
        }
    };
    let mut input = Hashing { input: input.take(bytes), sha256: Sha256::default() };
    let mut decisions = 0_usize;
    let mut sealed = BTreeSet::new();
    let mut count = 0_usize;
    let mut written = Vec::new();
    let scan = scan(&mut input, stream, run_id, |number, line, value| {
        count = number;
        written.clear();
        if serde_json::to_writer(&mut written, value).is_err() || written != line {
            form.add(file, Some(number), "the line is not in the one form that a bundle has: sorted names, no spaces");
        }
        if let Err(problem) = schema.check(value) {
            form.add(file, Some(number), problem);
        }
        match policy::judge_again(value) {
            Ok(count) => decisions = decisions.saturating_add(count),
            Err(problem) => judged.add(file, Some(number), problem),
        }
        match stated.check(value) {
            Ok(model) => sealed.extend(model),
            Err(problem) => judged.add(file, Some(number), problem),
        }
    });
    for fault in &scan.faults {
        match fault.kind {
            FaultKind::Form => form.add(file, fault.line, fault.problem.as_str()),
            FaultKind::Status => judged.add(file, fault.line, fault.problem.as_str()),
            // A run that observed nothing is no broken bundle: coverage says what it is.
            FaultKind::Empty => {}
        }
    }
    // A file that was given up is broken anyway: its hash is that of what was read.
    Some(LinesRead { stream, digest: input.sha256.to_hex(), scan, count, form, judged, decisions, sealed })
}

/// Hashes what is read through it.
struct Hashing<R> {
    input: R,
    sha256: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        if let Some(bytes) = buffer.get(..read) {
            self.sha256.update(bytes);
        }
        Ok(read)
    }
}
