//! What was expected, what was observed, and the status that follows.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::finite;

/// An expected and an observed value. Only [`observe`] makes one, so a status cannot be chosen.
///
/// Serialises to `{"expected": …, "observed": …, "status": "pass" | "fail"}`.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    expected: Value,
    observed: Value,
}

/// Puts what was observed beside what was expected. The two are compared as JSON values, so a
/// reader of the record can compare them again and must come to the same status.
///
/// # Panics
///
/// When a value cannot be represented in JSON (a map whose keys are not strings, or a number that is infinite or not a
/// number, say).
pub fn observe(expected: impl Serialize, observed: impl Serialize) -> Observation {
    Observation { expected: to_value("expected", expected), observed: to_value("observed", observed) }
}

impl Observation {
    /// Whether the observed value equals the expected one.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.expected == self.observed
    }

    /// What should have been seen.
    #[must_use]
    pub fn expected(&self) -> &Value {
        &self.expected
    }

    /// What was seen.
    #[must_use]
    pub fn observed(&self) -> &Value {
        &self.observed
    }
}

impl Serialize for Observation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let status = if self.holds() { "pass" } else { "fail" };
        let mut fields = serializer.serialize_struct("Observation", 3)?;
        fields.serialize_field("expected", &self.expected)?;
        fields.serialize_field("observed", &self.observed)?;
        fields.serialize_field("status", status)?;
        fields.end()
    }
}

#[allow(clippy::panic, reason = "a test's assertion fails by panicking")]
pub(crate) fn to_value(name: &str, value: impl Serialize) -> Value {
    match finite::check(&value).and_then(|()| serde_json::to_value(value)) {
        Ok(value) => value,
        Err(error) => panic!("`{name}` cannot be written as JSON: {error}"),
    }
}
