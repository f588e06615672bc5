//! Reads the scenarios of the feature files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use gherkin::{GherkinEnv, StepType};

use crate::AcceptanceError;

/// Whether a step acts or observes; `And` and `But` take after the step before them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyword {
    /// `Given` and `When`: the step brings a state about.
    Act,
    /// `Then`: the step observes.
    Observe,
}

/// One step of a scenario.
#[derive(Clone, Debug)]
pub struct Step {
    /// Whether it acts or observes.
    pub keyword: Keyword,
    /// Its text without the keyword.
    pub text: String,
    /// Its table, if it has one, with the row of headings first.
    pub table: Option<Vec<Vec<String>>>,
}

/// One scenario.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// The stem of its file's name, such as `seal_model`.
    pub feature: String,
    /// Its name, as written.
    pub name: String,
    /// The ids of the requirements that it proves: its tags without `@`.
    pub requirements: Vec<String>,
    /// Its steps, in order.
    pub steps: Vec<Step>,
}

impl Scenario {
    /// The name under which test listings show it: `seal_model::an_empty_model_is_refused`.
    #[must_use]
    pub fn test_name(&self) -> String {
        format!("{}::{}", self.feature, self.name.replace(' ', "_"))
    }
}

/// `specs/features`, seen from the directory of this package, in which its tests run.
#[must_use]
pub fn features_dir() -> PathBuf {
    Path::new("../../specs/features").to_owned()
}

/// Every scenario of every `.feature` file in `dir`, by file name and then in the order of the file.
///
/// # Errors
///
/// [`AcceptanceError`] when the folder or a file cannot be read, when a file is not Gherkin or uses parts of it that would
/// go unread, when two scenarios share a name, or when there is no scenario.
pub fn load(dir: &Path) -> Result<Vec<Scenario>, AcceptanceError> {
    let read = |path: &Path, source| AcceptanceError::Read { path: path.to_owned(), source };
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(|source| read(dir, source))? {
        let path = entry.map_err(|source| read(dir, source))?.path();
        if path.extension().is_some_and(|extension| extension == "feature") {
            files.push(path);
        }
    }
    files.sort();

    let mut scenarios = Vec::new();
    for path in files {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).map_err(|source| read(&path, source))?;
        scenarios.extend(parse(&stem, &text)?);
    }
    if scenarios.is_empty() {
        return Err(AcceptanceError::NoScenarios { path: dir.to_owned() });
    }
    let mut names = BTreeSet::new();
    if let Some(twice) = scenarios.iter().find(|scenario| !names.insert(scenario.name.as_str())) {
        return Err(AcceptanceError::NameTwice { name: twice.name.clone() });
    }
    Ok(scenarios)
}

/// The scenarios of one feature file, whose name has the stem `file`.
///
/// # Errors
///
/// [`AcceptanceError::Syntax`] and [`AcceptanceError::Unsupported`].
pub fn parse(file: &str, text: &str) -> Result<Vec<Scenario>, AcceptanceError> {
    let syntax = |reason: String| AcceptanceError::Syntax { file: file.to_owned(), reason };
    let feature = gherkin::Feature::parse(text, GherkinEnv::default()).map_err(|error| syntax(error.to_string()))?;
    let unsupported = |scenario: &str, what| {
        Err(AcceptanceError::Unsupported { file: file.to_owned(), scenario: scenario.to_owned(), what })
    };
    if feature.background.is_some() {
        return unsupported(&feature.name, "a background");
    }
    if !feature.rules.is_empty() {
        return unsupported(&feature.name, "a rule");
    }
    if !feature.tags.is_empty() {
        return unsupported(&feature.name, "tags of the whole feature");
    }
    let mut scenarios = Vec::new();
    for scenario in feature.scenarios {
        // A line under the name whose keyword is misspelled is a description to the parser, and a step to its author.
        if scenario.description.is_some() {
            return unsupported(&scenario.name, "text that is no step");
        }
        if !scenario.examples.is_empty() || scenario.keyword.contains("Outline") {
            return unsupported(&scenario.name, "examples");
        }
        if scenario.steps.iter().any(|step| step.docstring.is_some()) {
            return unsupported(&scenario.name, "a text block");
        }
        scenarios.push(Scenario {
            feature: file.to_owned(),
            name: scenario.name,
            requirements: scenario.tags,
            steps: scenario.steps.into_iter().map(step).collect(),
        });
    }
    Ok(scenarios)
}

fn step(step: gherkin::Step) -> Step {
    let keyword = match step.ty {
        StepType::Given | StepType::When => Keyword::Act,
        StepType::Then => Keyword::Observe,
    };
    Step { keyword, text: step.value, table: step.table.map(|table| table.rows) }
}
