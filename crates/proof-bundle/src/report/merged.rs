//! The reports of a merged bundle: what several runs show together, and what each shows by itself.

use std::collections::HashMap;
use std::path::Path;

use super::markdown::{cell, code, escape, share, table, table_of};
use super::spec_coverage::{members, not_proven, roll_ups, summary};
use super::{figures, first, html, in_words, non_claims, troubled, troubled_tests, verify_md, with_tests};
use crate::Error;
use crate::bundle::HEADER;
use crate::coverage::Verdict;
use crate::json::read_json;
use crate::merge::{INPUTS, Input, Merged, MergedCoverage, MergedRequirement, RunFigures};
use crate::records::GPU;
use crate::requirement::Requirement;

/// How many records a cell shows; the input's `coverage.json` has them all.
const SHOWN: usize = 3;

/// The heading of the report.
const TITLE: &str = "Specification Coverage Matrix of Several Runs";

/// What the reports of a merged bundle are rendered from.
pub(super) struct MergedSource {
    pub(super) merged: Merged,
    pub(super) coverage: MergedCoverage,
    /// Where each requirement is in `coverage`.
    places: HashMap<String, usize>,
}

impl MergedSource {
    fn read(directory: &Path) -> Result<Self, Error> {
        let coverage: MergedCoverage = read_json(directory, "coverage.json")?;
        let places = coverage.requirements.iter().enumerate().map(|(place, one)| (one.id.clone(), place)).collect();
        Ok(Self { merged: Merged::read(directory)?, coverage, places })
    }

    /// What the runs show of a requirement.
    pub(super) fn get(&self, id: &str) -> Option<&MergedRequirement> {
        self.coverage.requirements.get(*self.places.get(id)?)
    }

    /// The verdict in words.
    pub(super) fn words(&self) -> &'static str {
        let count = &self.coverage.summary.requirements;
        match self.coverage.verdict() {
            Verdict::Proven if count.needs_gpu > 0 => "all that these hosts can prove is proven",
            verdict => in_words(verdict, count),
        }
    }

    /// The verdict in words, with its figures.
    pub(super) fn result(&self) -> String {
        let words = with_tests(self.words(), &self.coverage.summary.tests);
        figures(&words, &self.coverage.summary.requirements)
    }

    /// The tests that failed or left no verdict in any run, each with its run.
    pub(super) fn troubled(&self) -> Vec<String> {
        let named = |input: &Input| {
            let run_id = input.provenance.run_id.clone();
            troubled(&input.coverage).into_iter().map(move |test| format!("{run_id}: {test}"))
        };
        self.merged.inputs.iter().flat_map(named).collect()
    }

    pub(super) fn has_gpu(&self) -> bool {
        self.coverage.summary.devices.iter().any(|class| class == GPU)
    }

    /// The runs, each with what it shows by itself.
    pub(super) fn runs(&self) -> impl ExactSizeIterator<Item = (&Input, &RunFigures)> {
        self.merged.inputs.iter().zip(&self.coverage.runs)
    }

    /// A requirement's records in the run that decides.
    fn evidence(&self, one: &MergedRequirement) -> Vec<String> {
        let input = self.merged.inputs.iter().find(|input| input.provenance.run_id == one.decided_by);
        let shown = input.and_then(|input| input.coverage.get(&one.id));
        let records = shown.map(|shown| shown.evidence.as_slice()).unwrap_or_default();
        records.iter().map(|record| code(&format!("{INPUTS}/{}/{record}", one.decided_by))).collect()
    }
}

/// Renders every report of the merged bundle at `directory`.
pub(super) fn render_all(directory: &Path) -> Result<Vec<(String, String)>, Error> {
    let source = MergedSource::read(directory)?;
    Ok([
        ("spec_coverage.md", render(&source)),
        (html::FILE, html::render_merged(&source)),
        (verify_md::FILE, verify_md::render_merged(&source)),
    ]
    .into_iter()
    .map(|(name, text)| (name.to_owned(), text))
    .collect())
}

fn render(source: &MergedSource) -> String {
    let MergedSource { merged, coverage, .. } = source;
    let mut text = head(source);
    text.push_str(&runs(source));
    let figures = &coverage.summary;
    text.push_str(&summary(&figures.requirements, &figures.by_document, &figures.needs_gpu));
    for document in &merged.requirements.documents {
        text.push_str(&format!("## {} ({})\n\n", escape(&document.title), escape(&document.file)));
        text.push_str(&sections(source, &document.file));
    }
    text.push_str(&not_proven(coverage.requirements.iter().map(|one| (&*one.id, one.status, &*one.reasons))));
    text.push_str(&problems(source));
    text.push_str(&roll_ups(&merged.requirements, &coverage.roll_ups));
    text.push_str(&vulnerabilities(source));
    text.push_str(&non_claims());
    text
}

