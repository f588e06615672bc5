//! `spec_coverage.md`: requirement by requirement.

use super::markdown::{cell, code, escape, share, table};
use super::{Source, first, non_claims};
use crate::coverage::{GroupCoverage, RequirementCoverage, Status, StatusCount};
use crate::requirement::Requirement;

/// How many tests and records a cell shows; `coverage.json` has them all.
const SHOWN: usize = 3;

pub(super) fn render(source: &Source) -> String {
    let mut text = source.head("Specification Coverage Matrix");
    text.push_str(&summary(source));
    for document in &source.requirements.documents {
        text.push_str(&format!("## {} ({})\n\n", escape(&document.title), escape(&document.file)));
        text.push_str(&sections(source, &document.file));
    }
    text.push_str(&open(source));
    text.push_str(&roll_ups(source));
    text.push_str(&vulnerabilities(source));
    text.push_str(&features(source));
    text.push_str("## Code Coverage\n\nAbsent: not measured by this run.\n\n");
    text.push_str(&requirement_non_claims(source));
    text.push_str(&non_claims());
    text
}

fn summary(source: &Source) -> String {
    let row = |name: &str, count: &StatusCount| {
        let absent = count.total.saturating_sub(count.run);
        [
            name.to_owned(),
            count.total.to_string(),
            share(count.mapped, count.total),
            share(count.run, count.total),
            share(count.proven, count.total),
            count.needs_gpu.to_string(),
            count.failed.to_string(),
            absent.to_string(),
        ]
    };
    let summary = &source.coverage.summary;
    let mut rows: Vec<_> = summary.by_document.iter().map(|one| row(&escape(&one.document), &one.count)).collect();
    rows.push(row("**TOTAL**", &summary.requirements));
    let heading =
        ["Specification", "Requirements", "Mapped", "All tests run", "Proven", "Needs a GPU", "Failed", "Absent"];
    format!(
        "## Coverage Summary\n\n{}Mapped: at least one test says that it proves it. All tests run: every one of them ran \
         to its claim. Absent: the rest, named below. Requirements that need a GPU, by specification: {}.\n\n",
        table(heading, rows),
        escape(&first(&summary.needs_gpu, summary.needs_gpu.len())),
    )
}

fn sections(source: &Source, document: &str) -> String {
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
        let heading = ["ID", "Requirement", "Tests", "Passed", "Status", "Devices", "Evidence"];
        text.push_str(&format!("### {}\n\n{}", escape(&section), table(heading, rows)));
    }
    text
}

fn requirement_row(requirement: &Requirement, coverage: &RequirementCoverage) -> [String; 7] {
    let tests: Vec<String> = coverage.tests.iter().map(|test| code(&test.test.test)).collect();
    let evidence: Vec<String> = coverage.evidence.iter().map(|location| code(location)).collect();
    [
        escape(&requirement.id),
        cell(&requirement.title),
        first(&tests, SHOWN),
        share(coverage.passed, coverage.mapped),
        coverage.status.as_str().to_owned(),
        escape(&first(&coverage.devices, coverage.devices.len())),
        first(&evidence, SHOWN),
    ]
}

fn open(source: &Source) -> String {
    let open: Vec<_> = source.coverage.requirements.iter().filter(|one| one.status != Status::Proven).collect();
    let mut text = "## Not Proven\n\n".to_owned();
    if open.is_empty() {
        text.push_str("None.\n\n");
        return text;
    }
    for requirement in open {
        text.push_str(&format!("- {}: {}\n", escape(&requirement.id), requirement.status.as_str()));
        for reason in &requirement.reasons {
            text.push_str(&format!("  - {}\n", escape(reason)));
        }
    }
    text.push('\n');
    text
}

fn roll_ups(source: &Source) -> String {
    let rows = source.requirements.roll_ups.iter().filter_map(|roll_up| {
        let coverage = source.coverage.roll_ups.iter().find(|one| one.name == roll_up.id)?;
        Some([escape(&roll_up.id), cell(&roll_up.title), members(coverage), coverage.status.as_str().to_owned()])
    });
    format!("## Roll-ups\n\n{}", table(["ID", "Title", "Requirements", "Status"], rows))
}

fn vulnerabilities(source: &Source) -> String {
    let rows = source.requirements.vulnerabilities.iter().filter_map(|vulnerability| {
        let coverage = source.coverage.vulnerabilities.iter().find(|one| one.name == vulnerability.name)?;
        Some([
            cell(&vulnerability.name),
            cell(&vulnerability.severity),
            cell(&vulnerability.mitigation),
            members(coverage),
            coverage.status.as_str().to_owned(),
        ])
    });
    format!(
        "## Vulnerability Coverage\n\nThe status is that of the worst requirement named; it does not say that an attack is \
         impossible.\n\n{}",
        table(["Vulnerability", "Severity", "Mitigation", "Requirements", "Status"], rows)
    )
}

/// The members of a group, those that are not proven marked.
fn members(group: &GroupCoverage) -> String {
    group
        .requirements
        .iter()
        .map(|id| if group.open.contains(id) { format!("{} (open)", escape(id)) } else { escape(id) })
        .collect::<Vec<_>>()
        .join(", ")
}

fn features(source: &Source) -> String {
    let features = &source.coverage.features;
    if features.is_empty() {
        return "## BDD Feature Coverage\n\nAbsent: this run has no scenario.\n\n".to_owned();
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
    format!("## BDD Feature Coverage\n\n{}", table(["Feature", "Scenarios", "Run", "Passed", "Not passed"], rows))
}

fn requirement_non_claims(source: &Source) -> String {
    let mut text = "## Not Claimed by Requirement\n\n".to_owned();
    for one in &source.requirements.requirements {
        for claim in &one.requirement.non_claims {
            text.push_str(&format!("- {}: {}\n", escape(&one.requirement.id), cell(claim)));
        }
    }
    text.push('\n');
    text
}
