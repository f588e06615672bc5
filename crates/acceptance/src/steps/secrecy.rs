//! What the worker must not show: its secrets, and device addresses.

use evidence::Stream::CryptoValidation;
use serde_json::json;
use vram_residency::AuditKey;

use super::policy::attestation;
use crate::secrecy::{address_occurrences, occurrences};
use crate::world::{secrets, token};
use crate::{Vocabulary, World};

pub(super) fn define(steps: &mut Vocabulary<World>) {
    steps.observe("the token and the audit key appear in none of these:", |world, given, then| {
        for name in given.column()? {
            let text = shown(world, name)?;
            for (secret, bytes) in secrets()? {
                then.sees(
                    CryptoValidation,
                    json!({"searched": name, "for": secret, "occurrences": 0}),
                    json!({"searched": name, "for": secret, "occurrences": occurrences(&text, &bytes)}),
                )?;
            }
        }
        Ok(())
    });
    steps.observe("the address of {text} appears in none of these:", |world, given, then| {
        let address = *world.addresses.get(given.text(0)?).ok_or("no execution was given the address")?;
        for name in given.column()? {
            let text = shown(world, name)?;
            then.sees(
                CryptoValidation,
                json!({"searched": name, "occurrences": 0}),
                json!({"searched": name, "occurrences": address_occurrences(&text, address)}),
            )?;
        }
        Ok(())
    });
}

/// Everything of one kind that the worker has shown in this scenario; an error when that is nothing, because then there is
/// nothing to search.
fn shown(world: &World, name: &str) -> Result<String, Box<dyn std::error::Error>> {
    let text = match name {
        "logs" => world.logs.text(),
        "audit trail" => {
            let events = world.trail.events();
            events.iter().map(|event| format!("{event:?} {}\n", json!(event))).collect()
        }
        "errors" => world.errors.join("\n"),
        "handle as text" => world.shown.handles.join("\n"),
        "handle as JSON" => world.shown.handles_json.join("\n"),
        "guard as text" => world.shown.guards.join("\n"),
        "worker as text" => format!("{:?}", world.worker()?),
        "configuration as text" => format!("{:?}", world.configuration),
        "token and keys as text" => format!("{:?} {:?}", token()?, AuditKey::derive(&token()?)?),
        "attestation as JSON" => serde_json::to_string(attestation(world)?)?,
        _ => return Err(format!("the worker shows no {name:?}").into()),
    };
    if text.is_empty() { Err(format!("the worker has shown no {name}: nothing was searched").into()) } else { Ok(text) }
}
