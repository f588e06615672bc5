//! `spec_coverage.md`: requirement by requirement.

use std::collections::BTreeSet;

use super::markdown::{cell, code, escape, fenced, percent, share, table};
use super::{Source, first, mutation, non_claims, of_commit, result};
use crate::code_coverage::{CodeCoverage, ModuleCoverage};
use crate::coverage::{Coverage, DocumentCount, GroupCoverage, RequirementCoverage, Status, StatusCount, Summary};
use crate::provenance::Commit;
use crate::requirement::{Requirement, RequirementsFile};

/// How many tests and records a cell shows; `coverage.json` has them all.
const SHOWN: usize = 3;

/// The heading of the report.
pub(super) const TITLE: &str = "Specification Coverage Matrix";

/// What the report shows, below its head.
pub(super) struct Matrix<'a> {
    pub(super) requirements: &'a RequirementsFile,
    pub(super) coverage: &'a Coverage,
    pub(super) code_coverage: Option<&'a CodeCoverage>,
}

pub(super) fn render(source: &Source) -> String {
    let Source { requirements, coverage, code_coverage, .. } = source;
    source.head(TITLE) + &Matrix { requirements, coverage, code_coverage: code_coverage.as_ref() }.render()
}

impl Matrix<'_> {
    pub(super) fn render(&self) -> String {
        let Summary { requirements, by_document, needs_gpu, .. } = &self.coverage.summary;
        let mut text = summary(requirements, by_document, needs_gpu);
        for document in &self.requirements.documents {
            text.push_str(&format!("## {} ({})\n\n", escape(&document.title), escape(&document.file)));
            text.push_str(&sections(self, &document.file));
        }
        let shown = self.coverage.requirements.iter().map(|one| (&*one.id, one.status, &*one.reasons));
        text.push_str(&not_proven(shown));
        text.push_str(&roll_ups(self.requirements, &self.coverage.roll_ups));
        text.push_str(&vulnerabilities(self));
        text.push_str(&features(self));
        text.push_str(&code_coverage(self));
        text.push_str(&mutation::render(self.coverage.mutation.as_ref()));
        text.push_str(&conclusion(self));
        text.push_str(&requirement_non_claims(self));
        text.push_str(&non_claims());
        text
    }
}

/// The figures, document by document.
pub(super) fn summary(all: &StatusCount, by_document: &[DocumentCount], needs_gpu: &[String]) -> String {
    let row = |name: &str, count: &StatusCount| {
        let absent = count.total.saturating_sub(count.run);
        [
            name.to_owned(),
            count.total.to_string(),
            share(count.mapped, count.total),
            share(count.run, count.total),
            share(count.proven, count.total),
            count.needs_gpu.to_string(),
            count.vacuous.to_string(),
            count.stale.to_string(),
            count.failed.to_string(),
            absent.to_string(),
        ]
    };
    let mut rows: Vec<_> = by_document.iter().map(|one| row(&escape(&one.document), &one.count)).collect();
    rows.push(row("**TOTAL**", all));
    let heading = [
        "Specification",
        "Requirements",
        "Mapped",
        "All tests run",
        "Proven",
        "Needs a GPU",
        "Vacuous",
        "Stale",
        "Failed",
        "Absent",
    ];
    format!(
        "## Coverage Summary\n\n{}Mapped: at least one test says that it proves it. All tests run: every one of them ran \
         to its claim. Vacuous: one of them recorded nothing for it, or none of them notices any fault. Stale: its text changed since the run. Absent: not all \
         of its tests ran, or none is mapped; named under Not Proven. Requirements that need a GPU, by specification: {}.\n\n",
        table(heading, rows),
        escape(&first(needs_gpu, needs_gpu.len())),
    )
}

