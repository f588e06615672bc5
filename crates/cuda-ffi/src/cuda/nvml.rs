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
    let Ok(device) = nvml.device_by_uuid(uuid.to_string()) else {
        return Reported { driver_version, ..Reported::default() };
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
            Ok(mode) => Some(mode.current == 1),
            Err(NvmlError::NotSupported) => Some(false),
            Err(_) => None,
        },
        compute_processes: device.running_compute_processes_count().ok(),
        // `get_confidential_compute_state` would only say that work is accepted, which it also is without the feature.
        confidential_computing: match device.check_confidential_compute_status() {
            Ok(ready) => Some(ready),
            Err(NvmlError::NotSupported) => Some(false),
            Err(_) => None,
        },
    }
}
