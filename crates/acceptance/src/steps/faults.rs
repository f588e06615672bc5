//! Failures of the driver and of the audit trail.

use vram_residency::{Fault, Operation};

use super::sealing::seal;
use crate::{StepResult, Vocabulary, World};

pub(super) fn define(steps: &mut Vocabulary<World>) {
    steps.act("the driver of device {number} will fail its next {text} with code {number}", |world, given| {
        inject(world, given.device(0)?, given.text(1)?, given.number(2)?)
    });
    steps.act(
        "the driver of device {number} fails its next {text} with code {number} while I seal a model of {size} as {text}",
        |world, given| {
            inject(world, given.device(0)?, given.text(1)?, given.number(2)?)?;
            seal(world, given.text(4)?, given.number(3)?, given.device(0)?)
        },
    );
    steps.act("the audit trail refuses events while I seal a model of {size} as {text}", |world, given| {
        world.trail.refuse(true);
        let sealed = seal(world, given.text(1)?, given.number(0)?, 0);
        world.trail.refuse(false);
        sealed
    });
}

fn inject(world: &World, device: u32, operation: &str, code: u64) -> StepResult {
    let operation = match operation {
        "allocate" => Operation::Allocate,
        "write" => Operation::Write,
        "overwrite" => Operation::Overwrite,
        _ => return Err(format!("no operation {operation:?} is known to the features").into()),
    };
    world.device(device)?.inject(Fault { operation, nth: 1, code: u32::try_from(code)? });
    Ok(())
}
