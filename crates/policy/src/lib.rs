//! The VRAM-only rules: facts in, decision out, no input or output.
//!
//! A [`PolicyRecord`] holds everything that the rules read, and [`PolicyRecord::judge`] is a pure function of it: the same
//! record gives the same [`Decision`] on every machine. A decision that was read from JSON is data and nothing more. Whoever
//! verifies it reads the recorded facts, judges them again, and compares:
//!
//! ```
//! use policy::{Decision, PolicyRecord};
//!
//! fn follows_from_the_facts(record: &str, decision: &str) -> Result<bool, serde_json::Error> {
//!     let record: PolicyRecord = serde_json::from_str(record)?;
//!     let claimed: Decision = serde_json::from_str(decision)?;
//!     Ok(record.judge() == claimed)
//! }
//! ```
#![forbid(unsafe_code)]

mod decision;
mod record;
mod rule;
mod rules;

pub use decision::{Decision, FactRead, Finding, Outcome, Verdict};
pub use record::PolicyRecord;
pub use rule::Rule;
