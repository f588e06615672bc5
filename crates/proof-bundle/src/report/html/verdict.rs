//! What the run comes to, with the figures that it is made of, and what it ran on.

use super::markup::{Html, class, link, plain, tag};
use super::parts::{Column, Narrow, badge, code, facts, file_link, list, mark, more, statuses, table};
use super::requirements::link_to;
use super::style::class_of;
use crate::coverage::{Problem, Status, StatusCount, TestCount, Verdict};
use crate::records::GPU;
use crate::report::markdown::share;
use crate::report::{NAMED, Source, clip, in_words, trouble, troubled};

/// How many problems and open requirements are listed; `coverage.json` has them all.
const LISTED: usize = 100;

/// The head of the page.
pub(super) fn render(source: &Source) -> Html {
    let Source { metadata, provenance, coverage, .. } = source;
    let count = &coverage.summary.requirements;
    let mut html = class(
        "p",
        "above",
        ["Proof bundle of ".into(), plain("b", &metadata.crate_name), " ".into(), { Html::from(&metadata.version) }],
    );
    html.push(headline(coverage.verdict(), count, in_words(coverage.verdict(), count)));
    html.push(class(
        "p",
        "lead",
        [
            plain("b", format!("{} of {}", count.proven, count.total)),
            " requirements are proven by this run".into(),
            rest(count).into(),
            ".".into(),
        ],
    ));
    html.push(tests_in_trouble(&coverage.summary.tests, &troubled(coverage), "tests", "test by test"));
    html.push(device(source));
    html.push(bar(count));
    let dirty = if provenance.commit.dirty {
        class("strong", "warn", " with uncommitted changes: these results are not of that commit alone")
    } else {
        " without uncommitted changes".into()
    };
    let tests = &coverage.summary.tests;
    let observed: usize = coverage.records.iter().map(|file| file.observed).sum();
    let holding: usize = coverage.records.iter().map(|file| file.holding).sum();
    let mut rows = vec![("Commit", Html::from([code(&provenance.commit.sha), dirty]))];
    if let Some(kit) = &provenance.kit {
        rows.push(("Kit", [clip(&kit.sentence(), 400).into(), "; kit ".into(), code(&kit.sha256)].into()));
    }
    rows.extend([
        ("Run", code(&coverage.run_id)),
        ("Started", (&provenance.timings.started).into()),
        ("Ended", (&provenance.timings.finished).into()),
        (
            "Tests",
            format!(
                "{} of {} ran, {} of {} passed; failed {}, not run {}, without a verdict {}",
                tests.run, tests.listed, tests.passed, tests.listed, tests.failed, tests.not_run, tests.dead
            )
            .into(),
        ),
        ("Observed records", format!("{holding} of {observed} hold").into()),
        (
            "Input",
            match coverage.problems.len() {
                0 => "nothing is missing and nothing contradicts another".into(),
                1 => link("problems", "1 problem"),
                problems => link("problems", format!("{problems} problems")),
            },
        ),
    ]);
    html.push(facts(rows));
    tag("header", &[("id", "verdict")], html)
}

/// Which tests failed or left no verdict, and where to read on; nothing where none did.
pub(super) fn tests_in_trouble(tests: &TestCount, names: &[String], place: &'static str, words: &'static str) -> Html {
    let Some(trouble) = trouble(tests) else {
        return Html::new();
    };
    let mut html = Html::from([plain("b", trouble), ": ".into()]);
    for (index, name) in names.iter().take(NAMED).enumerate() {
        html.push(if index == 0 { "" } else { ", " });
        html.push(code(name));
    }
    html.push(match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    });
    html.push(" (");
    html.push(link(place, words));
    html.push(").");
    class("p", "lead", html)
}

/// The verdict, as large as it should be.
pub(super) fn headline(verdict: Verdict, count: &StatusCount, words: &str) -> Html {
    let sign = match verdict {
        Verdict::Proven if count.needs_gpu > 0 => "needs-gpu",
        Verdict::Proven => "proven",
        Verdict::Failed => "failed",
        Verdict::NotRun | Verdict::Input => "not-run",
    };
    class("h1", "verdict", mark(sign, &sentence_case(words)))
}

