//! `VERIFY.md`: how a stranger checks the bundle with tools that are not ours, and what the bundle says.
//!
//! The blocks marked `sh` are one script, read from top to bottom in the bundle's directory with `KEY` set; the block marked
//! `python` stands alone. `.ci/interop` takes them out of a real bundle's file and runs them, so they cannot go stale. The
//! page is hashed before anything is signed, so it cannot say whether the bundle is.

mod merged;

use std::collections::BTreeSet;

use super::markdown::{escape, share, table};
use super::{NON_CLAIMS, Source, first, has_gpu, result, troubled, troubled_tests};
use crate::coverage::Status;
use crate::records::GPU;

pub(super) use merged::render as render_merged;

/// The page's name in a bundle.
pub(crate) const FILE: &str = "VERIFY.md";

/// How many ids or problems are listed: the page is to be read in two minutes, and `coverage.json` has them all.
const SHOWN: usize = 24;

/// From the public key to the last check that needs no code of ours.
const COMMANDS: &str = include_str!("verify_md/commands.md");

/// What the checks cannot say.
const LIMITS: &str = include_str!("verify_md/limits.md");

/// What each file is.
const REFERENCE: &str = include_str!("verify_md/reference.md");

pub(super) fn render(source: &Source) -> String {
    // What the checks cannot say follows the last check at once.
    let commands = format!("{COMMANDS}\n{LIMITS}");
    [head(source), shown(source), not_claimed(), commands, REFERENCE.to_owned()].join("\n")
}

fn head(source: &Source) -> String {
    let Source { metadata, provenance, coverage, .. } = source;
    let commit = &provenance.commit;
    let dirty = if commit.dirty {
        ", **but files differed from it**: what was tested is not exactly this commit"
    } else {
        ", and no file differed from it"
    };
    let nonce = match &provenance.nonce {
        Some(nonce) => {
            format!("`--nonce` {}: whoever asked for the run with this text knows that it is not older", escape(nonce))
        }
        None => "none, so nothing here shows that the run is as recent as its clock says".to_owned(),
    };
    let kit = match &provenance.kit {
        Some(kit) => format!(
            "- **Kit**: {}; the SHA-256 of the kit's `SHA256SUMS` is {}. That the kit was built from this commit is \
             its maker's word\n",
            escape(&kit.sentence()),
            escape(&kit.sha256)
        ),
        None => String::new(),
    };
    format!(
        "# How to check this proof bundle\n\n\
         This directory is the record of one run of the tests of `{}` {}. You need nothing of ours to check that it is as its \
         maker left it and who that was: `sha256sum`, `openssl` 3, and, if you like, Python. The first half of this page is \
         what the run shows; the second is how to check it.\n\n\
         - **Run**: {}, {} to {} by its own clock\n\
         - **Commit**: {}{dirty}\n{kit}\
         - **Challenge**: {nonce}\n",
        escape(&metadata.crate_name),
        escape(&metadata.version),
        escape(&coverage.run_id),
        escape(&provenance.timings.started),
        escape(&provenance.timings.finished),
        escape(&commit.sha),
    )
}

/// What was proven on what, and what was not.
fn shown(source: &Source) -> String {
    let coverage = &source.coverage;
    let tests = &coverage.summary.tests;
    let named = troubled_tests(&troubled(coverage));
    let mut text = format!("## What the run shows\n\n**{}**\n\n{named}", result(coverage));
    text.push_str(&table(
        ["Requirements", "How many", "Their records come from", "Which"],
        Status::ALL.into_iter().filter_map(|status| {
            let of: Vec<_> = coverage.requirements.iter().filter(|one| one.status == status).collect();
            let devices: BTreeSet<&str> = of.iter().flat_map(|one| &one.devices).map(String::as_str).collect();
            let ids: Vec<String> = of.iter().map(|one| one.id.clone()).collect();
            let which =
                if status == Status::Proven { "see `spec_coverage.md`".into() } else { escape(&first(&ids, SHOWN)) };
            let has_gpu = devices.contains(GPU);
            let mut from =
                if devices.is_empty() { "nothing".into() } else { devices.into_iter().collect::<Vec<_>>().join(", ") };
            if status == Status::NeedsGpu && !has_gpu {
                from.push_str("; no record from a GPU");
            }
            (!of.is_empty()).then(|| {
                [status.as_str().to_owned(), share(of.len(), coverage.requirements.len()), escape(&from), which]
            })
        }),
    ));
    let observed: usize = coverage.records.iter().fold(0, |sum, file| sum.saturating_add(file.observed));
    let holding: usize = coverage.records.iter().fold(0, |sum, file| sum.saturating_add(file.holding));
    let declared: usize = coverage.records.iter().fold(0, |sum, file| sum.saturating_add(file.declared));
    text.push_str(&format!(
        "- **Tests**: {} exist, {} ran, {} passed, {} failed, {} did not run, {} left no verdict.\n\
         - **Records**: {holding} of {observed} observed ones hold what was expected; {declared} were only declared and count \
         for nothing.\n",
        tests.listed, tests.run, tests.passed, tests.failed, tests.not_run, tests.dead,
    ));
    for device in &source.provenance.devices {
        text.push_str(&format!(
            "- **Device** {}: {} ({}), {} bytes, uuid {}, driver {}.\n",
            device.index,
            escape(&device.name),
            device.class,
            device.total_bytes,
            escape(&device.uuid.to_string()),
            escape(device.driver_version.as_deref().unwrap_or("none")),
        ));
    }
    text.push_str(&match &coverage.mutation {
        None => "- **Planted faults**: not measured.\n".to_owned(),
        Some(one) => format!(
            "- **Planted faults**: of {} that exist, {} were tried on these sources; {} do not compile, {} were noticed by a \
             test, {} survived.\n",
            one.listed,
            one.tried,
            one.unviable,
            one.killed.saturating_add(one.timeout),
            one.survived,
        ),
    });
    if !has_gpu(coverage) {
        text.push_str("- **No GPU took part.** `simulated` means that host memory played the part of a GPU.\n");
    }
    for problem in coverage.problems.iter().take(SHOWN) {
        text.push_str(&format!("- **Problem**: {}\n", escape(&problem.message)));
    }
    text
}

fn not_claimed() -> String {
    let claims: String = NON_CLAIMS.iter().map(|claim| format!("- {claim}\n")).collect();
    format!("## What it does not show\n\n{claims}")
}
