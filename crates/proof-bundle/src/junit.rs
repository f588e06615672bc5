//! `tests.junit.xml`: every test that exists, run or not, as observed. It follows nextest's conventions: a suite per test
//! binary, the binary's id as `classname`, the listed name as `name`.
//!
//! A test that did not run is `<skipped>`, one that failed `<failure>`, one that left no verdict `<error>`; each holds its
//! reason. The requirements that a test claimed while it ran are its properties named `proves`, so that coverage can be
//! derived again from the bundle alone.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite, XmlString};

use crate::Error;
use crate::test_map::TestId;

/// The file's name in a bundle.
pub const FILE: &str = "tests.junit.xml";

const PROVES: &str = "proves";

/// The reason of a test that was not run because it needs a GPU: `#[ignore = "needs a GPU"]`. A proof runs it where there is one.
pub const NEEDS_A_GPU: &str = "ignored: needs a GPU";

/// How a test ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its process exited 0 and its summary says one passed, none failed, none ignored.
    Passed,
    /// It ran and did not pass: its summary says so, or its process ended otherwise (exit code, signal, timeout).
    Failed(String),
    /// It did not run: ignored, or this host lacks what it needs.
    NotRun(String),
    /// It left no verdict: its binary could not be built, started or listed, or exited 0 without a summary.
    Dead(String),
}

impl Outcome {
    /// Why it did not pass.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Passed => None,
            Self::Failed(reason) | Self::NotRun(reason) | Self::Dead(reason) => Some(reason),
        }
    }
}

/// What was observed of one test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestResult {
    /// The binary's id (see [`TestId::binary`]).
    pub binary: String,
    /// The name as the binary lists it.
    pub test: String,
    /// How it ended.
    pub outcome: Outcome,
    /// How long its process took; kept to the millisecond.
    pub duration: Duration,
    /// The requirements that it claimed while it ran, sorted. [`run::assemble`](crate::run::assemble) takes them from
    /// the spool; leave it empty.
    pub claims: Vec<String>,
}

impl TestResult {
    /// What was observed of a test, before its spool is read.
    #[must_use]
    pub fn new(binary: impl Into<String>, test: impl Into<String>, outcome: Outcome, duration: Duration) -> Self {
        Self { binary: binary.into(), test: test.into(), outcome, duration, claims: Vec::new() }
    }

    /// Which test it is.
    #[must_use]
    pub fn id(&self) -> TestId {
        TestId::new(&self.binary, &self.test)
    }
}

/// Reads a file of what [`to_xml`] made, sorted by binary and name.
///
/// # Errors
///
/// [`Error::Io`] when the file cannot be read; [`Error::Junit`] when it is empty, no JUnit, holds no test, or holds one
/// twice.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<TestResult>, Error> {
    let path = path.as_ref();
    let xml = fs::read_to_string(path).map_err(Error::io("read", path))?;
    from_xml(&xml).map_err(|problem| Error::Junit {
        file: path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default(),
        problem,
    })
}

/// Reads the text of such a file; the error says what is wrong with it.
pub(crate) fn parse(xml: &str) -> Result<Vec<TestResult>, String> {
    from_xml(xml)
}

/// The JUnit of `results`, sorted by binary and name. ANSI escapes and characters that XML cannot hold are dropped.
///
/// # Errors
///
/// [`Error::Junit`] when a test is there twice, or the XML cannot be made.
pub fn to_xml(results: &[TestResult]) -> Result<String, Error> {
    let mut suites: BTreeMap<&str, BTreeMap<&str, &TestResult>> = BTreeMap::new();
    for result in results {
        let suite = suites.entry(&result.binary).or_default();
        if suite.insert(&result.test, result).is_some() {
            return Err(junit_error(format!("{} ran twice", result.id())));
        }
    }
    let mut report = Report::new("proof");
    for (binary, tests) in suites {
        let mut suite = TestSuite::new(binary);
        // The sum of what is written, so that what is read back is written again to the same bytes.
        suite.set_time(tests.values().fold(Duration::ZERO, |sum, result| sum.saturating_add(kept(result.duration))));
        suite.add_test_cases(tests.values().map(|result| to_case(result)));
        report.add_test_suite(suite);
    }
    report.to_string().map_err(|error| junit_error(error.to_string()))
}

fn junit_error(problem: String) -> Error {
    Error::Junit { file: FILE.to_owned(), problem }
}

fn to_case(result: &TestResult) -> TestCase {
    let (mut status, kind) = match &result.outcome {
        Outcome::Passed => (TestCaseStatus::success(), ""),
        Outcome::Failed(_) => (TestCaseStatus::non_success(NonSuccessKind::Failure), "test failure"),
        Outcome::NotRun(_) => (TestCaseStatus::skipped(), "not run"),
        Outcome::Dead(_) => (TestCaseStatus::non_success(NonSuccessKind::Error), "no verdict"),
    };
    if let Some(reason) = result.outcome.reason() {
        let reason = XmlString::new(reason);
        let first_line = reason.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().trim();
        status.set_message(first_line).set_type(kind).set_description(reason.trim());
    }
    let mut case = TestCase::new(result.test.as_str(), status);
    case.set_classname(result.binary.as_str()).set_time(kept(result.duration));
    let mut claims = result.claims.clone();
    claims.sort();
    claims.dedup();
    case.add_properties(claims.iter().map(|id| Property::new(PROVES, id.as_str())));
    case
}

/// The duration to the millisecond.
fn kept(duration: Duration) -> Duration {
    let half = Duration::from_micros(500);
    Duration::from_millis(u64::try_from(duration.saturating_add(half).as_millis()).unwrap_or(u64::MAX))
}

fn from_xml(xml: &str) -> Result<Vec<TestResult>, String> {
    if xml.trim().is_empty() {
        return Err("the file is empty: no test was observed".to_owned());
    }
    let report = Report::deserialize_from_str(xml).map_err(|error| error.to_string())?;
    let mut results = BTreeMap::new();
    for suite in report.test_suites {
        for case in suite.test_cases {
            let result = from_case(suite.name.as_str(), case);
            let id = result.id();
            if results.insert(id.clone(), result).is_some() {
                return Err(format!("{id} is listed twice"));
            }
        }
    }
    if results.is_empty() {
        return Err("the file lists no test".to_owned());
    }
    Ok(results.into_values().collect())
}

fn from_case(suite: &str, case: TestCase) -> TestResult {
    let outcome = match case.status {
        TestCaseStatus::Success { .. } => Outcome::Passed,
        TestCaseStatus::Skipped { message, description, .. } => Outcome::NotRun(reason(message, description)),
        TestCaseStatus::NonSuccess { kind, message, description, .. } => {
            let reason = reason(message, description);
            match kind {
                NonSuccessKind::Failure => Outcome::Failed(reason),
                NonSuccessKind::Error => Outcome::Dead(reason),
            }
        }
    };
    let mut claims: Vec<String> = case
        .properties
        .into_iter()
        .filter(|property| property.name.as_str() == PROVES)
        .map(|property| property.value.into_string())
        .collect();
    claims.sort();
    TestResult {
        binary: case.classname.map_or_else(|| suite.to_owned(), XmlString::into_string),
        test: case.name.into_string(),
        outcome,
        duration: case.time.unwrap_or_default(),
        claims,
    }
}

fn reason(message: Option<XmlString>, description: Option<XmlString>) -> String {
    description
        .map(|text| text.trim().to_owned())
        .filter(|text| !text.is_empty())
        .or(message.map(XmlString::into_string))
        .unwrap_or_default()
}
