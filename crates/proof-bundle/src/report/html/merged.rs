//! `report.html` of a merged bundle: the verdict of all runs together, the runs side by side, each requirement run by run.

use super::markup::{Html, class, input_file, link, plain, tag};
use super::parts::{Column, Narrow, badge, code, facts, file_link, id, list, mark, more, sentence, table, table_of};
use super::requirements::{anchor, filters, link_to};
use super::style::{class_of, document_class};
use super::{contents, page, parts, section, verdict};
use crate::coverage::{GroupCoverage, Status, Verdict};
use crate::merge::MergedRequirement;
use crate::report::clip;
use crate::report::markdown::share;
use crate::report::merged::{MergedSource, devices};
use crate::requirement::Requirement;

/// The sections, as the contents of the page list them.
const SECTIONS: [(&str, &str); 9] = [
    ("verdict", "Verdict"),
    ("runs", "Runs"),
    ("differ", "Where the runs differ"),
    ("open", "Not proven"),
    ("requirements", "Requirements"),
    ("properties", "Security properties"),
    ("vulnerabilities", "Vulnerabilities"),
    ("non-claims", "Not claimed"),
    ("verify", "How to verify"),
];

/// How many rows a table has; `coverage.json` has them all.
const ROWS: usize = 200;

/// How many reasons of a requirement are shown.
const SHOWN: usize = 12;

pub(in crate::report) fn render(source: &MergedSource) -> String {
    let title = format!("Merged proof bundle {}", source.coverage.run_id);
    let problems = &source.coverage.problems;
    let sections = [
        head(source),
        verdict::problems(problems),
        runs(source),
        differ(source),
        open(source),
        requirements(source),
        properties(source),
        vulnerabilities(source),
        super::non_claims(),
        verify(),
    ];
    let documents = source.merged.requirements.documents.len();
    page(&title, documents, contents(&SECTIONS, !problems.is_empty()), sections.into())
}

fn head(source: &MergedSource) -> Html {
    let MergedSource { merged, coverage, .. } = source;
    let count = &coverage.summary.requirements;
    let runs = merged.inputs.len();
    let mut html = class("p", "above", format!("Proof bundle merged of {runs} runs of one commit"));
    html.push(verdict::headline(coverage.verdict(), count, source.words()));
    let proven = format!("{} of {}", count.proven, count.total);
    let rest = format!(" requirements are proven, each by one of these runs{}.", verdict::rest(count));
    html.push(class("p", "lead", [plain("b", proven), rest.into()]));
    html.push(verdict::tests_in_trouble(&coverage.summary.tests, &source.troubled(), "runs", "run by run"));
    html.push(device(source));
    html.push(verdict::bar(count));
    let input = match coverage.problems.len() {
        0 => "nothing is missing and nothing contradicts another".into(),
        1 => link("problems", "1 problem"),
        problems => link("problems", format!("{problems} problems")),
    };
    html.push(facts([
        ("Commit", [code(&coverage.commit), " without uncommitted changes, in every run".into()].into()),
        ("Merged as", code(&coverage.run_id)),
        ("Merged at", (&merged.merge.generated_at).into()),
        ("Input", input),
    ]));
    tag("header", &[("id", "verdict")], html)
}

/// What the runs ran on, in words.
fn device(source: &MergedSource) -> Html {
    let (kind, title, text) = if source.has_gpu() {
        let on_gpu = source.runs().filter(|(_, run)| run.devices.iter().any(|class| class == crate::records::GPU));
        let text = format!(
            "Records of {} of {} runs come from a GPU. What the others show says nothing of one.",
            on_gpu.count(),
            source.merged.inputs.len()
        );
        ("gpu", "GPU", text)
    } else {
        ("none", "No GPU.", "No run has a record from one. Nothing below is evidence from a GPU.".to_owned())
    };
    class("div", &format!("device d-{kind}"), plain("p", [plain("strong", title), " ".into(), text.into()]))
}

