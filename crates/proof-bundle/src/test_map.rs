//! Which test proves which requirement, as found in the source of the tests.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A test: the binary that holds it and its name there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TestId {
    /// The binary's id as nextest writes it: `seal` for the unit tests of a library, `seal::hmac` for `tests/hmac.rs`,
    /// `xtask::bin/xtask` for a program.
    pub binary: String,
    /// The name as the binary lists it.
    pub test: String,
}

impl TestId {
    /// The test `test` of `binary`.
    #[must_use]
    pub fn new(binary: impl Into<String>, test: impl Into<String>) -> Self {
        Self { binary: binary.into(), test: test.into() }
    }

    /// The function's own name, without the modules around it.
    pub(crate) fn function(&self) -> &str {
        self.test.rsplit("::").next().unwrap_or(&self.test)
    }
}

impl fmt::Display for TestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.binary, self.test)
    }
}

/// A test and the requirements that its source says it proves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MappedTest {
    /// The binary's id (see [`TestId::binary`]).
    pub binary: String,
    /// The name as the binary lists it.
    pub test: String,
    /// The ids in its `proves!` calls or scenario tags.
    pub requirements: Vec<String>,
}

impl MappedTest {
    /// The test alone.
    #[must_use]
    pub fn id(&self) -> TestId {
        TestId::new(&self.binary, &self.test)
    }
}

/// A scenario of a feature file and the listed test that runs it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Scenario {
    /// The feature's file name: `seal_model.feature`.
    pub feature: String,
    /// The scenario's title.
    pub scenario: String,
    /// The binary that runs it (see [`TestId::binary`]).
    pub binary: String,
    /// The name under which that binary lists it.
    pub test: String,
}

impl Scenario {
    /// The test that runs the scenario.
    #[must_use]
    pub fn id(&self) -> TestId {
        TestId::new(&self.binary, &self.test)
    }
}
