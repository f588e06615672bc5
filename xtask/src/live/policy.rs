//! The VRAM-only rules: what they decide here, and that a device that breaks one is refused.

use std::sync::Arc;

use evidence::Stream::PolicyEnforcement;
use serde_json::json;
use vram_residency::{
    DeviceAttestation, DeviceClass, MemorySink, PolicyRecord, SimulatedConfig, VramConfig, VramError, VramManager,
};

use super::bytes::Generator;
use super::{Context, outcome};

pub(super) fn run(context: &Context<'_>) -> Result<(), VramError> {
    let manager = context.manager()?;
    let gpu = context.device.index;
    let shard = manager.seal_model(&Generator::new(context.seed).bytes(1 << 20), gpu)?;

    // Only a real GPU can yield "enforced"; anything less is said to be simulated.
    let (outcome_of_the_device, vram_only) = match context.device.class {
        DeviceClass::Gpu => ("enforced", true),
        DeviceClass::FakeDriver | DeviceClass::Simulated => ("simulated", false),
    };
    let decisions = manager.enforce_vram_only_policy()?;
    // The facts that each decision is made from, so that whoever reads the record can judge them again.
    let attestation = manager.attest_residency()?;
    let outcomes: Vec<_> = decisions.iter().map(|decision| json!(decision.outcome())).collect();
    context.emit(PolicyEnforcement, "vram_only_policy", |record| {
        record
            .field("policy", "vram_only")
            .field("gpu_device", gpu)
            .field("shard_id", &shard.shard_id)
            .field("decisions", attestation.devices())
            .field("explanation", "rules VP-001 to VP-006 were judged from what the driver reports now")
            .observe(
                json!({"outcomes": [outcome_of_the_device], "is_vram_only": vram_only}),
                json!({"outcomes": outcomes, "is_vram_only": manager.is_vram_only()}),
            )
    });

    let facts = manager.device_facts(gpu)?;
    let elsewhere = manager.seal_model(b"x", gpu.wrapping_add(1));
    context.emit(PolicyEnforcement, "gpu_device_validation", |record| {
        record
            .field("gpu_device", gpu)
            .field("check", "device_properties")
            .field("device_facts", &facts)
            .field(
                "explanation",
                "the device reports the class of this run, and the index of a device that is not in use is refused",
            )
            .observe(
                json!({"class": context.device.class, "another_index": "refused: invalid input"}),
                json!({"class": facts.class, "another_index": outcome(&elsewhere)}),
            )
    });
    match context.device.class {
        DeviceClass::Simulated => integrated_device(context),
        // What a run says is of its own device, and a driver's cannot be told to be another.
        DeviceClass::FakeDriver | DeviceClass::Gpu => Ok(()),
    }
}

/// A simulated device that claims to be integrated: its memory would be the host's.
fn integrated_device(context: &Context<'_>) -> Result<(), VramError> {
    let mut device = SimulatedConfig::default();
    device.device_facts.integrated = true;
    let config = VramConfig::default().audit(Arc::new(MemorySink::new()));
    let manager = VramManager::simulated(config.simulated_devices(vec![device]))?;
    let facts = PolicyRecord {
        device: manager.device_facts(0)?,
        allocations: Vec::new(),
        probe: None,
        capacity: None,
        requested_bytes: 0,
        ordinal: 0,
    };
    let decision = DeviceAttestation { decision: facts.judge(), record: facts };
    let first = manager.seal_model(b"weights", 0);
    let second = manager.seal_model(b"weights", 0);
    context.emit(PolicyEnforcement, "unified_memory_refused", |record| {
        record
            .field("policy", "vram_only")
            .field("decisions", [&decision])
            .field("explanation", "a device whose memory is the host's is refused, and the manager stops")
            .observe(
                json!({
                    "outcomes": ["violated"],
                    "seal": "refused: policy VP-002 broken",
                    "after": "refused: stopped",
                    "stopped": true,
                }),
                json!({
                    "outcomes": [decision.decision.outcome()],
                    "seal": outcome(&first),
                    "after": outcome(&second),
                    "stopped": manager.stop_cause().is_some(),
                }),
            )
    });
    Ok(())
}
