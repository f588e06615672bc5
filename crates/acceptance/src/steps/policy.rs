//! The VRAM-only policy and the attestation of residency.

use evidence::Stream::{CryptoValidation, PolicyEnforcement};
use serde_json::{Value, json};
use vram_residency::{AllocationOverride, ResidencyAttestation, VramManager};

use super::results::outcome;
use super::sealing::succeeded;
use crate::{StepResult, Vocabulary, World};

pub(super) fn define(steps: &mut Vocabulary<World>) {
    steps.act("I have the policy enforced", |world, _| {
        let enforced = world.worker()?.enforce_vram_only_policy();
        let result = enforced.map(|decisions| world.decisions = decisions);
        world.attempt(result);
        Ok(())
    });
    steps.act("I have the residency attested", |world, _| attest(world));
    steps.act("the worker's devices are attested", |world, _| {
        attest(world)?;
        succeeded(world)
    });
    steps.act("the driver of device {number} reports managed memory", |world, given| {
        let managed = AllocationOverride { is_managed: Some(true), ..AllocationOverride::default() };
        world.device(given.device(0)?)?.set_allocation_facts(Some(managed));
        Ok(())
    });
    steps.act("the driver of device {number} reports its own facts again", |world, given| {
        world.device(given.device(0)?)?.set_allocation_facts(None);
        Ok(())
    });

    steps.observe("the decision for device {number} is {text} with no rule broken", |world, given, then| {
        let place = usize::try_from(given.number(0)?)?;
        let decision = world.decisions.get(place).ok_or("there is no decision for this device")?;
        let judged: Vec<_> = decision.findings().iter().map(|finding| finding.rule).collect();
        let broken: Vec<_> = decision.violations().map(|finding| finding.rule).collect();
        then.sees(
            PolicyEnforcement,
            json!({"outcome": given.text(1)?, "rules_judged": 6, "rules_broken": []}),
            json!({"outcome": decision.outcome(), "rules_judged": judged.len(), "rules_broken": broken}),
        )
    });
    steps.observe("the worker does not claim to be VRAM-only", |world, _, then| {
        then.sees(PolicyEnforcement, false, world.worker()?.is_vram_only())
    });
    steps.observe("the worker is stopped", |world, _, then| {
        then.sees(PolicyEnforcement, true, world.worker()?.stop_cause().is_some())
    });
    steps.observe("the attestation verifies", |world, _, then| {
        then.sees(CryptoValidation, "success", outcome(&world.worker()?.verify_attestation(attestation(world)?)))
    });
    steps.observe("a worker with another token refuses the attestation as {text}", |world, given, then| {
        let verified = world.other_worker()?.verify_attestation(attestation(world)?);
        then.sees(CryptoValidation, given.text(0)?, outcome(&verified))
    });
    steps.observe("the attestation calls its devices {text}", |world, given, then| {
        let attestation = attestation(world)?;
        let classes: Vec<_> = attestation.devices().iter().map(|device| device.record.device.class).collect();
        then.sees(
            PolicyEnforcement,
            json!({"attestation": given.text(0)?, "devices": [given.text(0)?]}),
            json!({"attestation": attestation.device_class(), "devices": classes}),
        )
    });
    steps.observe("the attestation with any part altered does not verify", |world, _, then| {
        let whole = serde_json::to_value(attestation(world)?)?;
        let (altered, accepted) = accepted_alterations(world.worker()?, &whole);
        then.sees(
            CryptoValidation,
            json!({"parts_altered": true, "accepted": []}),
            json!({"parts_altered": altered > 0, "accepted": accepted}),
        )
    });
}

fn attest(world: &mut World) -> StepResult {
    let attested = world.worker()?.attest_residency();
    let result = attested.map(|attestation| world.attestation = Some(attestation));
    world.attempt(result);
    Ok(())
}

pub(super) fn attestation(world: &World) -> Result<&ResidencyAttestation, &'static str> {
    world.attestation.as_ref().ok_or("nothing has been attested")
}

/// Alters every number, text and truth value of an attestation and shortens every list, one at a time: how many there are,
/// and the places of those that the worker still accepts.
fn accepted_alterations(worker: &VramManager, whole: &Value) -> (usize, Vec<String>) {
    let mut places = Vec::new();
    parts(whole, String::new(), &mut places);
    let accepted = |place: &String| {
        let mut altered = whole.clone();
        if let Some(part) = altered.pointer_mut(place) {
            alter(part);
        }
        serde_json::from_value(altered).is_ok_and(|altered| worker.verify_attestation(&altered).is_ok())
    };
    (places.len(), places.iter().filter(|place| accepted(place)).cloned().collect())
}

/// The JSON pointers (RFC 6901) of every number, text, truth value and list that is not empty.
fn parts(value: &Value, place: String, places: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| parts(value, format!("{place}/{name}"), places))
        }
        Value::Array(values) => {
            values.iter().enumerate().for_each(|(index, value)| parts(value, format!("{place}/{index}"), places));
            places.extend((!values.is_empty()).then_some(place));
        }
        Value::Null => {}
        _ => places.push(place),
    }
}

fn alter(value: &mut Value) {
    match value {
        Value::Bool(truth) => *truth = !*truth,
        Value::Number(number) => *value = json!(number.as_u64().map_or(1, |number| number ^ 1)),
        Value::String(text) => *text = altered_text(text),
        Value::Array(values) => drop(values.pop()),
        Value::Null | Value::Object(_) => {}
    }
}

/// Another text of the same shape: its last digit is another digit, or it is longer where it ends otherwise.
fn altered_text(text: &str) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    match characters.iter_mut().rev().find(|character| character.is_ascii_digit()) {
        Some(digit) => *digit = if *digit == '0' { '1' } else { '0' },
        None => characters.push('x'),
    }
    characters.into_iter().collect()
}
