//! What was measured of the tests themselves: which code they ran, and which planted faults they noticed.

use super::markup::{Html, class, plain};
use super::parts::{Column, Narrow, code, list, more, table};
use super::section;
use crate::code_coverage::ModuleCoverage;
use crate::report::markdown::{percent, share};
use crate::report::mutation::{UNCHECKED, figures, meaning};
use crate::report::{Source, clip};

/// How many crates and survivors are shown.
const ROWS: usize = 100;

/// How many files and tests are named.
const NAMES: usize = 10;

/// How many lines of each crate the tests ran.
pub(super) fn code_coverage(source: &Source) -> Html {
    let Some(measured) = &source.code_coverage else {
        return section("code", "Code coverage", plain("p", "Absent: not measured by this run."));
    };
    let row = |name: Html, one: &ModuleCoverage| -> [Html; 4] {
        let coverage =
            percent(one.tested, one.lines).map_or_else(|| "absent".to_owned(), |percent| format!("{percent} %"));
        [name, one.lines.to_string().into(), one.tested.to_string().into(), coverage.into()]
    };
    let modules = measured.modules.iter().take(ROWS).map(|one| row(code(&one.module), one));
    let columns =
        [Column::Text("Crate"), Column::Number("Lines"), Column::Number("Tested"), Column::Number("Coverage")];
    let commit = if measured.dirty { " with uncommitted changes" } else { "" };
    section(
        "code",
        "Code coverage",
        [
            table(
                "Code coverage",
                Narrow::Scrolls,
                columns,
                modules.chain([row(plain("b", "All"), &measured.total())]),
            ),
            more(measured.modules.len(), ROWS, "code_coverage.json"),
            class(
                "p",
                "fine",
                "Lines: those that can be run, the tests’ own apart. Tested: a test ran them, which says nothing of whether \
                 it would notice a fault in them.",
            ),
            class(
                "p",
                "fine",
                [
                    "Counted by ".into(),
                    code(&measured.tool),
                    " at commit ".into(),
                    code(&measured.commit),
                    commit.into(),
                    " with ".into(),
                    code(&measured.command),
                    ".".into(),
                ],
            ),
        ],
    )
}

/// Which planted faults the tests noticed.
pub(super) fn mutation(source: &Source) -> Html {
    let Some(mutation) = &source.coverage.mutation else {
        let absent =
            "Absent: this bundle has no mutants.json. Nothing is said of whether the tests would notice a fault.";
        return section("mutation", "Planted faults", plain("p", absent));
    };
    let rows = figures(mutation).map(|(what, part, whole)| [what.into(), share(part, whole).into()]);
    let dirty = if mutation.dirty { ", with uncommitted changes," } else { "" };
    let mut html = Html::from([
        plain("p", ["The matrix is ".into(), plain("b", meaning(mutation.state)), ".".into()]),
        table("Mutants", Narrow::Scrolls, [Column::Text("Mutants"), Column::Number("Count")], rows),
        class(
            "p",
            "fine",
            [
                "A mutant is the library with one small fault planted in it by ".into(),
                code(&mutation.tool),
                ". Every mapped test ran on each, at commit ".into(),
                code(&mutation.commit),
                format!("{dirty} the last on {}.", clip(&mutation.generated_at, 40)).into(),
            ],
        ),
        plain("p", UNCHECKED),
    ]);
    let names = |title: &'static str, names: Vec<String>| -> Html {
        let names: Vec<Html> = names.iter().map(|name| code(name)).collect();
        if names.is_empty() {
            return Html::new();
        }
        [plain("h3", title), list(names.into_iter(), NAMES, "coverage.json")].into()
    };
    html.push(names("Library crates that are not in the matrix", mutation.crates_missing.clone()));
    html.push(names("Library files that are not as they were then", mutation.sources_changed.clone()));
    let unknown = mutation.tests_unknown.iter().map(ToString::to_string).collect();
    html.push(names("Tests that did not run on the mutants as they are now", unknown));
    html.push(plain("h3", ["Survivors ".into(), class("span", "count", mutation.survivors.len().to_string())]));
    if mutation.survivors.is_empty() {
        html.push(plain("p", "None of those tried on the sources of this run."));
        return section("mutation", "Planted faults", html);
    }
    let rows = mutation.survivors.iter().take(ROWS).map(|survivor| {
        let reason =
            survivor.reason.as_deref().map_or_else(|| plain("b", "no reason given"), |text| clip(text, 600).into());
        [code(&survivor.name), reason]
    });
    html.push(table("Survivors", Narrow::Stacks, [Column::Text("Fault"), Column::Text("Why nobody minds")], rows));
    html.push(more(mutation.survivors.len(), ROWS, "coverage.json"));
    section("mutation", "Planted faults", html)
}
