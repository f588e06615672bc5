//! What tests emit: the requirement they prove, and what they expected and observed.
//!
//! A test names what it proves with [`proves!`] and records what it saw with [`check`]:
//!
//! ```
//! use evidence::{Stream, check, proves};
//!
//! proves!("IV-001");
//! let rejected = "0".parse::<std::num::NonZeroU64>().is_err();
//! check(Stream::InputValidation, "zero_size_rejected", true, rejected);
//! ```
//!
//! In a proof run each test is a process of its own and the environment variable `PROOF_SPOOL`
//! names the file that its lines go to. Anywhere else nothing is written and nothing is kept:
//! [`check`] is then an assertion like any other.
//!
//! The status of a record is made in one place only, by [`observe`]; no function takes one.
#![forbid(unsafe_code)]

mod claim;
mod finite;
mod observation;
mod record;
mod spool;

pub use claim::claim;
pub use observation::{Observation, observe};
pub use record::{Record, Recorded, Stream, check, check_on};
pub use spool::{Spool, SpoolError};

/// The seed of all randomness in tests: the environment variable `PROOF_SEED`, or 42.
///
/// # Panics
///
/// When `PROOF_SEED` is set to anything but a decimal `u64`: a run that ignored it would not be
/// the run that was asked for.
#[must_use]
#[allow(clippy::panic, reason = "a test's set-up fails by panicking")]
pub fn seed() -> u64 {
    match std::env::var("PROOF_SEED") {
        Ok(text) => match text.parse() {
            Ok(seed) => seed,
            Err(_) => panic!("set PROOF_SEED to a decimal number below 2^64, or unset it"),
        },
        Err(std::env::VarError::NotPresent) => 42,
        Err(std::env::VarError::NotUnicode(_)) => {
            panic!("set PROOF_SEED to a decimal number below 2^64, or unset it")
        }
    }
}
