//! The VRAM-only policy over the whole manager: enforcing it, asking for it, and attesting it.

use std::sync::Arc;

use facts::{AllocationFacts, ProbeFacts};
use policy::{Decision, Outcome};

use crate::VramError;
use crate::attestation::{DeviceAttestation, ResidencyAttestation, ShardAttestation};
use crate::device_slot::DeviceSlot;
use crate::manager::{Core, VramManager};

impl VramManager {
    /// Judges every device with all its live allocations by the rules VP-001 to VP-006, in order of the devices.
    ///
    /// A decision's outcome is `enforced` on GPUs that hold a shard, and `unproven` on those that hold none; on a simulated
    /// device, and behind a driver that tests put in the driver's place, it is `simulated`. All that while no rule is broken. A
    /// device whose driver can move memory to the host (WDDM, coherent parts) passes only by the probe of a live shard.
    ///
    /// # Errors
    /// [`VramError::PolicyViolated`] at the first device that breaks a rule; a critical event is written and the
    /// manager is stopped. [`VramError::Driver`], [`VramError::Audit`], [`VramError::Stopped`].
    pub fn enforce_vram_only_policy(&self) -> Result<Vec<Decision>, VramError> {
        let core = self.running()?;
        let judged = core.devices.iter().map(|slot| {
            slot.stop.check()?;
            let (allocations, probe) = core.resident_on(slot)?;
            core.check_policy(slot, slot.facts()?, allocations, probe).map(|(_, decision)| decision)
        });
        let decisions = judged.collect::<Result<_, _>>()?;
        core.check_running().map(|()| decisions)
    }

    /// Whether every device is a real GPU and everything on it is judged resident in device memory only, now. False on
    /// simulated devices and over a stand-in for the driver, on a device without a live shard (nothing is shown to lie there),
    /// on a stopped manager and whenever the driver does not answer.
    ///
    /// It asks the driver and measures as [`VramManager::enforce_vram_only_policy`] does, and takes as long. What it finds has no
    /// consequence: no event is written and nothing is stopped, unless the driver loses the device meanwhile. Call that one to enforce.
    #[must_use]
    pub fn is_vram_only(&self) -> bool {
        let Ok(core) = self.running() else { return false };
        let enforced = |slot: &Arc<DeviceSlot>| {
            slot.stop
                .check()
                .and_then(|()| core.resident_on(slot))
                .and_then(|(allocations, probe)| slot.policy_record(slot.judged_facts()?, allocations, probe, 0))
                .is_ok_and(|record| record.judge().outcome() == Outcome::Enforced)
        };
        !core.devices.is_empty() && core.devices.iter().all(enforced) && core.check_running().is_ok()
    }

    /// Verifies every live shard in place and signs what was found: the facts and decision of each device, and the
    /// identity of each shard. On simulated devices the attestation says so. What is attested is not released before the
    /// attestation is signed: a release waits, and a handle that is dropped meanwhile gives its memory back after it.
    ///
    /// # Errors
    /// The error of the first shard or device that does not hold; no attestation is made then.
    pub fn attest_residency(&self) -> Result<ResidencyAttestation, VramError> {
        self.attest(None)
    }

    /// Attests as [`VramManager::attest_residency`] does, with `challenge` in what is signed. Whoever asks chooses it anew each
    /// time, a random number say, and finds it in [`ResidencyAttestation::challenge`]: then the attestation is no older one.
    ///
    /// # Errors
    /// As [`VramManager::attest_residency`].
    pub fn attest_residency_for(&self, challenge: &str) -> Result<ResidencyAttestation, VramError> {
        self.attest(Some(challenge.to_owned()))
    }

    fn attest(&self, challenge: Option<String>) -> Result<ResidencyAttestation, VramError> {
        let core = self.running()?;
        core.check_running()?;
        let leases = core.shards.live();
        // Held to the end, so that nothing of what is attested is released before it is signed.
        let held: Vec<_> = leases.iter().map(|lease| (lease, lease.buffer())).collect();
        let mut shards = Vec::with_capacity(held.len());
        let mut resident = Vec::with_capacity(held.len());
        for (lease, buffer) in held.iter().filter(|(_, buffer)| buffer.is_some()) {
            let found = core
                .check_in_place(lease, buffer.as_ref())
                .map_err(|error| core.refused(lease.seal.shard_id.as_str(), lease.seal.gpu_device, error))?;
            core.record_verified(lease)?;
            shards.push(ShardAttestation::of(&lease.seal));
            resident.push((&lease.slot, found));
        }
        let mut devices = Vec::with_capacity(core.devices.len());
        for slot in &core.devices {
            let here = resident.iter().filter(|(of, _)| Arc::ptr_eq(of, slot));
            let (allocations, probe) = together(here.map(|(_, found)| found.clone()));
            let (record, decision) = core.check_policy(slot, slot.facts()?, allocations, probe)?;
            devices.push(DeviceAttestation { record, decision });
        }
        // What was stopped while this was looked at attests nothing.
        core.check_running()?;
        ResidencyAttestation::sign(core.class, challenge, devices, shards, &core.key)
    }

