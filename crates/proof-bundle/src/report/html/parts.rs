//! What several sections are made of: badges, tables, lists of facts, shortened text, figures with units.

use super::markup::{Attributes, Html, class, file, plain, tag};
use super::style::class_of;
use crate::coverage::{Status, StatusCount, TestOutcome};
use crate::report::{clip, test_report};

/// The files that a page may link to: those that every bundle has beside it.
const FILES: [&str; 20] = [
    "SHA256SUMS",
    "VERIFY.md",
    "bounds_checking.jsonl",
    "code_coverage.json",
    "compliance_matrix.md",
    "coverage.json",
    "crypto_validation.jsonl",
    "cuda_operations.jsonl",
    "input_validation.jsonl",
    "merge.json",
    "metadata.json",
    "mutants.json",
    "performance.jsonl",
    "policy_enforcement.jsonl",
    "provenance.json",
    "requirements.json",
    "seeds.txt",
    "spec_coverage.md",
    "test_report.md",
    "tests.junit.xml",
];

/// A link to a file of the bundle; a name that no bundle has is text.
pub(super) fn file_link(name: &str) -> Html {
    match FILES.into_iter().find(|known| *known == name) {
        Some(known) => file(known),
        None => code(name),
    }
}

/// A line of a file of the bundle.
pub(super) fn place(file: &str, line: &str) -> Html {
    class("span", "place", [file_link(file), format!(" line {line}").into()])
}

/// How many characters of a name are shown.
const NAME: usize = 240;

/// A name as code: of a test, a file, a device, a digest. Much too long ones are cut.
pub(super) fn code(name: &str) -> Html {
    plain("code", clip(name, NAME))
}

/// The id of a requirement or a property. Only one of a usual length is kept on one line.
pub(super) fn id(id: &str) -> Html {
    let usual = id.chars().count() <= 16;
    class("span", if usual { "id" } else { "id long" }, clip(id, 60))
}

/// A sentence of a specification: Markdown of which only code spans are known.
pub(super) fn sentence(markdown: &str) -> Html {
    let text = clip(markdown, 4_000);
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return text.into();
    }
    parts
        .into_iter()
        .enumerate()
        .map(|(index, part)| if index.is_multiple_of(2) { part.into() } else { plain("code", part) })
        .collect()
}

/// The statuses that a bundle can have, and any other that it has all the same.
pub(super) fn statuses(count: &StatusCount) -> impl Iterator<Item = Status> + '_ {
    Status::ALL.into_iter().filter(|status| *status != Status::Stale || count.of(*status) > 0)
}

/// A status: its sign and its word.
pub(super) fn badge(status: Status) -> Html {
    mark(class_of(status), status.as_str())
}

/// A word with the sign of that class beside it; the word says all, the sign is for the eye.
pub(super) fn mark(sign: &'static str, word: &str) -> Html {
    let sign_id = format!("#i-{sign}");
    class("span", &format!("mark m-{sign}"), [sign_of(&sign_id), word.into()])
}

fn sign_of(id: &str) -> Html {
    tag("svg", &[("class", "sign"), ("aria-hidden", "true")], tag("use", &[("href", id)], Html::new()))
}

/// How a test ended.
pub(super) fn outcome(outcome: TestOutcome) -> Html {
    let sign = match outcome {
        TestOutcome::Passed => "proven",
        TestOutcome::Failed => "failed",
        TestOutcome::NotRun | TestOutcome::Dead => "not-run",
        TestOutcome::Unclaimed => "vacuous",
        TestOutcome::Absent => "unmapped",
    };
    mark(sign, test_report::outcome(outcome))
}

/// A column of a table.
#[derive(Clone, Copy)]
pub(super) enum Column<'a> {
    /// Names and sentences.
    Text(&'a str),
    /// Figures.
    Number(&'a str),
}

/// How a table behaves where it is too wide.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Narrow {
    /// Each row becomes a block of its own.
    Stacks,
    /// It is moved sideways in its own frame.
    Scrolls,
}

