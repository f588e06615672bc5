//! Runs the behaviour scenarios of `specs/features` through the facade's public interface.
//!
//! [`load`] reads the scenarios, [`vocabulary`] holds the step definitions, and [`Vocabulary::run`] runs one scenario in a
//! [`World`] of its own. A step that no definition knows, a scenario without a `Then`, and a `Then` that observes nothing
//! are failures: a scenario cannot pass by saying nothing.
#![forbid(unsafe_code)]

mod engine;
mod error;
mod features;
mod logs;
mod pattern;
mod secrecy;
mod steps;
mod trail;
mod witness;
mod world;

pub use engine::Vocabulary;
pub use error::AcceptanceError;
pub use features::{Keyword, Scenario, Step, features_dir, load, parse};
pub use pattern::Arguments;
pub use steps::vocabulary;
pub use witness::Witness;
pub use world::World;

/// What a step definition returns: an error fails the scenario, with the step's text before it.
pub type StepResult = Result<(), Box<dyn std::error::Error>>;
