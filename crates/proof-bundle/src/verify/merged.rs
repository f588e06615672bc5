//! A merged bundle: each input verified by itself, and whether all that is said of them together follows.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::canonical::{self, first_difference};
use super::contents::{compare, read_whole};
use super::derived::{check_reports, check_version, differing};
use super::findings::{Check, Findings};
use super::limits;
use super::listing::{ENTRIES_LIMIT, Kind, Listing};
use super::trust::Envelopes;
use super::{Examined, Options, Shown, Verification, examine, not_asked};
use crate::attest::DIRECTORY;
use crate::hash::sha256_hex;
use crate::json::json_text;
use crate::merge::{FILE, INPUTS, Input, Merge, MergedCoverage, derive, input_path, is_merged, is_run_id};
use crate::requirement::RequirementsFile;
use crate::schema::OF_MERGED_COVERAGE;
use crate::sums;

/// The most inputs that are looked at.
pub(crate) const INPUTS_LIMIT: usize = ENTRIES_LIMIT;

/// The most that all runs may have, in bytes: a few files could be linked into many runs.
const RUNS_LIMIT: u64 = 4 << 30;

/// The files of each run of which something is held until all are looked at, and the most that those may have, in bytes.
const HELD: [&str; 4] = ["metadata.json", "provenance.json", "requirements.json", "coverage.json"];
const HELD_LIMIT: u64 = 256 << 20;

/// What the merged bundle itself holds.
#[derive(Default)]
struct Own {
    /// SHA-256 of each file, those of the inputs included.
    digests: BTreeMap<String, String>,
    /// What `SHA256SUMS` says of them.
    listed: Option<BTreeMap<String, String>>,
    merge: Option<Merge>,
    requirements: Option<RequirementsFile>,
    coverage: Option<(MergedCoverage, Vec<u8>)>,
}

impl Own {
    fn read(bundle: &Path, listing: &Listing, findings: &mut Findings) -> Self {
        let mut own = Self::default();
        for name in listing.names() {
            let bytes = match read_whole(bundle, listing, name) {
                Ok(bytes) => bytes,
                Err(problem) => {
                    findings.add(name, None, problem);
                    continue;
                }
            };
            own.digests.insert(name.to_owned(), sha256_hex(&bytes));
            match name {
                FILE => own.merge = canonical::json(name, &bytes, findings),
                "requirements.json" => own.requirements = canonical::json(name, &bytes, findings),
                "coverage.json" => {
                    let coverage = canonical::json_of(name, OF_MERGED_COVERAGE, &bytes, findings);
                    own.coverage = coverage.map(|coverage| (coverage, bytes));
                }
                sums::FILE => own.listed = canonical::sums(&bytes, findings),
                // A report is compared with what the files render to.
                _ => {}
            }
        }
        // What became of the tests is in the inputs, which have limits of their own.
        if own.requirements.as_ref().is_some_and(|file| limits::exceeded(file, &[], None, findings)) {
            own.requirements = None;
        }
        own
    }
}

/// Verifies the merged bundle at `bundle`.
pub(super) fn verify(bundle: &Path, options: &Options) -> Verification {
    let mut form = Findings::default();
    let listing = Listing::read(bundle, Kind::Merged, &mut form);
    let mut run_ids = list_inputs(bundle, &mut form);
    if are_too_large(bundle, &run_ids) {
        let problem = format!("the runs have more than {RUNS_LIMIT} bytes, or {HELD_LIMIT} in {}", HELD.join(", "));
        form.add(INPUTS, None, format!("{problem}: they are refused unread"));
        run_ids.clear();
    }
    let mut own = Own::read(bundle, &listing, &mut form);
    let envelopes = Envelopes::read(bundle, &listing, &mut form);
    let inputs: Vec<(String, Examined)> = run_ids
        .into_iter()
        .map(|run_id| {
            let examined = examine(&input_path(bundle, &run_id), options);
            (run_id, examined)
        })
        .collect();
    let mut names: BTreeSet<String> = listing.names().map(str::to_owned).collect();
    for (run_id, input) in &inputs {
        let within = |name: &str| format!("{INPUTS}/{run_id}/{name}");
        names.extend(input.listing.names().map(within));
        own.digests.extend(input.digests.iter().map(|(name, digest)| (within(name), digest.clone())));
    }
    if let Some(listed) = &own.listed {
        compare(listed, &own.digests, &names, &mut form);
    }

    let mut follows = Findings::default();
    let derived = check_derived(bundle, &listing, &own, &inputs, &envelopes, &mut follows);
    let trusted = match options.integrity_only {
        true => not_asked(),
        false => {
            let sums_digest = own.digests.get(sums::FILE).map(String::as_str);
            envelopes.trusted(&listing, sums_digest, &options.public_keys, &mut form)
        }
    };
    // Last, after the last look into the files.
    listing.check_unchanged(bundle, &mut form);
    for (run_id, input) in &inputs {
        let mut changed = Findings::default();
        input.listing.check_unchanged(&input_path(bundle, run_id), &mut changed);
        for finding in changed.check(Vec::new()).findings() {
            form.add(format!("{INPUTS}/{run_id}/{}", finding.file), finding.line, finding.problem.as_str());
        }
    }

    let bytes = inputs.iter().fold(listing.bytes(), |sum, (_, input)| sum.saturating_add(input.listing.bytes()));
    let what = format!("{} files, {bytes} bytes, {} runs", names.len(), inputs.len());
    let (derived, shown, run) = match derived {
        Ok((what, coverage, read)) => {
            (follows.check(what), Some(Shown::of_merged(&coverage, &read)), Some(coverage.verdict()))
        }
        Err(_) if !follows.is_empty() => (follows.check(Vec::new()), None, None),
        Err(why) => (Check::NotReached { why }, None, None),
    };
    let nothing = || Check::Holds { what: Vec::new() };
    let of_inputs = |check: fn(&Verification) -> &Check| {
        inputs.iter().map(move |(run_id, input)| (run_id.as_str(), check(&input.verification)))
    };
    Verification {
        intact: together(form.check(vec![what]), of_inputs(|input| &input.intact), false),
        // Without a key each run would only say the same.
        trusted: match options.public_keys.is_empty() {
            true => trusted,
            false => together(trusted, of_inputs(|input| &input.trusted), true),
        },
        derived: together(derived, of_inputs(|input| &input.derived), false),
        commit: together(nothing(), of_inputs(|input| &input.commit), true),
        fresh: together(nothing(), of_inputs(|input| &input.fresh), true),
        shown,
        run,
    }
}

