//! What the results come to: the figures of a part, and `mutants/summary.json`, which a proof puts into its bundle.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use proof_bundle::mutants::{Mutant, MutantOutcome, Mutants};
use serde::Serialize;
use serde_json::{Value, json};

use super::list::Planned;
use super::reasons::Reasons;
use super::results::{Line, Results};
use super::{DIRECTORY, tree::Tree};
use crate::error::XtaskError;

/// The file of the summary in its directory.
pub(crate) const FILE: &str = "summary.json";

/// Figures to show.
pub(super) struct Summary {
    /// Where they were written.
    path: PathBuf,
    commit: String,
    listed: usize,
    mutants: Vec<Mutant>,
    milliseconds: u64,
}

impl Summary {
    /// What `results` hold of the mutants in `planned`; `path` and `commit` say where they are and of what.
    pub(super) fn of_part(
        path: PathBuf,
        commit: String,
        results: &BTreeMap<String, Line>,
        planned: &[Planned],
    ) -> Self {
        let lines = planned.iter().filter_map(|mutant| results.get(&mutant.name));
        Self {
            path,
            commit,
            listed: planned.len(),
            milliseconds: lines.clone().map(|line| line.milliseconds).fold(0, u64::saturating_add),
            mutants: lines.map(|line| line.mutant.clone()).collect(),
        }
    }

    /// Writes `mutants/summary.json` of the workspace at `root` from all results in `out`.
    pub(super) fn merge(root: &Path, out: &Path) -> Result<Self, XtaskError> {
        let mut all = Results::read_all(out)?;
        all.retain(|_, results| !results.lines.is_empty());
        if all.len() > 1 {
            // Those of the sources that are here, where there are any.
            let scratch = tempfile::tempdir().map_err(XtaskError::write(&std::env::temp_dir()))?;
            let here = Tree::copy(root, scratch.path().to_owned())?.sha256();
            all.retain(|sources, _| *sources == here);
        }
        let Some((_, results)) = all.pop_first() else {
            return Err(XtaskError::Input(format!(
                "{} holds no results of these sources: run `cargo xtask mutants` first, or say where they are with --out",
                out.display()
            )));
        };
        let header = results.header;
        let lines: Vec<_> = results.lines.into_values().collect();
        let directory = root.join(DIRECTORY);
        let mut tried: Vec<Mutant> = lines.iter().map(|line| line.mutant.clone()).collect();
        Reasons::read(&directory)?.give(&mut tried)?;
        let listed = header.packages.iter().map(|package| package.listed).fold(0, usize::saturating_add);
        let mutants = Mutants {
            commit: header.commit,
            dirty: header.dirty,
            generated_at: lines.iter().map(|line| line.at.clone()).max().unwrap_or_default(),
            tool: header.tool,
            packages: header.packages,
            listed,
            sources: header.sources,
            test_sources: header.test_sources,
            tests: header.tests,
            mutants: tried,
        };
        if let Some(problem) = mutants.contradiction() {
            let out = out.display();
            return Err(XtaskError::Input(format!(
                "the results in {out} contradict one another ({problem}): remove them"
            )));
        }
        let path = directory.join(FILE);
        let text = by_line(&mutants).map_err(|error| XtaskError::Input(error.to_string()))?;
        std::fs::create_dir_all(&directory).map_err(XtaskError::write(&directory))?;
        std::fs::write(&path, text).map_err(XtaskError::write(&path))?;
        Ok(Self {
            path,
            commit: mutants.commit,
            listed,
            milliseconds: lines.iter().map(|line| line.milliseconds).fold(0, u64::saturating_add),
            mutants: mutants.mutants,
        })
    }

    fn count(&self, outcome: MutantOutcome) -> usize {
        self.mutants.iter().filter(|mutant| mutant.outcome == outcome).count()
    }

    fn survivors(&self) -> impl Iterator<Item = &Mutant> {
        self.mutants.iter().filter(|mutant| mutant.outcome == MutantOutcome::Survived)
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "commit": self.commit,
            "listed": self.listed,
            "tried": self.mutants.len(),
            "killed": self.count(MutantOutcome::Killed),
            "timeout": self.count(MutantOutcome::Timeout),
            "survived": self.count(MutantOutcome::Survived),
            "unviable": self.count(MutantOutcome::Unviable),
            "survivors": self.survivors().map(|one| json!({"name": one.name, "reason": one.reason})).collect::<Vec<_>>(),
            "seconds": self.milliseconds.checked_div(1000),
            "file": self.path,
        })
    }
}

/// JSON with each member of an object, and each item of a list in it, on a line of its own: a change to one mutant changes
/// one line.
fn by_line(value: &impl Serialize) -> Result<String, serde_json::Error> {
    let members = match serde_json::to_value(value)? {
        Value::Object(members) => members,
        other => return serde_json::to_string(&other),
    };
    let mut lines = Vec::new();
    for (name, value) in members {
        let text = match &value {
            Value::Array(items) if !items.is_empty() => {
                let items: Vec<String> = items.iter().map(|item| format!("    {item}")).collect();
                format!("[\n{}\n  ]", items.join(",\n"))
            }
            other => other.to_string(),
        };
        lines.push(format!("  {}: {text}", Value::String(name)));
    }
    Ok(format!("{{\n{}\n}}\n", lines.join(",\n")))
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tried = self.mutants.len();
        let each = u64::try_from(tried).ok().and_then(|tried| self.milliseconds.checked_div(tried)).unwrap_or_default();
        writeln!(f, "commit    {}", self.commit)?;
        writeln!(
            f,
            "mutants   {tried} of {} tried: {} killed, {} killed by a timeout, {} survived, {} unviable",
            self.listed,
            self.count(MutantOutcome::Killed),
            self.count(MutantOutcome::Timeout),
            self.count(MutantOutcome::Survived),
            self.count(MutantOutcome::Unviable),
        )?;
        writeln!(f, "time      {} s, {each} ms each", self.milliseconds.checked_div(1000).unwrap_or_default())?;
        for survivor in self.survivors() {
            writeln!(f, "survived  {}", survivor.name)?;
            if let Some(reason) = &survivor.reason {
                writeln!(f, "          {reason}")?;
            }
        }
        writeln!(f, "{}", self.path.display())
    }
}
