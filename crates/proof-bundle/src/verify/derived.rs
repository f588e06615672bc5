//! Whether what the bundle says follows from what the run left: coverage, reports, hashes of texts, policy decisions.

use std::collections::BTreeSet;
use std::path::Path;

use facts::DeviceClass;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::canonical::first_difference;
use super::contents::{Contents, read_whole};
use super::findings::Findings;
use super::listing::Listing;
use crate::code_coverage;
use crate::coverage::{Coverage, Inputs, Status, derive};
use crate::json::json_text;
use crate::provenance::{Metadata, ModelFile, Provenance};
use crate::records::{DOC_TESTS, file_of};
use crate::report::{RENDERER_VERSION, render_all};
use crate::requirement::{RequirementsFile, normalise, text_sha256};

/// What was derived again.
pub(super) struct Derived {
    /// What follows from the files of the run, whatever the bundle says.
    pub(super) coverage: Coverage,
    /// What was looked at.
    pub(super) what: Vec<String>,
}

/// Derives everything again and compares. `Err` says what is missing to do so.
pub(super) fn check(
    bundle: &Path,
    listing: &Listing,
    contents: &mut Contents,
    findings: &mut Findings,
) -> Result<Derived, String> {
    let missing = |file: &str| format!("{file} is missing or cannot be used");
    let mut records = Vec::new();
    let mut faults = Vec::new();
    let mut decisions = 0_usize;
    let mut sealed = BTreeSet::new();
    for lines in &mut contents.lines {
        sealed.append(&mut lines.sealed);
        findings.extend(std::mem::take(&mut lines.judged));
        decisions = decisions.saturating_add(lines.decisions);
        faults.extend(lines.scan.problems(file_of(lines.stream)));
        records.append(&mut lines.scan.records);
    }
    if listing.has_refused() {
        return Err("a file was refused unread".to_owned());
    }
    if contents.is_too_much {
        return Err("more would follow from it than a bundle can hold".to_owned());
    }
    let recorded = contents.coverage.as_ref().ok_or_else(|| missing("coverage.json"))?;
    check_version(recorded.renderer_version, findings)?;
    let requirements = contents.requirements.as_ref().ok_or_else(|| missing("requirements.json"))?;
    let provenance = contents.provenance.as_ref().ok_or_else(|| missing("provenance.json"))?;
    check_texts(requirements, findings);
    check_provenance(provenance, findings);
    check_programs(provenance, &contents.binaries, findings);
    if let Some(metadata) = &contents.metadata {
        check_metadata(metadata, provenance, &sealed, findings);
    }
    if let Some(measured) = &contents.code_coverage
        && (&measured.commit, measured.dirty) != (&provenance.commit.sha, provenance.commit.dirty)
    {
        findings.add(code_coverage::FILE, None, "it was measured on another commit or tree than the run's");
    }
    let inputs = Inputs::with_records(bundle, records, faults).map_err(|error| error.to_string())?;
    let coverage = derive(&inputs);
    drop(inputs);
    let bytes = read_whole(bundle, listing, "coverage.json")?;
    // What else could be rendered may be of any size.
    let reports = match check_coverage(&coverage, recorded, &bytes, findings) {
        true => check_reports(bundle, listing, findings),
        false => String::new(),
    };
    let mut what = vec![
        format!("coverage.json follows from {} tests, the records and the requirements", coverage.summary.tests.listed),
        reports,
    ];
    if decisions > 0 {
        what.push(format!("{decisions} policy decisions follow from their facts"));
    }
    Ok(Derived { coverage, what })
}

/// Compares to the byte, and names the requirements whose statuses differ. Returns whether it follows.
fn check_coverage(derived: &Coverage, recorded: &Coverage, bytes: &[u8], findings: &mut Findings) -> bool {
    let text = match json_text(derived) {
        Ok(text) if text == bytes => return true,
        Ok(text) => text,
        Err(error) => {
            findings.add("coverage.json", None, format!("it cannot be derived: {error}"));
            return false;
        }
    };
    let line = first_difference(&text, bytes);
    let ours = derived.requirements.iter().map(|one| (&*one.id, one.status));
    let theirs = recorded.requirements.iter().map(|one| (&*one.id, one.status));
    let what = differing(ours, theirs);
    findings.add("coverage.json", line, format!("it does not follow from the files beside it: {what}"));
    false
}

