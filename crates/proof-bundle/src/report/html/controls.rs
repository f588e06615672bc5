//! What requirements add up to: security properties, vulnerabilities, behaviour features, references of frameworks.

use super::markup::{Html, class, plain};
use super::parts::{Column, Narrow, badge, code, id as name, list, more, sentence, table};
use super::requirements::link_to;
use super::section;
use crate::coverage::{FeatureCoverage, GroupCoverage, Status};
use crate::report::compliance::{FRAMEWORKS, LEVELS, assess};
use crate::report::markdown::share;
use crate::report::{Source, clip};

/// How many rows and members are shown.
const ROWS: usize = 100;

pub(super) fn properties(source: &Source) -> Html {
    let groups = &source.coverage.roll_ups;
    let rows = groups.iter().take(ROWS).map(|group| {
        let title = source.requirements.roll_ups.iter().find(|one| one.id == group.name);
        [
            name(&group.name),
            sentence(title.map(|one| one.title.as_str()).unwrap_or_default()),
            badge(group.status),
            proven(group),
            members(group),
        ]
    });
    let columns = [
        Column::Text("Name"),
        Column::Text("Property"),
        Column::Text("Status"),
        Column::Number("Proven"),
        Column::Text("Requirements"),
    ];
    section(
        "properties",
        "Security properties",
        [
            plain(
                "p",
                "A property is proven only if all of its requirements are; else it has the worst of their statuses.",
            ),
            table("Security properties", Narrow::Stacks, columns, rows),
            more(groups.len(), ROWS, "coverage.json"),
        ],
    )
}

pub(super) fn vulnerabilities(source: &Source) -> Html {
    let groups = &source.coverage.vulnerabilities;
    let rows = groups.iter().take(ROWS).filter_map(|group| {
        let known = source.requirements.vulnerabilities.iter().find(|one| one.name == group.name)?;
        Some([
            sentence(&known.name),
            clip(&known.severity, 40).into(),
            sentence(&known.mitigation),
            badge(group.status),
            proven(group),
            members(group),
        ])
    });
    let columns = [
        Column::Text("Vulnerability"),
        Column::Text("Severity"),
        Column::Text("Mitigation"),
        Column::Text("Status"),
        Column::Number("Proven"),
        Column::Text("Requirements"),
    ];
    section(
        "vulnerabilities",
        "Vulnerabilities",
        [
            plain(
                "p",
                "The status is that of the worst requirement named; it does not say that an attack is impossible.",
            ),
            table("Vulnerabilities", Narrow::Stacks, columns, rows),
            more(groups.len(), ROWS, "coverage.json"),
        ],
    )
}

fn proven(group: &GroupCoverage) -> Html {
    share(group.requirements.len().saturating_sub(group.open.len()), group.requirements.len()).into()
}

/// The members of a group, those that are not proven marked in words.
fn members(group: &GroupCoverage) -> Html {
    let mut html = Html::new();
    for (index, id) in group.requirements.iter().enumerate().take(ROWS) {
        html.push(if index == 0 { "" } else { ", " });
        html.push(link_to(id));
        if group.open.contains(id) {
            html.push(class("span", "open", " (open)"));
        }
    }
    html
}

pub(super) fn features(source: &Source) -> Html {
    let features = &source.coverage.features;
    if features.is_empty() {
        return section("features", "Behaviour features", plain("p", "Absent: this run has no scenario."));
    }
    let row = |name: Html, scenarios: usize, run: usize, passed: usize, open: Html| -> [Html; 5] {
        [name, scenarios.to_string().into(), share(run, scenarios).into(), share(passed, scenarios).into(), open]
    };
    let total = |of: fn(&FeatureCoverage) -> usize| features.iter().map(of).fold(0, usize::saturating_add);
    let all = row(
        plain("b", "All"),
        total(|one| one.scenarios),
        total(|one| one.run),
        total(|one| one.passed),
        total(|one| one.open.len()).to_string().into(),
    );
    let rows = features.iter().take(ROWS).map(|one| {
        let open = match one.open.as_slice() {
            [] => "none".into(),
            open => list(open.iter().map(|title| clip(title, 240).into()), 5, "coverage.json"),
        };
        row(code(&one.feature), one.scenarios, one.run, one.passed, open)
    });
    let columns = [
        Column::Text("Feature"),
        Column::Number("Scenarios"),
        Column::Number("Run"),
        Column::Number("Passed"),
        Column::Text("Not passed"),
    ];
    section(
        "features",
        "Behaviour features",
        [
            table("Behaviour features", Narrow::Stacks, columns, rows.chain([all])),
            more(features.len(), ROWS, "coverage.json"),
        ],
    )
}

pub(super) fn compliance(source: &Source) -> Html {
    let rows = FRAMEWORKS.into_iter().flat_map(|framework| {
        assess(source, framework).map(move |control| {
            let proven = match control.requirements.len() {
                0 => "none cited".into(),
                cited => share(control.proven, cited).into(),
            };
            [
                [plain("b", framework), " ".into(), control.reference.into()].into(),
                control.asks.into(),
                plain("b", control.level),
                proven,
                cited(&control.requirements),
                control.scope.into(),
            ]
        })
    });
    let columns = [
        Column::Text("Reference"),
        Column::Text("What it asks"),
        Column::Text("Level"),
        Column::Number("Proven"),
        Column::Text("Requirements"),
        Column::Text("Scope"),
    ];
    let matrix = table("Compliance references", Narrow::Stacks, columns, rows);
    section("controls", "Compliance references", [plain("p", LEVELS), matrix])
}

/// The requirements that a control rests on; a status other than proven is named.
fn cited(requirements: &[(&str, Option<Status>)]) -> Html {
    if requirements.is_empty() {
        return "none".into();
    }
    let mut html = Html::new();
    for (index, (id, status)) in requirements.iter().enumerate() {
        html.push(if index == 0 { "" } else { ", " });
        html.push(if status.is_some() { link_to(id) } else { name(id) });
        match status {
            Some(Status::Proven) => {}
            Some(status) => html.push(class("span", "open", format!(" ({})", status.as_str()))),
            None => html.push(class("span", "open", " (not defined)")),
        }
    }
    html
}