    /// Checks that an attestation was signed under this worker's token and is unchanged: a simulated one as well as one of a
    /// GPU, an old one as well as a new one. Ask it itself what it is of ([`ResidencyAttestation::is_vram_only`]) and whether it
    /// answers you ([`ResidencyAttestation::challenge`], [`ResidencyAttestation::made_at`]).
    ///
    /// # Errors
    /// [`VramError::AttestationForged`], [`VramError::Stopped`] when the manager never started.
    pub fn verify_attestation(&self, attestation: &ResidencyAttestation) -> Result<(), VramError> {
        attestation.check(&self.core()?.key)
    }
}

impl Core {
    /// What the driver reports of every live allocation on a device, and one probe over them all.
    fn resident_on(&self, slot: &Arc<DeviceSlot>) -> Result<(Vec<AllocationFacts>, Option<ProbeFacts>), VramError> {
        let leases = self.shards.live();
        let mut found = Vec::with_capacity(leases.len());
        for lease in leases.iter().filter(|lease| Arc::ptr_eq(&lease.slot, slot)) {
            if let Some(buffer) = lease.buffer().as_ref() {
                found.push(slot.ask(buffer)?);
            }
        }
        Ok(together(found))
    }
}

/// The facts of all allocations, and one probe over them all.
fn together(
    found: impl IntoIterator<Item = (AllocationFacts, ProbeFacts)>,
) -> (Vec<AllocationFacts>, Option<ProbeFacts>) {
    let (allocations, probes): (Vec<_>, Vec<_>) = found.into_iter().unzip();
    (allocations, probes.into_iter().reduce(|first, second| joined(&first, &second)))
}

