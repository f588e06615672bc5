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

/// The frameworks, in the order of the reports.
pub(super) const FRAMEWORKS: [&str; 3] = ["GDPR", "SOC 2", "ISO/IEC 27001:2022"];

/// What every matrix says above its rows.
pub(super) const LEVELS: &str = "Evidence supports a control; it does not certify. The level of a row falls when a \
                                 requirement that it rests on is not proven by this run.";

/// A row of the matrix with what the run earns.
pub(super) struct Assessed {
    pub(super) reference: &'static str,
    pub(super) asks: &'static str,
    pub(super) level: &'static str,
    pub(super) scope: &'static str,
    /// The requirements that the control rests on; `None` where no specification defines one.
    pub(super) requirements: Vec<(&'static str, Option<Status>)>,
    /// How many of them are proven.
    pub(super) proven: usize,
    /// The first record of each that is proven, as `file:line`.
    pub(super) evidence: Vec<String>,
}

/// The rows of one framework.
pub(super) fn assess<'a>(source: &'a Source, framework: &'a str) -> impl Iterator<Item = Assessed> + 'a {
    CONTROLS.iter().filter(move |control| control.framework == framework).map(|control| {
        let cited: Vec<_> = control.requirements.iter().map(|id| (*id, source.coverage.get(id))).collect();
        let proven: Vec<_> =
            cited.iter().filter_map(|(_, one)| *one).filter(|one| one.status == Status::Proven).collect();
        let mut evidence: Vec<String> = proven.iter().filter_map(|one| one.evidence.first()).cloned().collect();
        evidence.sort();
        evidence.dedup();
        Assessed {
            reference: control.reference,
            asks: control.asks,
            level: level(control, proven.len()).as_str(),
            scope: control.scope,
            proven: proven.len(),
            evidence,
            requirements: cited.into_iter().map(|(id, one)| (id, one.map(|one| one.status))).collect(),
        }
    })
}

pub(super) fn render(source: &Source) -> String {
    let mut text = source.head("Compliance Matrix");
    text.push_str(&format!("{LEVELS}\n\n"));
    for framework in FRAMEWORKS {
        let heading = ["Reference", "What it asks", "Level", "Proven", "Requirements", "Scope", "Evidence"];
        text.push_str(&format!("## {framework}\n\n{}", table(heading, assess(source, framework).map(|one| row(&one)))));
    }
    text.push_str(&non_claims());
    text
}

fn row(control: &Assessed) -> [String; 7] {
    let ids: Vec<String> = control
        .requirements
        .iter()
        .map(|(id, status)| match status {
            Some(Status::Proven) => escape(id),
            Some(status) => format!("{} ({})", escape(id), status.as_str()),
            None => format!("{} (not defined)", escape(id)),
        })
        .collect();
    let evidence: Vec<String> = control.evidence.iter().map(|location| code(location)).collect();
    let none = ids.is_empty();
    [
        control.reference.to_owned(),
        control.asks.to_owned(),
        control.level.to_owned(),
        if none { "none cited".to_owned() } else { share(control.proven, ids.len()) },
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
        let specifications = parse_specs(Path::new("../../specs")).unwrap();
        for control in &CONTROLS {
            for id in control.requirements {
                assert!(specifications.get(id).is_some(), "{} rests on {id}", control.reference);
            }
        }
    }
}
