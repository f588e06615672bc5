//! Sealing: input bytes are validated, written to device memory, checked there, and signed.

use std::io::Read;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, RwLock};

use allocator::DeviceBuffer;
use audit::Event;
use content_digest::Tree;
use facts::{AllocationFacts, DeviceFacts, ProbeFacts};
use policy::{Decision, PolicyRecord, Rule};
use seal::{Tag, digests_equal};
use time::OffsetDateTime;
use validation::{DigestHex, ModelSize, ShardId, TensorParallel};

use crate::device_slot::{DeviceSlot, broken_rules, findings};
use crate::filling::{Filling, Hashed};
use crate::lease::Lease;
use crate::manager::{Core, VramManager};
use crate::registry::Claim;
use crate::sealed::Seal;
use crate::shard::SealedShard;
use crate::{SealOptions, VramError};

impl VramManager {
    /// Seals `model` on a device under an id that the manager chooses.
    ///
    /// # Errors
    /// As [`VramManager::seal_reader`].
    pub fn seal_model(&self, model: &[u8], gpu_device: u32) -> Result<SealedShard, VramError> {
        self.seal_slice(model, SealOptions::new(gpu_device))
    }

    /// Seals `model` on a device under `shard_id`.
    ///
    /// # Errors
    /// As [`VramManager::seal_reader`].
    pub fn seal_model_as(&self, shard_id: &str, model: &[u8], gpu_device: u32) -> Result<SealedShard, VramError> {
        self.seal_slice(model, SealOptions::new(gpu_device).shard_id(shard_id))
    }

    fn seal_slice(&self, model: &[u8], options: SealOptions) -> Result<SealedShard, VramError> {
        self.seal_reader(model, model.len() as u64, options)
    }

    /// Seals exactly `model_bytes` bytes that `model` yields, reading them in chunks, so that a model of any size needs
    /// only a few MiB of host memory and its tree (0.8 % of its size).
    ///
    /// When it fails nothing stays: the device memory is overwritten and freed, the ledger is as before, the id is free.
    /// `model` is asked for one byte more, to see that it ends there: of a stream that goes on, give
    /// [`Read::take`]`(model_bytes)`.
    ///
    /// # Errors
    /// [`VramError::InvalidInput`] (id, size, device index, expected digest), [`VramError::ShardIdInUse`],
    /// [`VramError::WrongTensorParallel`], [`VramError::InsufficientVram`], [`VramError::PolicyViolated`],
    /// [`VramError::Read`], [`VramError::InputTooShort`], [`VramError::InputTooLong`],
    /// [`VramError::DigestNotExpected`], [`VramError::ContentsChanged`] when the device does not hold what was written,
    /// [`VramError::Driver`], [`VramError::Audit`], [`VramError::Stopped`]. A digest that was not expected, and memory that does
    /// not hold what was written, have written a critical event.
    pub fn seal_reader(
        &self,
        model: impl Read,
        model_bytes: u64,
        options: SealOptions,
    ) -> Result<SealedShard, VramError> {
        let core = self.running()?;
        let request = Request::parse(core, model_bytes, options)?;
        let claim = core.claim_id(request.shard_id.as_ref())?;
        let buffer = core.allocate(&request)?;
        let filling = Filling::new(buffer, claim.shard_id.clone(), Arc::clone(&request.slot));
        match core.fill_and_sign(model, &request, &filling, &claim.shard_id) {
            Ok(sealed) => Ok(core.hand_out(&request, claim, filling, sealed)),
            Err(error) => Err(filling.roll_back(core.seal_refused(&claim.shard_id, &request.slot, error))),
        }
    }
}

/// The caller's wishes after parsing.
struct Request {
    slot: Arc<DeviceSlot>,
    size: ModelSize,
    /// The same size as the handle shows it.
    vram_bytes: usize,
    shard_id: Option<ShardId>,
    expect_sha256: Option<DigestHex>,
    expect_tree_digest: Option<DigestHex>,
    rank: TensorParallel,
}

