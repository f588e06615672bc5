//! The verifier: trusts nothing in a bundle and makes everything again that can be made again.
//!
//! It opens no network, runs nothing of the bundle and needs no GPU. Five questions are answered apart from one another:
//! is the bundle *intact*, does a *trusted* key vouch for it, do its statuses *follow* from its evidence, is it of the
//! *commit* asked for, is it *fresh*. A bundle that was made to harm meets limits on the size of files and lines, and on
//! nesting, before anything is read.

mod canonical;
pub mod command;
mod contents;
mod derived;
mod expected;
mod findings;
mod limits;
mod lines;
mod listing;
mod live;
mod merged;
mod policy;
mod shown;
mod text;
mod trust;
mod xml;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;

use crate::attest::PublicKey;
use crate::coverage::{Coverage, Verdict};
use crate::exit::Exit;
use crate::merge::is_merged;
use crate::provenance::{Metadata, Provenance};
use crate::requirement::RequirementsFile;
use crate::sums;
use contents::Contents;
use findings::Findings;
use listing::{Kind, Listing};
use trust::Envelopes;

pub use expected::parse_age;
pub use findings::{Check, Finding};
pub(crate) use merged::INPUTS_LIMIT;
pub use shown::{Shown, ShownRun};
pub use text::{one_line, plain_json};

/// What the one who verifies knows and wants.
#[derive(Clone, Debug)]
pub struct Options {
    /// The keys that are trusted, from outside the bundle.
    pub public_keys: Vec<PublicKey>,
    /// The full id of the commit that the bundle has to be of.
    pub commit: Option<String>,
    /// The nonce that the run was asked for with.
    pub nonce: Option<String>,
    /// How long ago the run may have ended.
    pub max_age: Option<Duration>,
    /// Whether signatures are left out: an intact bundle says nothing of who made it.
    pub integrity_only: bool,
    /// The time to compare with.
    pub now: OffsetDateTime,
}

impl Options {
    /// Asks for no signature, no commit and no age.
    #[must_use]
    pub fn integrity_only() -> Self {
        Self {
            public_keys: Vec::new(),
            commit: None,
            nonce: None,
            max_age: None,
            integrity_only: true,
            now: OffsetDateTime::now_utc(),
        }
    }
}

/// What a bundle was found to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Whether every byte is one that a run writes, and none is missing or too much.
    pub intact: Check,
    /// Whether a trusted key signed it.
    pub trusted: Check,
    /// Whether everything that it concludes follows from what it holds.
    pub derived: Check,
    /// Whether it is of the commit asked for.
    pub commit: Check,
    /// Whether it is the run asked for, and recent.
    pub fresh: Check,
    /// What the run shows, derived again; `None` when nothing can be derived.
    pub shown: Option<Shown>,
    #[serde(skip)]
    run: Option<Verdict>,
}

impl Verification {
    /// The exit code: that of the first check that fails, in the order of the members; when all hold, that of the run.
    #[must_use]
    pub fn exit(&self) -> Exit {
        let checks = [
            (&self.intact, Exit::NotIntact),
            (&self.trusted, Exit::NotTrusted),
            (&self.derived, Exit::NotDerived),
            (&self.commit, Exit::OtherCommit),
            (&self.fresh, Exit::Stale),
        ];
        let failed = checks.into_iter().find(|(check, _)| check.fails()).map(|(_, exit)| exit);
        // What cannot be reached has a reason that fails the bundle; should it ever have none, this is no proof.
        failed.or_else(|| self.run.map(Exit::from)).unwrap_or(Exit::NotIntact)
    }

    /// Why the bundle is not what its makers left, or does not follow from its evidence; `None` when both hold. Who made it
    /// plays no part.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let kinds = [(&self.intact, "it is not intact"), (&self.derived, "it does not follow from its evidence")];
        kinds.into_iter().find_map(|(check, what)| match check {
            Check::Holds { .. } => None,
            Check::Fails { findings } => {
                let first = findings.first().map(ToString::to_string).unwrap_or_default();
                Some(format!("{what}: {first}"))
            }
            Check::NotAsked { why } | Check::NotReached { why } => Some(format!("{what}: {why}")),
        })
    }

    /// The checks, each with its name.
    #[must_use]
    pub fn checks(&self) -> [(&'static str, &Check); 5] {
        [
            ("intact", &self.intact),
            ("trusted", &self.trusted),
            ("derived", &self.derived),
            ("commit", &self.commit),
            ("fresh", &self.fresh),
        ]
    }
}

/// Verifies the bundle at `bundle`. Every check that can be made is made, whatever the others find. Of a merged bundle each
/// input is verified by itself, with the same options.
#[must_use]
pub fn verify(bundle: &Path, options: &Options) -> Verification {
    match is_merged(bundle) {
        true => merged::verify(bundle, options),
        false => examine(bundle, options).verification,
    }
}

/// The bundle of a run, as it was found to be.
pub(crate) struct Examined {
    pub(crate) verification: Verification,
    /// SHA-256 of each of its files, by name.
    pub(crate) digests: BTreeMap<String, String>,
    listing: Listing,
    metadata: Option<Metadata>,
    provenance: Option<Provenance>,
    requirements: Option<RequirementsFile>,
    /// What was derived again.
    coverage: Option<Coverage>,
}

/// Verifies the bundle of a run.
pub(crate) fn examine(bundle: &Path, options: &Options) -> Examined {
    let mut form = Findings::default();
    let listing = Listing::read(bundle, Kind::Run, &mut form);
    let mut contents = Contents::read(bundle, &listing, &mut form);
    let envelopes = Envelopes::read(bundle, &listing, &mut form);

    let mut follows = Findings::default();
    let derived = derived::check(bundle, &listing, &mut contents, &mut follows);
    let sums_digest = contents.digests.get(sums::FILE).map(String::as_str);
    let statements = match derived.is_ok() {
        true => envelopes.check_statements(bundle, &listing, &mut follows),
        false => None,
    };
    let trusted = match options.integrity_only {
        true => not_asked(),
        false => envelopes.trusted(&listing, sums_digest, &options.public_keys, &mut form),
    };
    // Last, after the last look into the files.
    listing.check_unchanged(bundle, &mut form);

    let provenance = contents.provenance.as_ref();
    let lines = contents.lines.iter().fold(0_usize, |sum, lines| sum.saturating_add(lines.count));
    let what = format!("{} files, {} bytes, {lines} chained records", listing.names().count(), listing.bytes());
    let (derived, coverage) = match derived {
        Ok(derived) => (follows.check(derived.what.into_iter().chain(statements).collect()), Some(derived.coverage)),
        Err(_) if !follows.is_empty() => (follows.check(Vec::new()), None),
        Err(why) => (Check::NotReached { why }, None),
    };
    let verification = Verification {
        intact: form.check(vec![what]),
        trusted,
        derived,
        commit: expected::commit(provenance, options.commit.as_deref()),
        fresh: expected::fresh(provenance, options.nonce.as_deref(), options.max_age, options.now),
        run: coverage.as_ref().map(Coverage::verdict),
        shown: coverage.as_ref().zip(provenance).map(|(coverage, provenance)| Shown::of(coverage, provenance)),
    };
    let Contents { digests, metadata, provenance, requirements, .. } = contents;
    Examined { verification, digests, listing, metadata, provenance, requirements, coverage }
}

fn not_asked() -> Check {
    Check::NotAsked { why: "give the maker's key with --public-key".to_owned() }
}
