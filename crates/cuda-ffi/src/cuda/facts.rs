//! What the driver reports of a device and of an allocation, without an address.

use std::path::Path;

use cust::CudaApiVersion;
use cust::device::Device;
use cust::sys::{self, CUdevice_attribute as Attribute, CUpointer_attribute as Pointer};
use facts::{AllocationFacts, DeviceClass, DeviceFacts, DeviceUuid, DriverModel, EccMode, MemoryType};

use super::call::{device_attribute, direct, through_cust};
use super::nvml::{self, Reported};
use crate::{DriverError, Operation};

/// The device node of WSL2's graphics driver, which runs on Windows under WDDM.
const WSL_NODE: &str = "/dev/dxg";

/// The kind of device that the opened driver has.
pub(super) fn class() -> DeviceClass {
    if cuda_driver::is_stand_in() { DeviceClass::FakeDriver } else { DeviceClass::Gpu }
}

/// The facts of `device`, which is the one at `index`; with those that NVML knows, if it is to be asked.
pub(super) fn of_device(index: u32, device: Device, ask_nvml: bool) -> Result<DeviceFacts, DriverError> {
    const OPERATION: Operation = Operation::Facts;
    let is = |attribute| Ok(device_attribute(OPERATION, device.as_raw(), attribute)? != 0);
    let number = |attribute| {
        let value = device_attribute(OPERATION, device.as_raw(), attribute)?;
        Ok(u32::try_from(value).unwrap_or(0))
    };
    let class = class();
    let uuid = uuid(device)?;
    // The system's NVML knows nothing of a stand-in's devices.
    let reported = if ask_nvml && class == DeviceClass::Gpu { nvml::report(uuid) } else { Reported::default() };
    Ok(DeviceFacts {
        index,
        class,
        name: through_cust(OPERATION, device.name())?,
        uuid,
        total_bytes: as_u64(through_cust(OPERATION, device.total_memory())?),
        driver_version: Some(match reported.driver_version {
            Some(version) => version,
            None => {
                let version = through_cust(OPERATION, CudaApiVersion::get())?;
                format!("CUDA {}.{}", version.major(), version.minor())
            }
        }),
        driver_model: driver_model(is(Attribute::CU_DEVICE_ATTRIBUTE_TCC_DRIVER)?, Path::new(WSL_NODE).exists()),
        compute_capability: Some((
            number(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
            number(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
        )),
        integrated: is(Attribute::CU_DEVICE_ATTRIBUTE_INTEGRATED)?,
        unified_addressing: is(Attribute::CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING)?,
        managed_memory: is(Attribute::CU_DEVICE_ATTRIBUTE_MANAGED_MEMORY)?,
        concurrent_managed_access: is(Attribute::CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS)?,
        pageable_memory_access: is(Attribute::CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS)?,
        pageable_memory_access_uses_host_page_tables: is(
            Attribute::CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS_USES_HOST_PAGE_TABLES,
        )?,
        can_map_host_memory: is(Attribute::CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY)?,
        // The driver's 0 says "off or not there"; NVML tells the two apart.
        ecc_mode: if is(Attribute::CU_DEVICE_ATTRIBUTE_ECC_ENABLED)? {
            EccMode::Enabled
        } else {
            reported.ecc_mode.unwrap_or(EccMode::Unknown)
        },
        ecc_errors: reported.ecc_errors,
        mig_enabled: reported.mig_enabled,
        compute_processes: reported.compute_processes,
        confidential_computing: reported.confidential_computing,
    })
}

fn driver_model(tcc: bool, wsl: bool) -> DriverModel {
    match (tcc, wsl) {
        (true, _) => DriverModel::Tcc,
        (false, true) => DriverModel::Wddm,
        (false, false) if cfg!(target_os = "linux") => DriverModel::Linux,
        (false, false) if cfg!(windows) => DriverModel::Wddm,
        (false, false) => DriverModel::Unknown,
    }
}

fn uuid(device: Device) -> Result<DeviceUuid, DriverError> {
    let mut uuid = sys::CUuuid { bytes: [0; 16] };
    // SAFETY: the driver writes 16 bytes to a place that is there for them.
    direct(Operation::Facts, unsafe { sys::cuDeviceGetUuid_v2(&raw mut uuid, device.as_raw()) })?;
    // C's `char` is signed on some machines.
    Ok(DeviceUuid::from_bytes(uuid.bytes.map(|byte| u8::from_ne_bytes(byte.to_ne_bytes()))))
}

/// The facts of the `bytes` bytes at `start`, asked for at the first and at the last byte. Where the answers differ, the worse
/// one is the fact: memory that is another at its end is not one allocation of this device.
///
/// # Safety
/// The device's context is current.
pub(super) unsafe fn of_allocation(start: u64, bytes: u64) -> Result<AllocationFacts, DriverError> {
    // SAFETY: as the caller vouches.
    let first = unsafe { At::ask(start)? };
    // SAFETY: as the caller vouches.
    let last = unsafe { At::ask(start.saturating_add(bytes.saturating_sub(1)))? };
    Ok(AllocationFacts {
        requested_bytes: bytes,
        memory_type: if first.memory_type == MemoryType::Device { last.memory_type } else { first.memory_type },
        is_managed: first.is_managed || last.is_managed,
        has_host_pointer: first.has_host_pointer || last.has_host_pointer,
        device_ordinal: if first.device_ordinal == last.device_ordinal { first.device_ordinal } else { u32::MAX },
        range_offset_bytes: start.saturating_sub(first.range_start),
        // Two ranges are none that holds the whole.
        range_bytes: if first.range_start == last.range_start && first.range_start <= start {
            first.range_bytes.min(last.range_bytes)
        } else {
            0
        },
    })
}

/// What the driver says of one address. It has no `Debug`: it holds an address.
pub(super) struct At {
    memory_type: MemoryType,
    is_managed: bool,
    has_host_pointer: bool,
    device_ordinal: u32,
    range_start: u64,
    range_bytes: u64,
}

impl At {
    /// # Safety
    /// The device's context is current.
    unsafe fn ask(address: u64) -> Result<Self, DriverError> {
        let (mut memory_type, mut managed, mut ordinal) = (0_u32, 0_u32, -1_i32);
        let (mut host, mut range_start, mut range_bytes) = (0_usize, 0_u64, 0_usize);
        // SAFETY: each place has the type that `cuda.h` gives the attribute: an enum's `unsigned int`; a `bool`, given four
        // bytes of room; a pointer; an `int`; a `CUdeviceptr`; a `size_t`.
        let host_pointer = unsafe {
            attribute(Pointer::CU_POINTER_ATTRIBUTE_MEMORY_TYPE, address, &raw mut memory_type)?;
            attribute(Pointer::CU_POINTER_ATTRIBUTE_IS_MANAGED, address, &raw mut managed)?;
            attribute(Pointer::CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL, address, &raw mut ordinal)?;
            attribute(Pointer::CU_POINTER_ATTRIBUTE_RANGE_START_ADDR, address, &raw mut range_start)?;
            attribute(Pointer::CU_POINTER_ATTRIBUTE_RANGE_SIZE, address, &raw mut range_bytes)?;
            attribute(Pointer::CU_POINTER_ATTRIBUTE_HOST_POINTER, address, &raw mut host)
        };
        let has_host_pointer = match host_pointer {
            Ok(()) => host != 0,
            // The driver's way of saying that the memory has none.
            Err(error) if error.code() == DriverError::INVALID_VALUE => false,
            Err(error) => return Err(error),
        };
        Ok(Self {
            memory_type: match memory_type {
                1 => MemoryType::Host,
                2 => MemoryType::Device,
                3 => MemoryType::Array,
                4 => MemoryType::Unified,
                _ => MemoryType::Unknown,
            },
            is_managed: managed != 0,
            has_host_pointer,
            // A negative ordinal is the host.
            device_ordinal: u32::try_from(ordinal).unwrap_or(u32::MAX),
            range_start,
            range_bytes: as_u64(range_bytes),
        })
    }
}

/// # Safety
/// The device's context is current, and `value` points to a place of the attribute's type.
unsafe fn attribute<T>(attribute: Pointer, address: u64, value: *mut T) -> Result<(), DriverError> {
    // SAFETY: the caller vouches for the place; the driver refuses an address that it does not know.
    let result = unsafe { sys::cuPointerGetAttribute(value.cast(), attribute, address) };
    direct(Operation::AllocationFacts, result)
}

pub(super) fn as_u64(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
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
    fn wsl_is_wddm_and_tcc_is_believed_everywhere() {
        let models = [driver_model(true, false), driver_model(true, true), driver_model(false, true)];
        assert_eq!(models, [DriverModel::Tcc, DriverModel::Tcc, DriverModel::Wddm]);
        if cfg!(target_os = "linux") {
            assert_eq!(driver_model(false, false), DriverModel::Linux);
        }
    }
}
