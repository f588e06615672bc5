//! The requirements: filters that need no script, and each requirement with all that is known of it.

use std::collections::BTreeMap;

use super::markup::{Html, class, link, open, plain, tag};
use super::parts::{
    Column, Narrow, badge, code, facts, file_link, id, list, mark, more, outcome, place, sentence, statuses, table,
};
use super::style::{FILTERED_DOCUMENTS, class_of, document_class};
use crate::coverage::{DocumentCount, RequirementCoverage, Status, StatusCount, TestOutcome};
use crate::report::excerpts::Excerpt;
use crate::report::markdown::share;
use crate::report::{Source, clip};
use crate::requirement::{Kind, MappedRequirement};

/// How many tests and reasons of a requirement are shown.
const SHOWN: usize = 12;

/// How many runs of lines a file's citation names.
const RANGES: usize = 16;

pub(super) fn render(source: &Source) -> Html {
    let coverage: BTreeMap<&str, &RequirementCoverage> =
        source.coverage.requirements.iter().map(|one| (one.id.as_str(), one)).collect();
    let mut html = plain(
        "h2",
        ["Requirements ".into(), { class("span", "count", source.requirements.requirements.len().to_string()) }],
    );
    html.push(plain(
        "p",
        "A requirement is proven only if every test mapped to it ran in this run, claimed it, left a record and passed, on \
         the kind of device that it needs. Open a requirement to see its text, its tests, its records and what it does not \
         claim.",
    ));
    html.push(filters(&source.coverage.summary.requirements, &source.coverage.summary.by_document));
    html.push(class("p", "nothing", "No requirement of this specification has this status."));
    for (index, document) in source.requirements.documents.iter().enumerate() {
        html.push(tag(
            "div",
            &[("class", &format!("document {}", document_class(index)))],
            self::document(source, index, &document.file, &document.title, &coverage),
        ));
    }
    tag("section", &[("id", "requirements")], html)
}

/// One of several choices.
fn choice(group: &'static str, id: &str, is_checked: bool, is_enabled: bool, label: impl Into<Html>) -> Html {
    let mut attributes = vec![("type", "radio"), ("name", group), ("id", id), ("autocomplete", "off")];
    if is_checked {
        attributes.push(("checked", ""));
    }
    if !is_enabled {
        attributes.push(("disabled", ""));
    }
    tag("label", &[("class", "chip")], [open("input", &attributes), label.into()])
}

pub(super) fn filters(all: &StatusCount, documents: &[DocumentCount]) -> Html {
    let number = |count: usize| class("span", "n", count.to_string());
    let mut by_status = choice("status", "f-any-status", true, true, [Html::from("all "), number(all.total)]);
    for status in statuses(all) {
        let count = all.of(status);
        let label = [badge(status), " ".into(), number(count)];
        by_status.push(choice("status", &format!("f-{}", class_of(status)), false, count > 0, label));
    }
    let mut by_document = choice("document", "f-any-document", true, true, "all");
    for (index, document) in documents.iter().enumerate().take(FILTERED_DOCUMENTS) {
        let label = [clip(&document.document, 40).into(), " ".into(), number(document.count.total)];
        by_document.push(choice("document", &format!("f-{}", document_class(index)), false, true, label));
    }
    let details = open("input", &[("type", "checkbox"), ("id", "f-details"), ("autocomplete", "off")]);
    let group =
        |legend: &'static str, chips: Html| plain("fieldset", [plain("legend", legend), class("div", "chips", chips)]);
    class(
        "div",
        "filters",
        [
            group("Status", by_status),
            group("Specification", by_document),
            tag("label", &[("class", "every")], [details, " show all details".into()]),
        ],
    )
}

fn document(
    source: &Source,
    index: usize,
    file: &str,
    title: &str,
    coverage: &BTreeMap<&str, &RequirementCoverage>,
) -> Html {
    let mut html = Html::new();
    let mut requirements =
        source.requirements.requirements.iter().filter(|one| one.requirement.document == file).peekable();
    let mut proven = 0_usize;
    let mut total = 0_usize;
    while let Some(section) = requirements.peek().map(|one| one.requirement.section.as_str()) {
        let mut rows = plain("h4", clip(section, 200));
        while let Some(mapped) = requirements.next_if(|one| one.requirement.section == section) {
            if let Some(known) = coverage.get(mapped.requirement.id.as_str()) {
                total = total.saturating_add(1);
                proven = proven.saturating_add(usize::from(known.status == Status::Proven));
                rows.push(requirement(source, index, mapped, known));
            }
        }
        html.push(class("div", &format!("section {}", document_class(index)), rows));
    }
    let heading = plain(
        "h3",
        [
            clip(title, 200).into(),
            " ".into(),
            class("span", "sub", [code(file), format!(" proven {}", share(proven, total)).into()]),
        ],
    );
    [heading, html].into()
}

