//! The VRAM-only policy and the attestation of residency.

use evidence::Stream::{CryptoValidation, PolicyEnforcement};
use serde_json::json;
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
        let whole = serde_json::to_string(attestation(world)?)?;
        let (altered, accepted) = accepted_alterations(world.worker()?, &whole);
        // Place 0 is the unaltered copy, which shows that the others could have been accepted.
        then.sees(
            CryptoValidation,
            json!({"parts_altered": true, "accepted": [0]}),
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

/// Changes every byte of an attestation's JSON, one at a time: how many there are, and the places of those that the worker still
/// accepts. The first place is that of a copy in which nothing is changed.
fn accepted_alterations(worker: &VramManager, whole: &str) -> (usize, Vec<usize>) {
    let verifies = |json: &str| serde_json::from_str(json).is_ok_and(|read| worker.verify_attestation(&read).is_ok());
    let altered = |at: usize| {
        let other = if whole.get(at..=at) == Some("1") { "2" } else { "1" };
        let (before, after) = (whole.get(..at)?, whole.get(at.saturating_add(1)..)?);
        Some(format!("{before}{other}{after}"))
    };
    let altered = (0..whole.len()).filter_map(altered);
    let accepted = std::iter::once(whole.to_owned()).chain(altered).enumerate();
    let accepted = accepted.filter(|(_, json)| verifies(json)).map(|(place, _)| place).collect();
    (whole.len(), accepted)
}
