//! Finds the definition of each step and runs it.

use evidence::Spool;

use crate::pattern::{Arguments, Pattern};
use crate::{AcceptanceError, Keyword, Scenario, Step, StepResult, Witness};

/// The step definitions over a world `W`, the state that the steps of one scenario share.
pub struct Vocabulary<W> {
    definitions: Vec<Definition<W>>,
}

struct Definition<W> {
    pattern: Pattern,
    body: Body<W>,
}

enum Body<W> {
    Act(fn(&mut W, &Arguments) -> StepResult),
    Observe(fn(&mut W, &Arguments, &mut Witness<'_>) -> StepResult),
}

impl<W> Vocabulary<W> {
    /// No definitions.
    #[must_use]
    pub const fn new() -> Self {
        Self { definitions: Vec::new() }
    }

    /// Adds a definition for `Given` and `When`.
    pub fn act(&mut self, pattern: &'static str, body: fn(&mut W, &Arguments) -> StepResult) {
        self.definitions.push(Definition { pattern: Pattern(pattern), body: Body::Act(body) });
    }

    /// Adds a definition for `Then`.
    pub fn observe(&mut self, pattern: &'static str, body: fn(&mut W, &Arguments, &mut Witness<'_>) -> StepResult) {
        self.definitions.push(Definition { pattern: Pattern(pattern), body: Body::Observe(body) });
    }

    /// Claims the scenario's requirements and runs it in `world`, with its evidence going to this process's spool.
    ///
    /// # Errors
    ///
    /// As [`run_into`](Self::run_into).
    pub fn run(&self, scenario: &Scenario, world: &mut W) -> Result<(), AcceptanceError> {
        let requirements: Vec<&str> = scenario.requirements.iter().map(String::as_str).collect();
        evidence::claim(&requirements);
        self.run_into(scenario, world, Spool::from_env().as_ref())
    }

    /// Runs the scenario's steps in `world`, up to the first that fails; what they observe goes to `spool`.
    ///
    /// # Errors
    ///
    /// [`AcceptanceError`]: before any step runs when the scenario does not end with a `Then`, or when a step has no
    /// definition, or more than one; afterwards when a step fails, or when a `Then` observes nothing.
    pub fn run_into(&self, scenario: &Scenario, world: &mut W, spool: Option<&Spool>) -> Result<(), AcceptanceError> {
        if scenario.steps.last().is_none_or(|step| step.keyword != Keyword::Observe) {
            return Err(AcceptanceError::EndsUnobserved);
        }
        let resolved: Vec<_> =
            scenario.steps.iter().map(|step| self.find(step).map(|found| (step, found))).collect::<Result<_, _>>()?;
        for (step, (definition, arguments)) in resolved {
            let mut witness = Witness::new(scenario, &step.text, spool);
            match definition.body {
                Body::Act(body) => body(world, &arguments),
                Body::Observe(body) => body(world, &arguments, &mut witness),
            }
            .map_err(|reason| AcceptanceError::StepFailed { step: step.text.clone(), reason: reason.to_string() })?;
            if step.keyword == Keyword::Observe && witness.observations() == 0 {
                return Err(AcceptanceError::NothingObserved { step: step.text.clone() });
            }
        }
        Ok(())
    }

    /// The wordings of the definitions that no step of `scenarios` uses.
    #[must_use]
    pub fn unused(&self, scenarios: &[Scenario]) -> Vec<&'static str> {
        let steps: Vec<&Step> = scenarios.iter().flat_map(|scenario| &scenario.steps).collect();
        self.definitions
            .iter()
            .filter(|definition| !steps.iter().any(|step| definition.arguments(step).is_some()))
            .map(|definition| definition.pattern.0)
            .collect()
    }

    fn find(&self, step: &Step) -> Result<(&Definition<W>, Arguments), AcceptanceError> {
        let mut found: Vec<_> = self
            .definitions
            .iter()
            .filter_map(|definition| definition.arguments(step).map(|arguments| (definition, arguments)))
            .collect();
        match (found.len(), found.pop()) {
            (1, Some(found)) if found.0.pattern.has_table() == step.table.is_some() => Ok(found),
            (1, Some(_)) => Err(AcceptanceError::Table { step: step.text.clone() }),
            (0, _) => Err(AcceptanceError::UnknownStep { step: step.text.clone() }),
            (count, _) => Err(AcceptanceError::AmbiguousStep { step: step.text.clone(), count }),
        }
    }
}

impl<W> Default for Vocabulary<W> {
    fn default() -> Self {
        Self::new()
    }
}

impl<W> Definition<W> {
    /// What `step` fills into this definition; `None` when it is another step, or acts where this one observes.
    fn arguments(&self, step: &Step) -> Option<Arguments> {
        match (&self.body, step.keyword) {
            (Body::Act(_), Keyword::Act) | (Body::Observe(_), Keyword::Observe) => {
                self.pattern.arguments(&step.text, step.table.as_deref())
            }
            _ => None,
        }
    }
}
