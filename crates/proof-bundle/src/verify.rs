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
mod lines;
mod listing;
mod policy;
mod shown;
mod text;
mod trust;

use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use time::OffsetDateTime;

use crate::attest::PublicKey;
use crate::coverage::Verdict;
use crate::exit::Exit;
use contents::Contents;
use findings::Findings;
use listing::Listing;
use trust::Envelopes;

pub use expected::parse_age;
pub use findings::{Check, Finding};
pub use shown::Shown;

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
        failed.or_else(|| self.run.map(shown::exit_of)).unwrap_or(Exit::NotIntact)
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

/// Verifies the bundle at `bundle`. Every check that can be made is made, whatever the others find.
#[must_use]
pub fn verify(bundle: &Path, options: &Options) -> Verification {
    let mut form = Findings::default();
    let listing = Listing::read(bundle, &mut form);
    let mut contents = Contents::read(bundle, &listing, &mut form);
    let envelopes = Envelopes::read(bundle, &listing, &mut form);

    let mut follows = Findings::default();
    let derived = derived::check(bundle, &listing, &mut contents, &mut follows);
    let version = contents.coverage.as_ref().map(|coverage| coverage.renderer_version);
    let statements = version.and_then(|version| envelopes.check_statements(bundle, &listing, version, &mut follows));
    let trusted = if options.integrity_only {
        Check::NotAsked { why: "give the maker's key with --public-key".to_owned() }
    } else {
        envelopes.trusted(&listing, &contents, &options.public_keys, &mut form)
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
    Verification {
        intact: form.check(vec![what]),
        trusted,
        derived,
        commit: expected::commit(provenance, options.commit.as_deref()),
        fresh: expected::fresh(provenance, options.nonce.as_deref(), options.max_age, options.now),
        run: coverage.as_ref().map(crate::coverage::Coverage::verdict),
        shown: coverage.zip(provenance).map(|(coverage, provenance)| Shown::of(&coverage, provenance)),
    }
}
