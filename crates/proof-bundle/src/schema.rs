//! The JSON Schemas of a bundle's files, and what they say may differ between two runs of one commit.

mod check;

use serde_json::{Map, Value};

use crate::{Error, merge};

pub(crate) use check::Checker;

const RECORD: &str = include_str!("../../../proof_bundles/schemas/record.schema.json");
const METADATA: &str = include_str!("../../../proof_bundles/schemas/metadata.schema.json");
const PROVENANCE: &str = include_str!("../../../proof_bundles/schemas/provenance.schema.json");
const REQUIREMENTS: &str = include_str!("../../../proof_bundles/schemas/requirements.schema.json");
const CODE_COVERAGE: &str = include_str!("../../../proof_bundles/schemas/code_coverage.schema.json");
const MUTANTS: &str = include_str!("../../../proof_bundles/schemas/mutants.schema.json");
const COVERAGE: &str = include_str!("../../../proof_bundles/schemas/coverage.schema.json");

const MERGE: &str = include_str!("../../../proof_bundles/schemas/merge.schema.json");
const MERGED_COVERAGE: &str = include_str!("../../../proof_bundles/schemas/merged_coverage.schema.json");

/// The name under which [`Schema::of`] knows `coverage.json` of a merged bundle.
pub(crate) const OF_MERGED_COVERAGE: &str = "merged coverage.json";

/// What stands for a volatile value in a comparison.
const VOLATILE: &str = "(volatile)";

/// A JSON Schema.
pub(crate) struct Schema(Value);

impl Schema {
    /// The schema of a file of a bundle, or of each line of it; a file without one has no volatile part.
    pub(crate) fn of(file: &str) -> Result<Self, Error> {
        let text = match file {
            "metadata.json" => METADATA,
            "provenance.json" => PROVENANCE,
            "requirements.json" => REQUIREMENTS,
            "code_coverage.json" => CODE_COVERAGE,
            "coverage.json" => COVERAGE,
            "mutants.json" => MUTANTS,
            merge::FILE => MERGE,
            OF_MERGED_COVERAGE => MERGED_COVERAGE,
            lines if lines.ends_with(".jsonl") => RECORD,
            _ => "true",
        };
        serde_json::from_str(text).map(Self).map_err(Error::json(file))
    }

    /// The schema, ready to be applied; the error says what of it cannot be.
    pub(crate) fn checker(&self) -> Result<Checker, String> {
        Checker::new(&self.0)
    }

    /// Replaces every value that the schema marks `x-volatile`.
    pub(crate) fn mask(&self, value: &mut Value) {
        self.mask_by(value, &self.0);
    }

    fn mask_by(&self, value: &mut Value, schema: &Value) {
        let Some(schema) = self.resolve(schema) else {
            return;
        };
        if schema.get("x-volatile") == Some(&Value::Bool(true)) {
            *value = VOLATILE.into();
            return;
        }
        match value {
            Value::Object(object) => {
                for (name, member) in object {
                    let declared = schema.get("properties").and_then(|properties| properties.get(name));
                    if let Some(schema) = declared.or_else(|| schema.get("additionalProperties")) {
                        self.mask_by(member, schema);
                    }
                }
            }
            Value::Array(items) => {
                if let Some(schema) = schema.get("items") {
                    for item in items {
                        self.mask_by(item, schema);
                    }
                }
            }
            _ => {}
        }
    }

    /// The schema itself, or the one in this document that it refers to.
    fn resolve<'a>(&'a self, schema: &'a Value) -> Option<&'a Map<String, Value>> {
        let object = schema.as_object()?;
        match object.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#')) {
            Some(pointer) => self.0.pointer(pointer)?.as_object(),
            None => Some(object),
        }
    }
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_is_marked_is_masked_through_references_and_arrays() {
        let schema = Schema(json!({
            "properties": {
                "id": {},
                "at": {"x-volatile": true},
                "tests": {"items": {"$ref": "#/$defs/test"}},
            },
            "$defs": {"test": {"properties": {"ms": {"x-volatile": true}}}},
        }));
        let mut value = json!({"id": 1, "at": 2, "tests": [{"ms": 3, "name": "ms"}], "more": {"at": 4}});
        schema.mask(&mut value);
        assert_eq!(
            value,
            json!({
                "id": 1, "at": VOLATILE, "tests": [{"ms": VOLATILE, "name": "ms"}], "more": {"at": 4},
            })
        );
    }

    #[test]
    fn what_a_gpu_measures_and_counts_may_differ_and_what_follows_from_it_may_not() {
        let masked = |cycles: u64, errors: u64, verdict: &str| {
            let device = json!({"uuid": "GPU-1", "ecc_errors": {"corrected": errors}, "compute_processes": errors});
            let fact = json!({"name": "probe.slowest_cycles", "value": cycles.to_string()});
            let finding = json!({"rule": "VP-005", "facts": [fact], "verdict": verdict});
            let judged =
                json!({"device": device, "probe": {"slowest_cycles": cycles}, "capacity": {"free_bytes": cycles}});
            let decisions = json!([{"record": judged, "decision": {"findings": [finding]}}]);
            let mut record = json!({"decisions": decisions, "device_facts": device, "measured": {"cycles": cycles}});
            Schema::of("policy_enforcement.jsonl").unwrap().mask(&mut record);
            let mut metadata = json!({"gpu_devices": [device]});
            Schema::of("metadata.json").unwrap().mask(&mut metadata);
            let mut provenance = json!({"devices": [device]});
            Schema::of("provenance.json").unwrap().mask(&mut provenance);
            [record, metadata, provenance]
        };
        assert_eq!(masked(600, 0, "met"), masked(610, 1, "met"));
        assert_ne!(masked(600, 0, "met"), masked(600, 0, "broken"));
        let text = json!(masked(600, 0, "met")).to_string();
        assert!(text.contains("GPU-1") && !text.contains("600"), "{text}");
    }

    #[test]
    fn a_missing_volatile_member_stays_missing() {
        let mut record = json!({"seq": 1, "timestamp": "now"});
        Schema::of("performance.jsonl").unwrap().mask(&mut record);
        assert_eq!(record, json!({"seq": 1, "timestamp": VOLATILE}));
    }
}
