//! What judging a record gives: a finding for each rule, and the outcome that follows.

use facts::DeviceClass;
use serde::{Deserialize, Serialize};

use crate::{PolicyRecord, Rule, rules};

/// Whether a rule is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The facts meet the rule.
    Met,
    /// The facts break the rule, or leave open what it demands to be known.
    Broken,
    /// The record holds nothing that the rule speaks of, such as no allocation or no capacity.
    NotApplicable,
}

/// A fact that a rule read, as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactRead {
    /// The fact's path in the record, such as `device.integrated` or `allocations[0].is_managed`.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// What one rule says of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// Every fact that the rule read, also those that are recorded and never decide.
    pub facts: Vec<FactRead>,
    /// What the rule expects.
    pub expected: String,
    /// What was found instead, or that the rule is met.
    pub observed: String,
    /// Whether the rule is met.
    pub verdict: Verdict,
}

/// What follows from all findings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// On a GPU, for at least one allocation: no rule is broken. The only outcome that says "VRAM only".
    Enforced,
    /// No rule is broken, and the device is simulated or its driver is a stand-in: nothing is said about any VRAM.
    Simulated,
    /// On a GPU no rule is broken, but the record holds no allocation: the device is fit, and nothing is shown to lie in it.
    Unproven,
    /// At least one rule is broken.
    Violated,
}

impl Outcome {
    /// The word that JSON uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforced => "enforced",
            Self::Simulated => "simulated",
            Self::Unproven => "unproven",
            Self::Violated => "violated",
        }
    }
}

/// What judging a [`PolicyRecord`] gave. Deserialised from JSON it is data only: judge the record again to check it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    findings: Vec<Finding>,
    outcome: Outcome,
}

impl Decision {
    pub(crate) fn of(record: &PolicyRecord) -> Self {
        let findings: Vec<Finding> = Rule::ALL.into_iter().map(|rule| rules::finding(rule, record)).collect();
        let outcome = if findings.iter().any(|finding| finding.verdict == Verdict::Broken) {
            Outcome::Violated
        } else if record.device.class != DeviceClass::Gpu {
            Outcome::Simulated
        } else if record.allocations.is_empty() {
            Outcome::Unproven
        } else {
            Outcome::Enforced
        };
        Self { findings, outcome }
    }

    /// One finding for each rule, in the order of [`Rule::ALL`].
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// What follows from the findings.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The findings of the rules that are broken.
    pub fn violations(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| finding.verdict == Verdict::Broken)
    }
}