fn runs(source: &MergedSource) -> Html {
    let rows = source.runs().take(ROWS).map(|(input, run)| {
        // Short, so that it fits a phone; the run's own report says it in full.
        let (sign, word) = match run.verdict {
            Verdict::Proven if run.requirements.needs_gpu > 0 => ("needs-gpu", "proven, but for a GPU"),
            Verdict::Proven => ("proven", "proven"),
            Verdict::Failed => ("failed", "failed"),
            Verdict::NotRun => ("not-run", "incomplete"),
            Verdict::Input => ("not-run", "input missing or bad"),
        };
        [
            input_file(&run.run_id, "report.html", code(&run.run_id)),
            format!("{}: {}", input.metadata.test_mode, clip(&devices(input).join("; "), 400)).into(),
            mark(sign, word),
            share(run.requirements.proven, run.requirements.total).into(),
            share(run.tests.passed, run.tests.listed).into(),
            format!("{}/{}", run.records_holding, run.records_observed).into(),
        ]
    });
    let columns = [
        Column::Text("Run"),
        Column::Text("Ran on"),
        Column::Text("Verdict by itself"),
        Column::Number("Proven"),
        Column::Number("Tests passed"),
        Column::Number("Records that hold"),
    ];
    let each = "Each run is a whole bundle in a directory of its own under inputs/, as it was when it was merged, with its \
                attestations. The link leads to its report.";
    section(
        "runs",
        "Runs",
        [
            plain("p", each),
            table("Runs", Narrow::Stacks, columns, rows),
            more(source.merged.inputs.len(), ROWS, "merge.json"),
        ],
    )
}

/// What one run left open and another did not: a column for each run.
fn differ(source: &MergedSource) -> Html {
    let differing: Vec<&MergedRequirement> =
        source.coverage.requirements.iter().filter(|one| one.runs.iter().any(|run| run.status != one.status)).collect();
    if differing.is_empty() {
        return section(
            "differ",
            "Where the runs differ",
            plain("p", "Every run gives every requirement the same status."),
        );
    }
    let mut columns = vec![Column::Text("Requirement"), Column::Text("Together")];
    columns.extend(source.coverage.runs.iter().map(|run| Column::Text(&run.run_id)));
    let rows = differing.iter().take(ROWS).map(|one| {
        let mut row = vec![link_to(&one.id), badge(one.status)];
        row.extend(one.runs.iter().map(|run| badge(run.status)));
        row
    });
    section(
        "differ",
        "Where the runs differ",
        [
            plain("p", "Together: failed if any run failed it, otherwise the best that one run by itself shows."),
            table_of("Where the runs differ", Narrow::Scrolls, &columns, rows),
            more(differing.len(), ROWS, "coverage.json"),
        ],
    )
}

fn open(source: &MergedSource) -> Html {
    let open: Vec<_> = source.coverage.requirements.iter().filter(|one| one.status != Status::Proven).collect();
    if open.is_empty() {
        return section("open", "Not proven", plain("p", "Every requirement is proven."));
    }
    let rows = open.iter().take(ROWS).map(|one| {
        let mut reasons = one.reasons.iter().map(|reason| clip(reason, 400).into());
        let why = match one.reasons.len() {
            0 | 1 => reasons.next().unwrap_or_default(),
            _ => list(reasons, 4, "coverage.json"),
        };
        [link_to(&one.id), badge(one.status), why]
    });
    let columns = [Column::Text("Requirement"), Column::Text("Status"), Column::Text("Why, run by run")];
    section(
        "open",
        "Not proven",
        [table("Not proven", Narrow::Stacks, columns, rows), more(open.len(), ROWS, "coverage.json")],
    )
}

fn requirements(source: &MergedSource) -> Html {
    let MergedSource { merged, coverage, .. } = source;
    let total = merged.requirements.requirements.len().to_string();
    let mut html = plain("h2", ["Requirements ".into(), class("span", "count", total)]);
    html.push(filters(&coverage.summary.requirements, &coverage.summary.by_document));
    html.push(class("p", "nothing", "No requirement of this specification has this status."));
    for (index, document) in merged.requirements.documents.iter().enumerate() {
        let all = merged.requirements.requirements.iter().map(|one| &one.requirement);
        let mut of_document = all.filter(|one| one.document == document.file).peekable();
        let mut body = plain(
            "h3",
            [clip(&document.title, 200).into(), " ".into(), { class("span", "sub", code(&document.file)) }],
        );
        while let Some(section) = of_document.peek().map(|one| one.section.as_str()) {
            let mut rows = plain("h4", clip(section, 200));
            while let Some(one) = of_document.next_if(|one| one.section == section) {
                if let Some(known) = source.get(&one.id) {
                    rows.push(requirement(index, one, known));
                }
            }
            body.push(class("div", &format!("section {}", document_class(index)), rows));
        }
        html.push(class("div", &format!("document {}", document_class(index)), body));
    }
    tag("section", &[("id", "requirements")], html)
}

