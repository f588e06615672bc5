//! The committed snapshot of coverage: what each requirement says, which tests are mapped to it, and what a proof comes to on
//! each kind of host. A change of any of these is a change of this file, and so is seen in a review.

use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::Path;

use proof_bundle::coverage::{Coverage, Status};
use proof_bundle::requirement::{MappedRequirement, RequirementsFile};
use serde::{Deserialize, Serialize};

use crate::error::XtaskError;

/// Where it is, below the workspace's root.
pub(super) const FILE: &str = "specs/coverage.snapshot.json";

/// The command that mends it.
const UPDATE: &str = "`cargo xtask coverage --update` writes it";

/// The snapshot. Nothing in it depends on the time or the run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Snapshot {
    /// In the order of the specifications.
    requirements: Vec<Entry>,
}

/// One requirement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    id: String,
    text_sha256: String,
    /// By kind of host: the class of the device that a proof's live operations run on.
    status: BTreeMap<String, Status>,
    /// The mapped tests, sorted.
    tests: Vec<String>,
}

/// What a run says of the requirements.
pub(super) struct Observed<'a> {
    /// The kind of host that it ran on.
    pub(super) host: &'a str,
    /// What follows from it for the specifications as they are now.
    pub(super) coverage: &'a Coverage,
    /// The requirements and tests that it judged.
    pub(super) judged: &'a RequirementsFile,
}

impl Observed<'_> {
    /// The status of a requirement, if the run judged this text by these tests.
    fn status(&self, of: &MappedRequirement) -> Option<Status> {
        let id = &of.requirement.id;
        let judged = self.judged.requirements.iter().find(|one| one.requirement.id == *id)?;
        let same =
            judged.requirement.text_sha256 == of.requirement.text_sha256 && judged.mapped_tests == of.mapped_tests;
        same.then(|| self.coverage.get(id)).flatten().map(|one| one.status)
    }
}

impl Snapshot {
    /// The snapshot of the specifications and tests as they are now. What `observed` does not say stays as it was `before`.
    pub(super) fn new(current: &RequirementsFile, observed: Option<&Observed<'_>>, before: &Self) -> Self {
        let requirements = current.requirements.iter().map(|mapped| {
            let mut status = before.get(&mapped.requirement.id).map(|entry| entry.status.clone()).unwrap_or_default();
            let now = observed.and_then(|observed| Some((observed.host.to_owned(), observed.status(mapped)?)));
            status.extend(now);
            Entry {
                id: mapped.requirement.id.clone(),
                text_sha256: mapped.requirement.text_sha256.clone(),
                status,
                tests: mapped.mapped_tests.iter().map(ToString::to_string).collect(),
            }
        });
        Self { requirements: requirements.collect() }
    }

    /// What `coverage` comes to on `host`, whether or not its run judged what is there now.
    pub(super) fn with_statuses(mut self, host: &str, coverage: &Coverage) -> Self {
        for entry in &mut self.requirements {
            if let Some(one) = coverage.get(&entry.id) {
                entry.status.insert(host.to_owned(), one.status);
            }
        }
        self
    }

    /// Reads the one that is committed in the workspace at `root`.
    ///
    /// # Errors
    /// [`XtaskError::Input`] when it is missing or no snapshot.
    pub(super) fn read(root: &Path) -> Result<Self, XtaskError> {
        let path = root.join(FILE);
        let text = match std::fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(XtaskError::Input(format!("{FILE} is missing: {UPDATE}")));
            }
            text => text.map_err(XtaskError::read(&path))?,
        };
        serde_json::from_slice(&text)
            .map_err(|error| XtaskError::Input(format!("{FILE} is no snapshot of coverage ({error}): {UPDATE}")))
    }

    fn get(&self, id: &str) -> Option<&Entry> {
        self.requirements.iter().find(|entry| entry.id == id)
    }

    /// What `now` has that this one has not, and the other way round, a line each. Statuses are those of `host`; without
    /// one they are not compared.
    pub(super) fn differences(&self, now: &Self, host: Option<&str>) -> Vec<String> {
        let mut lines = Vec::new();
        for old in self.requirements.iter().filter(|old| now.get(&old.id).is_none()) {
            lines.push(format!("- {}: no specification defines it any more", old.id));
        }
        for new in &now.requirements {
            match self.get(&new.id) {
                Some(old) => lines.extend(old.differences(new, host)),
                None => lines.push(format!("+ {}: new, tests mapped: {}{}", new.id, new.tests.len(), new.on(host))),
            }
        }
        if lines.is_empty() && self.ids() != now.ids() {
            lines.push("~ the requirements are in another order".to_owned());
        }
        lines
    }

    fn ids(&self) -> impl PartialEq {
        self.requirements.iter().map(|entry| entry.id.clone()).collect::<Vec<_>>()
    }
}

