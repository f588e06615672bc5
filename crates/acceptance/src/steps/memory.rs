//! Device memory: what it holds, how much there is, and what it held when it was freed.

use evidence::Stream::{BoundsChecking, CudaOperations, InputValidation};
use serde_json::json;

use super::results::outcome;
use crate::{Vocabulary, World};

pub(super) fn define(steps: &mut Vocabulary<World>) {
    steps.act("bit {number} of {text} flips in device memory", |world, given| {
        let shard = world.sealed_handle(given.text(1)?)?;
        Ok(world.worker()?.test_hooks().flip_bit(shard, given.number(0)?)?)
    });
    steps.act("device {number} keeps what freed memory held", |world, given| {
        world.device(given.device(0)?)?.keep_freed_pages(true);
        Ok(())
    });

    steps.observe("device memory holds the model of {text}", |world, given, then| {
        let model = world.model(given.text(0)?)?;
        let mut held = vec![0; model.len()];
        world.worker()?.test_hooks().read_device(world.handle(given.text(0)?)?, 0, &mut held)?;
        let different = model.iter().zip(&held).filter(|(expected, held)| expected != held).count();
        then.sees(
            CudaOperations,
            json!({"compared_bytes": model.len(), "different_bytes": 0}),
            json!({"compared_bytes": held.len(), "different_bytes": different}),
        )
    });
    steps.observe("device {number} has {size} used and {size} available", |world, given, then| {
        let (worker, device) = (world.worker()?, given.device(0)?);
        let (used, available) = (given.number(1)?, given.number(2)?);
        then.sees(
            BoundsChecking,
            json!({"total": used.checked_add(available), "used": used, "available": available}),
            json!({
                "total": worker.total_vram(device)?,
                "used": worker.used_vram(device)?,
                "available": worker.available_vram(device)?,
            }),
        )
    });
    steps.observe("the capacity of device {number} is refused as {text}", |world, given, then| {
        let (worker, device) = (world.worker()?, given.device(0)?);
        let queries = [worker.total_vram(device), worker.used_vram(device), worker.available_vram(device)];
        let outcomes = queries.map(|answer| outcome(&answer.map(drop)));
        then.sees(InputValidation, [given.text(1)?; 3], outcomes)
    });
    steps.observe("freed memory of device {number} held:", |world, given, then| {
        let freed: Vec<_> = world.device(given.device(0)?)?.freed_pages().iter().map(|page| contents(page)).collect();
        then.sees(CudaOperations, given.rows(), freed)
    });
    steps.observe("nothing of device {number} has been freed", |world, given, then| {
        let device = world.device(given.device(0)?)?;
        then.sees(
            CudaOperations,
            json!({"freed": 0, "live": 1}),
            json!({"freed": device.freed_pages().len(), "live": device.live_allocations()}),
        )
    });
}

/// A row of a feature's table: how many bytes there were, and whether they were all zeros.
fn contents(page: &[u8]) -> [String; 2] {
    let contents = if page.iter().all(|byte| *byte == 0) { "zeros" } else { "something else" };
    [page.len().to_string(), contents.to_owned()]
}
