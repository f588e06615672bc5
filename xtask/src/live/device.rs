//! Device memory: allocation, contents, release, overwriting.

use std::time::Instant;

use evidence::Stream::CudaOperations;
use serde_json::json;
use vram_residency::{VramError, VramManager};

use super::bytes::Generator;
use super::{Context, outcome};

const MODEL_BYTES: usize = 2_000_000;
const FURTHER_BYTES: usize = 500_000;

pub(super) fn run(context: &Context<'_>) -> Result<(), VramError> {
    let manager = context.manager()?;
    let gpu = context.device.index;
    let mut generator = Generator::new(context.seed);
    let before = manager.used_vram(gpu)?;

    let model = generator.bytes(MODEL_BYTES);
    let started = Instant::now();
    let shard = manager.seal_model(&model, gpu)?;
    let duration = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let used_more = manager.used_vram(gpu)?.saturating_sub(before);
    context.emit(CudaOperations, "vram_allocation", |record| {
        record
            .field("requested_bytes", MODEL_BYTES)
            .field("allocated_bytes", shard.vram_bytes)
            .field("gpu_device", shard.gpu_device)
            .field("shard_id", &shard.shard_id)
            .field("timings", json!({"duration_ms": duration}))
            .field("explanation", "device memory was allocated for a model, and the ledger counts it")
            .observe(
                json!({"allocated_bytes": MODEL_BYTES, "used_more": MODEL_BYTES}),
                json!({
                    "allocated_bytes": shard.vram_bytes,
                    "used_more": used_more,
                }),
            )
    });

    let mut held = vec![0; MODEL_BYTES];
    manager.test_hooks().read_device(&shard, 0, &mut held)?;
    let differing = held.iter().zip(&model).filter(|(held, given)| held != given).count();
    context.emit(CudaOperations, "device_memory_contents", |record| {
        record
            .field("shard_id", &shard.shard_id)
            .field("explanation", "device memory holds the model, byte for byte")
            .observe(json!({"differing_bytes": 0}), json!({"differing_bytes": differing}))
    });

    let mut shards = vec![shard];
    for _ in 1..5 {
        shards.push(manager.seal_model(&generator.bytes(FURTHER_BYTES), gpu)?);
    }
    let total: usize = shards.iter().map(|shard| shard.vram_bytes).sum();
    let ids: Vec<&str> = shards.iter().map(|shard| shard.shard_id.as_str()).collect();
    let used_more = manager.used_vram(gpu)?.saturating_sub(before);
    context.emit(CudaOperations, "multiple_allocations", |record| {
        record
            .field("allocation_count", shards.len())
            .field("total_vram_bytes", total)
            .field("shard_ids", &ids)
            .field("explanation", "several shards lie side by side, and the ledger counts them all")
            .observe(
                json!({"used_more": total, "verified": shards.len()}),
                json!({
                    "used_more": used_more,
                    "verified": shards.iter().filter(|shard| manager.verify_sealed(shard).is_ok()).count(),
                }),
            )
    });
    let mut released = Vec::new();
    let residue = Residue::watch(&manager, gpu);
    for shard in &shards {
        released.push(outcome(&manager.release(shard)));
    }
    let mut expected = json!({"released": vec!["accepted"; shards.len()], "used_more": 0});
    let mut observed = json!({"released": released, "used_more": manager.used_vram(gpu)?.saturating_sub(before)});
    residue.add_to(total as u64, &mut expected, &mut observed);
    context.emit(CudaOperations, "release_and_overwrite", |record| {
        record
            .field("shard_ids", &ids)
            .field("explanation", "released memory was overwritten before it was freed, and the ledger is as before")
            .observe(expected, observed)
    });
    Ok(())
}

/// Looks at what freed memory holds. Only a simulated device can keep it for a look; on a GPU this observes nothing.
pub(super) struct Residue<'a> {
    manager: &'a VramManager,
    gpu: u32,
}

impl<'a> Residue<'a> {
    /// From now on freed memory is kept.
    pub(super) fn watch(manager: &'a VramManager, gpu: u32) -> Self {
        if let Some(device) = manager.test_hooks().simulated(gpu) {
            device.keep_freed_pages(true);
        }
        Self { manager, gpu }
    }

    /// Adds what freed memory of `bytes` bytes must hold, and what it holds.
    pub(super) fn add_to(self, bytes: u64, expected: &mut serde_json::Value, observed: &mut serde_json::Value) {
        let Some(device) = self.manager.test_hooks().simulated(self.gpu) else { return };
        let (mut freed, mut left) = (0_u64, 0_u64);
        device.look_at_freed_pages(|pages| {
            freed = freed.saturating_add(pages.len() as u64);
            left = left.saturating_add(pages.iter().filter(|byte| **byte != 0).count() as u64);
        });
        device.keep_freed_pages(false);
        for (object, freed_bytes, bytes_left) in [(expected, bytes, 0), (observed, freed, left)] {
            if let Some(object) = object.as_object_mut() {
                object.insert("freed_bytes".to_owned(), json!(freed_bytes));
                object.insert("bytes_not_overwritten".to_owned(), json!(bytes_left));
            }
        }
    }
}