/// The run ids in `inputs/`: real directories of such a name. Everything else is a finding.
fn list_inputs(bundle: &Path, findings: &mut Findings) -> Vec<String> {
    let directory = bundle.join(INPUTS);
    if !directory.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
        findings.add(INPUTS, None, "there is no such directory");
        return Vec::new();
    }
    let entries: Result<Vec<_>, _> =
        fs::read_dir(&directory).and_then(|entries| entries.take(INPUTS_LIMIT.saturating_add(1)).collect());
    let entries = match entries {
        Ok(entries) if entries.len() <= INPUTS_LIMIT => entries,
        Ok(_) => {
            findings.add(INPUTS, None, format!("it holds more than {INPUTS_LIMIT} entries"));
            return Vec::new();
        }
        Err(error) => {
            findings.add(INPUTS, None, format!("cannot be listed: {error}"));
            return Vec::new();
        }
    };
    let mut run_ids = Vec::new();
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let shown = format!("{INPUTS}/{}", name.escape_default());
        // A link's own type: what it leads to is no part of the bundle.
        if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            findings.add(shown, None, "it is no directory");
        } else if !is_run_id(&name) {
            findings.add(shown, None, "no run has such an id");
        } else if is_merged(&entry.path()) {
            findings.add(shown, None, "it is a merged bundle: only the bundles of runs are merged");
        } else {
            run_ids.push(name);
        }
    }
    run_ids.sort();
    run_ids
}

/// Whether the runs are too large for all of them to be looked at.
fn are_too_large(bundle: &Path, run_ids: &[String]) -> bool {
    let (mut all, mut held) = (0_u64, 0_u64);
    for run_id in run_ids {
        // What cannot be listed is found later.
        let input = input_path(bundle, run_id);
        let directories =
            [input.join(DIRECTORY), input].into_iter().filter_map(|directory| fs::read_dir(directory).ok());
        for entry in directories.flat_map(|entries| entries.take(ENTRIES_LIMIT)).filter_map(Result::ok) {
            let bytes = entry.metadata().map(|metadata| metadata.len()).unwrap_or_default();
            all = all.saturating_add(bytes);
            if HELD.iter().any(|name| entry.file_name() == *name) {
                held = held.saturating_add(bytes);
            }
        }
    }
    all > RUNS_LIMIT || held > HELD_LIMIT
}

/// Derives everything that is said of the inputs together, and compares. `Err` says what is missing to do so.
fn check_derived(
    bundle: &Path,
    listing: &Listing,
    own: &Own,
    inputs: &[(String, Examined)],
    envelopes: &Envelopes,
    findings: &mut Findings,
) -> Result<(Vec<String>, MergedCoverage, Vec<Input>), String> {
    let missing = |file: &str| format!("{file} is missing or cannot be used");
    let merge = own.merge.as_ref().ok_or_else(|| missing(FILE))?;
    let requirements = own.requirements.as_ref().ok_or_else(|| missing("requirements.json"))?;
    let (recorded, bytes) = own.coverage.as_ref().ok_or_else(|| missing("coverage.json"))?;
    check_version(recorded.renderer_version, findings)?;
    check_run_id(merge, findings);
    let read: Vec<Input> = inputs.iter().filter_map(|(_, input)| to_input(input)).collect();
    let is_complete = read.len() == inputs.len();
    check_inputs(merge, requirements, inputs, &read, findings);
    if listing.has_refused() || inputs.iter().any(|(_, input)| input.listing.has_refused()) {
        return Err("a file was refused unread".to_owned());
    }
    if !is_complete {
        return Err("a file of an input is missing or cannot be used".to_owned());
    }
    if merge.inputs.iter().map(|input| &input.run_id).ne(inputs.iter().map(|(run_id, _)| run_id)) {
        return Err(format!("{FILE} lists other runs than {INPUTS}/ holds"));
    }
    let coverage = derive(&merge.run_id, &read, requirements);
    let follows = match json_text(&coverage) {
        Ok(text) if text == *bytes => true,
        Ok(text) => {
            let ours = coverage.requirements.iter().map(|one| (&*one.id, one.status));
            let theirs = recorded.requirements.iter().map(|one| (&*one.id, one.status));
            let problem = format!("it does not follow from the inputs: {}", differing(ours, theirs));
            findings.add("coverage.json", first_difference(&text, bytes), problem);
            false
        }
        Err(error) => {
            findings.add("coverage.json", None, format!("it cannot be derived: {error}"));
            false
        }
    };
    let mut what = vec![format!(
        "every run follows from its evidence by itself, and {FILE} and coverage.json from {} runs",
        read.len()
    )];
    // What else could be rendered may be of any size.
    if follows {
        what.push(check_reports(bundle, listing, findings));
    }
    what.extend(envelopes.check_statements(bundle, listing, findings));
    Ok((what, coverage, read))
}

