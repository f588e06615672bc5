//! Coverage of the specifications as they are now, by a run that may be older than they are.

use super::derive::{derive, judge_all, unresolved};
use super::evidence::{Evidence, ids_of};
use super::{Coverage, Inputs};
use crate::requirement::RequirementsFile;

/// Judges the requirements and the map of `current` by what `run` left. A requirement of another text than the run judged
/// is [`Stale`](super::Status::Stale) at best, and a mapped test that the run does not list did not run. Without a run
/// nothing ran.
///
/// What is wrong with the run stays a [`problem`](Coverage::problems); what changed since it is none.
#[must_use]
pub fn derive_current(current: &RequirementsFile, run: Option<&Inputs>) -> Coverage {
    let mut problems = run.map(|run| derive(run).problems).unwrap_or_default();
    problems.extend(unresolved(current));
    let ids = ids_of(run);
    judge_all(current, run, &Evidence::new(run, &ids), problems)
}
