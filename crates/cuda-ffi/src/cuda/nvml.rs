//! What NVIDIA's management library reports of a GPU, where the library is there.

use std::ffi::OsStr;
use std::sync::LazyLock;

use facts::{DeviceUuid, EccErrors, EccMode};
use nvml_wrapper::Nvml;
use nvml_wrapper::enum_wrappers::device::{EccCounter, MemoryError};
use nvml_wrapper::error::NvmlError;

/// The name that the driver installs; the one without a number belongs to development packages.
const LIBRARY: &str = "libnvidia-ml.so.1";

/// Opened once. Where it is not there or refuses, its facts are not found out.
static NVML: LazyLock<Option<Nvml>> = LazyLock::new(|| Nvml::builder().lib_path(OsStr::new(LIBRARY)).init().ok());

/// Facts that NVML may know; `None` for each that it did not tell.
#[derive(Default)]
pub(super) struct Reported {
    pub(super) driver_version: Option<String>,
    pub(super) ecc_mode: Option<EccMode>,
    pub(super) ecc_errors: Option<EccErrors>,
    pub(super) mig_enabled: Option<bool>,
    pub(super) compute_processes: Option<u32>,
    pub(super) confidential_computing: Option<bool>,
}

/// Asks for the GPU with `uuid`: NVML counts devices in another order than the driver.
pub(super) fn report(uuid: DeviceUuid) -> Reported {
    let Some(nvml) = NVML.as_ref() else { return Reported::default() };
    let driver_version = nvml.sys_driver_version().ok();
    let uuid = uuid.to_string();
    let whole = nvml.device_by_uuid(uuid.as_str()).ok();
    // Under MIG the driver's uuid is that of its part of a GPU. Errors and modes are those of the whole.
    let part = match whole {
        Some(_) => None,
        None => of_a_part(&uuid).and_then(|uuid| nvml.device_by_uuid(uuid).ok()),
    };
    let Some(device) = whole.or_else(|| part.as_ref()?.mig_parent_device().ok()) else {
        return Reported { driver_version, mig_enabled: part.map(|_| true), ..Reported::default() };
    };
    let errors = |kind| device.total_ecc_errors(kind, EccCounter::Volatile).ok();
    Reported {
        driver_version,
        ecc_mode: match device.is_ecc_enabled() {
            Ok(state) if state.currently_enabled => Some(EccMode::Enabled),
            Ok(_) => Some(EccMode::Disabled),
            Err(NvmlError::NotSupported) => Some(EccMode::Unsupported),
            Err(_) => None,
        },
        ecc_errors: errors(MemoryError::Corrected)
            .zip(errors(MemoryError::Uncorrected))
            .map(|(corrected, uncorrected)| EccErrors { corrected, uncorrected }),
        // The mode is 1 when it is on (`NVML_DEVICE_MIG_ENABLE`); a GPU that cannot be split is not split.
        mig_enabled: match device.mig_mode() {
            _ if part.is_some() => Some(true),
            Ok(mode) => Some(mode.current == 1),
            Err(NvmlError::NotSupported) => Some(false),
            Err(_) => None,
        },
        // This process among them.
        compute_processes: part.as_ref().unwrap_or(&device).running_compute_processes_count().ok(),
        // Whether it is on, in production and ready: one answer. `get_confidential_compute_state` would only say that work is
        // accepted, which it also is without the feature.
        confidential_computing: match device.check_confidential_compute_status() {
            Ok(ready) => Some(ready),
            Err(NvmlError::NotSupported) => Some(false),
            Err(_) => None,
        },
    }
}

/// NVML's name of a part of a GPU, from the name that a whole GPU with its uuid would have.
fn of_a_part(uuid: &str) -> Option<String> {
    Some(format!("MIG{}", uuid.strip_prefix("GPU")?))
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
    use super::*;

    #[test]
    fn a_part_of_a_gpu_is_asked_for_by_the_name_that_nvml_gives_it() {
        let uuid = DeviceUuid::from_bytes(*b"0123456789abcdef").to_string();
        assert_eq!(of_a_part(&uuid).unwrap(), "MIG-30313233-3435-3637-3839-616263646566");
        assert_eq!(of_a_part("MIG-30313233-3435-3637-3839-616263646566"), None);
    }
}