/// One probe over two allocations: all their chunks, and the slowest chunk and the controls of the probe that is nearer to
/// breaking the rule. Controls are of their own moment: those of one probe say nothing about a chunk of the other.
fn joined(first: &ProbeFacts, second: &ProbeFacts) -> ProbeFacts {
    // Controls that cannot be told apart are worse than any chunk.
    let margin = |probe: &ProbeFacts| {
        let tell_apart = probe.device_control_cycles < probe.host_control_cycles;
        tell_apart.then(|| i128::from(probe.threshold_cycles()).saturating_sub(i128::from(probe.slowest_cycles)))
    };
    let (worse, chunks_before) = if margin(second) < margin(first) { (second, first.chunks) } else { (first, 0) };
    ProbeFacts {
        chunks: first.chunks.saturating_add(second.chunks),
        slowest_chunk: chunks_before.saturating_add(worse.slowest_chunk),
        ..worse.clone()
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
    use std::cell::Cell;

    use content_digest::Tree;
    use cuda_ffi::{Device, DeviceAddress, DriverError, MemoryId, SimulatedConfig, SimulatedDevice};
    use facts::{Capacity, DeviceClass, DeviceFacts};

    use super::*;
    use crate::VramConfig;

    /// A simulated device that calls itself a GPU: what no simulated device can do outside this test.
    struct PretendedGpu(Arc<SimulatedDevice>);

    thread_local! {
        /// What happens the next time that this thread waits for the device.
        static MEANWHILE: Cell<Option<Box<dyn FnOnce()>>> = const { Cell::new(None) };
    }

    type Answer<T> = Result<T, DriverError>;

    impl Device for PretendedGpu {
        fn facts(&self) -> Answer<DeviceFacts> {
            self.0.facts().map(|facts| DeviceFacts { class: DeviceClass::Gpu, ..facts })
        }
        fn capacity(&self) -> Answer<Capacity> {
            self.0.capacity()
        }
        fn allocate(&self, bytes: u64) -> Answer<MemoryId> {
            self.0.allocate(bytes)
        }
        fn allocation_facts(&self, memory: MemoryId) -> Answer<AllocationFacts> {
            self.0.allocation_facts(memory)
        }
        fn write(&self, memory: MemoryId, offset: u64, bytes: &[u8]) -> Answer<()> {
            self.0.write(memory, offset, bytes)
        }
        fn read(&self, memory: MemoryId, offset: u64, bytes: &mut [u8]) -> Answer<()> {
            self.0.read(memory, offset, bytes)
        }
        fn overwrite(&self, memory: MemoryId) -> Answer<()> {
            self.0.overwrite(memory)
        }
        fn free(&self, memory: MemoryId) -> Answer<()> {
            self.0.free(memory)
        }
        fn tree(&self, memory: MemoryId) -> Answer<Tree> {
            self.0.tree(memory)
        }
        fn probe(&self, memory: MemoryId) -> Answer<ProbeFacts> {
            self.0.probe(memory)
        }
        fn address(&self, memory: MemoryId) -> Answer<DeviceAddress> {
            self.0.address(memory)
        }
        fn synchronize(&self) -> Answer<()> {
            if let Some(meanwhile) = MEANWHILE.take() {
                meanwhile();
            }
            self.0.synchronize()
        }
    }

    #[test]
    fn a_manager_is_vram_only_while_a_gpu_holds_shards_and_breaks_no_rule() {
        let device = SimulatedDevice::new(SimulatedConfig::default());
        let gpu: Arc<dyn Device> = Arc::new(PretendedGpu(Arc::clone(&device)));
        let manager = VramManager::on_devices(&VramConfig::default(), [(0, gpu)]).unwrap();
        assert!(!manager.is_vram_only(), "nothing is shown to lie in an empty GPU");
        let shard = manager.seal_model(b"weights", 0).unwrap();
        assert!(manager.is_vram_only());
        assert_eq!(manager.enforce_vram_only_policy().unwrap()[0].outcome(), Outcome::Enforced);
        assert!(manager.attest_residency().unwrap().is_vram_only());
        let integrated = DeviceFacts { integrated: true, ..device.facts().unwrap() };
        device.set_device_facts(integrated);
        assert!(!manager.is_vram_only());
        drop(shard);
    }

    #[test]
    fn what_waited_for_the_device_is_not_run_when_the_manager_was_stopped_meanwhile() {
        let device = SimulatedDevice::new(SimulatedConfig::default());
        let gpu: Arc<dyn Device> = Arc::new(PretendedGpu(Arc::clone(&device)));
        let manager = Arc::new(VramManager::on_devices(&VramConfig::default(), [(0, gpu)]).unwrap());
        let shard = manager.seal_model(b"weights", 0).unwrap();
        let stream = manager.stream(0).unwrap();
        let guard = manager.verify_for_execute(&shard).unwrap();
        let (finder, found) = (Arc::clone(&manager), shard.clone());
        MEANWHILE.set(Some(Box::new(move || {
            device.set_device_facts(DeviceFacts { integrated: true, ..device.facts().unwrap() });
            assert!(matches!(finder.verify_sealed(&found), Err(VramError::PolicyViolated { .. })));
        })));
        let mut ran = false;
        let launched = guard.launch(&stream, |_| ran = true);
        assert!(matches!(launched, Err(VramError::Stopped { .. })), "{launched:?}");
        assert!(!ran && manager.stop_cause().is_some());
    }

    #[test]
    fn a_joined_probe_is_as_near_to_host_memory_as_the_worse_of_the_two_and_no_nearer() {
        let probe = |chunks, slowest_chunk, slowest_cycles, device, host| ProbeFacts {
            chunk_bytes: 2 << 20,
            chunks,
            slowest_chunk,
            slowest_cycles,
            device_control_cycles: device,
            host_control_cycles: host,
        };
        let (fast, slow) = (probe(3, 1, 600, 590, 2000), probe(2, 1, 900, 610, 1900));
        assert_eq!(joined(&fast, &slow), probe(5, 4, 900, 610, 1900));
        assert_eq!(joined(&slow, &fast), probe(5, 1, 900, 610, 1900));
        // Each is below its own middle, though the one's chunk is above the other's.
        let (busy, quiet) = (probe(3, 2, 1400, 600, 2500), probe(2, 0, 610, 600, 1900));
        assert_eq!(joined(&busy, &quiet), probe(5, 2, 1400, 600, 2500));
        assert_eq!(joined(&quiet, &busy), probe(5, 4, 1400, 600, 2500));
        let senseless = probe(1, 0, 10, 2000, 2000);
        assert_eq!(joined(&quiet, &senseless), probe(3, 2, 10, 2000, 2000));
        assert_eq!(joined(&senseless, &quiet), probe(3, 0, 10, 2000, 2000));
    }
}
