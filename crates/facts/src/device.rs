//! What the driver reports of a device.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{DeviceClass, DeviceUuid};

/// The kind of driver that manages the device's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DriverModel {
    /// The Linux kernel driver: device memory stays in the device.
    Linux,
    /// Windows, Tesla Compute Cluster (`CU_DEVICE_ATTRIBUTE_TCC_DRIVER` = 1): device memory stays in the device.
    Tcc,
    /// Windows Display Driver Model, also under WSL2: the operating system may move device memory to host memory.
    Wddm,
    /// Not found out.
    Unknown,
}

impl fmt::Display for DriverModel {
    /// The word that JSON uses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Linux => "linux",
            Self::Tcc => "tcc",
            Self::Wddm => "wddm",
            Self::Unknown => "unknown",
        })
    }
}

/// Whether the device's memory corrects errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EccMode {
    /// On (`CU_DEVICE_ATTRIBUTE_ECC_ENABLED` = 1).
    Enabled,
    /// Off (`CU_DEVICE_ATTRIBUTE_ECC_ENABLED` = 0) on a device that has it.
    Disabled,
    /// The device has none.
    Unsupported,
    /// Not found out.
    Unknown,
}

/// How often the device's memory gave back another bit than was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct EccErrors {
    /// Errors that were corrected.
    pub corrected: u64,
    /// Errors that were found and could not be corrected.
    pub uncorrected: u64,
}

/// What the driver reports of one device.
///
/// Several fields are abilities, not states: `unified_addressing` is 1 on every 64-bit GPU and is *not* unified memory;
/// `managed_memory`, `concurrent_managed_access`, `pageable_memory_access` and `can_map_host_memory` say what a program
/// could ask for. They are recorded, and none of them says that weights have left the device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeviceFacts {
    /// The device's ordinal (`cuDeviceGet`); a restart can renumber it, so `uuid` identifies the device.
    pub index: u32,
    /// The kind of device these facts come from.
    pub class: DeviceClass,
    /// The product name (`cuDeviceGetName`).
    pub name: String,
    /// The device's uuid (`cuDeviceGetUuid_v2`).
    pub uuid: DeviceUuid,
    /// The device's memory in bytes (`cuDeviceTotalMem_v2`).
    pub total_bytes: u64,
    /// The driver's version, where there is a driver (NVML `nvmlSystemGetDriverVersion`, else `cuDriverGetVersion`).
    pub driver_version: Option<String>,
    /// The kind of driver (`CU_DEVICE_ATTRIBUTE_TCC_DRIVER` and the operating system).
    pub driver_model: DriverModel,
    /// Major and minor (`CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR`, `…_MINOR`).
    pub compute_capability: Option<(u32, u32)>,
    /// `CU_DEVICE_ATTRIBUTE_INTEGRATED`: the device's memory is the host's memory.
    pub integrated: bool,
    /// `CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING`: one address space with the host. It is no sign of unified memory.
    pub unified_addressing: bool,
    /// `CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY`: a program could allocate managed memory here.
    pub managed_memory: bool,
    /// `CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS`: managed memory could be used from both sides at once.
    pub concurrent_managed_access: bool,
    /// `CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS`: the device could read the host's pageable memory.
    pub pageable_memory_access: bool,
    /// `CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS_USES_HOST_PAGE_TABLES`: a coherent part (GH200, GB200, GB10), on which
    /// the line between device and host memory is blurred.
    pub pageable_memory_access_uses_host_page_tables: bool,
    /// `CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY`: a program could map host memory into the device (zero copy).
    pub can_map_host_memory: bool,
    /// `CU_DEVICE_ATTRIBUTE_ECC_ENABLED`, told apart from devices that have no ECC.
    pub ecc_mode: EccMode,
    /// Errors of the device's memory since the driver was loaded (NVML `nvmlDeviceGetTotalEccErrors`, volatile counters); `None`
    /// where it was not found out.
    pub ecc_errors: Option<EccErrors>,
    /// Whether the device is split into instances (NVML `nvmlDeviceGetMigMode`); `None` where it was not found out.
    pub mig_enabled: Option<bool>,
    /// How many processes compute on the device, this one counted (NVML `nvmlDeviceGetComputeRunningProcesses_v3`); `None`
    /// where it was not found out.
    pub compute_processes: Option<u32>,
    /// Whether confidential computing is on, in production and ready, in one answer (NVML `nvmlSystemGetConfComputeState`,
    /// `nvmlSystemGetConfComputeGpusReadyState`): no says that it is not all three. `None` where it was not found out.
    pub confidential_computing: Option<bool>,
}