fn sections(source: &Matrix<'_>, document: &str) -> String {
    let mut text = String::new();
    let mut requirements = source
        .requirements
        .requirements
        .iter()
        .map(|one| &one.requirement)
        .filter(|one| one.document == document)
        .peekable();
    while let Some(section) = requirements.peek().map(|one| one.section.clone()) {
        let mut rows = Vec::new();
        while let Some(requirement) = requirements.next_if(|one| one.section == section) {
            if let Some(coverage) = source.coverage.get(&requirement.id) {
                rows.push(requirement_row(requirement, coverage));
            }
        }
        let heading = ["ID", "Requirement", "Tests", "Passed", "Kills", "Status", "Devices", "Evidence"];
        text.push_str(&format!("### {}\n\n{}", escape(&section), table(heading, rows)));
    }
    text
}

fn requirement_row(requirement: &Requirement, coverage: &RequirementCoverage) -> [String; 8] {
    let tests: Vec<String> = coverage.tests.iter().map(|test| code(&test.test.test)).collect();
    let evidence: Vec<String> = coverage.evidence.iter().map(|location| code(location)).collect();
    [
        escape(&requirement.id),
        cell(&requirement.title),
        first(&tests, SHOWN),
        share(coverage.passed, coverage.mapped),
        coverage.kills.map_or_else(|| "not measured".to_owned(), |kills| kills.to_string()),
        coverage.status.as_str().to_owned(),
        escape(&first(&coverage.devices, coverage.devices.len())),
        first(&evidence, SHOWN),
    ]
}

/// The requirements that are not proven, by id, status and reasons.
pub(super) fn not_proven<'a>(requirements: impl Iterator<Item = (&'a str, Status, &'a [String])>) -> String {
    let mut open = requirements.filter(|(_, status, _)| *status != Status::Proven).peekable();
    let mut text = "## Not Proven\n\n".to_owned();
    if open.peek().is_none() {
        text.push_str("None.\n\n");
        return text;
    }
    for (id, status, reasons) in open {
        text.push_str(&format!("- {}: {}\n", escape(id), status.as_str()));
        for reason in reasons {
            text.push_str(&format!("  - {}\n", escape(reason)));
        }
    }
    text.push('\n');
    text
}

pub(super) fn roll_ups(requirements: &RequirementsFile, groups: &[GroupCoverage]) -> String {
    let rows = requirements.roll_ups.iter().filter_map(|roll_up| {
        let coverage = groups.iter().find(|one| one.name == roll_up.id)?;
        Some([escape(&roll_up.id), cell(&roll_up.title), members(coverage), coverage.status.as_str().to_owned()])
    });
    format!("## Roll-ups\n\n{}", table(["ID", "Title", "Requirements", "Status"], rows))
}

fn vulnerabilities(source: &Matrix<'_>) -> String {
    let rows = source.requirements.vulnerabilities.iter().filter_map(|vulnerability| {
        let coverage = source.coverage.vulnerabilities.iter().find(|one| one.name == vulnerability.name)?;
        Some([
            cell(&vulnerability.name),
            cell(&vulnerability.severity),
            cell(&vulnerability.mitigation),
            members(coverage),
            tests_of(source.coverage, coverage),
            share(coverage.requirements.len().saturating_sub(coverage.open.len()), coverage.requirements.len()),
            coverage.status.as_str().to_owned(),
        ])
    });
    let heading = ["Vulnerability", "Severity", "Mitigation", "Requirements", "Tests", "Proven", "Status"];
    format!(
        "## Vulnerability Coverage\n\n### Security Vulnerabilities\n\nThe status is that of the worst requirement named; \
         it does not say that an attack is impossible.\n\n{}",
        table(heading, rows)
    )
}

/// The tests mapped to the members of a group.
fn tests_of(coverage: &Coverage, group: &GroupCoverage) -> String {
    let members = coverage.requirements.iter().filter(|one| group.requirements.contains(&one.id));
    let tests: BTreeSet<String> = members.flat_map(|one| &one.tests).map(|test| code(&test.test.test)).collect();
    let tests: Vec<String> = tests.into_iter().collect();
    first(&tests, SHOWN)
}

