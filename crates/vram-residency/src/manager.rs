//! The manager: how it starts, what it asks of its devices, and how a shard's memory is given back.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once};

use audit::{AuditSink, Event, StartedDevice};
use cuda_ffi::{Device, SimulatedDevice};
use facts::{DeviceClass, DeviceFacts};
use seal::SealKey;
use validation::{GpuIndex, TensorParallel};

use crate::device_slot::{DeviceSlot, StopSwitch};
use crate::guard::Stream;
use crate::registry::Registry;
use crate::shard::SealedShard;
use crate::{VramConfig, VramError};

/// Seals model shards in device memory, verifies them and lends them for execution.
///
/// Every method takes `&self`: share one manager between threads in an [`Arc`].
///
/// A manager that was stopped (a broken GPU at start, a policy violation) refuses with [`VramError::Stopped`] and the cause;
/// [`VramManager::release`], [`VramManager::used_vram`] and [`VramManager::verify_attestation`] go on. A device that was stopped
/// (memory that could not be overwritten, a lost context) refuses in the same way whatever seals, verifies or launches on it,
/// while the manager's other devices go on. Enforcing and attesting are about all devices: one that is stopped ends them.
pub struct VramManager {
    /// The working parts, or what kept them from starting.
    core: Result<Core, String>,
}

pub(crate) struct Core {
    /// Tells this manager's leases from another's.
    pub(crate) id: u64,
    pub(crate) class: DeviceClass,
    pub(crate) key: SealKey,
    pub(crate) audit: Arc<dyn AuditSink>,
    pub(crate) devices: Vec<Arc<DeviceSlot>>,
    pub(crate) max_model_bytes: u64,
    pub(crate) rank: TensorParallel,
    pub(crate) shards: Registry,
    pub(crate) stop: Arc<StopSwitch>,
    next_shard: AtomicU64,
}

static NEXT_MANAGER: AtomicU64 = AtomicU64::new(1);
static SIMULATION_WARNING: Once = Once::new();

impl VramManager {
    /// Starts on the GPUs of this machine with default settings and a random seal key.
    ///
    /// Without a driver, a device or the feature `cuda` it simulates, says why once at `warn`, and every decision, every
    /// attestation and the audit log's event `started` say that it is simulated. A GPU that is present but broken gives a
    /// stopped manager whose every call returns the cause. Workers that must not run without a GPU use
    /// [`VramManager::require_gpu`].
    #[must_use]
    pub fn new() -> Self {
        let found = cuda_ffi::discover();
        let config = VramConfig::default();
        let started = if found.devices.is_empty() {
            SIMULATION_WARNING.call_once(|| {
                tracing::warn!(reason = %found.reason, "no GPU: this manager SIMULATES device memory in host memory");
            });
            Self::simulated(config)
        } else {
            Self::on_devices(&config, found.devices)
        };
        started.unwrap_or_else(|error| Self { core: Err(error.to_string()) })
    }

    /// Starts on the GPUs of this machine, or on those that [`VramConfig::gpus`] names.
    ///
    /// # Errors
    /// [`VramError::NoGpu`] says what was looked for when there is none; [`VramError::Driver`] when one of them is
    /// broken, or the driver knows none of that index; [`VramError::Seal`] when the token is unusable;
    /// [`VramError::Audit`] when the event of the start was not kept.
    pub fn require_gpu(config: VramConfig) -> Result<Self, VramError> {
        let found = match &config.gpus {
            None => cuda_ffi::discover(),
            Some(chosen) if chosen.is_empty() => {
                return Err(VramError::NoGpu { reason: "the settings name no GPU".to_owned() });
            }
            Some(chosen) => cuda_ffi::discover_only(chosen),
        };
        if found.devices.is_empty() {
            return Err(VramError::NoGpu { reason: found.reason.to_string() });
        }
        Self::on_devices(&config, found.devices)
    }