/// A table with its heading; `label` names it for those who do not see it.
pub(super) fn table<const N: usize>(
    label: &str,
    narrow: Narrow,
    columns: [Column<'_>; N],
    rows: impl IntoIterator<Item = [Html; N]>,
) -> Html {
    table_of(label, narrow, &columns, rows.into_iter().map(Vec::from))
}

/// The same, where the number of columns is that of something counted: a row has a cell for each.
pub(super) fn table_of(
    label: &str,
    narrow: Narrow,
    columns: &[Column<'_>],
    rows: impl IntoIterator<Item = Vec<Html>>,
) -> Html {
    let heading: Html = columns
        .iter()
        .map(|column| match column {
            Column::Text(name) => tag("th", &[("scope", "col")], *name),
            Column::Number(name) => tag("th", &[("scope", "col"), ("class", "number")], *name),
        })
        .collect();
    let body: Html = rows
        .into_iter()
        .map(|cells| {
            let cells: Html = cells
                .into_iter()
                .zip(columns)
                .map(|(content, column)| match (column, narrow) {
                    (Column::Text(name), Narrow::Stacks) => tag("td", &[("data-name", name)], plain("div", content)),
                    (Column::Number(name), Narrow::Stacks) => {
                        tag("td", &[("class", "number"), ("data-name", name)], plain("div", content))
                    }
                    (Column::Text(_), Narrow::Scrolls) => plain("td", content),
                    (Column::Number(_), Narrow::Scrolls) => class("td", "number", content),
                })
                .collect();
            plain("tr", cells)
        })
        .collect();
    let parts = [plain("thead", plain("tr", heading)), plain("tbody", body)];
    match narrow {
        Narrow::Stacks => tag("table", &[("class", "stacks"), ("aria-label", label)], parts),
        Narrow::Scrolls => {
            let frame: Attributes<'_> =
                &[("class", "frame"), ("role", "region"), ("aria-label", label), ("tabindex", "0")];
            tag("div", frame, plain("table", parts))
        }
    }
}

/// Names with what is known under them.
pub(super) fn facts(rows: impl IntoIterator<Item = (&'static str, Html)>) -> Html {
    let rows: Html =
        rows.into_iter().map(|(name, value)| plain("div", [plain("dt", name), plain("dd", value)])).collect();
    class("dl", "facts", rows)
}

/// A list; beyond `limit` items it says how many more there are, and in which file.
pub(super) fn list(items: impl ExactSizeIterator<Item = Html>, limit: usize, rest: &str) -> Html {
    let more = items.len().saturating_sub(limit);
    let mut shown: Html = items.take(limit).map(|item| plain("li", item)).collect();
    if more > 0 {
        shown.push(class("li", "more", [format!("and {more} more: see ").into(), file_link(rest)]));
    }
    plain("ul", shown)
}

/// A paragraph that says that a table shows only its first rows; nothing when it shows all.
pub(super) fn more(all: usize, limit: usize, rest: &str) -> Html {
    match all.saturating_sub(limit) {
        0 => Html::new(),
        more => class("p", "more", [format!("{more} more of {all} are not shown here: see ").into(), file_link(rest)]),
    }
}

/// A whole number with a thin gap between each three digits.
pub(super) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && digits.len().saturating_sub(index).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// Nanoseconds in the unit that fits, with three digits.
pub(super) fn duration(nanoseconds: u64) -> String {
    scaled(nanoseconds, &[(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs")], "ns")
}

/// Bytes in the decimal unit that fits, with three digits.
pub(super) fn bytes(bytes: u64) -> String {
    scaled(bytes, &[(1_000_000_000_000, "TB"), (1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")], "bytes")
}

/// Rounded down to three digits: 1 641 650 is 1.64 of a million.
fn scaled(value: u64, units: &[(u64, &str)], smallest: &str) -> String {
    for &(unit, name) in units {
        let Some(whole) = value.checked_div(unit).filter(|whole| *whole > 0) else { continue };
        let rest = value.checked_rem(unit).unwrap_or_default();
        let thousandths = rest.checked_div(unit / 1_000).unwrap_or_default();
        return match whole {
            100.. => format!("{whole} {name}"),
            10.. => format!("{whole}.{} {name}", thousandths / 100),
            _ => format!("{whole}.{:02} {name}", thousandths / 10),
        };
    }
    format!("{value} {smallest}")
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
    fn figures_have_three_digits_and_a_unit() {
        for (value, text) in [
            (0, "0 ns"),
            (999, "999 ns"),
            (1_000, "1.00 µs"),
            (31_487, "31.4 µs"),
            (344_713, "344 µs"),
            (1_641_650, "1.64 ms"),
            (90_000_000_000, "90.0 s"),
            (u64::MAX, "18446744073 s"),
        ] {
            assert_eq!(duration(value), text);
        }
        assert_eq!(bytes(8_589_934_592), "8.58 GB");
        assert_eq!(bytes(12), "12 bytes");
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!(grouped(12), "12");
    }

    #[test]
    fn a_long_text_is_cut_and_says_so() {
        assert_eq!(clip("§§§§", 4), "§§§§");
        assert_eq!(clip("§§§§§", 3), "§§§… (2 more characters)");
    }

    #[test]
    fn code_spans_are_the_only_markup_of_a_sentence() {
        assert_eq!(sentence("a `b` **c**").into_string(), "a <code>b</code> **c**");
        assert_eq!(sentence("a `b").into_string(), "a `b");
        assert_eq!(sentence("`<b>`").into_string(), "<code>&lt;b&gt;</code>");
    }

    #[test]
    fn only_files_of_a_bundle_are_links() {
        assert!(file_link("coverage.json").into_string().contains("href=\"coverage.json\""));
        assert!(!file_link("../coverage.json").into_string().contains("href"));
    }
}
