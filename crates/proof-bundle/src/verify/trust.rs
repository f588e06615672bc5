//! Whether someone whose key came from outside vouches for the bundle, and whether what was signed follows from it.

use std::path::Path;

use serde_json::Value;

use super::contents::read_whole;
use super::findings::{Check, Findings};
use super::listing::{ATTESTATIONS, Listing, TEST_RESULT_FILE};
use crate::attest::{DIRECTORY, Envelope, PublicKey, RESIDENCY_PREDICATE, TEST_RESULT_PREDICATE, statements};
use crate::sums;

/// The envelopes of a bundle that are in their one form, by name.
pub(super) struct Envelopes(Vec<(&'static str, Envelope)>);

impl Envelopes {
    /// Reads both; one in another form than the canonical one is a finding.
    pub(super) fn read(bundle: &Path, listing: &Listing, findings: &mut Findings) -> Self {
        let mut envelopes = Vec::new();
        for name in ATTESTATIONS.into_iter().filter(|name| listing.has(name)) {
            match read_whole(bundle, listing, name).and_then(|bytes| Envelope::parse(&bytes)) {
                Ok(envelope) => envelopes.push((name, envelope)),
                Err(problem) => findings.add(name, None, problem),
            }
        }
        Self(envelopes)
    }

    fn get(&self, name: &str) -> Option<&Envelope> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, envelope)| envelope)
    }

    /// Whether one of `keys` signed both statements, and they are about this bundle's `SHA256SUMS`, whose SHA-256 is
    /// `sums_digest`.
    ///
    /// A key id that was changed after signing, which no signature covers, is a finding of `form`.
    pub(super) fn trusted(
        &self,
        listing: &Listing,
        sums_digest: Option<&str>,
        keys: &[PublicKey],
        form: &mut Findings,
    ) -> Check {
        let mut findings = Findings::default();
        if keys.is_empty() {
            let problem = "no key to trust was given: give one with --public-key, or ask for --integrity-only";
            findings.add(".", None, problem);
            return findings.check(Vec::new());
        }
        let mut signed: Vec<(&str, String)> = Vec::new();
        for name in ATTESTATIONS {
            let Some(envelope) = self.get(name) else {
                let missing = if listing.has(name) { "it cannot be read" } else { "there is no such statement" };
                findings.add(name, None, missing);
                continue;
            };
            let Some(key) = keys.iter().find(|key| envelope.is_signed_by(key)) else {
                findings.add(name, None, "none of the keys given signed it");
                continue;
            };
            let keyid = key.keyid();
            if envelope.keyid() != keyid {
                form.add(name, None, "its keyid is not that of the key that signed it: it was changed afterwards");
            }
            if let Err(problem) = is_about(name, envelope.payload(), sums_digest) {
                findings.add(name, None, problem);
            }
            signed.push((name, keyid));
        }
        findings.check(signers(&signed))
    }

    /// Compares each statement with the one that follows from the bundle's files; says what was done.
    pub(super) fn check_statements(&self, bundle: &Path, listing: &Listing, findings: &mut Findings) -> Option<String> {
        if self.0.is_empty() || listing.has_refused() {
            return None;
        }
        let derived = match statements(bundle) {
            Ok(derived) => derived,
            Err(error) => {
                findings.add(DIRECTORY, None, format!("the statements cannot be derived: {error}"));
                return None;
            }
        };
        for (file, payload) in derived {
            let name = format!("{DIRECTORY}/{file}");
            if self.get(&name).is_some_and(|envelope| envelope.payload() != payload) {
                findings.add(name, None, "what it states does not follow from the bundle's files");
            }
        }
        Some(format!("{} statements follow to the byte", self.0.len()))
    }
}

/// Who signed which statement: one line where one key signed them all.
fn signers(signed: &[(&str, String)]) -> Vec<String> {
    match signed {
        [(_, first), (_, second)] if first == second => vec![format!("both statements signed by the key {first}")],
        _ => signed.iter().map(|(name, keyid)| format!("{name} signed by the key {keyid}")).collect(),
    }
}

/// Whether a statement is the one that belongs into the file `name`, and about this bundle's `SHA256SUMS`. A key may have
/// signed more than this bundle.
fn is_about(name: &str, payload: &[u8], sums_digest: Option<&str>) -> Result<(), &'static str> {
    let statement: Value = serde_json::from_slice(payload).map_err(|_| "what was signed is no statement")?;
    let predicate = if name == TEST_RESULT_FILE { TEST_RESULT_PREDICATE } else { RESIDENCY_PREDICATE };
    if statement.get("predicateType").and_then(Value::as_str) != Some(predicate) {
        return Err("it is not the statement of this name: its predicate is of another type");
    }
    match subject(&statement) {
        Some(digest) if sums_digest == Some(digest) => Ok(()),
        _ => Err("it was signed for another SHA256SUMS than this bundle's"),
    }
}

/// The SHA-256 that a statement gives for its subject `SHA256SUMS`, which it names once.
fn subject(statement: &Value) -> Option<&str> {
    let subjects = statement.get("subject")?.as_array()?;
    let mut digests = subjects
        .iter()
        .filter(|subject| subject.get("name").and_then(Value::as_str) == Some(sums::FILE))
        .map(|subject| subject.pointer("/digest/sha256").and_then(Value::as_str));
    let digest = digests.next()??;
    digests.next().is_none().then_some(digest)
}
