//! Which device a proof runs on, and why.

use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;
use vram_residency::{DeviceClass, DeviceFacts, MemorySink, SimulatedConfig, VramConfig, VramError, VramManager};

use crate::error::XtaskError;
use crate::model::Model;

/// `--device`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeviceChoice {
    /// A GPU where there is one, otherwise the simulated device.
    Auto,
    /// The simulated device.
    Simulated,
    /// A GPU, by its index; the first one unless said otherwise.
    Cuda(u32),
}

impl FromStr for DeviceChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || format!("no such device: use auto, simulated, cuda or cuda:N (N counts from 0), not {text:?}");
        match text {
            "auto" => Ok(Self::Auto),
            "simulated" => Ok(Self::Simulated),
            "cuda" => Ok(Self::Cuda(0)),
            _ => text
                .strip_prefix("cuda:")
                .filter(|index| index.bytes().all(|b| b.is_ascii_digit()))
                .and_then(|index| index.parse().ok())
                .map(Self::Cuda)
                .ok_or_else(unknown),
        }
    }
}

/// What a look at this host found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Found {
    /// The GPUs that can be used, as their driver reports them.
    pub(crate) devices: Vec<DeviceFacts>,
    /// Why there is no (further) GPU to use; empty when all that was found can be used.
    pub(crate) reason: String,
    /// What was looked at, a line each.
    pub(crate) looked_at: Vec<String>,
}

/// Looks for GPUs.
pub(crate) fn find() -> Found {
    let host = vram_residency::discover();
    let broken = host.broken.iter().map(|(index, error)| format!("device {index} is present but broken: {error}"));
    let reason = host.reason.unwrap_or_else(|| broken.collect::<Vec<_>>().join("; "));
    Found { devices: host.usable, reason, looked_at: host.looked_at }
}

/// The device of a proof.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Chosen {
    /// Its class, which every record of it carries.
    pub(crate) class: DeviceClass,
    /// Its index.
    pub(crate) index: u32,
    /// Why this one.
    pub(crate) reason: String,
}

/// Chooses the device that the user asked for.
///
/// # Errors
/// [`XtaskError::Input`] when a GPU was asked for and there is none of that index: nothing is simulated in its place.
pub(crate) fn choose(choice: DeviceChoice, found: &Found) -> Result<Chosen, XtaskError> {
    let simulated = |reason: String| Ok(Chosen { class: DeviceClass::Simulated, index: 0, reason });
    let gpu = |index: u32, facts: &DeviceFacts, reason: String| Ok(Chosen { class: facts.class, index, reason });
    match (choice, found.devices.first()) {
        (DeviceChoice::Simulated, _) => simulated("asked for with --device simulated".to_owned()),
        (DeviceChoice::Auto, Some(facts)) => gpu(facts.index, facts, format!("found {} on this host", facts.name)),
        (DeviceChoice::Auto, None) => simulated(found.reason.clone()),
        (DeviceChoice::Cuda(index), _) => {
            // A broken device is not among them, and the others keep their indices.
            let device = found.devices.iter().find(|facts| facts.index == index);
            let missing = || {
                let count = found.devices.len();
                XtaskError::Input(format!("no device cuda:{index} ({count} usable here): {}", found.reason))
            };
            let facts = device.ok_or_else(missing)?;
            gpu(index, facts, format!("asked for with --device cuda:{index}"))
        }
    }
}

impl Chosen {
    /// A manager on this device, whose audit events stay in memory: live operations provoke what would be alarming
    /// elsewhere. `capacity_bytes` is the least that a simulated device has.
    pub(crate) fn manager(&self, config: VramConfig, capacity_bytes: u64) -> Result<VramManager, VramError> {
        let config = config.audit(Arc::new(MemorySink::new()));
        if self.class != DeviceClass::Simulated {
            return VramManager::require_gpu(config.gpus([self.index]));
        }
        let device = SimulatedConfig::default();
        let capacity = device.capacity_bytes.max(capacity_bytes);
        VramManager::simulated(config.simulated_devices(vec![device.capacity(capacity)]))
    }
}

impl Chosen {
    /// Refuses models that a simulated device, which is this host's memory, cannot hold. They are sealed one at a time.
    ///
    /// # Errors
    /// [`XtaskError::Input`] for the first model that is too large.
    pub(crate) fn check_room(&self, models: &[Model]) -> Result<(), XtaskError> {
        // Where the system does not say, sealing finds out.
        let free = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| available_bytes(&text));
        match (self.class, free) {
            (DeviceClass::Simulated, Some(free)) => models.iter().try_for_each(|model| fits(model, free)),
            _ => Ok(()),
        }
    }
}

fn fits(model: &Model, free: u64) -> Result<(), XtaskError> {
    if model.bytes <= free {
        return Ok(());
    }
    Err(XtaskError::Input(format!(
        "model {:?} does not fit the simulated device: this host has {free} bytes free, the model needs {}; use a host with \
         more memory or a GPU",
        model.name, model.bytes
    )))
}

