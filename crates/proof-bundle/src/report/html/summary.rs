//! Coverage by specification, and the tests of the run.

use super::markup::{Html, class, plain};
use super::parts::{Column, Narrow, code, file_link, more, outcome, table};
use super::section;
use crate::coverage::StatusCount;
use crate::report::{Source, clip};

/// How many tests that did not pass are listed.
const NOT_PASSED: usize = 100;

/// How many documents are listed.
const DOCUMENTS: usize = 100;

fn number(value: usize) -> Html {
    value.to_string().into()
}

fn of(part: usize, whole: usize) -> Html {
    format!("{part}/{whole}").into()
}

pub(super) fn by_document(source: &Source) -> Html {
    let row = |name: Html, count: &StatusCount| -> [Html; 10] {
        [
            name,
            number(count.total),
            of(count.mapped, count.total),
            of(count.run, count.total),
            of(count.proven, count.total),
            number(count.needs_gpu),
            number(count.vacuous),
            number(count.not_run),
            number(count.unmapped),
            number(count.failed),
        ]
    };
    let summary = &source.coverage.summary;
    let documents = summary.by_document.iter().take(DOCUMENTS).map(|one| row(code(&one.document), &one.count));
    let rows = documents.chain([row(plain("b", "All"), &summary.requirements)]);
    let columns = [
        Column::Text("Specification"),
        Column::Number("Requirements"),
        Column::Number("Mapped"),
        Column::Number("All tests run"),
        Column::Number("Proven"),
        Column::Number("Needs a GPU"),
        Column::Number("Vacuous"),
        Column::Number("Not run"),
        Column::Number("Unmapped"),
        Column::Number("Failed"),
    ];
    let needing: Html = if summary.needs_gpu.is_empty() {
        "No requirement needs a GPU by its specification.".into()
    } else {
        let mut text = Html::from("Requirements that need a GPU by their specification: ");
        for (index, id) in summary.needs_gpu.iter().enumerate().take(NOT_PASSED) {
            text.push(if index == 0 { "" } else { ", " });
            text.push(super::requirements::link_to(id));
        }
        text.push(".");
        text
    };
    section(
        "summary",
        "Coverage by specification",
        [
            table("Coverage by specification", Narrow::Scrolls, columns, rows),
            more(summary.by_document.len(), DOCUMENTS, "coverage.json"),
            class(
                "p",
                "fine",
                "Mapped: at least one test says that it proves the requirement. All tests run: every one of them ran to its \
                 claim. Percentages in this page are rounded down, so that 100 % means all.",
            ),
            class("p", "fine", needing),
        ],
    )
}

pub(super) fn tests(source: &Source) -> Html {
    let count = &source.coverage.summary.tests;
    let mut html = table(
        "Tests",
        Narrow::Scrolls,
        [
            Column::Number("Listed"),
            Column::Number("Run"),
            Column::Number("Passed"),
            Column::Number("Failed"),
            Column::Number("Not run"),
            Column::Number("No verdict"),
        ],
        [[
            number(count.listed),
            of(count.run, count.listed),
            of(count.passed, count.listed),
            number(count.failed),
            number(count.not_run),
            number(count.dead),
        ]],
    );
    html.push(plain("h3", "Tests that did not pass"));
    let open = &source.coverage.tests_not_passed;
    if open.is_empty() {
        let text = match count.listed {
            0 => "No test is listed: nothing ran.".to_owned(),
            listed => format!("None of the {listed} tests listed."),
        };
        html.push(plain("p", text));
    } else {
        let rows = open.iter().take(NOT_PASSED).map(|test| {
            let reason = clip(test.reason.as_deref().unwrap_or_default(), 600);
            [code(&test.test.to_string()), outcome(test.result), class("pre", "reason", reason)]
        });
        let columns = [Column::Text("Test"), Column::Text("Outcome"), Column::Text("Reason")];
        html.push(table("Tests that did not pass", Narrow::Stacks, columns, rows));
        html.push(more(open.len(), NOT_PASSED, "tests.junit.xml"));
    }
    html.push(plain("h3", "Records"));
    let rows =
        source.coverage.records.iter().map(|one| {
            [file_link(&one.file), number(one.observed), of(one.holding, one.observed), number(one.declared)]
        });
    let columns =
        [Column::Text("File"), Column::Number("Observed"), Column::Number("Hold"), Column::Number("Declared")];
    html.push(table("Records by file", Narrow::Scrolls, columns, rows));
    let declared = "Declared records are a caller’s own words. They are kept, and count for nothing.";
    html.push(class("p", "fine", declared));
    html.push(plain("p", ["Every test, run or not, is in ".into(), file_link("tests.junit.xml"), ".".into()]));
    section("tests", "Tests", html)
}