fn sentence_case(text: &str) -> String {
    let mut characters = text.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

/// How the requirements that are not proven stand.
pub(super) fn rest(count: &StatusCount) -> String {
    let parts: Vec<String> = Status::ALL
        .into_iter()
        .filter(|status| *status != Status::Proven)
        .map(|status| (count.of(status), status))
        .filter(|(count, _)| *count > 0)
        .map(|(count, status)| match status {
            Status::NeedsGpu if count == 1 => "1 needs a GPU and cannot be proven without one".to_owned(),
            Status::NeedsGpu => format!("{count} need a GPU and cannot be proven without one"),
            _ => format!("{count} {}", status.as_str()),
        })
        .collect();
    if parts.is_empty() { String::new() } else { format!("; {}", parts.join(", ")) }
}

/// What the run ran on, in words.
fn device(source: &Source) -> Html {
    let Source { metadata, provenance, coverage, .. } = source;
    let observed = &coverage.summary.devices;
    let has = |class: &str| observed.iter().any(|one| one == class);
    let gpus: Vec<String> =
        provenance.devices.iter().filter(|one| one.class.as_str() == GPU).map(|one| one.name.clone()).collect();
    let mut kinds = Vec::new();
    if has("simulated") {
        kinds.push("on the simulated device, where host memory plays the part of a GPU");
    }
    if has("fake-driver") {
        kinds.push("against a stand-in for the driver, with host memory behind it");
    }
    let (kind, title, text) = if has(GPU) && !gpus.is_empty() {
        let others = if kinds.is_empty() {
            String::new()
        } else {
            format!(" Other operations ran {}; those say nothing of a GPU.", kinds.join(" and "))
        };
        ("gpu", "GPU", format!("Records come from {}.{others}", gpus.join(", ")))
    } else if has(GPU) {
        let text =
            "Records say that they come from a GPU, but provenance.json names none, so none of them counts as such.";
        ("none", "No GPU is named.", text.to_owned())
    } else if kinds.is_empty() {
        (
            "none",
            "No GPU.",
            "No operation of this run touched a device. Nothing below is evidence from a GPU.".to_owned(),
        )
    } else {
        let text = format!("Device operations ran {}. Nothing below is evidence from a GPU.", kinds.join(" and "));
        (if has("simulated") { "simulated" } else { "fake-driver" }, "No GPU.", text)
    };
    class(
        "div",
        &format!("device d-{kind}"),
        [
            plain("p", [plain("strong", title), " ".into(), text.into()]),
            class(
                "p",
                "fine",
                [
                    "Test mode ".into(),
                    code(metadata.test_mode.as_str()),
                    ": ".into(),
                    clip(&metadata.device_reason, 400).into(),
                    ". Classes of device observed: ".into(),
                    if observed.is_empty() { "none".into() } else { code(&observed.join(", ")) },
                    ".".into(),
                ],
            ),
        ],
    )
}

/// The statuses side by side: a bar for the eye, and their counts.
pub(super) fn bar(count: &StatusCount) -> Html {
    let total = count.total;
    let mut position = 0_usize;
    let mut pieces = Html::new();
    let percent = |part: usize| format!("{:.3}%", part as f64 / total.max(1) as f64 * 100.0);
    for status in statuses(count) {
        let part = count.of(status);
        if part > 0 {
            let fill = format!("b-{}", class_of(status));
            let (x, width) = (percent(position), percent(part));
            pieces.push(tag(
                "rect",
                &[("class", &fill), ("x", &x), ("y", "0"), ("width", &width), ("height", "100%")],
                Html::new(),
            ));
            position = position.saturating_add(part);
        }
    }
    let counts = statuses(count)
        .map(|status| [badge(status), " ".into(), class("span", "share", share(count.of(status), total))].into());
    let bar = tag("svg", &[("class", "bar"), ("aria-hidden", "true"), ("width", "100%"), ("height", "14")], pieces);
    class("div", "counts", [bar, list(counts.collect::<Vec<_>>().into_iter(), Status::ALL.len(), "coverage.json")])
}

/// What is wrong with the input; nothing where nothing is.
pub(super) fn problems(problems: &[Problem]) -> Html {
    if problems.is_empty() {
        return Html::new();
    }
    let items = problems.iter().map(|problem| clip(&problem.message, 600).into());
    tag(
        "section",
        &[("id", "problems"), ("class", "alarm")],
        [
            plain("h2", ["Problems with the input ".into(), class("span", "count", problems.len().to_string())]),
            plain(
                "p",
                ["As ".into(), file_link("coverage.json"), " lists them. A run with any of them is incomplete.".into()],
            ),
            list(items, LISTED, "coverage.json"),
        ],
    )
}

/// What is not proven, each with the first reason why.
pub(super) fn open(source: &Source) -> Html {
    let open: Vec<_> = source.coverage.requirements.iter().filter(|one| one.status != Status::Proven).collect();
    if open.is_empty() {
        return super::section("open", "Not proven", plain("p", "Every requirement is proven."));
    }
    let rows = open.iter().take(LISTED).map(|one| {
        let reason = one.reasons.first().map(String::as_str).unwrap_or_default();
        let others = match one.reasons.len() {
            0 | 1 => Html::new(),
            reasons => class("span", "sub", format!(" (the first of {reasons} reasons)")),
        };
        [link_to(&one.id), badge(one.status), [clip(reason, 400).into(), others].into()]
    });
    let columns = [Column::Text("Requirement"), Column::Text("Status"), Column::Text("Why")];
    super::section(
        "open",
        "Not proven",
        [table("Not proven", Narrow::Stacks, columns, rows), more(open.len(), LISTED, "coverage.json")],
    )
}