impl Request {
    fn parse(core: &Core, model_bytes: u64, options: SealOptions) -> Result<Self, VramError> {
        let slot = Arc::clone(core.slot(options.gpu_device)?);
        slot.stop.check()?;
        let digest = |text: Option<String>| text.map(|text| DigestHex::parse(&text)).transpose();
        let rank = options.tensor_parallel.unwrap_or(core.rank);
        if rank != core.rank {
            return Err(VramError::WrongTensorParallel { shard: rank, worker: core.rank });
        }
        // On a 32-bit host the address space is the maximum.
        let vram_bytes = usize::try_from(model_bytes).unwrap_or(usize::MAX);
        Ok(Self {
            slot,
            size: ModelSize::parse(model_bytes, core.max_model_bytes.min(usize::MAX as u64))?,
            vram_bytes,
            shard_id: options.shard_id.map(|id| ShardId::parse(&id)).transpose()?,
            expect_sha256: digest(options.expect_sha256)?,
            expect_tree_digest: digest(options.expect_tree_digest)?,
            rank,
        })
    }

    fn check_expected(&self, hashed: &Hashed) -> Result<(), VramError> {
        expect("SHA-256", self.expect_sha256.as_ref(), hashed.sha256.as_bytes())?;
        expect("fs-verity", self.expect_tree_digest.as_ref(), hashed.tree.digest().as_bytes())
    }
}

fn expect(kind: &'static str, expected: Option<&DigestHex>, observed: &[u8; 32]) -> Result<(), VramError> {
    match expected {
        Some(expected) if !digests_equal(&expected.to_bytes(), observed) => Err(VramError::DigestNotExpected {
            kind,
            expected: expected.as_str().to_owned(),
            observed: DigestHex::from_bytes(*observed).as_str().to_owned(),
        }),
        _ => Ok(()),
    }
}

