//! Writing a merged bundle: every input is verified, then copied byte for byte, then what follows is derived and rendered.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{FILE, INPUTS, Input, Merge, MergedCoverage, derive, input_path, is_merged, is_run_id};
use crate::attest::DIRECTORY;
use crate::bundle::now;
use crate::json::read_json;
use crate::requirement::{MappedRequirement, RequirementsFile};
use crate::verify::{Options, examine};
use crate::{Error, StagedBundle, report};

/// How much of a file is copied at a time, in bytes.
const CHUNK: usize = 1 << 20;

/// More bundles than any verifier looks at.
const MOST: usize = crate::verify::INPUTS_LIMIT;

/// An input that was verified.
struct Candidate {
    directory: PathBuf,
    /// SHA-256 of each of its files, as they were verified.
    digests: BTreeMap<String, String>,
    input: Input,
    requirements: RequirementsFile,
}

/// Merges the bundles at `inputs` into one at `<root>/merged/<run id>/`; returns its directory and what it shows. It is not
/// signed: [`attest::sign`](crate::attest::sign()) does that.
///
/// # Errors
///
/// [`Error::Merge`], and nothing is written, when there are fewer than two inputs, one is not intact or its statuses do not
/// follow from its evidence, one is merged already, two are the same run, they are of different commits or of a tree that
/// differed from its commit, or their sources or requirements differ. [`Error::Io`] when the disk refuses, and nothing is
/// left behind.
pub fn merge(inputs: &[PathBuf], root: &Path) -> Result<(PathBuf, MergedCoverage), Error> {
    if inputs.len() < 2 {
        return Err(refuse("merging takes two bundles or more: give the directory of each"));
    }
    if inputs.len() > MOST {
        return Err(refuse(format!("merging takes {MOST} bundles at most: merge them in several")));
    }
    let mut candidates = inputs.iter().map(|directory| Candidate::read(directory)).collect::<Result<Vec<_>, _>>()?;
    candidates.sort_by(|one, other| one.run_id().cmp(other.run_id()));
    candidates.iter().zip(candidates.iter().skip(1)).try_for_each(|(one, next)| fit(one, next))?;
    let Some(first) = candidates.first() else {
        return Err(refuse("there is nothing to merge"));
    };
    let bundle = StagedBundle::merged(root, &first.input.provenance.commit.sha)?;
    for candidate in &candidates {
        copy(&candidate.directory, &candidate.digests, candidate.run_id(), &bundle)?;
    }
    let requirements = fs::read(first.directory.join("requirements.json"));
    bundle.put("requirements.json", &requirements.map_err(Error::io("read", &first.directory))?)?;
    let requirements = first.requirements.clone();
    let inputs: Vec<Input> = candidates.into_iter().map(|candidate| candidate.input).collect();
    bundle.put_json(FILE, &Merge::of(bundle.run_id(), &now(), &inputs))?;
    let coverage = derive(bundle.run_id(), &inputs, &requirements);
    bundle.put_json("coverage.json", &coverage)?;
    for (name, text) in report::render_all(bundle.root())? {
        bundle.put(&name, text.as_bytes())?;
    }
    Ok((bundle.publish()?, coverage))
}

fn refuse(problem: impl Into<String>) -> Error {
    Error::Merge { problem: problem.into() }
}

impl Candidate {
    /// Reads and verifies the bundle at `directory`. Signatures are left to whoever verifies the merged bundle.
    fn read(directory: &Path) -> Result<Self, Error> {
        let refused = |problem: String| refuse(format!("{} cannot be merged: {problem}", directory.display()));
        if !directory.is_dir() {
            return Err(refused("there is no such directory: give that of a bundle".to_owned()));
        }
        if is_merged(directory) {
            let problem = format!("it is a merged bundle: give the bundles in its {INPUTS}/ instead");
            return Err(refused(problem));
        }
        let examined = examine(directory, &Options::integrity_only());
        if let Some(fault) = examined.verification.fault() {
            return Err(refused(fault));
        }
        let candidate = Self {
            directory: directory.to_owned(),
            digests: examined.digests,
            input: Input::read(directory)?,
            requirements: read_json(directory, "requirements.json")?,
        };
        let provenance = &candidate.input.provenance;
        if !is_run_id(&provenance.run_id) {
            return Err(refused("its run id is none".to_owned()));
        }
        if provenance.commit.dirty {
            let problem = "its tree differed from its commit, so it is not known what ran: prove a clean tree";
            return Err(refused(problem.to_owned()));
        }
        Ok(candidate)
    }

    fn run_id(&self) -> &str {
        &self.input.provenance.run_id
    }
}

