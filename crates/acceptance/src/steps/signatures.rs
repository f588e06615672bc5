//! What an attacker does to a handle: its fields and its signature.

use time::Duration;
use vram_residency::{SealedShard, TensorParallel};

use crate::{StepResult, Vocabulary, World};

pub(super) fn define(steps: &mut Vocabulary<World>) {
    steps.act("I edit the {text} of {text}", |world, given| {
        let edited = with_field_edited(world.sealed_handle(given.text(1)?)?, given.text(0)?)?;
        Ok(world.edit(given.text(1)?, edited)?)
    });
    steps.act("I take back every edit of {text}", |world, given| {
        let sealed = world.sealed_handle(given.text(0)?)?.clone();
        Ok(world.edit(given.text(0)?, sealed)?)
    });
    steps.act("each of these fields of {text} is edited in turn and verified:", |world, given| {
        let sealed = world.sealed_handle(given.text(0)?)?.clone();
        world.attempts.clear();
        for field in given.column()? {
            let verified = world.worker()?.verify_sealed(&with_field_edited(&sealed, field)?);
            world.attempt_more(verified);
        }
        Ok(())
    });
    steps.act("each bit of the signature of {text} is flipped in turn and verified", |world, given| {
        let sealed = world.sealed_handle(given.text(0)?)?.clone();
        let signature = signature(&sealed)?;
        world.attempts.clear();
        for position in 0..signature.len() {
            for bit in 0..8_u32 {
                let mut forged = signature;
                forged.iter_mut().skip(position).take(1).for_each(|byte| *byte ^= 1_u8.rotate_left(bit));
                let forged = world.worker()?.test_hooks().with_signature(&sealed, Some(forged));
                let verified = world.worker()?.verify_sealed(&forged);
                world.attempt_more(verified);
            }
        }
        Ok(())
    });
    steps.act("the signature of {text} is replaced by one of a worker with another token", |world, given| {
        let name = given.text(0)?;
        let foreign = world.other_worker()?.seal_model_as(name, world.model(name)?, 0)?;
        replace_signature(world, name, Some(signature(&foreign)?))
    });
    steps.act("the signature of {text} is replaced by zeros", |world, given| {
        replace_signature(world, given.text(0)?, Some([0; 32]))
    });
    steps.act("the signature of {text} is removed", |world, given| replace_signature(world, given.text(0)?, None));
}

fn replace_signature(world: &mut World, name: &str, signature: Option<[u8; 32]>) -> StepResult {
    let edited = world.worker()?.test_hooks().with_signature(world.handle(name)?, signature);
    Ok(world.edit(name, edited)?)
}

fn signature(shard: &SealedShard) -> Result<[u8; 32], Box<dyn std::error::Error>> {
    let hex = shard.signature().ok_or("the handle carries no signature")?.to_hex();
    let bytes =
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at.saturating_add(2)).unwrap_or(""), 16));
    Ok(bytes.collect::<Result<Vec<_>, _>>()?.try_into().map_err(|_| "the signature has not 32 bytes")?)
}

/// The handle with one public field changed and its hold on the memory kept, as a caller would edit it.
fn with_field_edited(shard: &SealedShard, field: &str) -> Result<SealedShard, Box<dyn std::error::Error>> {
    let mut edited = shard.clone();
    let part = shard.tensor_parallel;
    match field {
        "shard_id" => edited.shard_id.push('x'),
        "vram_bytes" => edited.vram_bytes = edited.vram_bytes.saturating_sub(1),
        "gpu_device" => edited.gpu_device ^= 1,
        "digest" => edited.digest = other_digit(&edited.digest),
        "tree_digest" => edited.tree_digest = other_digit(&edited.tree_digest),
        "device_uuid" => edited.device_uuid = other_digit(&edited.device_uuid),
        "sealed_at" => {
            let later = edited.sealed_at.checked_add(Duration::nanoseconds(1));
            edited.sealed_at = later.ok_or("the time of sealing has no later one")?;
        }
        "tensor_parallel.index" => edited.tensor_parallel = TensorParallel::parse(part.index() ^ 1, part.count())?,
        "tensor_parallel.count" => edited.tensor_parallel = TensorParallel::parse(part.index(), part.count() ^ 1)?,
        _ => return Err(format!("a handle has no field {field:?}").into()),
    }
    Ok(edited)
}

/// The text with another hex digit at its end.
fn other_digit(text: &str) -> String {
    let (rest, last) = text.split_at(text.len().saturating_sub(1));
    format!("{rest}{}", if last == "0" { "1" } else { "0" })
}
