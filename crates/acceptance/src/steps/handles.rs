//! Handles: what they say, and what happens to them.

use evidence::Stream::{CryptoValidation, CudaOperations};
use serde_json::json;

use crate::{Vocabulary, World};

pub(super) fn define(steps: &mut Vocabulary<World>) {
    steps.act("{text} is a clone of {text}", |world, given| {
        let clone = world.handle(given.text(1)?)?.clone();
        world.keep(given.text(0)?, clone);
        Ok(())
    });
    steps.act("I release {text}", |world, given| {
        let released = world.worker()?.release(world.handle(given.text(0)?)?);
        world.attempt(released);
        Ok(())
    });
    steps.act("I drop the handle of {text}", |world, given| Ok(world.drop_handle(given.text(0)?)?));

    steps.observe("the handle of {text} names device {number} and {size}", |world, given, then| {
        let shard = world.handle(given.text(0)?)?;
        then.sees(
            CudaOperations,
            json!({"shard_id": given.text(0)?, "gpu_device": given.number(1)?, "vram_bytes": given.number(2)?}),
            json!({"shard_id": shard.shard_id, "gpu_device": shard.gpu_device, "vram_bytes": shard.vram_bytes}),
        )
    });
    steps.observe("the handle of {text} carries a signature of {size}", |world, given, then| {
        let digits = world.handle(given.text(0)?)?.signature().map(|signature| signature.to_hex().len());
        then.sees(CryptoValidation, given.number(1)?.checked_mul(2), digits)
    });
    steps.observe("the SHA-256 digest of {text} is {text}", |world, given, then| {
        then.sees(CryptoValidation, given.text(1)?, &world.handle(given.text(0)?)?.digest)
    });
    steps.observe("the tree digest of {text} is {text}", |world, given, then| {
        then.sees(CryptoValidation, given.text(1)?, &world.handle(given.text(0)?)?.tree_digest)
    });
    steps.observe("{text} and {text} have equal digests", |world, given, then| {
        then.sees(CryptoValidation, true, equal(world, given.text(0)?, given.text(1)?)?)
    });
    steps.observe("{text} and {text} have different digests", |world, given, then| {
        then.sees(CryptoValidation, false, equal(world, given.text(0)?, given.text(1)?)?)
    });
}

/// Whether two shards have the same digests; an error when only one of the two digests is the same.
fn equal(world: &World, one: &str, other: &str) -> Result<bool, String> {
    let (one, other) = (world.handle(one)?, world.handle(other)?);
    match (one.digest == other.digest, one.tree_digest == other.tree_digest) {
        (flat, tree) if flat == tree => Ok(flat),
        _ => Err("the SHA-256 digests and the tree digests disagree on whether the models are equal".to_owned()),
    }
}