/// `MemAvailable` of `/proc/meminfo`, in bytes.
fn available_bytes(meminfo: &str) -> Option<u64> {
    let value = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    value.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
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
    use evidence::{Stream, check, proves};
    use serde_json::json;

    use super::*;

    #[test]
    fn devices_parse_and_odd_ones_are_refused_with_the_choices() {
        assert_eq!("auto".parse(), Ok(DeviceChoice::Auto));
        assert_eq!("simulated".parse(), Ok(DeviceChoice::Simulated));
        assert_eq!("cuda".parse(), Ok(DeviceChoice::Cuda(0)));
        assert_eq!("cuda:3".parse(), Ok(DeviceChoice::Cuda(3)));
        for odd in ["", "cuda:", "cuda:-1", "cuda:+1", "cuda:x", "gpu", "CUDA", "cuda:99999999999"] {
            let message = odd.parse::<DeviceChoice>().unwrap_err();
            assert!(message.contains("auto, simulated, cuda or cuda:N"), "{odd}: {message}");
        }
    }

    fn gpu(index: u32) -> DeviceFacts {
        DeviceFacts { class: DeviceClass::Gpu, index, ..SimulatedConfig::for_index(index).device_facts }
    }

    fn host(devices: Vec<DeviceFacts>) -> Found {
        Found { devices, reason: "no driver".into(), looked_at: vec!["a place: absent".into()] }
    }

    #[test]
    fn auto_takes_a_gpu_that_is_there_and_otherwise_says_why_it_simulates() {
        proves!("40§1.4");
        let seen = |found: &Found| {
            let chosen = choose(DeviceChoice::Auto, found).unwrap();
            json!({"class": chosen.class, "index": chosen.index, "reason": chosen.reason})
        };
        let expected = json!({"class": "gpu", "index": 0, "reason": "found Simulated GPU on this host"});
        check(Stream::PolicyEnforcement, "auto_on_a_host_with_a_gpu", expected, seen(&host(vec![gpu(0), gpu(1)])));
        let expected = json!({"class": "simulated", "index": 0, "reason": "no driver"});
        check(Stream::PolicyEnforcement, "auto_on_a_host_without_a_gpu", expected, seen(&host(vec![])));
    }

    #[test]
    fn looking_at_this_host_names_what_was_looked_at_and_why_nothing_is_used() {
        proves!("40§1.4");
        let found = find();
        let explained = json!({
            "looked_at_something": !found.looked_at.is_empty(),
            "device_or_reason": !found.devices.is_empty() || !found.reason.is_empty(),
        });
        let expected = json!({"looked_at_something": true, "device_or_reason": true});
        check(Stream::PolicyEnforcement, "discovery_explains_itself", expected, explained);
    }

    #[test]
    fn a_gpu_that_was_asked_for_is_never_simulated() {
        for (choice, devices) in [(DeviceChoice::Cuda(0), vec![]), (DeviceChoice::Cuda(1), vec![gpu(0)])] {
            let error = choose(choice, &host(devices)).unwrap_err();
            assert!(error.to_string().contains("no driver"), "{error}");
        }
        let chosen = choose(DeviceChoice::Cuda(1), &host(vec![gpu(0), gpu(1)])).unwrap();
        assert_eq!((chosen.class, chosen.index), (DeviceClass::Gpu, 1));
    }

    #[test]
    fn the_simulated_device_is_simulated_even_beside_a_gpu() {
        proves!("40§1.5");
        let chosen = choose(DeviceChoice::Simulated, &host(vec![gpu(0)])).unwrap();
        let manager = chosen.manager(VramConfig::default(), 0).unwrap();
        let observed = json!({"chosen": chosen.class, "manager": manager.device_class().unwrap()});
        let expected = json!({"chosen": "simulated", "manager": "simulated"});
        check(Stream::PolicyEnforcement, "simulated_beside_a_gpu", expected, observed);
    }

    #[test]
    fn a_model_larger_than_the_free_memory_is_refused_before_anything_runs() {
        let meminfo = "MemTotal:       16 kB\nMemFree:         2 kB\nMemAvailable:    7 kB\nSwapFree: 0 kB\n";
        assert_eq!(available_bytes(meminfo), Some(7168));
        assert_eq!(available_bytes("MemTotal: 16 kB\n"), None);
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.bin");
        std::fs::File::create(&path).unwrap().set_len(7168).unwrap();
        let model = Model::open(&path).unwrap();
        assert!(fits(&model, 7168).is_ok());
        let error = fits(&model, 7167).unwrap_err().to_string();
        assert!(error.contains("this host has 7167 bytes free, the model needs 7168"), "{error}");

        std::fs::File::create(&path).unwrap().set_len(1 << 42).unwrap();
        let vast = [Model::open(&path).unwrap()];
        let simulated = choose(DeviceChoice::Simulated, &host(vec![gpu(0)])).unwrap();
        assert!(simulated.check_room(&vast).is_err());
        let on_gpu = choose(DeviceChoice::Cuda(0), &host(vec![gpu(0)])).unwrap();
        assert!(on_gpu.check_room(&vast).is_ok());
    }
}