impl Entry {
    fn differences(&self, now: &Self, host: Option<&str>) -> Vec<String> {
        let id = &self.id;
        let mut lines = Vec::new();
        if self.text_sha256 != now.text_sha256 {
            let short = |entry: &Self| entry.text_sha256.get(..12).unwrap_or(&entry.text_sha256).to_owned();
            lines.push(format!("~ {id}: another text, of SHA-256 {}… instead of {}…", short(now), short(self)));
        }
        if let Some(host) = host {
            let word = |entry: &Self| entry.status.get(host).map_or("not known", |status| status.as_str());
            if self.status.get(host) != now.status.get(host) {
                lines.push(format!("~ {id}: {} instead of {} on a {host} host", word(now), word(self)));
            }
        }
        let (before, after): (BTreeSet<_>, BTreeSet<_>) = (self.tests.iter().collect(), now.tests.iter().collect());
        lines.extend(before.difference(&after).map(|test| format!("- {id}: {test} is not mapped to it any more")));
        lines.extend(after.difference(&before).map(|test| format!("+ {id}: {test} is mapped to it now")));
        lines
    }

    fn on(&self, host: Option<&str>) -> String {
        let status = host.and_then(|host| Some((host, self.status.get(host)?)));
        status.map(|(host, status)| format!(", {} on a {host} host", status.as_str())).unwrap_or_default()
    }
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
    use evidence::needs;
    use proof_bundle::requirement::parse_specs;
    use serde_json::json;

    use super::*;
    use crate::suite::map::Map;
    use crate::workspace::Workspace;

    fn repository() -> (&'static Path, RequirementsFile) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let map = Map::read(root, &Workspace::load(root).unwrap()).unwrap();
        (root, RequirementsFile::new(parse_specs(root.join("specs")).unwrap(), &map.tests, &map.scenarios))
    }

    /// Statuses are compared by `cargo xtask coverage --check`, which has a bundle.
    #[test]
    fn the_committed_snapshot_has_the_requirements_texts_and_tests_of_this_repository() {
        needs!("cargo");
        let (root, current) = repository();
        let committed = Snapshot::read(root).unwrap();
        let differences = committed.differences(&Snapshot::new(&current, None, &committed), None);
        assert!(
            differences.is_empty(),
            "run `cargo xtask coverage --update` and commit {FILE}:\n{}",
            differences.join("\n")
        );
        let known = |entry: &&Entry| entry.status.contains_key("simulated");
        let unknown: Vec<_> =
            committed.requirements.iter().filter(|entry| !known(entry)).map(|entry| &entry.id).collect();
        assert!(unknown.is_empty(), "run `cargo xtask proof`, then `cargo xtask coverage --update`: {unknown:?}");
    }

    fn snapshot(entries: &[(&str, &str, &str, &[&str])]) -> Snapshot {
        let entry = |(id, text, status, tests): &(&str, &str, &str, &[&str])| {
            let status = if status.is_empty() { json!({}) } else { json!({ "simulated": status }) };
            json!({"id": id, "text_sha256": text.repeat(64), "status": status, "tests": tests})
        };
        serde_json::from_value(json!({ "requirements": entries.iter().map(entry).collect::<Vec<_>>() })).unwrap()
    }

