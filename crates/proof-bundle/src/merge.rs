//! Several bundles of one commit as one: what a CI run on a CPU and a GPU node show together.
//!
//! A merged bundle holds its inputs whole, byte for byte, with their attestations, and what follows from them. It adds no
//! evidence: whoever verifies it verifies each input and derives the rest again.

mod coverage;
mod join;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::coverage::{Coverage, Verdict};
use crate::hash::sha256_file;
use crate::json::read_json;
use crate::provenance::{Metadata, Provenance};
use crate::requirement::RequirementsFile;
use crate::sums;

pub(crate) use coverage::derive;
pub use coverage::{MergedCoverage, MergedRequirement, MergedSummary, RunFigures, RunStatus};
pub use join::merge;

/// The file that only a merged bundle has.
pub const FILE: &str = "merge.json";

/// The directory of a merged bundle that holds its inputs, each under its run id.
pub const INPUTS: &str = "inputs";

/// `merge.json`: what was merged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Merge {
    /// The merged bundle's run id.
    pub run_id: String,
    /// When it was made, RFC 3339 in UTC.
    pub generated_at: String,
    /// The commit of all inputs.
    pub commit: String,
    /// The inputs, by run id.
    pub inputs: Vec<MergedInput>,
}

/// One input of a merged bundle.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MergedInput {
    /// Its run id: its bundle is `inputs/<run id>/`.
    pub run_id: String,
    /// SHA-256 of its `SHA256SUMS`.
    pub sha256sums_sha256: String,
    /// The classes of device of its observed records, sorted.
    pub devices: Vec<String>,
    /// What it comes to by itself.
    pub verdict: Verdict,
}

impl Merge {
    /// What was merged, as it follows from the inputs.
    pub(crate) fn of(run_id: &str, generated_at: &str, inputs: &[Input]) -> Self {
        Self {
            run_id: run_id.to_owned(),
            generated_at: generated_at.to_owned(),
            commit: inputs.first().map(|input| input.provenance.commit.sha.clone()).unwrap_or_default(),
            inputs: inputs.iter().map(Input::listed).collect(),
        }
    }
}

/// Whether the directory is that of a merged bundle.
#[must_use]
pub fn is_merged(bundle: &Path) -> bool {
    bundle.join(FILE).symlink_metadata().is_ok()
}

/// An input of a merged bundle, as far as something is derived from it or rendered of it.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) sums_sha256: String,
    pub(crate) metadata: Metadata,
    pub(crate) provenance: Provenance,
    pub(crate) coverage: Coverage,
}

impl Input {
    /// Reads the bundle at `directory`.
    pub(crate) fn read(directory: &Path) -> Result<Self, Error> {
        Ok(Self {
            sums_sha256: sha256_file(&directory.join(sums::FILE))?,
            metadata: read_json(directory, "metadata.json")?,
            provenance: read_json(directory, "provenance.json")?,
            coverage: read_json(directory, "coverage.json")?,
        })
    }

    fn listed(&self) -> MergedInput {
        MergedInput {
            run_id: self.provenance.run_id.clone(),
            sha256sums_sha256: self.sums_sha256.clone(),
            devices: self.coverage.summary.devices.clone(),
            verdict: self.coverage.verdict(),
        }
    }
}

/// What a merged bundle holds, apart from what is derived from it.
pub(crate) struct Merged {
    pub(crate) merge: Merge,
    pub(crate) requirements: RequirementsFile,
    /// By run id.
    pub(crate) inputs: Vec<Input>,
}

impl Merged {
    /// Reads the merged bundle at `bundle`: the inputs that its `merge.json` lists.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] or [`Error::Json`] when a file is missing or not what it should be; [`Error::Merge`] when `merge.json`
    /// lists what can be no run id.
    pub(crate) fn read(bundle: &Path) -> Result<Self, Error> {
        let merge: Merge = read_json(bundle, FILE)?;
        let inputs = merge
            .inputs
            .iter()
            .map(|input| match is_run_id(&input.run_id) {
                true => Input::read(&input_path(bundle, &input.run_id)),
                false => Err(Error::Merge { problem: format!("{FILE} lists an input whose name is no run id") }),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { requirements: read_json(bundle, "requirements.json")?, inputs, merge })
    }
}

/// Where an input of that run id is.
pub(crate) fn input_path(bundle: &Path, run_id: &str) -> PathBuf {
    bundle.join(INPUTS).join(run_id)
}

/// What orders run ids: the time, then the number that tells runs of one second and one commit apart. None when the text is
/// no run id.
#[must_use]
pub fn run_order(run_id: &str) -> Option<(&str, u64)> {
    let number = run_id.get(25..).and_then(|number| number.parse().ok()).unwrap_or(0);
    is_run_id(run_id).then_some((run_id.get(..15)?, number))
}

/// Whether the text is a run id, `YYYYMMDD-HHMMSS-<8 hex digits>` and perhaps `-<number>`: the name of a directory and
/// never a path.
pub(crate) fn is_run_id(text: &str) -> bool {
    let digits = |part: Option<&str>, length: usize| {
        part.is_some_and(|part| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let mut parts = text.split('-');
    let time = digits(parts.next(), 8) && digits(parts.next(), 6);
    let commit = parts
        .next()
        .is_some_and(|part| part.len() == 8 && part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
    let again = parts.next().is_none_or(|part| digits(Some(part), part.len()) && (1..=10).contains(&part.len()));
    time && commit && again && parts.next().is_none()
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

    #[test]
    fn a_run_id_is_never_a_path() {
        for good in ["20260102-030405-0123abcd", "20260102-030405-0123abcd-2"] {
            assert!(is_run_id(good), "{good}");
        }
        for odd in [
            "",
            "..",
            "../20260102-030405-0123abcd",
            "20260102-030405-0123abcd/..",
            "20260102-030405-0123abcd-",
            "20260102-030405-0123abcd-2-3",
            "20260102-030405-0123ABCD",
            "20260102-030405-0123abcde",
            "2026010-0030405-0123abcd",
        ] {
            assert!(!is_run_id(odd), "{odd}");
            assert_eq!(run_order(odd), None);
        }
        let ids = ["", "-2", "-10"].map(|number| format!("20260102-030405-0123abcd{number}"));
        assert!(ids.iter().map(|id| run_order(id).unwrap()).is_sorted_by(|one, next| one < next));
        assert!(run_order("20260102-030405-0123abcd-10") < run_order("20260102-030406-00000000"));
    }
}
