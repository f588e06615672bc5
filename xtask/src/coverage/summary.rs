//! What `coverage` shows: a row for each specification, then everything that is not proven, by name.

use std::fmt::{self, Write};
use std::path::PathBuf;

use proof_bundle::code_coverage::{CodeCoverage, ModuleCoverage};
use proof_bundle::coverage::{Coverage, DocumentCount, Problem, RequirementCoverage, Status, StatusCount};
use proof_bundle::provenance::Commit;
use proof_bundle::verify::one_line;
use serde::Serialize;

use crate::exit::Exit;
use crate::table::{columns, share};

/// The summary; its JSON form is what `--json` prints.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    pub(super) result: String,
    pub(super) exit_code: u8,
    /// Whose specifications and tests these are.
    specifications: Commit,
    /// The run that the statuses come from.
    bundle: Option<Bundle>,
    devices: Vec<String>,
    requirements: StatusCount,
    by_document: Vec<DocumentCount>,
    not_proven: Vec<NotProven>,
    problems: Vec<Problem>,
    code_coverage: Option<CodeCoverage>,
    /// How the committed snapshot differs; none when that was not asked for.
    pub(super) snapshot: Option<SnapshotState>,
    pub(super) written: Vec<PathBuf>,
    /// Where a bundle was looked for.
    #[serde(skip)]
    looked_in: PathBuf,
    #[serde(skip)]
    pub(super) exit: Exit,
}

/// How the snapshot and what is there now differ.
#[derive(Debug, Serialize)]
pub(super) struct SnapshotState {
    /// What that is called.
    #[serde(skip)]
    pub(super) word: &'static str,
    /// A line each.
    pub(super) differences: Vec<String>,
}

/// A bundle and where it comes from.
#[derive(Debug, Serialize)]
pub(super) struct Bundle {
    pub(super) directory: PathBuf,
    pub(super) run_id: String,
    pub(super) commit: Commit,
    /// Whether it is of the commit that is checked out.
    pub(super) is_current: bool,
}

#[derive(Debug, Serialize)]
struct NotProven {
    id: String,
    status: Status,
    reasons: Vec<String>,
}

impl Summary {
    pub(super) fn new(
        coverage: &Coverage,
        specifications: Commit,
        bundle: Option<Bundle>,
        looked_in: PathBuf,
        code_coverage: Option<CodeCoverage>,
    ) -> Self {
        let verdict = coverage.verdict();
        let (exit, result) = (Exit::from(verdict), verdict.meaning());
        let not_proven = coverage.requirements.iter().filter(|one| one.status != Status::Proven);
        Self {
            result: match coverage.summary.requirements.stale {
                0 => result.to_owned(),
                stale => format!("{result}; reworded since the run: {stale}"),
            },
            exit_code: exit.code(),
            specifications,
            bundle,
            devices: coverage.summary.devices.clone(),
            requirements: coverage.summary.requirements.clone(),
            by_document: coverage.summary.by_document.clone(),
            not_proven: not_proven.map(NotProven::of).collect(),
            problems: coverage.problems.clone(),
            code_coverage,
            snapshot: None,
            written: Vec::new(),
            looked_in,
            exit,
        }
    }

    /// Says that the snapshot differs, whatever else there is to say.
    pub(super) fn differs(&mut self) {
        self.exit = Exit::Found;
        self.exit_code = self.exit.code();
        self.result = "coverage differs from its snapshot".to_owned();
    }

    fn evidence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(Bundle { directory, run_id, commit, is_current }) = &self.bundle else {
            return writeln!(f, "evidence        none below {}: run `cargo xtask proof`", self.looked_in.display());
        };
        let other = if *is_current { "" } else { ": NOT the commit that is checked out" };
        writeln!(f, "evidence        {run_id} of commit {}{other}", of(commit))?;
        writeln!(f, "bundle          {}", directory.display())?;
        let devices = if self.devices.is_empty() { "none".to_owned() } else { self.devices.join(", ") };
        writeln!(f, "devices         {}", one_line(&devices))
    }

    fn open(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for status in Status::ALL.into_iter().skip(1) {
            let ones: Vec<&NotProven> = self.not_proven.iter().filter(|one| one.status == status).collect();
            if ones.is_empty() {
                continue;
            }
            let ids: Vec<&str> = ones.iter().map(|one| one.id.as_str()).collect();
            writeln!(f, "{:<15} {}", status.as_str(), ids.join(", "))?;
            // Without a bundle there is one reason for all; and what needs a GPU is no fault.
            if self.bundle.is_some() && status != Status::NeedsGpu {
                for one in ones {
                    one.reasons.iter().try_for_each(|reason| writeln!(f, "  {}: {}", one.id, one_line(reason)))?;
                }
            }
        }
        Ok(())
    }
}

