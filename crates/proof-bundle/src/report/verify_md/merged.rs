//! `VERIFY.md` of a merged bundle: the same commands for the bundle itself, and one more for the runs inside.

use super::super::markdown::{escape, share, table};
use super::super::merged::{MergedSource, devices};
use super::super::{first, in_words, troubled_tests};
use super::{COMMANDS, SHOWN, not_claimed};
use crate::coverage::Status;
use crate::merge::INPUTS;

/// The check of each run, what these checks cannot say, and what each file is.
const RUNS: &str = include_str!("merged.md");

pub(in crate::report) fn render(source: &MergedSource) -> String {
    [head(source), shown(source), not_claimed(), COMMANDS.to_owned(), RUNS.to_owned()].join("\n")
}

fn head(source: &MergedSource) -> String {
    let MergedSource { merged, coverage, .. } = source;
    format!(
        "# How to check this merged proof bundle\n\n\
         This directory joins {} runs of the tests of one commit, each from a host of its own or at a time of its own. Each run \
         is a whole proof bundle in `{INPUTS}/`, byte for byte as it was, with a page like this one. Merging added no \
         evidence. You need nothing of ours to check that it is as its maker left it and who that was: `sha256sum`, `openssl` \
         3, and, if you like, Python. The first half of this page is what the runs show; the second is how to check it.\n\n\
         - **Merged as**: {}, {} by the clock of whoever merged\n\
         - **Commit**: {}, and no file differed from it in any run\n",
        merged.inputs.len(),
        escape(&coverage.run_id),
        escape(&merged.merge.generated_at),
        escape(&coverage.commit),
    )
}

/// What was proven by which run, and what was not.
fn shown(source: &MergedSource) -> String {
    let coverage = &source.coverage;
    let mut text =
        format!("## What the runs show\n\n**{}**\n\n{}", source.result(), troubled_tests(&source.troubled()));
    text.push_str(&table(
        ["Run", "Its verdict by itself", "Proven", "Tests passed", "Devices", "Challenge"],
        source.runs().map(|(input, run)| {
            let devices = devices(input);
            [
                escape(&run.run_id),
                in_words(run.verdict, &run.requirements).to_owned(),
                share(run.requirements.proven, run.requirements.total),
                share(run.tests.passed, run.tests.listed),
                escape(&first(&devices, SHOWN)),
                escape(input.provenance.nonce.as_deref().unwrap_or("none")),
            ]
        }),
    ));
    text.push_str(&table(
        ["Requirements", "How many", "Which"],
        Status::ALL.into_iter().filter_map(|status| {
            let of = coverage.requirements.iter().filter(|one| one.status == status);
            let ids: Vec<String> = of.map(|one| one.id.clone()).collect();
            let which =
                if status == Status::Proven { "see `spec_coverage.md`".into() } else { escape(&first(&ids, SHOWN)) };
            (!ids.is_empty())
                .then(|| [status.as_str().to_owned(), share(ids.len(), coverage.requirements.len()), which])
        }),
    ));
    text.push_str(
        "- A requirement has the best status that one run by itself gives it, and is failed if any run failed it.\n\
         - A run that failed, or whose input is missing or dead, makes the whole fail: no other run makes up for it.\n",
    );
    if !source.has_gpu() {
        text.push_str("- **No GPU took part.** `simulated` means that host memory played the part of a GPU.\n");
    }
    for problem in coverage.problems.iter().take(SHOWN) {
        text.push_str(&format!("- **Problem**: {}\n", escape(&problem.message)));
    }
    text
}
