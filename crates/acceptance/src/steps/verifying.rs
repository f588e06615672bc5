//! Verification, and execution after it.

use evidence::Stream::{CryptoValidation, CudaOperations};
use vram_residency::{SealedShard, VramError};

use super::results::outcome;
use super::sealing::succeeded;
use crate::{StepResult, Vocabulary, World};

pub(super) fn define(steps: &mut Vocabulary<World>) {
    steps.act("I verify {text}", |world, given| {
        let verified = verify(world, given.text(0)?)?;
        world.attempt(verified);
        Ok(())
    });
    steps.act("I lend {text} for execution", |world, given| lend(world, given.text(0)?));
    steps.act("I return {text} from execution", |world, given| give_back(world, given.text(0)?));
    steps.act("{text} has been verified, lent and returned", |world, given| {
        let verified = verify(world, given.text(0)?)?;
        world.attempt(verified);
        succeeded(world)?;
        lend(world, given.text(0)?)?;
        succeeded(world)?;
        give_back(world, given.text(0)?)
    });

    steps.observe("{text} verifies", |world, given, then| {
        then.sees(CryptoValidation, "success", outcome(&verify(world, given.text(0)?)?))
    });
    steps.observe("{text} is refused as {text}", |world, given, then| {
        then.sees(CryptoValidation, given.text(1)?, outcome(&verify(world, given.text(0)?)?))
    });
    steps.observe("a copy of {text} that went through JSON verifies", |world, given, then| {
        let json = serde_json::to_string(world.handle(given.text(0)?)?)?;
        let copy: SealedShard = serde_json::from_str(&json)?;
        then.sees(CryptoValidation, "success", outcome(&world.worker()?.verify_sealed(&copy)))
    });
    steps.observe("the execution of {text} is given {size} of weights", |world, given, then| {
        then.sees(CudaOperations, Some(given.number(1)?), world.lent_bytes.get(given.text(0)?))
    });
    steps.observe("{text} is not lent", |world, given, then| {
        then.sees(CudaOperations, false, world.guards.contains_key(given.text(0)?))
    });
}

pub(super) fn verify(world: &World, name: &str) -> Result<Result<(), VramError>, String> {
    Ok(world.worker()?.verify_sealed(world.handle(name)?))
}

/// Verifies and lends; when that succeeds, an execution looks at what it is given.
fn lend(world: &mut World, name: &str) -> StepResult {
    let shard = world.handle(name)?;
    let worker = world.worker()?;
    let lent = worker.verify_for_execute(shard).and_then(|guard| {
        let stream = worker.stream(shard.gpu_device)?;
        let (address, bytes) = guard.launch(&stream, |weights| (weights.address().as_raw(), weights.bytes()))?;
        Ok((guard, address, bytes))
    });
    let result = lent.map(|(guard, address, bytes)| {
        world.shown.guards.push(format!("{guard:?}"));
        world.addresses.insert(name.to_owned(), address);
        world.lent_bytes.insert(name.to_owned(), bytes);
        world.guards.insert(name.to_owned(), guard);
    });
    world.attempt(result);
    Ok(())
}

fn give_back(world: &mut World, name: &str) -> StepResult {
    world.guards.remove(name).map(drop).ok_or_else(|| format!("{name:?} is not lent").into())
}
