//! Writes proof bundles, signs and merges them, and verifies them: the program `verify-bundle` is this crate.
//!
//! A bundle is a folder of plain files about one test run. Its statuses are derived, never declared:
//! [`coverage::derive`] reads back what the run left ([`junit`], [`records`]) beside what the specifications ask for
//! ([`requirement`], [`test_map`]), and [`report`] renders nothing but the JSON beside it.
//!
//! Two ways lead to a bundle. A test writes one of its own with [`ProofBundle::for_type`]; what it writes is of class
//! `declared`: kept, shown as such, never counted. A proof run fills a [`StagedBundle`] with [`run::assemble`] and
//! publishes it when it is complete. Then [`attest`] signs it, [`merge`] joins it with the bundles of other runs of its commit,
//! [`diff`] compares two, and [`verify`] derives everything in one again and trusts nothing.
//!
//! This crate knows nothing of CUDA or of the library under test, so that a verifier needs neither.
#![forbid(unsafe_code)]

pub mod attest;
pub mod bundle;
pub mod code_coverage;
pub mod coverage;
pub mod diff;
pub mod error;
pub mod exit;
mod hash;
mod json;
pub mod junit;
pub mod merge;
pub mod mutants;
pub mod provenance;
pub mod records;
pub mod report;
pub mod requirement;
pub mod run;
mod schema;
mod stage;
mod store;
mod sums;
pub mod test_map;
pub mod verify;

pub use bundle::{ProofBundle, Seeds, TestType, now};
pub use error::Error;
pub use stage::StagedBundle;