    /// Starts on simulated devices: host memory that behaves like device memory and never passes for it.
    ///
    /// # Errors
    /// [`VramError::NoGpu`] when the settings name no device; [`VramError::SimulatedTwice`] when two have one index;
    /// [`VramError::Driver`] when a simulated device is set up to fail; [`VramError::Seal`] when the token is unusable;
    /// [`VramError::Audit`] when the event of the start was not kept.
    pub fn simulated(config: VramConfig) -> Result<Self, VramError> {
        let mut simulated: BTreeMap<u32, Arc<SimulatedDevice>> = BTreeMap::new();
        for device in &config.simulated_devices {
            let gpu_device = device.device_facts.index;
            if simulated.insert(gpu_device, SimulatedDevice::new(device.clone())).is_some() {
                return Err(VramError::SimulatedTwice { gpu_device });
            }
        }
        if simulated.is_empty() {
            return Err(VramError::NoGpu { reason: "VramConfig::simulated_devices was given none".to_owned() });
        }
        let devices = simulated.iter().map(|(index, device)| (*index, Arc::clone(device) as Arc<dyn Device>));
        #[cfg_attr(not(feature = "test-hooks"), allow(unused_mut, reason = "only the test hooks change it"))]
        let mut manager = Self::on_devices(&config, devices)?;
        #[cfg(feature = "test-hooks")]
        manager.keep_simulated(simulated.into_values());
        Ok(manager)
    }

    /// Starts on devices by their indices, in order of these.
    pub(crate) fn on_devices(
        config: &VramConfig,
        found: impl IntoIterator<Item = (u32, Arc<dyn Device>)>,
    ) -> Result<Self, VramError> {
        let key = match &config.token {
            Some(token) => SealKey::derive(token)?,
            None => SealKey::random()?,
        };
        let mut class = DeviceClass::Gpu;
        let (mut devices, mut started) = (Vec::new(), Vec::new());
        for (index, device) in found {
            let broken = |cause| VramError::Driver { gpu_device: index, cause };
            let facts = device.facts().map_err(broken)?;
            // One simulated device makes the whole manager simulated: it is never shown as more than its least part.
            class = match (class, facts.class) {
                (DeviceClass::Gpu, other) | (other, DeviceClass::Gpu) => other,
                (DeviceClass::Simulated, _) | (_, DeviceClass::Simulated) => DeviceClass::Simulated,
                (DeviceClass::FakeDriver, DeviceClass::FakeDriver) => DeviceClass::FakeDriver,
            };
            let slot = DeviceSlot::open(index, device, Arc::clone(&config.audit)).map_err(broken)?;
            devices.push(Arc::new(slot));
            started.push(StartedDevice { gpu_device: index, device_uuid: facts.uuid });
        }
        config.audit.record(&Event::Started { device_class: class, devices: started })?;
        let core = Core {
            id: NEXT_MANAGER.fetch_add(1, Ordering::Relaxed),
            class,
            key,
            audit: Arc::clone(&config.audit),
            devices,
            max_model_bytes: config.max_model_bytes,
            rank: config.rank,
            shards: Registry::default(),
            stop: Arc::default(),
            next_shard: AtomicU64::new(1),
        };
        Ok(Self { core: Ok(core) })
    }

    pub(crate) fn core(&self) -> Result<&Core, VramError> {
        self.core.as_ref().map_err(|cause| VramError::Stopped { cause: cause.clone() })
    }

    /// The working parts of a manager that is not stopped.
    pub(crate) fn running(&self) -> Result<&Core, VramError> {
        let core = self.core()?;
        core.stop.check()?;
        Ok(core)
    }

    /// What stopped the manager, or else the first of its devices that was stopped.
    #[must_use]
    pub fn stop_cause(&self) -> Option<String> {
        match &self.core {
            Ok(core) => {
                let devices = core.devices.iter().map(|slot| &slot.stop);
                std::iter::once(&*core.stop).chain(devices).find_map(StopSwitch::cause).map(str::to_owned)
            }
            Err(cause) => Some(cause.clone()),
        }
    }

    /// What kind of device the manager runs on. Simulated as soon as one device is.
    ///
    /// # Errors
    /// [`VramError::Stopped`].
    pub fn device_class(&self) -> Result<DeviceClass, VramError> {
        Ok(self.core()?.class)
    }

    /// The indices of the devices that the manager uses, in order; none when it never started.
    #[must_use]
    pub fn device_indices(&self) -> Vec<u32> {
        self.core.as_ref().map(Core::device_indices).unwrap_or_default()
    }

    /// What the driver reports of a device now.
    ///
    /// # Errors
    /// [`VramError::InvalidInput`] for an index that is not in use, [`VramError::Stopped`], [`VramError::Driver`].
    pub fn device_facts(&self, gpu_device: u32) -> Result<DeviceFacts, VramError> {
        self.running()?.slot(gpu_device)?.facts()
    }

    /// Device memory that the manager may use on a device, in bytes.
    ///
    /// # Errors
    /// [`VramError::InvalidInput`] for an index that is not in use, [`VramError::Stopped`].
    pub fn total_vram(&self, gpu_device: u32) -> Result<u64, VramError> {
        Ok(self.running()?.slot(gpu_device)?.ledger.books().capacity_bytes)
    }

