//! What live operations say of the device and the models of the run, held against what the files about the run state.

use facts::{DeviceClass, DeviceFacts};
use serde::Deserialize;
use serde_json::Value;

use crate::provenance::ModelFile;
use crate::records::LIVE;

/// What the run states of itself.
#[derive(Clone, Copy)]
pub(super) struct Stated<'a> {
    /// Those of `provenance.json`.
    pub(super) devices: &'a [DeviceFacts],
    /// Those of `metadata.json`.
    pub(super) models: &'a [ModelFile],
}

impl Stated<'_> {
    /// Checks an observed record of a live operation: its device is one that the run names, by class and by whatever facts it
    /// has of one. Returns the number of the model that it says was sealed, if it is about that.
    pub(super) fn check(self, record: &Value) -> Result<Option<usize>, String> {
        let text = |name: &str| record.get(name).and_then(Value::as_str);
        if text("binary") != Some(LIVE) || text("class") != Some("observed") {
            return Ok(None);
        }
        let class = text("device").unwrap_or_default();
        // That no device could be had is all that a run without one can say.
        if self.devices.is_empty() && record.get("expected") != record.get("observed") {
            return Ok(None);
        }
        if !self.devices.iter().any(|device| device.class.as_str() == class) {
            return Err(format!(
                "it is of a live operation on {class}, and provenance.json names no device of that class"
            ));
        }
        let decided = record.get("decisions").and_then(Value::as_array).into_iter().flatten();
        let decided = decided.filter_map(|decision| decision.pointer("/record/device"));
        for facts in record.get("device_facts").into_iter().chain(decided) {
            let named = Identity::deserialize(facts).map_err(|error| format!("it has facts of no device: {error}"))?;
            if !self.devices.iter().any(|device| Identity::of(device) == named) {
                return Err("it has facts of another device than those that provenance.json names".to_owned());
            }
        }
        if text("operation") != Some("model_seal") {
            return Ok(None);
        }
        let is_sealed = |model: &ModelFile| {
            text("model") == Some(&model.name)
                && text("digest") == Some(&model.sha256)
                && text("tree_digest") == Some(&model.tree_digest)
                && record.get("model_size_bytes").and_then(Value::as_u64) == Some(model.bytes)
        };
        let found = self.models.iter().position(is_sealed);
        found.map(Some).ok_or_else(|| "it seals a model that metadata.json does not list like that".to_owned())
    }
}

/// What of a device's facts no operation changes.
#[derive(Deserialize, PartialEq)]
struct Identity {
    class: DeviceClass,
    uuid: String,
    name: String,
    driver_version: Option<String>,
    total_bytes: u64,
}

impl Identity {
    fn of(device: &DeviceFacts) -> Self {
        Self {
            class: device.class,
            uuid: device.uuid.to_string(),
            name: device.name.clone(),
            driver_version: device.driver_version.clone(),
            total_bytes: device.total_bytes,
        }
    }
}
