//! The section about mutants: whether the tests would notice a fault.

use super::markdown::{escape, share, table};
use super::{first, of_commit};
use crate::coverage::{MatrixState, Mutation};
use crate::provenance::Commit;

/// How many names a sentence shows; `coverage.json` has them all.
const SHOWN: usize = 10;

/// Who answers for the matrix.
pub(super) const UNCHECKED: &str = "The matrix is a committed file that this run did not repeat. Nothing in this bundle can \
     check it: whoever signs the bundle vouches for it.";

/// The section, or that there is nothing to show.
pub(super) fn render(mutation: Option<&Mutation>) -> String {
    let mut text = "## Mutation\n\n".to_owned();
    let Some(mutation) = mutation else {
        text.push_str(
            "Absent: this bundle has no `mutants.json`. Nothing is said of whether the tests would notice a fault.\n\n",
        );
        return text;
    };
    let rows = figures(mutation).map(|(what, part, whole)| [what.to_owned(), share(part, whole)]);
    text.push_str(&format!("**Matrix**: {}\n\n", meaning(mutation.state)));
    text.push_str(&table(["Mutants", "Count"], rows));
    let commit = Commit { sha: mutation.commit.clone(), dirty: mutation.dirty };
    text.push_str(&format!(
        "A mutant is the library with one small fault planted in it by {}. Every mapped test ran on each, at commit {}, the \
         last on {}. Kills, above: the mutants that at least one test of the requirement noticed.\n\n{UNCHECKED}\n\n",
        escape(&mutation.tool),
        of_commit(&commit),
        escape(&mutation.generated_at),
    ));
    let escaped = |names: Vec<String>| first(&names.iter().map(|name| escape(name)).collect::<Vec<_>>(), SHOWN);
    if !mutation.crates_missing.is_empty() {
        let crates = escaped(mutation.crates_missing.clone());
        text.push_str(&format!("Library crates that are not in the matrix: {crates}.\n\n"));
    }
    if !mutation.sources_changed.is_empty() {
        let files = escaped(mutation.sources_changed.clone());
        text.push_str(&format!("Library files that are not as they were then: {files}.\n\n"));
    }
    if !mutation.tests_unknown.is_empty() {
        let tests = escaped(mutation.tests_unknown.iter().map(ToString::to_string).collect());
        text.push_str(&format!("Tests that did not run on the mutants as they are now: {tests}.\n\n"));
    }
    text.push_str("### Survivors\n\n");
    if mutation.survivors.is_empty() {
        text.push_str("None.\n");
    }
    for survivor in &mutation.survivors {
        let reason = survivor.reason.as_deref().unwrap_or("NO REASON GIVEN");
        text.push_str(&format!("- {}: {}\n", escape(&survivor.name), escape(reason)));
    }
    text.push('\n');
    text
}

/// The figures, each with its denominator.
pub(super) fn figures(mutation: &Mutation) -> [(&'static str, usize, usize); 6] {
    let Mutation { listed, tried, killed, timeout, survived, unviable, of_other_sources, .. } = *mutation;
    let viable = tried.saturating_sub(unviable);
    [
        ("Tried on the sources of this run", tried, listed),
        ("Of those, do not compile, and say nothing", unviable, tried),
        ("Noticed by a test that failed", killed, viable),
        ("Noticed by a test that ran past its time", timeout, viable),
        ("Survived: no mapped test noticed", survived, viable),
        ("Tried on other sources: not counted", of_other_sources, listed),
    ]
}

/// What a matrix in this state says.
pub(super) fn meaning(state: MatrixState) -> &'static str {
    match state {
        MatrixState::Empty => "empty: no mutant was tried on the sources of this run, and no status depends on it",
        MatrixState::Partial => {
            "partial: not every mutant of every library crate was tried on the sources of this run, and no status depends \
             on it"
        }
        MatrixState::Complete => {
            "complete: every mutant that it lists was tried, and it lists every library crate; a product requirement whose \
             tests notice none is vacuous"
        }
    }
}
