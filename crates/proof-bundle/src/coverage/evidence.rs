//! What a run left, arranged for look-up.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use facts::DeviceClass;

use super::Inputs;
use super::mutation::Kills;
use crate::junit::TestResult;
use crate::records::{Class, Record};
use crate::requirement::{MappedRequirement, Requirement};
use crate::test_map::TestId;

/// The inputs, arranged for look-up.
pub(super) struct Evidence<'a> {
    /// Tests by id.
    pub(super) tests: HashMap<&'a TestId, &'a TestResult>,
    /// Observed records by requirement.
    pub(super) records: BTreeMap<&'a str, Vec<&'a Record>>,
    /// What each test claimed.
    pub(super) claims: HashSet<(&'a TestId, &'a str)>,
    /// The tests' functions, without the modules around them.
    pub(super) functions: HashSet<&'a str>,
    /// Whether the run names a GPU that its records can come from.
    pub(super) has_gpu: bool,
    /// Whether there is a run at all.
    pub(super) has_run: bool,
    /// Which faults the tests noticed, where that was measured.
    pub(super) kills: Option<Kills<'a>>,
    /// The hash of each text that the run was about, by requirement.
    texts: BTreeMap<&'a str, &'a str>,
}

impl<'a> Evidence<'a> {
    /// What a run left, or nothing; `ids` are those of its tests.
    pub(super) fn new(run: Option<&'a Inputs>, ids: &'a [TestId]) -> Self {
        let (tests, records): (&[TestResult], &[Record]) =
            run.map(|run| (&*run.tests, &*run.records)).unwrap_or_default();
        let is_gpu = |run: &Inputs| run.provenance.devices.iter().any(|device| device.class == DeviceClass::Gpu);
        Self {
            tests: ids.iter().zip(tests).collect(),
            records: by_requirement(records),
            claims: ids.iter().zip(tests).flat_map(claims).collect(),
            functions: ids.iter().map(TestId::function).collect(),
            has_gpu: run.is_some_and(is_gpu),
            has_run: run.is_some(),
            kills: run.and_then(|run| Some(Kills::new(run.mutants.as_ref()?, &run.provenance))),
            texts: run.map(|run| run.requirements.requirements.iter().map(text_of).collect()).unwrap_or_default(),
        }
    }

    /// Why what the run shows of a requirement was not shown of this text.
    pub(super) fn of_another_text(&self, requirement: &Requirement) -> Option<String> {
        if !self.has_run {
            return None;
        }
        match self.texts.get(requirement.id.as_str()) {
            Some(sha256) if **sha256 == requirement.text_sha256 => None,
            Some(_) => Some("its text was changed since this run".to_owned()),
            None => Some("this run does not know it".to_owned()),
        }
    }
}

/// The tests of a run.
pub(super) fn ids_of(run: Option<&Inputs>) -> Vec<TestId> {
    run.iter().flat_map(|run| &run.tests).map(TestResult::id).collect()
}

fn claims<'a>((id, result): (&'a TestId, &'a TestResult)) -> impl Iterator<Item = (&'a TestId, &'a str)> {
    result.claims.iter().map(move |claim| (id, claim.as_str()))
}

fn text_of(mapped: &MappedRequirement) -> (&str, &str) {
    (&mapped.requirement.id, &mapped.requirement.text_sha256)
}

fn by_requirement(records: &[Record]) -> BTreeMap<&str, Vec<&Record>> {
    let mut by_requirement: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
    for record in records.iter().filter(|record| record.class == Class::Observed) {
        let ids: BTreeSet<&str> = record.requirements.iter().map(String::as_str).collect();
        for id in ids {
            by_requirement.entry(id).or_default().push(record);
        }
    }
    by_requirement
}
