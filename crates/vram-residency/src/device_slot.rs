//! One device of a manager: the driver's view of it, its ledger, and whether it was stopped.

use std::sync::{Arc, OnceLock};

use allocator::{AllocatorError, DeviceAllocator, DeviceBuffer, Ledger, ReleaseError};
use audit::{AuditSink, Event};
#[cfg(feature = "test-hooks")]
use cuda_ffi::SimulatedDevice;
use cuda_ffi::{Device, DriverError};
use facts::{AllocationFacts, DeviceFacts, ProbeFacts};
use policy::{Decision, PolicyRecord};
use validation::ShardId;

use crate::VramError;
use crate::clipped::clipped;

/// Set once, by whatever makes going on unsafe; everything that asks gets the first cause.
#[derive(Debug, Default)]
pub(crate) struct StopSwitch(OnceLock<String>);

impl StopSwitch {
    /// Whether this is the first cause. A second changes nothing: the first is what an operator needs to know.
    pub(crate) fn stop(&self, cause: String) -> bool {
        self.0.set(cause).is_ok()
    }

    pub(crate) fn cause(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }

    pub(crate) fn check(&self) -> Result<(), VramError> {
        match self.cause() {
            Some(cause) => Err(VramError::Stopped { cause: cause.to_owned() }),
            None => Ok(()),
        }
    }
}

pub(crate) struct DeviceSlot {
    pub(crate) index: u32,
    pub(crate) device: Arc<dyn Device>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) allocator: DeviceAllocator,
    audit: Arc<dyn AuditSink>,
    pub(crate) stop: StopSwitch,
    #[cfg(feature = "test-hooks")]
    pub(crate) simulated: Option<Arc<SimulatedDevice>>,
}

impl DeviceSlot {
    pub(crate) fn open(index: u32, device: Arc<dyn Device>, audit: Arc<dyn AuditSink>) -> Result<Self, DriverError> {
        let ledger = Ledger::new(device.capacity()?.free_bytes);
        let allocator = DeviceAllocator::new(Arc::clone(&device), Arc::clone(&ledger));
        Ok(Self {
            index,
            device,
            ledger,
            allocator,
            audit,
            stop: StopSwitch::default(),
            #[cfg(feature = "test-hooks")]
            simulated: None,
        })
    }

    /// Passes a driver's error on. When its context is lost, stops the device and writes the critical event of that.
    pub(crate) fn driver_failed(&self, cause: DriverError) -> VramError {
        let gpu_device = self.index;
        if cause.context_lost() && self.stop.stop(format!("device {gpu_device} lost its context: {cause}")) {
            let reason = cause.to_string();
            if let Err(lost) = self.audit.record(&Event::DeviceStopped { gpu_device, reason }) {
                // The caller gets the driver's error, the graver of the two.
                tracing::error!(%lost, "the audit log refused the event of a stopped device");
            }
        }
        VramError::Driver { gpu_device, cause }
    }

    /// The same for what the allocator passed on.
    pub(crate) fn memory_failed(&self, error: AllocatorError) -> VramError {
        match error {
            AllocatorError::InsufficientMemory { needed_bytes, available_bytes, cause } => {
                self.insufficient(needed_bytes, available_bytes, cause)
            }
            AllocatorError::Driver(error) => self.driver_failed(error),
            other => VramError::DeviceMemory(other),
        }
    }

    /// Memory that the device cannot give now.
    pub(crate) fn insufficient(
        &self,
        needed_bytes: u64,
        available_bytes: u64,
        cause: Option<DriverError>,
    ) -> VramError {
        let capacity_bytes = self.ledger.books().capacity_bytes;
        VramError::InsufficientVram { gpu_device: self.index, needed_bytes, available_bytes, capacity_bytes, cause }
    }

    /// Memory could not be overwritten or freed: stops the device, writes the critical event, and gives the error. `undone` is
    /// what a seal had failed with before.
    pub(crate) fn quarantined(
        &self,
        shard_id: ShardId,
        vram_bytes: u64,
        release: ReleaseError,
        undone: Option<VramError>,
    ) -> VramError {
        let gpu_device = self.index;
        let error = VramError::Quarantined { gpu_device, release, undone: undone.map(Box::new) };
        let reason = error.to_string();
        self.stop.stop(format!("device {gpu_device} has quarantined memory: {reason}"));
        if let Err(lost) = self.audit.record(&Event::Quarantined { shard_id, gpu_device, vram_bytes, reason }) {
            // The caller gets the quarantine, the graver of the two.
            tracing::error!(%lost, "the audit log refused the event of a quarantine");
        }
        error
    }

    /// Asks the driver for the device's facts now.
    pub(crate) fn facts(&self) -> Result<DeviceFacts, VramError> {
        self.device.facts().map_err(|error| self.driver_failed(error))
    }

    /// Asks the driver for those of them that a seal or a verification needs.
    pub(crate) fn judged_facts(&self) -> Result<DeviceFacts, VramError> {
        self.device.judged_facts().map_err(|error| self.driver_failed(error))
    }

    /// Asks the driver for the facts of an allocation now, and measures where it lies.
    pub(crate) fn ask(&self, buffer: &DeviceBuffer) -> Result<(AllocationFacts, ProbeFacts), VramError> {
        let allocation = buffer.facts().map_err(|error| self.memory_failed(error))?;
        let probe = buffer.probe().map_err(|error| self.memory_failed(error))?;
        Ok((allocation, probe))
    }

    /// What the policy judges: the device's facts, its capacity now, and these allocations.
    pub(crate) fn policy_record(
        &self,
        device: DeviceFacts,
        allocations: Vec<AllocationFacts>,
        probe: Option<ProbeFacts>,
        requested_bytes: u64,
    ) -> Result<PolicyRecord, VramError> {
        let capacity = self.device.capacity().map_err(|error| self.driver_failed(error))?;
        Ok(PolicyRecord { device, allocations, probe, capacity: Some(capacity), requested_bytes, ordinal: self.index })
    }
}

/// What the broken rules of a decision found, as text for errors and events.
pub(crate) fn findings(decision: &Decision) -> Vec<String> {
    decision.violations().map(|finding| format!("{}: {}", finding.rule.as_str(), clipped(&finding.observed))).collect()
}

/// The broken rules of a decision, likewise.
pub(crate) fn broken_rules(decision: &Decision) -> Vec<String> {
    decision.violations().map(|finding| finding.rule.as_str().to_owned()).collect()
}
