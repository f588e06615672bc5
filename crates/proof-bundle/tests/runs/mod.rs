//! Runs of one commit on several hosts, and the bundle merged of them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proof_bundle::attest::{self, SigningKey};
use proof_bundle::merge::{MergedCoverage, merge};
use proof_bundle::verify::{Verification, verify};
use serde_json::{Value, json};

use crate::fixture::{Fixture, device};
use crate::tamper::{self, PRIVATE, sha256, trusting, with_a_decision};

pub(crate) fn key() -> SigningKey {
    SigningKey::from_pem(PRIVATE).unwrap()
}

/// A GPU as a driver reports it.
pub(crate) fn gpu() -> facts::DeviceFacts {
    let mut gpu = serde_json::to_value(device("gpu")).unwrap();
    gpu["uuid"] = json!("GPU-11111111-2222-3333-4444-555555555555");
    gpu["driver_version"] = json!("13.0");
    gpu["compute_capability"] = json!([9, 0]);
    serde_json::from_value(gpu).unwrap()
}

/// Runs of one commit, one after another, each in a bundle of its own; then one bundle of them all.
pub(crate) struct Runs {
    pub(crate) fixture: Fixture,
    pub(crate) bundles: Vec<PathBuf>,
}

impl Runs {
    pub(crate) fn new() -> Self {
        Self { fixture: with_a_decision(), bundles: Vec::new() }
    }

    /// Adds a run that differs from the one before it by `change`, unsigned.
    pub(crate) fn unsigned(mut self, change: fn(&mut Fixture)) -> Self {
        change(&mut self.fixture);
        self.bundles.push(self.fixture.run().0);
        self
    }

    /// The same, signed.
    pub(crate) fn signed_by(self, key: &SigningKey, change: fn(&mut Fixture)) -> Self {
        let runs = self.unsigned(change);
        attest::sign(runs.bundles.last().unwrap(), key).unwrap();
        runs
    }

    pub(crate) fn signed(self, change: fn(&mut Fixture)) -> Self {
        self.signed_by(&key(), change)
    }

    /// A run on a host without a GPU, and one on a host with one.
    pub(crate) fn cpu_and_gpu() -> Self {
        Self::new().signed(|_| {}).signed(on_a_gpu)
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.fixture.directory.path().join("out")
    }

    pub(crate) fn merge(self) -> Merged {
        let (path, coverage) = merge(&self.bundles, &self.root()).unwrap();
        Merged { path, coverage, runs: self }
    }

    /// Merges, and expects it to be refused.
    pub(crate) fn refused(&self, words: &[&str]) {
        let error = merge(&self.bundles, &self.root()).unwrap_err().to_string();
        assert!(words.iter().all(|word| error.contains(word)) && !error.contains('\n'), "{words:?}: {error}");
        assert!(!self.root().exists(), "nothing is written: {error}");
    }
}

pub(crate) fn on_a_gpu(fixture: &mut Fixture) {
    fixture.devices = vec![gpu()];
    for (_, record, ..) in &mut fixture.spool("weights_stay").records {
        *record = record.clone().device("gpu");
    }
}

pub(crate) struct Merged {
    pub(crate) path: PathBuf,
    pub(crate) coverage: MergedCoverage,
    pub(crate) runs: Runs,
}

impl Merged {
    pub(crate) fn signed(self) -> Self {
        attest::sign(&self.path, &key()).unwrap();
        self
    }

    pub(crate) fn verify(&self) -> Verification {
        verify(&self.path, &trusting())
    }

    pub(crate) fn input(&self, index: usize) -> PathBuf {
        self.path.join("inputs").join(&self.coverage.runs[index].run_id)
    }

    pub(crate) fn replace(&self, path: &Path, old: &str, new: &str) {
        let text = fs::read_to_string(path).unwrap();
        assert!(text.contains(old), "{old}");
        fs::write(path, text.replacen(old, new, 1)).unwrap();
    }

    /// Makes `SHA256SUMS` list what is there.
    pub(crate) fn rehash(&self) {
        let text: String = tree(&self.path)
            .into_iter()
            .filter(|(name, _)| name != "SHA256SUMS" && !name.starts_with("attestations/"))
            .map(|(name, bytes)| format!("{}  {name}\n", sha256(&bytes)))
            .collect();
        fs::write(self.path.join("SHA256SUMS"), text).unwrap();
    }

    /// Signs it again, however it is now, as its maker could.
    pub(crate) fn resign(&self) {
        let _ = fs::remove_dir_all(self.path.join(attest::DIRECTORY));
        fs::create_dir(self.path.join(attest::DIRECTORY)).unwrap();
        let signer = tamper::Bundle::unsigned(Fixture::healthy());
        for (name, statement) in attest::statements(&self.path).unwrap() {
            signer.sign_statement(name, &statement);
            let file = format!("{}/{name}", attest::DIRECTORY);
            fs::copy(signer.file(&file), self.path.join(&file)).unwrap();
        }
    }

    pub(crate) fn statement(&self, name: &str) -> Value {
        let (_, bytes) = attest::statements(&self.path).unwrap().into_iter().find(|(file, _)| *file == name).unwrap();
        serde_json::from_slice(&bytes).unwrap()
    }
}

/// The files below a directory, by path.
pub(crate) fn tree(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(tree(&entry.path()).into_iter().map(|(below, bytes)| (format!("{name}/{below}"), bytes)));
        } else {
            found.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    found
}