fn check_run_id(merge: &Merge, findings: &mut Findings) {
    if !is_run_id(&merge.run_id) || merge.run_id.get(16..24) != merge.commit.get(..8) {
        findings.add(FILE, None, "its run id is none, or does not name the commit");
    }
    if OffsetDateTime::parse(&merge.generated_at, &Rfc3339).is_err() {
        findings.add(FILE, None, "the time at which it was made is no time in the form of RFC 3339");
    }
}

/// Whether `merge.json` and `requirements.json` follow from the inputs, and these fit together.
fn check_inputs(
    merge: &Merge,
    requirements: &RequirementsFile,
    inputs: &[(String, Examined)],
    read: &[Input],
    findings: &mut Findings,
) {
    if inputs.len() < 2 {
        findings.add(INPUTS, None, "a merged bundle has two inputs or more");
    }
    for (run_id, input) in inputs {
        let within = |name: &str| format!("{INPUTS}/{run_id}/{name}");
        if let Some(provenance) = &input.provenance {
            if provenance.run_id != *run_id {
                findings.add(within("provenance.json"), None, "its run id is not the name of its directory");
            }
            if provenance.commit.sha != merge.commit {
                findings.add(within("provenance.json"), None, format!("its commit is not the one that {FILE} names"));
            }
            if provenance.commit.dirty {
                findings.add(within("provenance.json"), None, "its tree differed from its commit");
            }
        }
        if input.requirements.as_ref().is_some_and(|theirs| theirs != requirements) {
            findings.add(within("requirements.json"), None, "it is not the one of the merged bundle");
        }
    }
    for other in read.iter().skip(1) {
        if let Some(what) = read.first().and_then(|first| first.provenance.of_other_sources(&other.provenance)) {
            let within = format!("{INPUTS}/{}/provenance.json", other.provenance.run_id);
            findings.add(within, None, format!("it names the commit of the first run, and {what} differ"));
        }
    }
    if Merge::of(&merge.run_id, &merge.generated_at, read) != *merge {
        findings.add(FILE, None, "it does not follow from the inputs");
    }
}

/// The input as it was derived again.
fn to_input(examined: &Examined) -> Option<Input> {
    Some(Input {
        sums_sha256: examined.digests.get(sums::FILE)?.clone(),
        metadata: examined.metadata.clone()?,
        provenance: examined.provenance.clone()?,
        coverage: examined.coverage.clone()?,
    })
}

/// A check of the merged bundle itself and of each input; `says_all` when what those that hold say is shown as well.
fn together<'a>(own: Check, inputs: impl Iterator<Item = (&'a str, &'a Check)> + Clone, says_all: bool) -> Check {
    let of_inputs = || inputs.clone().map(|(_, check)| check);
    let own_and_inputs = || std::iter::once(&own).chain(of_inputs());
    if own_and_inputs().any(Check::fails) {
        let mut findings = Findings::default();
        for finding in own.findings() {
            findings.add(finding.file.as_str(), finding.line, finding.problem.as_str());
        }
        for (run_id, check) in inputs.clone() {
            for finding in check.findings() {
                let file = match finding.file.as_str() {
                    "." => format!("{INPUTS}/{run_id}"),
                    file => format!("{INPUTS}/{run_id}/{file}"),
                };
                findings.add(file, finding.line, finding.problem.as_str());
            }
        }
        return findings.check(Vec::new());
    }
    if let Some(open) = own_and_inputs().find(|check| matches!(check, Check::NotReached { .. })) {
        return open.clone();
    }
    if let Some(open) = own_and_inputs().find(|check| matches!(check, Check::NotAsked { .. })) {
        return open.clone();
    }
    let mut what = Vec::new();
    for check in own_and_inputs().take(if says_all { usize::MAX } else { 1 }) {
        if let Check::Holds { what: said } = check {
            what.extend(said.iter().cloned());
        }
    }
    let mut seen = BTreeSet::new();
    what.retain(|said| seen.insert(said.clone()));
    Check::Holds { what }
}