impl Core {
    fn claim_id(&self, wanted: Option<&ShardId>) -> Result<Claim<'_>, VramError> {
        if let Some(shard_id) = wanted {
            return self.shards.claim(shard_id);
        }
        loop {
            let shard_id = ShardId::parse(&format!("shard-{}", self.next_shard_number()))?;
            match self.shards.claim(&shard_id) {
                Err(VramError::ShardIdInUse { .. }) => {}
                claimed => return claimed,
            }
        }
    }

    /// Device memory for the request, where the device has room.
    fn allocate(&self, request: &Request) -> Result<DeviceBuffer, VramError> {
        let slot = &request.slot;
        let needed_bytes = request.size.get();
        self.check_room(slot, needed_bytes)?;
        slot.allocator.allocate(request.size).map_err(|error| {
            let reason = error.to_string();
            let error = slot.memory_failed(error);
            self.allocation_failed(slot, needed_bytes, reason, error)
        })
    }

    /// Fails fast by rule VP-004 when the driver has too little free memory: an error that can pass, not a violation.
    fn check_room(&self, slot: &DeviceSlot, needed_bytes: u64) -> Result<(), VramError> {
        let record = slot.policy_record(slot.judged_facts()?, Vec::new(), None, needed_bytes)?;
        if !record.judge().violations().any(|finding| finding.rule == Rule::Vp004) {
            return Ok(());
        }
        let available_bytes = record.capacity.map_or(0, |capacity| capacity.free_bytes);
        let error = slot.insufficient(needed_bytes, available_bytes, None);
        Err(self.allocation_failed(slot, needed_bytes, error.to_string(), error))
    }

    /// Judges a device with these allocations. A broken rule writes a critical event and stops the manager.
    pub(crate) fn check_policy(
        &self,
        slot: &DeviceSlot,
        device: DeviceFacts,
        allocations: Vec<AllocationFacts>,
        probe: Option<ProbeFacts>,
    ) -> Result<(PolicyRecord, Decision), VramError> {
        let record = slot.policy_record(device, allocations, probe, 0)?;
        let decision = record.judge();
        let rules = broken_rules(&decision);
        if rules.is_empty() {
            return Ok((record, decision));
        }
        let (gpu_device, findings) = (slot.index, findings(&decision));
        self.stop.stop(format!("device {gpu_device} broke the VRAM-only policy: {}", findings.join("; ")));
        let event = Event::PolicyViolation { gpu_device, rules: rules.clone(), findings: findings.clone() };
        self.audit.record(&event)?;
        Err(VramError::PolicyViolated { gpu_device, rules, findings })
    }

    fn allocation_failed(&self, slot: &DeviceSlot, needed_bytes: u64, reason: String, error: VramError) -> VramError {
        let available_bytes = slot.ledger.books().available_bytes;
        let event = Event::AllocationFailed { gpu_device: slot.index, needed_bytes, available_bytes, reason };
        self.with_event(&event, error)
    }

    /// Checks that the memory is resident, uploads the input, asks the device whether it holds what was written, signs
    /// that, and writes the event.
    fn fill_and_sign(
        &self,
        model: impl Read,
        request: &Request,
        filling: &Filling,
        shard_id: &ShardId,
    ) -> Result<Sealed, VramError> {
        let (slot, buffer) = (&request.slot, filling.buffer()?);
        let device = slot.judged_facts()?;
        let device_uuid = device.uuid;
        let (allocation, probe) = slot.ask(buffer)?;
        self.check_policy(slot, device, vec![allocation], Some(probe))?;
        let hashed = filling.upload(model)?;
        request.check_expected(&hashed)?;
        let tree_digest = hashed.tree.digest();
        let in_place = buffer.tree_digest().map_err(|error| slot.memory_failed(error))?;
        if !digests_equal(in_place.as_bytes(), tree_digest.as_bytes()) {
            let blocks = buffer.tree().map(|tree| hashed.tree.differing_blocks(&tree)).unwrap_or_default();
            return Err(VramError::contents_changed(shard_id, blocks));
        }
        let seal = Seal {
            shard_id: shard_id.clone(),
            vram_bytes: buffer.len(),
            gpu_device: slot.index,
            sha256: *hashed.sha256.as_bytes(),
            tree_digest: *tree_digest.as_bytes(),
            device_uuid,
            sealed_at: OffsetDateTime::now_utc(),
            tensor_parallel: request.rank,
        };
        // What stopped the manager while this was uploaded holds for this shard too.
        self.stop.check()?;
        slot.stop.check()?;
        self.audit.record(&Event::Sealed {
            shard_id: shard_id.clone(),
            gpu_device: seal.gpu_device,
            vram_bytes: seal.vram_bytes,
            digest: DigestHex::from_bytes(seal.sha256),
        })?;
        Ok(Sealed { tag: self.key.sign(&seal.fields()), seal, kept_tree: hashed.tree })
    }

    /// Writes the critical event of input that is not what it should be, and of device memory that does not hold it; returns
    /// the refusal.
    fn seal_refused(&self, shard_id: &ShardId, slot: &DeviceSlot, error: VramError) -> VramError {
        if !matches!(error, VramError::DigestNotExpected { .. } | VramError::ContentsChanged { .. }) {
            return error;
        }
        let (shard_id, gpu_device, reason) = (shard_id.clone(), slot.index, error.to_string());
        self.with_event(&Event::SealRefused { shard_id, gpu_device, reason }, error)
    }

    /// Makes the lease and its first handle.
    fn hand_out(&self, request: &Request, claim: Claim<'_>, filling: Filling, sealed: Sealed) -> SealedShard {
        let lease = Arc::new(Lease {
            manager: self.id,
            seal: sealed.seal,
            tag: sealed.tag,
            kept_tree: sealed.kept_tree,
            slot: Arc::clone(&request.slot),
            audit: Arc::clone(&self.audit),
            manager_stop: Arc::clone(&self.stop),
            gone: Arc::default(),
            buffer: RwLock::new(filling.keep()),
            guards: AtomicUsize::new(0),
        });
        claim.fulfil(&lease);
        SealedShard::new(request.vram_bytes, lease)
    }
}

/// What was signed, and the tree that the host keeps of it.
struct Sealed {
    seal: Seal,
    tag: Tag,
    kept_tree: Tree,
}
