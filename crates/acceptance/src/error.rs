//! What makes a scenario, or the set of them, unfit to run or fail.

use std::path::PathBuf;

/// Why scenarios could not be loaded, or why one failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AcceptanceError {
    /// The folder of features could not be read.
    #[error("cannot read {path}: {source}; run from a checkout that has specs/features", path = .path.display())]
    Read {
        /// The folder or file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The folder holds no scenario at all.
    #[error("no scenario in {path}: an empty set of scenarios proves nothing", path = .path.display())]
    NoScenarios {
        /// The folder.
        path: PathBuf,
    },
    /// A feature file is not Gherkin.
    #[error("{file}.feature is not valid Gherkin: {reason}")]
    Syntax {
        /// The file's stem.
        file: String,
        /// What the parser said.
        reason: String,
    },
    /// A feature file uses a part of Gherkin that would go unread here.
    #[error("{file}.feature: {scenario:?} has {what}, which is not run here: write plain scenarios of steps")]
    Unsupported {
        /// The file's stem.
        file: String,
        /// The scenario's or the feature's name.
        scenario: String,
        /// The part.
        what: &'static str,
    },
    /// Two scenarios have one name.
    #[error("scenario name {name:?} is used twice: names are unique over all features")]
    NameTwice {
        /// The name.
        name: String,
    },
    /// A scenario has no `Then`, or goes on after its last one.
    #[error("the scenario does not end with a `Then`: what it does last would go unobserved")]
    EndsUnobserved,
    /// No definition has this step.
    #[error("unknown step `{step}`: use a step that is defined, or define it")]
    UnknownStep {
        /// The step's text.
        step: String,
    },
    /// More than one definition has this step.
    #[error("step `{step}` has {count} definitions: make their wording differ")]
    AmbiguousStep {
        /// The step's text.
        step: String,
        /// How many.
        count: usize,
    },
    /// A table where none is read, or none where one is.
    #[error("step `{step}`: a step has a table exactly when it ends with a colon")]
    Table {
        /// The step's text.
        step: String,
    },
    /// A `Then` came to its end without an observation.
    #[error("`{step}` observed nothing: a `Then` that looks at nothing proves nothing")]
    NothingObserved {
        /// The step's text.
        step: String,
    },
    /// A step failed.
    #[error("`{step}` failed: {reason}")]
    StepFailed {
        /// The step's text.
        step: String,
        /// What its definition said.
        reason: String,
    },
}
