//! The audit trail, as tables of event, whom it is about, and whether it is critical.

use evidence::Stream::PolicyEnforcement;

use crate::{Vocabulary, World};

pub(super) fn define(steps: &mut Vocabulary<World>) {
    steps.observe("the audit trail is:", |world, given, then| {
        then.sees(PolicyEnforcement, given.rows(), world.trail.rows())
    });
    steps.observe("the audit trail ends with:", |world, given, then| {
        given.column()?;
        let rows = world.trail.rows();
        let last = rows.len().saturating_sub(given.rows().len());
        then.sees(PolicyEnforcement, given.rows(), rows.get(last..))
    });
}