/// Copies every file that was verified, and finds out when it is another by now.
fn copy(
    directory: &Path,
    digests: &BTreeMap<String, String>,
    run_id: &str,
    bundle: &StagedBundle,
) -> Result<(), Error> {
    let target = input_path(bundle.root(), run_id);
    let has_attestations = digests.keys().any(|name| name.starts_with(DIRECTORY));
    let deepest = if has_attestations { target.join(DIRECTORY) } else { target };
    fs::create_dir_all(&deepest).map_err(Error::io("create", &deepest))?;
    let mut buffer = vec![0; CHUNK];
    for (name, digest) in digests {
        let copy = format!("{INPUTS}/{run_id}/{name}");
        let source = directory.join(name);
        let mut file = File::open(&source).map_err(Error::io("open", &source))?;
        // An empty file is one as well.
        bundle.put(&copy, &[])?;
        loop {
            let read = file.read(&mut buffer).map_err(Error::io("read", &source))?;
            match buffer.get(..read) {
                Some(chunk) if !chunk.is_empty() => bundle.append(&copy, chunk)?,
                _ => break,
            }
        }
        if bundle.written().get(&copy) != Some(digest) {
            return Err(refuse(format!("{} changed while it was merged: merge again", source.display())));
        }
    }
    Ok(())
}

/// Checks that two inputs are about the same thing, and are not the same.
fn fit(one: &Candidate, other: &Candidate) -> Result<(), Error> {
    let both = format!("{} and {}", one.directory.display(), other.directory.display());
    let differ = |what: String| Err(refuse(format!("{both} cannot be merged: {what}")));
    if one.run_id() == other.run_id() {
        return differ(format!("both are the run {}", one.run_id()));
    }
    let (ours, theirs) = (&one.input.provenance.commit.sha, &other.input.provenance.commit.sha);
    if ours != theirs {
        return differ(format!("they are of different commits, {ours} and {theirs}"));
    }
    if let Some(what) = one.input.provenance.of_other_sources(&other.input.provenance) {
        return differ(format!("they name one commit, and {what} differ: one of them did not run what it says"));
    }
    if one.requirements != other.requirements {
        return differ(difference(&one.requirements, &other.requirements));
    }
    Ok(())
}

/// In what two `requirements.json` differ.
fn difference(ours: &RequirementsFile, theirs: &RequirementsFile) -> String {
    let ids = |file: &RequirementsFile| -> BTreeSet<String> {
        file.requirements.iter().map(|one| one.requirement.id.clone()).collect()
    };
    let (our_ids, their_ids) = (ids(ours), ids(theirs));
    if let Some(id) = our_ids.symmetric_difference(&their_ids).next() {
        return format!("only one of them knows the requirement {id}");
    }
    let by_id: BTreeMap<&str, &MappedRequirement> =
        theirs.requirements.iter().map(|one| (one.requirement.id.as_str(), one)).collect();
    for one in &ours.requirements {
        let id = one.requirement.id.as_str();
        match by_id.get(id) {
            Some(other) if one.requirement.text_sha256 != other.requirement.text_sha256 => {
                return format!("the text of the requirement {id} differs");
            }
            Some(other) if one.mapped_tests != other.mapped_tests => {
                return format!("the tests mapped to the requirement {id} differ");
            }
            Some(other) if *other != one => return format!("what is said of the requirement {id} differs"),
            _ => {}
        }
    }
    "their requirements.json differ".to_owned()
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
mod tests {
    use super::*;
    use crate::hash::sha256_file;

    #[test]
    fn a_file_that_is_another_when_it_is_copied_stops_the_merge_and_nothing_is_left() {
        let place = tempfile::tempdir().unwrap();
        let source = place.path().join("input");
        fs::create_dir(&source).unwrap();
        fs::write(source.join("empty"), "").unwrap();
        fs::write(source.join("large"), vec![7; CHUNK + 1]).unwrap();
        let digest = |name: &str| sha256_file(&source.join(name)).unwrap();
        let mut digests: BTreeMap<String, String> =
            ["empty", "large"].map(|name| (name.to_owned(), digest(name))).into();
        let root = place.path().join("out");

        let bundle = StagedBundle::merged(&root, "0123456789abcdef").unwrap();
        copy(&source, &digests, "RUN", &bundle).unwrap();
        let copied = bundle.publish().unwrap().join(INPUTS).join("RUN");
        assert_eq!(fs::read(copied.join("large")).unwrap(), fs::read(source.join("large")).unwrap());
        assert_eq!(fs::read(copied.join("empty")).unwrap(), b"");

        fs::remove_dir_all(&root).unwrap();
        digests.insert("large".to_owned(), digest("empty"));
        let bundle = StagedBundle::merged(&root, "0123456789abcdef").unwrap();
        let error = copy(&source, &digests, "RUN", &bundle).unwrap_err().to_string();
        assert!(error.contains("large changed while it was merged"), "{error}");
        drop(bundle);
        assert_eq!(fs::read_dir(root.join("merged")).unwrap().count(), 0);
    }
}