impl NotProven {
    fn of(requirement: &RequirementCoverage) -> Self {
        Self { id: requirement.id.clone(), status: requirement.status, reasons: requirement.reasons.clone() }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "specifications  commit {}", of(&self.specifications))?;
        self.evidence(f)?;
        f.write_char('\n')?;
        let row = |name: &str, count: &StatusCount| {
            let share = |part: usize| share(part, count.total);
            [
                name.to_owned(),
                share(count.mapped),
                share(count.run),
                share(count.proven),
                count.needs_gpu.to_string(),
                count.vacuous.to_string(),
                count.stale.to_string(),
                count.failed.to_string(),
                count.total.saturating_sub(count.run).to_string(),
            ]
        };
        let head = [
            "specification",
            "mapped",
            "all tests run",
            "proven",
            "needs a GPU",
            "vacuous",
            "stale",
            "failed",
            "absent",
        ];
        let mut rows = vec![head.map(str::to_owned)];
        rows.extend(self.by_document.iter().map(|one| row(&one.document, &one.count)));
        rows.push(row("TOTAL", &self.requirements));
        f.write_str(&columns(&rows))?;
        f.write_char('\n')?;
        self.open(f)?;
        for problem in &self.problems {
            writeln!(f, "problem         {}", one_line(&problem.message))?;
        }
        match self.code_coverage.as_ref().map(CodeCoverage::total) {
            Some(ModuleCoverage { lines, tested, .. }) => {
                writeln!(f, "code coverage   {} of the lines of the library crates", share(tested, lines))?;
            }
            None => writeln!(f, "code coverage   absent: `cargo xtask proof --code-coverage` measures it")?,
        }
        if let Some(SnapshotState { word, differences }) = &self.snapshot {
            writeln!(f, "snapshot        {}", if differences.is_empty() { "as it was" } else { word })?;
            differences.iter().try_for_each(|line| writeln!(f, "  {line}"))?;
        }
        for path in &self.written {
            writeln!(f, "written         {}", path.display())?;
        }
        write!(f, "result          {} (exit code {})", self.result, self.exit_code)
    }
}

fn of(commit: &Commit) -> String {
    format!("{}{}", commit.sha, if commit.dirty { ", and the working tree differs from it" } else { "" })
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
    use proof_bundle::coverage::{ProblemKind, derive_current};
    use proof_bundle::requirement::{RequirementsFile, parse_specs};

    use super::*;

    #[test]
    fn everything_that_is_not_proven_is_named_with_its_denominators() {
        let specs = "# S\n\n## H\n\n### MS-001 One\n\nIt MUST be.\n\n- Kind: product\n- Needs a GPU: no\n- Not claimed: More.\n";
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("20_s.md"), specs).unwrap();
        let coverage = derive_current(&RequirementsFile::new(parse_specs(dir.path()).unwrap(), &[], &[]), None);
        let commit = |sha: &str, dirty| Commit { sha: sha.to_owned(), dirty };
        let bundle = Bundle {
            directory: "bundles/unit/run".into(),
            run_id: "run".to_owned(),
            commit: commit("bbbb", false),
            is_current: false,
        };
        let mut summary = Summary::new(&coverage, commit("aaaa", true), Some(bundle), "bundles".into(), None);
        summary.snapshot = Some(SnapshotState { word: "differs", differences: vec!["- MS-002: gone".to_owned()] });
        summary.differs();
        insta::assert_snapshot!(summary.to_string());

        let obeyed = "\u{1b}[2J\nresult  fine";
        summary.problems.push(Problem { kind: ProblemKind::Dead, message: obeyed.to_owned() });
        summary.not_proven[0].reasons = vec![obeyed.to_owned()];
        summary.devices = vec![obeyed.to_owned()];
        let said = summary.to_string();
        assert_eq!(said.matches("\\u{1b}[2J\\u{a}result  fine\n").count(), 3, "{said}");
    }
}
