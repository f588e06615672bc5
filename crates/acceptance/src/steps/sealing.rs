//! A worker, and models sealed by it.

use crate::{StepResult, Vocabulary, World};

pub(super) fn define(steps: &mut Vocabulary<World>) {
    steps.act("a worker with {number} device of {size}", |world, given| {
        world.start(given.number(0)?, given.number(1)?, None)
    });
    steps.act("a worker with {number} devices of {size}", |world, given| {
        world.start(given.number(0)?, given.number(1)?, None)
    });
    steps.act("a worker with {number} device of {size} and a maximum of {size} for a model", |world, given| {
        world.start(given.number(0)?, given.number(1)?, Some(given.number(2)?))
    });
    steps.act("a sealed model of {size} named {text}", |world, given| {
        seal(world, given.text(1)?, given.number(0)?, 0)?;
        succeeded(world)
    });
    steps.act("a sealed model of {size} named {text} on device {number}", |world, given| {
        seal(world, given.text(1)?, given.number(0)?, given.device(2)?)?;
        succeeded(world)
    });
    steps.act("I seal a model of {size} as {text}", |world, given| seal(world, given.text(1)?, given.number(0)?, 0));
    steps.act("I seal a model of {size} as {text} on device {number}", |world, given| {
        seal(world, given.text(1)?, given.number(0)?, given.device(2)?)
    });
    steps.act("I seal the model of {text} again as {text}", |world, given| {
        let model = world.model(given.text(0)?)?.to_vec();
        Ok(world.seal(given.text(1)?, model, 0)?)
    });
    steps.act("I seal a model of {size} under each of these ids:", |world, given| {
        world.attempts.clear();
        for id in given.column()? {
            let model = world.new_model(given.number(0)?)?;
            let sealed = world.worker()?.seal_model_as(&unescaped(id), &model, 0);
            world.attempt_more(sealed.map(drop));
        }
        Ok(())
    });
    steps.act("I seal a model of {size} under an id of {number} characters", |world, given| {
        let id = "a".repeat(usize::try_from(given.number(1)?)?);
        seal(world, &id, given.number(0)?, 0)
    });
}

/// Seals a new model and notes how that went.
pub(super) fn seal(world: &mut World, id: &str, bytes: u64, device: u32) -> StepResult {
    let model = world.new_model(bytes)?;
    Ok(world.seal(id, model, device)?)
}

/// Fails where the scenario takes for granted what did not work.
pub(super) fn succeeded(world: &World) -> StepResult {
    match world.result()? {
        Ok(()) => Ok(()),
        Err(error) => Err(format!("what the scenario starts from did not work: {error}").into()),
    }
}

/// The id that a feature file writes with names for characters that text files cannot show.
fn unescaped(id: &str) -> String {
    [("<NUL>", "\0"), ("<LF>", "\n"), ("<ESC>", "\u{1b}"), ("<DEL>", "\u{7f}")]
        .iter()
        .fold(id.to_owned(), |id, (name, character)| id.replace(name, character))
}