fn requirement(source: &Source, document: usize, mapped: &MappedRequirement, coverage: &RequirementCoverage) -> Html {
    let one = &mapped.requirement;
    let summary = plain(
        "summary",
        [
            id(&one.id),
            class("span", "title", sentence(&one.title)),
            class("span", "tests", format!("{}/{} tests", coverage.passed, coverage.mapped)),
            badge(coverage.status),
        ],
    );
    let kind = match one.kind {
        Kind::Product => "what the software does",
        Kind::Process => "how the project is tested",
    };
    let mut rows = Vec::new();
    if !coverage.reasons.is_empty() {
        let reasons = coverage.reasons.iter().map(|reason| clip(reason, 600).into());
        rows.push(("Why it is not proven", list(reasons, SHOWN, "coverage.json")));
    }
    rows.push(("Tests", tests(coverage)));
    let kills = match coverage.kills {
        None => "not measured".to_owned(),
        Some(kills) => format!("{kills} of those planted were noticed by at least one of its tests"),
    };
    rows.push(("Faults", kills.into()));
    rows.push(("Records", records(source, coverage)));
    rows.push(("Not claimed", list(one.non_claims.iter().map(|claim| sentence(claim)), SHOWN, "requirements.json")));
    rows.push((
        "About",
        [
            format!("{kind}; {}; text of SHA-256 ", if one.needs_gpu { "needs a GPU" } else { "needs no GPU" }).into(),
            code(&coverage.text_sha256),
        ]
        .into(),
    ));
    let anchor = anchor(&one.id);
    let body =
        tag("div", &[("class", "body"), ("id", &anchor)], [class("p", "text", sentence(&one.text)), facts(rows)]);
    let classes = format!("req {} {}", class_of(coverage.status), document_class(document));
    tag("details", &[("class", &classes)], [summary, body])
}

/// The name of a requirement's place in the page.
pub(super) fn anchor(id: &str) -> String {
    format!("r-{}", id.split_whitespace().collect::<String>())
}

/// A requirement's id as a link to it.
pub(super) fn link_to(requirement: &str) -> Html {
    link(&anchor(requirement), id(requirement))
}

fn tests(coverage: &RequirementCoverage) -> Html {
    let figures = format!(
        "mapped {}, run {}, passed {}, failed {}, absent {}",
        coverage.mapped, coverage.run, coverage.passed, coverage.failed, coverage.absent
    );
    let mut tests: Vec<_> = coverage.tests.iter().collect();
    // Those that did not pass first; a stable order otherwise.
    tests.sort_by_key(|test| test.result == TestOutcome::Passed);
    let items = tests.into_iter().map(|test| {
        let mut item = Html::from([outcome(test.result), " ".into(), code(&test.test.to_string())]);
        if let Some(reason) = &test.reason {
            item.push(class("pre", "reason", clip(reason, 600)));
        }
        item
    });
    [plain("p", figures), tag("div", &[("class", "plain")], list(items, SHOWN, "coverage.json"))].into()
}

fn records(source: &Source, coverage: &RequirementCoverage) -> Html {
    if coverage.evidence.is_empty() {
        return "none".into();
    }
    let devices = if coverage.devices.is_empty() { "none".to_owned() } else { coverage.devices.join(", ") };
    let mut html = plain("p", format!("{} observed, on {devices}:", coverage.evidence.len()));
    html.push(class("ul", "citations", citations(&coverage.evidence)));
    let excerpts = source.excerpts.of(coverage);
    if !excerpts.is_empty() {
        let rows = excerpts.iter().map(|(location, excerpt)| row(location, excerpt));
        let columns = [
            Column::Text("Record"),
            Column::Text("Device"),
            Column::Text("Operation"),
            Column::Text("Expected and observed"),
        ];
        html.push(table("Records shown in full", Narrow::Stacks, columns, rows));
        html.push(more(coverage.evidence.len(), excerpts.len(), "coverage.json"));
    }
    html
}

fn row(location: &str, excerpt: &Excerpt) -> [Html; 4] {
    let (file, line) = location.rsplit_once(':').unwrap_or((location, ""));
    let values = if excerpt.holds && excerpt.expected == excerpt.observed {
        Html::from([mark("proven", "equal"), " ".into(), code(&excerpt.expected)])
    } else {
        let word = if excerpt.holds { mark("proven", "equal") } else { mark("failed", "differs") };
        facts([("", word), ("expected", code(&excerpt.expected)), ("observed", code(&excerpt.observed))])
    };
    [place(file, line), class("span", "kind", clip(&excerpt.device, 20)), excerpt.operation.as_str().into(), values]
}

/// Citations by file, lines that follow one another as one range.
fn citations(evidence: &[String]) -> Html {
    let mut files: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for location in evidence {
        let (file, line) = location.rsplit_once(':').unwrap_or((location, ""));
        files.entry(file).or_default().extend(line.parse::<usize>().ok());
    }
    files
        .into_iter()
        .map(|(file, mut lines)| {
            lines.sort_unstable();
            lines.dedup();
            let ranges = ranges(&lines);
            let mut text = ranges.iter().take(RANGES).map(String::as_str).collect::<Vec<_>>().join(", ");
            if ranges.len() > RANGES {
                text.push_str(&format!(" and more up to line {}", lines.last().copied().unwrap_or_default()));
            }
            let word = if lines.len() == 1 { " line " } else { " lines " };
            plain("li", [file_link(file), word.into(), text.into()])
        })
        .collect()
}

/// Sorted lines as `3, 5–7`.
fn ranges(lines: &[usize]) -> Vec<String> {
    lines
        .chunk_by(|one, next| one.checked_add(1) == Some(*next))
        .filter_map(|run| match run {
            [] => None,
            [one] => Some(one.to_string()),
            [first, .., last] => Some(format!("{first}–{last}")),
        })
        .collect()
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
    use super::*;

    #[test]
    fn lines_that_follow_one_another_are_a_range() {
        assert_eq!(ranges(&[1, 3, 4, 5, 9, usize::MAX]), ["1", "3–5", "9", &usize::MAX.to_string()]);
        assert_eq!(ranges(&[]), Vec::<String>::new());
    }
}
