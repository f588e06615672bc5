//! The reports, rendered from the files beside them and from nothing else.
//!
//! Every figure and every `file:line` comes from the JSON of the bundle; the fixed text says what is not claimed. The
//! same files always render to the same bytes, so a reader can render them again and compare.

mod compliance;
mod excerpts;
pub(crate) mod html;
mod markdown;
mod merged;
mod mutation;
mod spec_coverage;
mod test_report;
pub(crate) mod verify_md;

use std::path::Path;

use evidence::Stream;

use crate::Error;
use crate::bundle::HEADER;
use crate::code_coverage::CodeCoverage;
use crate::coverage::{Coverage, Inputs, StatusCount, TestCount, TestOutcome, Verdict};
use crate::json::read_json;
use crate::merge;
use crate::provenance::{Commit, Metadata, Provenance};
use crate::records::{self, Class, Record};
use crate::requirement::RequirementsFile;
use excerpts::Excerpts;
use markdown::{code, escape};

pub(crate) use markdown::reorders;

/// The version of what is derived and rendered; it grows with every change to that, and `coverage.json` records it. A bundle of
/// another version is verified by the verifier that was made with it.
pub const RENDERER_VERSION: u32 = 5;

/// The reports of a bundle.
pub(crate) const REPORTS: [&str; 5] =
    ["test_report.md", "spec_coverage.md", "compliance_matrix.md", html::FILE, verify_md::FILE];

/// The same of a merged bundle.
pub(crate) const REPORTS_OF_MERGED: [&str; 3] = ["spec_coverage.md", html::FILE, verify_md::FILE];

/// What the reports are rendered from.
struct Source {
    metadata: Metadata,
    provenance: Provenance,
    requirements: RequirementsFile,
    coverage: Coverage,
    code_coverage: Option<CodeCoverage>,
    performance: Vec<Record>,
    excerpts: Excerpts,
}

/// Renders `test_report.md`, `spec_coverage.md`, `compliance_matrix.md`, `report.html` and `VERIFY.md` of the bundle at
/// `directory`: names and texts. A merged bundle has no `test_report.md` and no `compliance_matrix.md`.
///
/// # Errors
///
/// [`Error::Io`] or [`Error::Json`] when a JSON file of the bundle is missing or not what it should be.
pub fn render_all(directory: impl AsRef<Path>) -> Result<Vec<(String, String)>, Error> {
    let directory = directory.as_ref();
    if merge::is_merged(directory) {
        return merged::render_all(directory);
    }
    let coverage: Coverage = read_json(directory, "coverage.json")?;
    let records = records::read_stream(directory, Stream::Performance, &coverage.run_id).records;
    let source = Source {
        metadata: read_json(directory, "metadata.json")?,
        provenance: read_json(directory, "provenance.json")?,
        requirements: read_json(directory, "requirements.json")?,
        code_coverage: CodeCoverage::read(directory)?,
        performance: records.into_iter().filter(|record| record.class == Class::Observed).collect(),
        excerpts: Excerpts::read(directory, &coverage),
        coverage,
    };
    Ok([
        ("test_report.md", test_report::render(&source)),
        ("spec_coverage.md", spec_coverage::render(&source)),
        ("compliance_matrix.md", compliance::render(&source)),
        (html::FILE, html::render(&source)),
        (verify_md::FILE, verify_md::render(&source)),
    ]
    .into_iter()
    .map(|(name, text)| (name.to_owned(), text))
    .collect())
}

/// What the matrix of the specifications as they are now is rendered from.
#[derive(Clone, Copy, Debug)]
pub struct Current<'a> {
    /// The commit whose specifications these are.
    pub commit: &'a Commit,
    /// The run that gives the evidence, if there is one.
    pub run: Option<&'a Inputs>,
    /// The requirements and their mapped tests.
    pub requirements: &'a RequirementsFile,
    /// What [`derive_current`](crate::coverage::derive_current) made of these.
    pub coverage: &'a Coverage,
    /// What the run measured, if it did.
    pub code_coverage: Option<&'a CodeCoverage>,
}

/// Renders `spec_coverage.md` of the specifications as they are now.
#[must_use]
pub fn render_current(current: &Current<'_>) -> String {
    let Current { commit, run, requirements, coverage, code_coverage } = *current;
    let evidence = match run.map(|run| &run.provenance) {
        None => "none: no bundle is there, and `cargo xtask proof` makes one".to_owned(),
        Some(Provenance { run_id, commit: of, .. }) => {
            let other = if of.sha == commit.sha { "" } else { ", which is another" };
            format!("run {} of commit {}{other}", escape(run_id), of_commit(of))
        }
    };
    let mut head = format!(
        "{HEADER}\n\n# {}\n\n**Specifications**: as of commit {}  \n**Evidence**: {evidence}  \n\
         **Device classes observed**: {}  \n**Result**: {}\n\n",
        spec_coverage::TITLE,
        of_commit(commit),
        escape(&devices(coverage)),
        result(coverage),
    );
    head.push_str(&troubled_tests(&troubled(coverage)));
    if !has_gpu(coverage) {
        head.push_str("> **No GPU.** Nothing below is evidence from a GPU.\n\n");
    }
    head + &spec_coverage::Matrix { requirements, coverage, code_coverage }.render()
}

/// A commit, and whether the tree differed from it.
fn of_commit(commit: &Commit) -> String {
    format!("{}{}", escape(&commit.sha), if commit.dirty { ", with uncommitted changes" } else { "" })
}

/// The classes of device that records come from.
fn devices(coverage: &Coverage) -> String {
    match coverage.summary.devices.as_slice() {
        [] => "none observed".to_owned(),
        classes => classes.join(", "),
    }
}