fn requirement(document: usize, one: &Requirement, coverage: &MergedRequirement) -> Html {
    let agreeing = coverage.runs.iter().filter(|run| run.status == coverage.status).count();
    let summary = plain(
        "summary",
        [
            id(&one.id),
            class("span", "title", sentence(&one.title)),
            class("span", "tests", format!("{agreeing}/{} runs", coverage.runs.len())),
            badge(coverage.status),
        ],
    );
    let rows = coverage.runs.iter().take(ROWS).map(|run| {
        [
            input_file(&run.run_id, "coverage.json", code(&run.run_id)),
            badge(run.status),
            format!("{}/{}, failed {}, absent {}", run.passed, run.mapped, run.failed, run.absent).into(),
            if run.devices.is_empty() { "none".into() } else { clip(&run.devices.join(", "), 80).into() },
        ]
    });
    let columns = [
        Column::Text("Run"),
        Column::Text("Status"),
        Column::Text("Tests passed"),
        Column::Text("Devices of its records"),
    ];
    let mut known = vec![("Decided by", code(&coverage.decided_by))];
    if !coverage.reasons.is_empty() {
        let reasons = coverage.reasons.iter().map(|reason| clip(reason, 600).into());
        known.push(("Why it is not proven", list(reasons, SHOWN, "coverage.json")));
    }
    let claims = one.non_claims.iter().map(|claim| sentence(claim));
    known.push(("Not claimed", list(claims, SHOWN, "requirements.json")));
    known.push(("Text of SHA-256", code(&coverage.text_sha256)));
    let body = tag(
        "div",
        &[("class", "body"), ("id", &anchor(&one.id))],
        [class("p", "text", sentence(&one.text)), table("Run by run", Narrow::Stacks, columns, rows), facts(known)],
    );
    let classes = format!("req {} {}", class_of(coverage.status), document_class(document));
    tag("details", &[("class", &classes)], [summary, body])
}

/// Roll-ups or vulnerabilities, each with what it is called.
fn groups<'a>(
    place: &'static str,
    title: &'static str,
    about: &'static str,
    groups: &'a [GroupCoverage],
    name: impl Fn(&'a GroupCoverage) -> Html,
) -> Html {
    let rows = groups.iter().take(ROWS).map(|group| {
        let members = group.requirements.len();
        let mut open = Html::new();
        for (index, id) in group.open.iter().take(SHOWN).enumerate() {
            open.push(if index == 0 { "" } else { ", " });
            open.push(link_to(id));
        }
        open.push(match group.open.len().saturating_sub(SHOWN) {
            0 if group.open.is_empty() => "none".to_owned(),
            0 => String::new(),
            more => format!(" and {more} more"),
        });
        [name(group), badge(group.status), share(members.saturating_sub(group.open.len()), members).into(), open]
    });
    let columns =
        [Column::Text("Name"), Column::Text("Status"), Column::Number("Proven"), Column::Text("Open requirements")];
    section(
        place,
        title,
        [plain("p", about), table(title, Narrow::Stacks, columns, rows), more(groups.len(), ROWS, "coverage.json")],
    )
}

fn properties(source: &MergedSource) -> Html {
    let titles = &source.merged.requirements.roll_ups;
    let about = "A property is proven only if all of its requirements are; else it has the worst of their statuses.";
    groups("properties", "Security properties", about, &source.coverage.roll_ups, |group| {
        let title = titles.iter().find(|one| one.id == group.name).map(|one| one.title.as_str()).unwrap_or_default();
        [id(&group.name), " ".into(), sentence(title)].into()
    })
}

fn vulnerabilities(source: &MergedSource) -> Html {
    let about = "The status is that of the worst requirement named; it does not say that an attack is impossible.";
    let of = &source.coverage.vulnerabilities;
    groups("vulnerabilities", "Vulnerabilities", about, of, |group| sentence(&group.name))
}

fn verify() -> Html {
    let steps = [
        Html::from("This page is made from the files beside it and adds nothing to them. It cannot vouch for itself."),
        Html::from([
            parts::file_link("VERIFY.md"),
            " says step by step how to check this folder and each run in it without our code.".into(),
        ]),
        Html::from([
            plain("code", "sha256sum -c SHA256SUMS"),
            " in this folder tells whether its files, those of all runs included, are those that were listed.".into(),
        ]),
        Html::from([
            file_link("merge.json"),
            " says what was merged; whoever has the verifier can have every status of every run derived again.".into(),
        ]),
    ];
    section("verify", "How to verify", parts::list(steps.into_iter(), 4, "VERIFY.md"))
}
