//! `compliance_matrix.md`: which controls the evidence bears on, and how far.

use super::markdown::{code, escape, share, table};
use super::{Source, first, non_claims};
use crate::coverage::Status;

/// How many records a cell shows; `coverage.json` has them all.
const SHOWN: usize = 4;

/// How far evidence bears on a control; no level says that the control is met.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Supports,
    Partially,
    NotEvidenced,
    Operator,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Self::Supports => "supports",
            Self::Partially => "partially supports",
            Self::NotEvidenced => "not evidenced",
            Self::Operator => "operator's responsibility",
        }
    }
}

/// A row of the matrix.
struct Control {
    framework: &'static str,
    reference: &'static str,
    asks: &'static str,
    /// The most that the evidence can do here, when every requirement named is proven.
    best: Level,
    requirements: &'static [&'static str],
    scope: &'static str,
}

const CONTROLS: [Control; 8] = [
    Control {
        framework: "GDPR",
        reference: "Art. 32(1)(b)",
        asks: "ongoing confidentiality, integrity, availability and resilience of processing",
        best: Level::Supports,
        requirements: &["00§2.2", "10§2.1", "10§2.2", "CI-001", "CI-002", "CI-004", "CI-007"],
        scope: "integrity only, where personal data is processed by the sealed model",
    },
    Control {
        framework: "GDPR",
        reference: "Art. 32(1)(d)",
        asks: "a process for regularly testing, assessing and evaluating the measures",
        best: Level::Supports,
        requirements: &["40§1.1", "40§1.3", "40§1.4", "40§1.5"],
        scope: "the bundle is the record of one such test; regularity is the operator's",
    },
    Control {
        framework: "GDPR",
        reference: "Art. 30",
        asks: "controllers' and processors' records of processing activities",
        best: Level::NotEvidenced,
        requirements: &[],
        scope: "at most input to the description of measures in Art. 30(1)(g)",
    },
    Control {
        framework: "SOC 2",
        reference: "CC6.1",
        asks: "logical access controls over protected information assets",
        best: Level::Partially,
        requirements: &["CI-005", "CI-006", "MS-001", "10§2.3"],
        scope: "keys and device addresses; not who may log in",
    },
    Control {
        framework: "SOC 2",
        reference: "CC7.2",
        asks: "monitoring for anomalies",
        best: Level::Partially,
        requirements: &["00§2.2", "10§2.1", "CI-007"],
        scope: "changed contents and handles are noticed; watching the events that say so is the operator's",
    },
    Control {
        framework: "ISO/IEC 27001:2022",
        reference: "A.8.24 (2013: A.10.1.1)",
        asks: "use of cryptography, by policy",
        best: Level::Partially,
        requirements: &["00§2.4", "CI-001", "CI-003", "CI-004", "CI-005"],
        scope: "shows that the mechanism works, not that a policy exists",
    },
    Control {
        framework: "ISO/IEC 27001:2022",
        reference: "A.8.15 (2013: A.12.4.1), logs produced and protected",
        asks: "logs produced, stored, protected and analysed",
        best: Level::Partially,
        requirements: &["RP-005", "CI-006", "10§2.3"],
        scope: "events are written, and hold neither keys nor addresses; no requirement covers the chaining of the log",
    },
    Control {
        framework: "ISO/IEC 27001:2022",
        reference: "A.8.15 (2013: A.12.4.1), logs retained and reviewed",
        asks: "logs produced, stored, protected and analysed",
        best: Level::Operator,
        requirements: &[],
        scope: "retention and review are no part of this software",
    },
];

pub(super) fn render(source: &Source) -> String {
    let mut text = source.head("Compliance Matrix");
    text.push_str(
        "Evidence supports a control; it does not certify. The level of a row falls when a requirement that it rests on is \
         not proven by this run.\n\n",
    );
    for framework in ["GDPR", "SOC 2", "ISO/IEC 27001:2022"] {
        let rows = CONTROLS.iter().filter(|control| control.framework == framework).map(|control| row(source, control));
        let heading = ["Reference", "What it asks", "Level", "Proven", "Requirements", "Scope", "Evidence"];
        text.push_str(&format!("## {framework}\n\n{}", table(heading, rows)));
    }
    text.push_str(&non_claims());
    text
}

fn row(source: &Source, control: &Control) -> [String; 7] {
    let cited: Vec<_> = control.requirements.iter().map(|id| (*id, source.coverage.get(id))).collect();
    let is_proven = |status: Option<Status>| status == Some(Status::Proven);
    let proven = cited.iter().filter(|(_, coverage)| is_proven(coverage.map(|one| one.status))).count();
    let ids: Vec<String> = cited
        .iter()
        .map(|(id, coverage)| match coverage.map(|one| one.status) {
            Some(Status::Proven) => escape(id),
            Some(status) => format!("{} ({})", escape(id), status.as_str()),
            None => format!("{} (not defined)", escape(id)),
        })
        .collect();
    let mut evidence: Vec<String> = cited
        .iter()
        .filter_map(|(_, coverage)| *coverage)
        .filter(|one| one.status == Status::Proven)
        .filter_map(|one| one.evidence.first())
        .map(|location| code(location))
        .collect();
    evidence.sort();
    evidence.dedup();
    [
        control.reference.to_owned(),
        control.asks.to_owned(),
        level(control, proven).as_str().to_owned(),
        if cited.is_empty() { "none cited".to_owned() } else { share(proven, cited.len()) },
        first(&ids, ids.len()),
        control.scope.to_owned(),
        first(&evidence, SHOWN),
    ]
}

/// The level that the run earns: the best one only if every requirement cited is proven, none if none is.
fn level(control: &Control, proven: usize) -> Level {
    match control.best {
        Level::Supports | Level::Partially if proven == 0 => Level::NotEvidenced,
        Level::Supports if proven < control.requirements.len() => Level::Partially,
        best => best,
    }
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::requirement::parse_specs;

    #[test]
    fn every_requirement_that_a_control_rests_on_is_specified() {
        let specifications = parse_specs(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../specs")).unwrap();
        for control in &CONTROLS {
            for id in control.requirements {
                assert!(specifications.get(id).is_some(), "{} rests on {id}", control.reference);
            }
        }
    }
}