/// The requirements whose statuses, as derived and as recorded, differ.
pub(super) fn differing<'a>(
    ours: impl Iterator<Item = (&'a str, Status)>,
    theirs: impl Iterator<Item = (&'a str, Status)>,
) -> String {
    let statuses: Vec<String> = ours
        .zip(theirs)
        .filter(|((id, status), (other_id, other))| id == other_id && status != other)
        .map(|((id, status), (_, other))| format!("{id} is {} and not {}", status.as_str(), other.as_str()))
        .collect();
    if statuses.is_empty() { "no status differs".to_owned() } else { statuses.join(", ") }
}

/// Refuses what another version made: nothing here can make its reports and statements again.
pub(super) fn check_version(version: u32, findings: &mut Findings) -> Result<(), String> {
    if version == RENDERER_VERSION {
        return Ok(());
    }
    let problem = format!(
        "version {version} made the bundle, and this verifier is of version {RENDERER_VERSION}, which derives and renders other \
         things: verify it with the verify-bundle of its own commit"
    );
    findings.add("coverage.json", None, problem.as_str());
    Err(problem)
}

/// Renders the reports again, and says what was done.
pub(super) fn check_reports(bundle: &Path, listing: &Listing, findings: &mut Findings) -> String {
    let rendered = match render_all(bundle) {
        Ok(rendered) => rendered,
        Err(error) => {
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
            findings.add(".", None, format!("the reports cannot be rendered: {error}{cause}"));
            return String::new();
        }
    };
    for (name, text) in &rendered {
        match read_whole(bundle, listing, name) {
            Ok(bytes) if bytes == text.as_bytes() => {}
            Ok(bytes) => {
                let line = first_difference(text.as_bytes(), &bytes);
                findings.add(name.as_str(), line, "it is not what the files beside it render to");
            }
            // Missing: said above.
            Err(_) => {}
        }
    }
    format!("{} reports render again to the same bytes", rendered.len())
}

fn check_texts(file: &RequirementsFile, findings: &mut Findings) {
    const FILE: &str = "requirements.json";
    for mapped in &file.requirements {
        let requirement = &mapped.requirement;
        let id = &requirement.id;
        if normalise(&requirement.text) != requirement.text || text_sha256(&requirement.text) != requirement.text_sha256
        {
            findings.add(FILE, None, format!("the hash of {id} is not that of its text"));
        }
        if !mapped.mapped_tests.is_sorted_by(|one, next| one < next) {
            findings.add(FILE, None, format!("the tests mapped to {id} are not sorted, each once"));
        }
        if !file.documents.iter().any(|document| document.file == requirement.document) {
            findings.add(FILE, None, format!("the document of {id} is not listed"));
        }
    }
}

/// What `provenance.json` must hold to be about one run.
fn check_provenance(provenance: &Provenance, findings: &mut Findings) {
    const FILE: &str = "provenance.json";
    let commit = provenance.commit.sha.get(..8).unwrap_or_default();
    if provenance.run_id.get(16..24) != Some(commit) {
        findings.add(FILE, None, "the run id does not name the commit");
    }
    let gpus = || provenance.devices.iter().filter(|device| device.class == DeviceClass::Gpu);
    for device in gpus() {
        if device.uuid.is_zero() || device.driver_version.is_none() || device.compute_capability.is_none() {
            let problem = "a GPU has a uuid, a driver version and a compute capability, and this device does not";
            findings.add(FILE, None, problem);
        }
    }
    if !provenance.driver_libraries.is_empty() && gpus().next().is_none() {
        findings.add(FILE, None, "it lists libraries of a GPU's driver, and no GPU");
    }
    let timings = &provenance.timings;
    let time = |text: &str| OffsetDateTime::parse(text, &Rfc3339).ok();
    if time(&timings.finished) < time(&timings.started) {
        findings.add(FILE, None, "the run ended before it began");
    }
}

/// Each program of the tests that ran has one digest, and one of its sources.
fn check_programs(provenance: &Provenance, binaries: &BTreeSet<String>, findings: &mut Findings) {
    let lists = [("test_binaries", &provenance.test_binaries), ("test_sources", &provenance.test_sources)];
    for (list, files) in lists {
        if !files.is_sorted_by(|one, next| one.name < next.name) {
            findings.add("provenance.json", None, format!("{list} is not sorted by name, each once"));
        }
        let names: BTreeSet<&str> = files.iter().map(|file| file.name.as_str()).collect();
        // rustdoc builds the doc tests and keeps no program of them.
        let absent = binaries.iter().find(|binary| *binary != DOC_TESTS && !names.contains(binary.as_str()));
        if let Some(binary) = absent {
            findings.add(
                "provenance.json",
                None,
                format!("{list} has no digest for {binary}, whose tests the run lists"),
            );
        }
    }
}

/// What the two files about the run must agree on, and whether the models that it lists were sealed.
fn check_metadata(metadata: &Metadata, provenance: &Provenance, sealed: &BTreeSet<usize>, findings: &mut Findings) {
    const FILE: &str = "metadata.json";
    if metadata.git_sha != provenance.commit.sha {
        findings.add(FILE, None, "its commit is not the one that provenance.json names");
    }
    if metadata.gpu_devices != provenance.devices {
        findings.add(FILE, None, "its devices are not those that provenance.json names");
    }
    let mode = metadata.test_mode;
    // A run that came to no device has a mode all the same; no record of a live operation may hold then.
    if provenance.devices.iter().any(|device| device.class != mode) {
        findings.add(FILE, None, "its test mode is not the class of each device that provenance.json names");
    }
    if mode == DeviceClass::Gpu && !metadata.environment.cuda_available {
        findings.add(FILE, None, "its test mode is gpu, and no CUDA device could be used");
    }
    if provenance.rustc.lines().next() != Some(metadata.environment.rust_version.as_str()) {
        findings.add(FILE, None, "its Rust version is not the one that provenance.json names");
    }
    // A model may be given twice.
    let is_sealed = |model: &ModelFile| sealed.iter().any(|number| metadata.models.get(*number) == Some(model));
    for model in metadata.models.iter().filter(|model| !is_sealed(model)) {
        findings.add(FILE, None, format!("no live operation sealed the model {} that it lists", model.name));
    }
}
