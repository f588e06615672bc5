//! `test_report.md`: the run at a glance.

use super::markdown::{cell, code, escape, fenced, share, table};
use super::{Source, clip, first, non_claims};
use crate::coverage::{Status, TestOutcome};

pub(super) fn render(source: &Source) -> String {
    let title = format!("{} Test Report", escape(&source.metadata.crate_name));
    [
        source.head(&title),
        summary(source),
        environment(source),
        models(source),
        tests(source),
        properties(source),
        performance(source),
        files(source),
        reproducibility(source),
        non_claims(),
    ]
    .concat()
}

fn summary(source: &Source) -> String {
    let count = &source.coverage.summary.requirements;
    let mut text = "## Executive Summary\n\n".to_owned();
    text.push_str(&table(
        ["Status", "Requirements", "Which"],
        Status::ALL.into_iter().map(|status| {
            let ids: Vec<String> = source
                .coverage
                .requirements
                .iter()
                .filter(|one| one.status == status)
                .map(|one| one.id.clone())
                .collect();
            let which =
                if status == Status::Proven { "see spec_coverage.md".to_owned() } else { first(&ids, ids.len()) };
            [status.as_str().to_owned(), share(count.of(status), count.total), escape(&which)]
        }),
    ));
    if !source.coverage.problems.is_empty() {
        text.push_str("**Problems with the input**:\n\n");
        for problem in &source.coverage.problems {
            text.push_str(&format!("- {}\n", escape(&problem.message)));
        }
        text.push('\n');
    }
    text
}

fn environment(source: &Source) -> String {
    let environment = &source.metadata.environment;
    let mut text = format!(
        "## Test Environment\n\n- **OS**: {}\n- **Architecture**: {}\n- **Rust**: {}\n- **CUDA usable**: {}\n\n",
        escape(&environment.os),
        escape(&environment.arch),
        escape(&environment.rust_version),
        if environment.cuda_available { "yes" } else { "no" },
    );
    if let Some(kit) = &source.provenance.kit {
        text.push_str(&format!("**Kit**: {}.\n\n", escape(&kit.sentence())));
    }
    let devices = &source.provenance.devices;
    if devices.is_empty() {
        text.push_str("No device was recorded.\n\n");
    } else {
        text.push_str(&table(
            ["Device", "Class", "Name", "Memory (bytes)", "UUID", "Driver"],
            devices.iter().map(|device| {
                [
                    device.index.to_string(),
                    device.class.to_string(),
                    escape(&device.name),
                    device.total_bytes.to_string(),
                    escape(&device.uuid.to_string()),
                    escape(device.driver_version.as_deref().unwrap_or("none")),
                ]
            }),
        ));
    }
    let libraries = &source.provenance.driver_libraries;
    if !libraries.is_empty() {
        let rows = libraries.iter().map(|one| [escape(&one.name), one.sha256.clone()]);
        text.push_str(&table(["Driver library", "SHA-256"], rows));
    }
    text
}

fn models(source: &Source) -> String {
    let models = &source.metadata.models;
    if models.is_empty() {
        return String::new();
    }
    let number = |value: Option<u64>| value.map_or_else(|| "unknown".to_owned(), |value| value.to_string());
    let rows = models.iter().map(|model| {
        [
            escape(&model.name),
            escape(&model.format),
            model.bytes.to_string(),
            number(model.tensors),
            number(model.header_bytes),
            escape(&model.sha256),
            escape(&model.tree_digest),
        ]
    });
    let heading = ["File", "Format", "Bytes", "Tensors", "Header (bytes)", "SHA-256", "fs-verity digest"];
    format!("## Models\n\n{}", table(heading, rows))
}

fn tests(source: &Source) -> String {
    let count = &source.coverage.summary.tests;
    let mut text = format!(
        "## Tests\n\n{}",
        table(
            ["Listed", "Run", "Passed", "Failed", "Not run", "No verdict"],
            [[
                count.listed.to_string(),
                share(count.run, count.listed),
                share(count.passed, count.listed),
                count.failed.to_string(),
                count.not_run.to_string(),
                count.dead.to_string(),
            ]]
        )
    );
    let on = &source.coverage.summary.tests_on;
    if !on.is_empty() {
        let rows = on.iter().map(|(device, count)| [device.clone(), count.to_string()]);
        text.push_str(&table(["Device of their records", "Tests"], rows));
    }
    if !source.coverage.tests_not_passed.is_empty() {
        text.push_str(&table(
            ["Test", "Outcome", "Reason"],
            source.coverage.tests_not_passed.iter().map(|test| {
                [
                    code(&test.test.to_string()),
                    outcome(test.result).to_owned(),
                    escape(&gist(test.reason.as_deref().unwrap_or_default())),
                ]
            }),
        ));
    }
    text
}

