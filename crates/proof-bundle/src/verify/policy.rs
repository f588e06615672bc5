//! Policy decisions in records: each carries the facts that it was made from, and is made again from them.

use policy::{Decision, PolicyRecord};
use serde::Deserialize;
use serde_json::Value;

/// A decision and the facts that it was made from: an item of a record's `decisions`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Judged {
    record: PolicyRecord,
    decision: Decision,
}

/// Judges again what an observed record says was decided, and returns how many decisions it states.
///
/// A record states decisions in its member `decisions`, and their outcomes in what it observed; one that names a `policy` or
/// observed outcomes must. Declared records count for nothing and are not judged.
pub(super) fn judge_again(record: &Value) -> Result<usize, String> {
    if record.get("class") != Some(&Value::String("observed".to_owned())) {
        return Ok(0);
    }
    let decisions = match (record.get("decisions"), record.get("policy")) {
        (Some(decisions), _) => decisions,
        (None, Some(_)) => return Err("it names a policy and states no decision with the facts behind it".to_owned()),
        (None, None) if record.pointer("/observed/outcomes").is_some() => {
            return Err("it observed outcomes and states no decision with the facts behind it".to_owned());
        }
        (None, None) => return Ok(0),
    };
    let decisions = Vec::<Judged>::deserialize(decisions)
        .map_err(|error| format!("its decisions are not each a record of facts and what was decided: {error}"))?;
    if decisions.is_empty() {
        return Err("its list of decisions is empty".to_owned());
    }
    let mut outcomes = Vec::new();
    for (index, Judged { record: facts, decision }) in decisions.iter().enumerate() {
        let again = facts.judge();
        if again != *decision {
            let differing = again.findings().iter().zip(decision.findings()).find(|(ours, theirs)| ours != theirs);
            let what = differing.map_or_else(
                || format!("outcome {} and not {}", again.outcome().as_str(), decision.outcome().as_str()),
                |(finding, _)| format!("another finding for {}", finding.rule),
            );
            return Err(format!("decision {index} does not follow from its facts: they give {what}"));
        }
        if record.get("device").and_then(Value::as_str) != Some(facts.device.class.as_str()) {
            return Err(format!("decision {index} is about a device of class {}", facts.device.class));
        }
        outcomes.push(Value::from(decision.outcome().as_str()));
    }
    match record.pointer("/observed/outcomes") {
        Some(Value::Array(stated)) if *stated == outcomes => Ok(decisions.len()),
        _ => Err("its observed outcomes are not those of its decisions".to_owned()),
    }
}
