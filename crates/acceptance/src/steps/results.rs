//! What an action gave: that it succeeded, or as what it was refused.

use evidence::Stream::{self, BoundsChecking, CryptoValidation, CudaOperations, InputValidation, PolicyEnforcement};
use serde_json::json;
use vram_residency::VramError;

use crate::{Vocabulary, World};

pub(super) fn define(steps: &mut Vocabulary<World>) {
    steps.observe("it succeeds", |world, _, then| then.sees(CudaOperations, "success", outcome(world.result()?)));
    steps.observe("it is refused as {text}", |world, given, then| {
        then.sees(stream(given.text(0)?), given.text(0)?, outcome(world.result()?))
    });
    steps.observe("each of {number} attempts is refused as {text}", |world, given, then| {
        let other: Vec<_> = world.attempts.iter().map(outcome).filter(|outcome| given.text(1) != Ok(outcome)).collect();
        then.sees(
            stream(given.text(1)?),
            json!({"attempts": given.number(0)?, "other_outcomes": []}),
            json!({"attempts": world.attempts.len(), "other_outcomes": other}),
        )
    });
    steps.observe("the error states {size} needed and {size} available", |world, given, then| {
        let error = world.error()?;
        let (message, stated) = (error.to_string(), [given.number(0)?, given.number(1)?]);
        let names_both = stated.iter().all(|bytes| message.contains(&bytes.to_string()));
        then.sees(
            BoundsChecking,
            json!({"needed": given.number(0)?, "available": given.number(1)?, "message_names_both": true}),
            json!({
                "needed": error.needed_bytes(),
                "available": error.available_bytes(),
                "message_names_both": names_both,
            }),
        )
    });
    steps.observe("the error says that a retry can succeed", |world, _, then| {
        then.sees(BoundsChecking, true, world.error()?.is_retriable())
    });
    steps.observe("the error names block {number}", |world, given, then| {
        let blocks = match world.error()? {
            VramError::ContentsChanged { blocks, .. } => blocks.as_slice(),
            _ => &[],
        };
        then.sees(CryptoValidation, [given.number(0)?], blocks)
    });
    steps.observe("the error names the rule {text}", |world, given, then| {
        let rules = match world.error()? {
            VramError::PolicyViolated { rules, .. } => rules.as_slice(),
            _ => &[],
        };
        then.sees(PolicyEnforcement, [given.text(0)?], rules)
    });
    steps.observe("no message repeats a control character", |world, _, then| {
        let repeated = world.errors.iter().filter(|message| message.chars().any(char::is_control)).count();
        then.sees(
            InputValidation,
            json!({"messages": world.attempts.len(), "with_control_characters": 0}),
            json!({"messages": world.errors.len(), "with_control_characters": repeated}),
        )
    });
}

/// A result in the words of the features.
pub(super) fn outcome(result: &Result<(), VramError>) -> &'static str {
    match result {
        Ok(()) => "success",
        Err(VramError::InvalidInput(_)) => "invalid input",
        Err(VramError::ShardIdInUse { .. }) => "id in use",
        Err(VramError::InsufficientVram { .. }) => "insufficient memory",
        Err(VramError::NotSealed { .. }) => "not sealed",
        Err(VramError::SealForged { .. }) => "seal forged",
        Err(VramError::ContentsChanged { .. }) => "contents changed",
        Err(VramError::Released { .. }) => "released",
        Err(VramError::PolicyViolated { .. }) => "policy violated",
        Err(VramError::Stopped { .. }) => "stopped",
        Err(VramError::Driver { .. }) => "driver error",
        Err(VramError::Audit(_)) => "audit refused",
        Err(VramError::AttestationForged) => "attestation forged",
        Err(_) => "an error that no feature speaks of",
    }
}

/// The kind of evidence that a refusal is.
fn stream(refusal: &str) -> Stream {
    match refusal {
        "invalid input" | "id in use" => InputValidation,
        "insufficient memory" => BoundsChecking,
        "policy violated" | "stopped" => PolicyEnforcement,
        "driver error" | "audit refused" => CudaOperations,
        _ => CryptoValidation,
    }
}
