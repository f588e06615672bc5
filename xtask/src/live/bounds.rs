//! Sizes, capacities, offsets.

use evidence::Stream::BoundsChecking;
use serde_json::json;
use vram_residency::{VramConfig, VramError};

use super::bytes::Generator;
use super::{Context, outcome};

const LARGE_BYTES: usize = 10 * 1024 * 1024;

pub(super) fn run(context: &Context<'_>) -> Result<(), VramError> {
    // So that capacity is the limit: a GPU may have more memory than the largest model that is accepted by default.
    let manager = context.manager_of(VramConfig::default().max_model_bytes(u64::MAX), 0)?;
    let gpu = context.device.index;
    let before = manager.used_vram(gpu)?;

    let empty = manager.seal_model(&[], gpu);
    context.emit(BoundsChecking, "zero_size_rejection", |record| {
        record
            .field("input_size", 0)
            .field("rejected", empty.is_err())
            .field("error", empty.as_ref().err().map(ToString::to_string))
            .field("explanation", "a model without bytes is refused")
            .observe("refused: invalid input", outcome(&empty))
    });

    let large = manager.seal_model(&Generator::new(context.seed).bytes(LARGE_BYTES), gpu);
    context.emit(BoundsChecking, "large_allocation", |record| {
        record
            .field("input_size", LARGE_BYTES)
            .field("result", outcome(&large))
            .field("explanation", "a model of 10 MiB is sealed whole")
            .observe(
                json!({"outcome": "accepted", "vram_bytes": LARGE_BYTES}),
                json!({"outcome": outcome(&large), "vram_bytes": large.as_ref().map_or(0, |shard| shard.vram_bytes)}),
            )
    });

    // Announced, never read: a reader without an end must not be asked for a byte.
    let available = manager.available_vram(gpu)?;
    let needed = available.saturating_add(1);
    let over = manager.seal_reader(std::io::repeat(0), needed, vram_residency::SealOptions::new(gpu));
    let error = over.as_ref().err();
    let figures = error.and_then(|error| error.needed_bytes().zip(error.available_bytes()));
    let short_by = figures.and_then(|(needed, available)| needed.checked_sub(available));
    context.emit(BoundsChecking, "over_capacity", |record| {
        record
            .field("explanation", "a model one byte larger than what is available is refused, with both figures")
            .observe(
                // Free memory differs from run to run on a device that others use, too.
                json!({"short_by_bytes": 1, "retriable": true}),
                json!({"short_by_bytes": short_by, "retriable": error.is_some_and(VramError::is_retriable)}),
            )
    });

    if let Ok(shard) = &large {
        let hooks = manager.test_hooks();
        let end = LARGE_BYTES as u64;
        let read = |offset: u64, length: usize| hooks.read_device(shard, offset, &mut vec![0; length]).is_ok();
        context.emit(BoundsChecking, "reads_stay_inside", |record| {
            record
                .field("shard_id", &shard.shard_id)
                .field("explanation", "a read that ends past the allocation, or whose end overflows, is refused")
                .observe(
                    json!({"last_byte": true, "one_past": false, "across_the_end": false, "overflowing": false}),
                    json!({
                        "last_byte": read(end.saturating_sub(1), 1),
                        "one_past": read(end, 1),
                        "across_the_end": read(end.saturating_sub(1), 2),
                        "overflowing": read(u64::MAX, 2),
                    }),
                )
        });
        manager.release(shard)?;
    }
    let used_more = manager.used_vram(gpu)?.saturating_sub(before);
    context.emit(BoundsChecking, "ledger_after_refusals", |record| {
        record
            .field("explanation", "what was refused or released leaves no memory in use")
            .observe(json!({"used_more": 0}), json!({"used_more": used_more}))
    });
    Ok(())
}