    /// Device memory that live shards use on a device, in bytes, quarantined memory included.
    ///
    /// # Errors
    /// [`VramError::InvalidInput`] for an index that is not in use, [`VramError::Stopped`] when the manager never started.
    pub fn used_vram(&self, gpu_device: u32) -> Result<u64, VramError> {
        let books = self.core()?.slot(gpu_device)?.ledger.books();
        Ok(books.used_bytes.saturating_add(books.quarantined_bytes))
    }

    /// Device memory that a further shard can have on a device now, in bytes: the lesser of what the ledger and the
    /// driver have free.
    ///
    /// # Errors
    /// [`VramError::InvalidInput`] for an index that is not in use, [`VramError::Stopped`], [`VramError::Driver`].
    pub fn available_vram(&self, gpu_device: u32) -> Result<u64, VramError> {
        let slot = self.running()?.slot(gpu_device)?;
        let free = slot.device.capacity().map_err(|error| slot.driver_failed(error))?.free_bytes;
        Ok(slot.ledger.books().available_bytes.min(free))
    }

    /// A stream on a device, to launch work on.
    ///
    /// # Errors
    /// [`VramError::InvalidInput`] for an index that is not in use, [`VramError::Stopped`].
    pub fn stream(&self, gpu_device: u32) -> Result<Stream, VramError> {
        let core = self.running()?;
        let slot = core.slot(gpu_device)?;
        slot.stop.check()?;
        Ok(Stream { manager: core.id, gpu_device: slot.index })
    }

    /// Overwrites and frees a shard's device memory now, for all clones of its handle. Works on a stopped manager too.
    ///
    /// # Errors
    /// [`VramError::InUse`] while the shard is lent, [`VramError::Released`] when that was done before,
    /// [`VramError::UnknownShard`], [`VramError::ForeignShard`], [`VramError::NotSealed`] and [`VramError::SealForged`]
    /// for a deserialised handle that does not carry this shard's seal, [`VramError::Quarantined`] when the memory
    /// could not be overwritten or freed, [`VramError::Audit`] when it was freed and the event was not kept.
    pub fn release(&self, shard: &SealedShard) -> Result<(), VramError> {
        let core = self.core()?;
        let lease = core.lease(shard)?;
        if shard.lease.is_none() {
            core.check_seal(shard, &lease)?;
        }
        lease.release()
    }

    #[cfg(feature = "test-hooks")]
    fn keep_simulated(&mut self, simulated: impl Iterator<Item = Arc<SimulatedDevice>>) {
        let slots = self.core.iter_mut().flat_map(|core| core.devices.iter_mut());
        for (slot, device) in slots.zip(simulated) {
            if let Some(slot) = Arc::get_mut(slot) {
                slot.simulated = Some(device);
            }
        }
    }
}

impl Default for VramManager {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for VramManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VramManager")
            .field("device_class", &self.core.as_ref().ok().map(|core| core.class))
            .field("devices", &self.device_indices())
            .field("stop_cause", &self.stop_cause())
            .finish_non_exhaustive()
    }
}

impl Core {
    pub(crate) fn device_indices(&self) -> Vec<u32> {
        self.devices.iter().map(|slot| slot.index).collect()
    }

    pub(crate) fn slot(&self, gpu_device: u32) -> Result<&Arc<DeviceSlot>, VramError> {
        let index = GpuIndex::parse(gpu_device, &self.device_indices())?;
        let slot = self.devices.iter().find(|slot| slot.index == index.get());
        slot.ok_or_else(|| VramError::Stopped { cause: format!("device {gpu_device} is gone") })
    }

    /// Fails once the manager or any of its devices was stopped.
    pub(crate) fn check_running(&self) -> Result<(), VramError> {
        self.stop.check()?;
        self.devices.iter().try_for_each(|slot| slot.stop.check())
    }

    /// Writes the event of a refusal. The refusal stands whether or not the event was kept, and is returned, unless it was not
    /// kept: then that is the graver error.
    pub(crate) fn with_event(&self, event: &Event, refusal: VramError) -> VramError {
        match self.audit.record(event) {
            Ok(()) => refusal,
            Err(lost) => lost.into(),
        }
    }

    /// The next number for an id that the manager chooses.
    pub(crate) fn next_shard_number(&self) -> u64 {
        self.next_shard.fetch_add(1, Ordering::Relaxed)
    }
}