fn head(source: &MergedSource) -> String {
    let MergedSource { merged, coverage, .. } = source;
    let classes = &coverage.summary.devices;
    let mut head = format!(
        "{HEADER}\n\n# {TITLE}\n\n**Run ID**: {}  \n**Merged at**: {}  \n**Commit**: {}  \n**Runs merged**: {}  \n\
         **Device classes observed**: {}  \n**Result**: {}\n\n",
        escape(&coverage.run_id),
        escape(&merged.merge.generated_at),
        escape(&coverage.commit),
        merged.inputs.len(),
        escape(&first(classes, classes.len())),
        source.result(),
    );
    head.push_str(&troubled_tests(&source.troubled()));
    if !source.has_gpu() {
        head.push_str("> **No GPU.** Nothing below is evidence from a GPU.\n\n");
    }
    head.push_str(
        "A requirement has the best status that one run by itself gives it, and is failed if any run failed it. No test of \
         one run is counted for another. Where a complete matrix of mutants says that its tests notice nothing, it is \
         vacuous whatever another run says.\n\n",
    );
    head
}

/// The devices of a run, as their drivers reported them.
pub(super) fn devices(input: &Input) -> Vec<String> {
    let devices = input.provenance.devices.iter();
    devices.map(|device| format!("{} {} ({})", device.class, device.name, device.uuid)).collect()
}

fn runs(source: &MergedSource) -> String {
    let rows = source.runs().map(|(input, run)| {
        let devices = devices(input);
        [
            code(&run.run_id),
            input.metadata.test_mode.to_string(),
            escape(&first(&devices, devices.len())),
            in_words(run.verdict, &run.requirements).to_owned(),
            share(run.requirements.proven, run.requirements.total),
            share(run.tests.passed, run.tests.listed),
            format!("{}/{}", run.records_holding, run.records_observed),
        ]
    });
    let heading = ["Run", "Test mode", "Devices", "Verdict", "Proven", "Tests passed", "Records that hold"];
    format!("## Runs\n\nEach is a whole bundle in `{INPUTS}/RUN_ID/`.\n\n{}", table(heading, rows))
}

fn sections(source: &MergedSource, document: &str) -> String {
    let mut text = String::new();
    let all = source.merged.requirements.requirements.iter().map(|one| &one.requirement);
    let mut requirements = all.filter(|one| one.document == document).peekable();
    let runs: Vec<String> = source.coverage.runs.iter().map(|run| code(&run.run_id)).collect();
    let mut heading = vec!["ID", "Requirement", "Status"];
    heading.extend(runs.iter().map(String::as_str));
    heading.push("Evidence");
    while let Some(section) = requirements.peek().map(|one| one.section.clone()) {
        let mut rows = Vec::new();
        while let Some(requirement) = requirements.next_if(|one| one.section == section) {
            if let Some(coverage) = source.get(&requirement.id) {
                rows.push(row(source, requirement, coverage));
            }
        }
        text.push_str(&format!("### {}\n\n{}", escape(&section), table_of(&heading, rows)));
    }
    text
}

fn row(source: &MergedSource, requirement: &Requirement, coverage: &MergedRequirement) -> Vec<String> {
    let mut row = vec![escape(&requirement.id), cell(&requirement.title), format!("**{}**", coverage.status.as_str())];
    row.extend(coverage.runs.iter().map(|run| {
        let devices = if run.devices.is_empty() { "no device".to_owned() } else { run.devices.join(", ") };
        format!("{}: {}/{} tests, {}", run.status.as_str(), run.passed, run.mapped, escape(&devices))
    }));
    row.push(first(&source.evidence(coverage), SHOWN));
    row
}

fn problems(source: &MergedSource) -> String {
    let problems = &source.coverage.problems;
    if problems.is_empty() {
        return String::new();
    }
    let items: String = problems.iter().map(|problem| format!("- {}\n", escape(&problem.message))).collect();
    format!("## Problems with the Input\n\n{items}\n")
}

fn vulnerabilities(source: &MergedSource) -> String {
    let rows = source.merged.requirements.vulnerabilities.iter().filter_map(|one| {
        let coverage = source.coverage.vulnerabilities.iter().find(|group| group.name == one.name)?;
        Some([cell(&one.name), cell(&one.severity), members(coverage), coverage.status.as_str().to_owned()])
    });
    format!(
        "## Vulnerability Coverage\n\nThe status is that of the worst requirement named; it does not say that an attack is \
         impossible.\n\n{}",
        table(["Vulnerability", "Severity", "Requirements", "Status"], rows)
    )
}
