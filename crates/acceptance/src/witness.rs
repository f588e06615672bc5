//! What a `Then` observes, recorded as evidence and counted.

use evidence::{Record, Spool, Stream};
use serde::Serialize;

use crate::{Scenario, StepResult};

/// Takes the observations of one `Then`. Definitions of observing steps have no other way to say that they are content,
/// so one that looks at nothing is found out by its count.
#[derive(Debug)]
pub struct Witness<'a> {
    scenario: &'a Scenario,
    step: &'a str,
    spool: Option<&'a Spool>,
    observations: u64,
}

impl<'a> Witness<'a> {
    pub(crate) fn new(scenario: &'a Scenario, step: &'a str, spool: Option<&'a Spool>) -> Self {
        Self { scenario, step, spool, observations: 0 }
    }

    /// How many observations were made.
    pub(crate) fn observations(&self) -> u64 {
        self.observations
    }

    /// Records what was expected and what was observed on the simulated device, as evidence for the requirements that the
    /// scenario is tagged with.
    ///
    /// # Errors
    ///
    /// When the two differ, so that `?` fails the step.
    pub fn sees(&mut self, stream: Stream, expected: impl Serialize, observed: impl Serialize) -> StepResult {
        self.observations = self.observations.saturating_add(1);
        let record = Record::new(stream, self.step).device("simulated").field("scenario", self.scenario.test_name());
        let record = self.scenario.requirements.iter().fold(record, |record, id| record.requirement(id));
        let recorded = record.observe(expected, observed);
        let observation = recorded.observation().clone();
        if let Some(spool) = self.spool {
            recorded.write_to(spool);
        }
        if observation.holds() {
            Ok(())
        } else {
            Err(format!("expected {}, observed {}", observation.expected(), observation.observed()).into())
        }
    }
}