/// The members of a group, those that are not proven marked.
pub(super) fn members(group: &GroupCoverage) -> String {
    group
        .requirements
        .iter()
        .map(|id| if group.open.contains(id) { format!("{} (open)", escape(id)) } else { escape(id) })
        .collect::<Vec<_>>()
        .join(", ")
}

fn features(source: &Matrix<'_>) -> String {
    let features = &source.coverage.features;
    if features.is_empty() {
        return "## BDD Feature Coverage\n\n### Gherkin Scenarios\n\nAbsent: there is no scenario.\n\n".to_owned();
    }
    let row = |name: String, scenarios: usize, run: usize, passed: usize, open: String| {
        [name, scenarios.to_string(), share(run, scenarios), share(passed, scenarios), open]
    };
    let mut rows: Vec<_> = features
        .iter()
        .map(|one| {
            let open = if one.open.is_empty() { "none".to_owned() } else { escape(&one.open.join("; ")) };
            row(escape(&one.feature), one.scenarios, one.run, one.passed, open)
        })
        .collect();
    let total = |of: fn(&crate::coverage::FeatureCoverage) -> usize| features.iter().map(of).sum();
    rows.push(row(
        "**TOTAL**".to_owned(),
        total(|one| one.scenarios),
        total(|one| one.run),
        total(|one| one.passed),
        String::new(),
    ));
    let heading = ["Feature", "Scenarios", "Run", "Passed", "Not passed"];
    format!("## BDD Feature Coverage\n\n### Gherkin Scenarios\n\n{}", table(heading, rows))
}

fn code_coverage(source: &Matrix<'_>) -> String {
    let Some(measured) = source.code_coverage else {
        return "## Code Coverage\n\n### Module Coverage\n\nAbsent: not measured by this run.\n\n".to_owned();
    };
    let row = |one: &ModuleCoverage, name: String| {
        let coverage = match percent(one.tested, one.lines) {
            Some(percent) => format!("{percent} %"),
            None => "absent".to_owned(),
        };
        [name, one.lines.to_string(), one.tested.to_string(), coverage]
    };
    let mut rows: Vec<_> = measured.modules.iter().map(|one| row(one, escape(&one.module))).collect();
    rows.push(row(&measured.total(), "**TOTAL**".to_owned()));
    let commit = Commit { sha: measured.commit.clone(), dirty: measured.dirty };
    format!(
        "## Code Coverage\n\n### Module Coverage\n\n{}Lines: those that can be run, the tests' own apart. Tested: a test ran \
         them, which says nothing of whether it would notice a fault in them. Counted by {} at commit {}:\n\n{}",
        table(["Module", "Lines", "Tested", "Coverage"], rows),
        escape(&measured.tool),
        of_commit(&commit),
        fenced("sh", &measured.command),
    )
}

/// What it comes to, document by document.
fn conclusion(source: &Matrix<'_>) -> String {
    let mut text = format!("## Conclusion\n\n{}.\n\n", result(source.coverage));
    for DocumentCount { document, count } in &source.coverage.summary.by_document {
        let title = source.requirements.documents.iter().find(|one| one.file == *document);
        let title = title.map(|one| one.title.as_str()).unwrap_or_default();
        let others = Status::ALL.into_iter().skip(1).filter(|status| count.of(*status) > 0);
        let others: String = others.map(|status| format!(", {} {}", status.as_str(), count.of(status))).collect();
        text.push_str(&format!(
            "- {} ({}): {} proven{others}\n",
            escape(title),
            escape(document),
            share(count.proven, count.total)
        ));
    }
    text.push('\n');
    text
}

fn requirement_non_claims(source: &Matrix<'_>) -> String {
    let mut text = "## Not Claimed by Requirement\n\n".to_owned();
    for one in &source.requirements.requirements {
        for claim in &one.requirement.non_claims {
            text.push_str(&format!("- {}: {}\n", escape(&one.requirement.id), cell(claim)));
        }
    }
    text.push('\n');
    text
}