    #[test]
    fn every_kind_of_change_is_a_line_of_its_own() {
        let before = snapshot(&[
            ("MS-001", "a", "proven", &["seal one", "seal two"]),
            ("MS-002", "a", "proven", &["seal one"]),
            ("MS-003", "a", "needs_gpu", &[]),
        ]);
        let after = snapshot(&[
            ("MS-001", "b", "failed", &["seal three", "seal two"]),
            ("MS-003", "a", "", &[]),
            ("MS-004", "a", "proven", &["seal one"]),
        ]);
        assert_eq!(
            before.differences(&after, Some("simulated")),
            [
                "- MS-002: no specification defines it any more",
                "~ MS-001: another text, of SHA-256 bbbbbbbbbbbb… instead of aaaaaaaaaaaa…",
                "~ MS-001: failed instead of proven on a simulated host",
                "- MS-001: seal one is not mapped to it any more",
                "+ MS-001: seal three is mapped to it now",
                "~ MS-003: not known instead of needs a GPU on a simulated host",
                "+ MS-004: new, tests mapped: 1, proven on a simulated host",
            ]
        );
        assert_eq!(before.differences(&after, None).len(), 5, "no status is compared where no host is named");
        assert_eq!(before.differences(&before, Some("simulated")), [""; 0]);
        assert_eq!(before.differences(&before, Some("gpu")), [""; 0], "nobody has looked at a GPU yet");
        let mut turned = before.clone();
        turned.requirements.reverse();
        assert_eq!(before.differences(&turned, None), ["~ the requirements are in another order"]);
    }

    #[test]
    fn a_status_is_taken_only_from_a_run_that_judged_this_text_by_these_tests() {
        needs!("cargo");
        let (_, current) = repository();
        let coverage = proof_bundle::coverage::derive_current(&current, None);
        let before = Snapshot::new(&current, None, &Snapshot::default()).with_statuses("gpu", &coverage);
        let observed = Observed { host: "simulated", coverage: &coverage, judged: &current };
        let all = Snapshot::new(&current, Some(&observed), &before);
        assert!(all.requirements.iter().all(|entry| entry.status.len() == 2), "a status of another host stays");

        let mut older = current.clone();
        older.requirements[0].requirement.text_sha256 = "0".repeat(64);
        older.requirements[1].mapped_tests.pop();
        older.requirements.remove(2);
        let observed = Observed { judged: &older, ..observed };
        let some = Snapshot::new(&current, Some(&observed), &before);
        let known: Vec<bool> = some.requirements.iter().map(|entry| entry.status.contains_key("simulated")).collect();
        assert_eq!(known[..4], [false, false, false, true]);
    }

    #[test]
    fn a_missing_or_malformed_snapshot_is_an_error_of_one_line() {
        let dir = tempfile::tempdir().unwrap();
        let said = || Snapshot::read(dir.path()).unwrap_err().line();
        assert_eq!(said(), "specs/coverage.snapshot.json is missing: `cargo xtask coverage --update` writes it");
        std::fs::create_dir(dir.path().join("specs")).unwrap();
        for (text, words) in [
            ("", "EOF"),
            ("{}", "missing field"),
            ("{\"requirements\": [], \"more\": 1}", "unknown field"),
            (
                "{\"requirements\": [{\"id\": \"A\", \"text_sha256\": \"\", \"status\": {\"gpu\": \"good\"}, \"tests\": []}]}",
                "unknown variant",
            ),
        ] {
            std::fs::write(dir.path().join(FILE), text).unwrap();
            let said = said();
            assert!(said.contains(words) && said.contains("--update") && !said.contains('\n'), "{said}");
        }
        let good = snapshot(&[("MS-001", "a", "proven", &["seal one"])]);
        std::fs::write(dir.path().join(FILE), crate::output::json(&good).unwrap()).unwrap();
        assert_eq!(Snapshot::read(dir.path()).unwrap(), good);
    }
}