/// The first two lines that say something: of a panic, where it was and its message.
fn gist(reason: &str) -> String {
    let lines: Vec<&str> = reason.lines().map(str::trim).filter(|line| !line.is_empty()).take(2).collect();
    clip(&lines.join(" "), 600)
}

pub(super) fn outcome(outcome: TestOutcome) -> &'static str {
    match outcome {
        TestOutcome::Passed => "passed",
        TestOutcome::Failed => "failed",
        TestOutcome::NotRun => "not run",
        TestOutcome::Dead => "no verdict",
        TestOutcome::Unclaimed => "claimed nothing",
        TestOutcome::Absent => "absent",
    }
}

fn properties(source: &Source) -> String {
    let rows = source.coverage.roll_ups.iter().map(|group| {
        let title = source
            .requirements
            .roll_ups
            .iter()
            .find(|one| one.id == group.name)
            .map(|one| one.title.as_str())
            .unwrap_or_default();
        [
            escape(&group.name),
            cell(title),
            group.status.as_str().to_owned(),
            share(group.requirements.len().saturating_sub(group.open.len()), group.requirements.len()),
            escape(&first(&group.open, group.open.len())),
        ]
    });
    format!(
        "## Security Properties\n\nA property is proven only if all of its requirements are.\n\n{}",
        table(["ID", "Property", "Status", "Proven", "Not proven"], rows)
    )
}

fn performance(source: &Source) -> String {
    let number = |value: Option<u64>| value.map_or_else(|| "not given".to_owned(), |value| value.to_string());
    let rows: Vec<_> = source
        .performance
        .iter()
        .filter_map(|record| {
            let measured = record.measurement.as_deref()?;
            Some([
                escape(&measured.operation),
                record.device.to_owned(),
                number(measured.model_size_bytes),
                number(measured.count),
                number(measured.minimum_ns),
                number(measured.median_ns),
                number(measured.p99_ns),
                format!("`{}`", record.location),
            ])
        })
        .collect();
    if rows.is_empty() {
        return "## Performance\n\nNo timings were recorded.\n\n".to_owned();
    }
    let heading =
        ["Operation", "Device", "Model (bytes)", "Samples", "Minimum (ns)", "Median (ns)", "p99 (ns)", "Evidence"];
    format!("## Performance\n\n{}", table(heading, rows))
}

fn files(source: &Source) -> String {
    let rows = source.coverage.records.iter().map(|count| {
        [
            format!("`{}`", count.file),
            count.observed.to_string(),
            share(count.holding, count.observed),
            count.declared.to_string(),
        ]
    });
    let measured = match source.code_coverage {
        Some(_) => "- `code_coverage.json`: how many lines of each crate the tests ran\n",
        None => "",
    };
    format!(
        "## Evidence Files\n\n{}Declared records are a caller's own words. They are kept, and count for nothing.\n\n\
         - `metadata.json`: test environment\n\
         - `provenance.json`: commit, toolchain, digests of the test binaries, devices\n\
         - `requirements.json`: the requirements, their texts and their mapped tests\n\
         - `tests.junit.xml`: every test, run or not\n\
         - `coverage.json`: what follows from all of these\n{measured}\
         - `seeds.txt`: the seeds of all randomness\n\
         - `SHA256SUMS`: check with `sha256sum -c SHA256SUMS`\n\n",
        table(["File", "Observed", "Hold", "Declared"], rows)
    )
}

fn reproducibility(source: &Source) -> String {
    let Source { metadata, provenance, .. } = source;
    let nonce = match &provenance.nonce {
        Some(nonce) => format!("The run was asked for with the nonce {}.\n\n", escape(nonce)),
        None => "The run was not asked for with a nonce.\n\n".to_owned(),
    };
    let kit = match &provenance.kit {
        Some(kit) => format!(", in the kit whose `SHA256SUMS` has the SHA-256 {}", escape(&kit.sha256)),
        None => String::new(),
    };
    format!(
        "## Reproducibility\n\nAt commit {}, with `Cargo.lock` of SHA-256 {}{kit}:\n\n{}{nonce}",
        escape(&provenance.commit.sha),
        escape(&provenance.cargo_lock_sha256),
        fenced("sh", &metadata.command),
    )
}
