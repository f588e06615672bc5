//! The step definitions, by what they speak of.

mod audit_trail;
mod faults;
mod handles;
mod memory;
mod policy;
mod results;
mod sealing;
mod secrecy;
mod signatures;
mod verifying;

use crate::{Vocabulary, World};

/// Every step that the feature files can use.
#[must_use]
pub fn vocabulary() -> Vocabulary<World> {
    let mut steps = Vocabulary::new();
    sealing::define(&mut steps);
    handles::define(&mut steps);
    verifying::define(&mut steps);
    signatures::define(&mut steps);
    memory::define(&mut steps);
    faults::define(&mut steps);
    policy::define(&mut steps);
    results::define(&mut steps);
    audit_trail::define(&mut steps);
    secrecy::define(&mut steps);
    steps
}