fn has_gpu(coverage: &Coverage) -> bool {
    coverage.summary.devices.iter().any(|class| class == records::GPU)
}

/// A verdict in words.
fn in_words(verdict: Verdict, count: &StatusCount) -> &'static str {
    match verdict {
        Verdict::Proven if count.needs_gpu > 0 => "all that this host can prove is proven",
        Verdict::Proven => "every requirement is proven",
        Verdict::Failed => "FAILED",
        Verdict::NotRun if count.stale > 0 => {
            "INCOMPLETE: requirements were reworded since the run, or their tests did not run"
        }
        Verdict::NotRun => "INCOMPLETE: mapped tests did not run, or requirements have none",
        Verdict::Input => "INCOMPLETE: an input is missing, empty, dead or contradicts another",
    }
}

/// The verdict in words, with its figures.
fn result(coverage: &Coverage) -> String {
    let count = &coverage.summary.requirements;
    figures(&with_tests(in_words(coverage.verdict(), count), &coverage.summary.tests), count)
}

/// The words of a verdict, and how many tests failed or left no verdict.
fn with_tests(words: &str, tests: &TestCount) -> String {
    match trouble(tests) {
        None => words.to_owned(),
        Some(trouble) => format!("{words}: {trouble}"),
    }
}

/// How many tests failed or left no verdict, if any did.
fn trouble(tests: &TestCount) -> Option<String> {
    let plural = |count: usize| if count == 1 { "1 test".to_owned() } else { format!("{count} tests") };
    match (tests.failed, tests.dead) {
        (0, 0) => None,
        (0, dead) => Some(format!("{} left no verdict", plural(dead))),
        (failed, 0) => Some(format!("{} failed", plural(failed))),
        (failed, dead) => Some(format!("{} failed, {dead} left no verdict", plural(failed))),
    }
}

/// How many of the tests that failed or left no verdict the head of a report names.
const NAMED: usize = 3;

/// The names of tests that failed, then of those that left no verdict. A much too long one is cut.
fn troubled(coverage: &Coverage) -> Vec<String> {
    let ended = |wanted: TestOutcome| {
        let tests = coverage.tests_not_passed.iter().filter(move |test| test.result == wanted);
        tests.map(|test| clip(&test.test.to_string(), 240))
    };
    ended(TestOutcome::Failed).chain(ended(TestOutcome::Dead)).collect()
}

/// A paragraph that names them; nothing where there are none.
fn troubled_tests(names: &[String]) -> String {
    if names.is_empty() {
        return String::new();
    }
    let names: Vec<String> = names.iter().map(|name| code(name)).collect();
    format!("Failed or left no verdict: {}.\n\n", first(&names, NAMED))
}

/// The words of a verdict with the figures of the requirements.
fn figures(words: &str, count: &StatusCount) -> String {
    let StatusCount { total, proven, failed, needs_gpu, not_run, unmapped, vacuous, stale, .. } = *count;
    let open = [not_run, unmapped, vacuous, stale].into_iter().fold(0, usize::saturating_add);
    format!(
        "{words} (of {total} requirements: proven {proven}, failed {failed}, needing a GPU {needs_gpu}, not run, unmapped, \
         vacuous or stale {open})"
    )
}

/// What no bundle claims.
pub(crate) const NON_CLAIMS: [&str; 9] = [
    "Evidence supports a control. It does not certify anything, and nothing here was judged by an auditor.",
    "Statuses follow from the records beside this report. That shows consistency; who ran the tests vouches for the rest.",
    "What ran on the simulated device or against a stand-in for the driver says nothing of a GPU.",
    "ECC corrects single-bit errors before a hash can see them.",
    "Root on the host can subvert all of it.",
    "Between verification and execution a window remains.",
    "After SIGKILL the driver reclaims device memory; nothing of ours overwrites it.",
    "Published test vectors that pass are not a FIPS 140 validation.",
    "Residue that the cryptography library leaves in its own key objects is not claimed to be wiped.",
];

impl Source {
    /// The head of every report: which run, which source, which device, and what it comes to.
    fn head(&self, title: &str) -> String {
        let Self { metadata, provenance, coverage, .. } = self;
        let mut head = format!(
            "{HEADER}\n\n# {title}\n\n**Run ID**: {}  \n**Started**: {}  \n**Ended**: {}  \n**Commit**: {}  \n\
             **Test mode**: {}: {}  \n**Device classes observed**: {}  \n**Result**: {}\n\n",
            escape(&coverage.run_id),
            escape(&provenance.timings.started),
            escape(&provenance.timings.finished),
            of_commit(&provenance.commit),
            metadata.test_mode,
            escape(&metadata.device_reason),
            escape(&devices(coverage)),
            result(coverage),
        );
        head.push_str(&troubled_tests(&troubled(coverage)));
        if !has_gpu(coverage) {
            head.push_str(
                "> **No GPU.** Device operations of this run were simulated: host memory played the part of a GPU. \
                 Nothing below is evidence from a GPU.\n\n",
            );
        }
        head
    }
}

/// The closing section of every report.
fn non_claims() -> String {
    let mut text = "## Not claimed\n\n".to_owned();
    for claim in NON_CLAIMS {
        text.push_str(&format!("- {claim}\n"));
    }
    text
}

/// The first `limit` of `items`, and how many more there are.
fn first(items: &[String], limit: usize) -> String {
    let shown = items.iter().take(limit).map(String::as_str).collect::<Vec<_>>().join(", ");
    match items.len().saturating_sub(limit) {
        0 if items.is_empty() => "none".to_owned(),
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// The first `limit` characters of a text, and how many more there are.
fn clip(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        None => text.to_owned(),
        Some((end, _)) => {
            let (shown, rest) = text.split_at(end);
            format!("{shown}… ({} more characters)", rest.chars().count())
        }
    }
}
