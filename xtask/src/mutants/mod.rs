//! `cargo xtask mutants`: plants one fault after another in a copy of the library crates, runs every mapped test on each, and
//! keeps which tests noticed it. A requirement whose tests notice none is not proven by them.

mod list;
mod patch;
mod reasons;
mod results;
mod summary;
mod tree;
mod trial;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use proof_bundle::junit::{NEEDS_A_GPU, Outcome};
use proof_bundle::mutants::{Mutant, MutantOutcome, PackageMutants};
use proof_bundle::provenance::Commit;
use proof_bundle::test_map::{MappedTest, TestId};

use crate::error::XtaskError;
use crate::exit::Exit;
use crate::output;
use crate::process;
use crate::progress::{Bar, note, step};
use crate::sources::{self, Sources};
use crate::suite::map::Map;
use crate::workspace::{self, Workspace};
use list::Planned;
use results::{Header, Line, Results, Shard};
pub(crate) use summary::FILE as SUMMARY;
use summary::Summary;
use tree::Tree;
use trial::{Bench, Built};

/// What is about mutants and no source of any test, below the workspace's root.
pub(crate) const DIRECTORY: &str = "mutants";

/// The memory that one process of a run may take, in bytes: some mutants never stop asking for more.
const MOST_MEMORY: u64 = 8 << 30;

const EXAMPLES: &str = "\
Examples:
  cargo xtask mutants                      every library crate, from where an interrupted run stopped
  cargo xtask mutants -p seal -p policy    some of them
  cargo xtask mutants --shard 2/4          the second of four parts, here or on another machine
  cargo xtask mutants --merge              mutants/summary.json from the results so far

Ctrl-C stops a run and keeps its results. Results of other sources are left alone and not used.";

/// Options of `mutants`.
#[derive(Args, Debug)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", Exit::help()))]
pub(crate) struct MutantsArgs {
    /// Only the k-th of n parts of the mutants
    #[arg(long, value_name = "K/N", default_value = "1/1")]
    shard: Part,
    /// Only mutants of this crate; may be given several times
    #[arg(long = "package", short, value_name = "PACKAGE")]
    packages: Vec<String>,
    /// Where results and the copy are kept [default: target/mutants]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How long one test may run, in seconds; then it has noticed the mutant
    #[arg(long, value_name = "SECONDS", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    timeout: u64,
    /// Run nothing: write mutants/summary.json from the results in DIR, which may come from several shards
    #[arg(long, conflicts_with_all = ["shard", "packages"])]
    merge: bool,
    /// Print the figures as JSON instead of text
    #[arg(long)]
    json: bool,
    /// The workspace to mutate, for the end-to-end tests of this command
    #[arg(long, value_name = "DIR", hide = true)]
    root: Option<PathBuf>,
}

/// `--shard`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Part {
    /// From 1.
    number: usize,
    of: usize,
}

impl Part {
    /// Whether the mutant at `index` belongs to it.
    fn has(self, index: usize) -> bool {
        index.checked_rem(self.of) == self.number.checked_sub(1)
    }
}

impl std::str::FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parse = |number: &str| number.parse::<usize>().ok();
        text.split_once('/')
            .and_then(|(number, of)| Some(Self { number: parse(number)?, of: parse(of)? }))
            .filter(|part| part.number >= 1 && part.number <= part.of)
            .ok_or_else(|| format!("no such part: write 1/4 for the first of four, not {text:?}"))
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// The subcommand.
pub(crate) fn run(args: &MutantsArgs) -> Result<Exit, XtaskError> {
    process::catch_interrupts()?;
    let root = match &args.root {
        Some(root) => std::path::absolute(root).map_err(XtaskError::read(root))?,
        None => workspace::find_root()?,
    };
    let out = match &args.out {
        Some(out) => std::path::absolute(out).map_err(XtaskError::write(out))?,
        None => root.join("target").join("mutants"),
    };
    let summary = if args.merge { Summary::merge(&root, &out)? } else { mutate(args, &root, &out)? };
    output::print(&if args.json { output::json(&summary.to_json())? } else { summary.to_string() })?;
    Ok(Exit::Proven)
}

/// Runs the tests on every mutant of the part that has no result yet.
fn mutate(args: &MutantsArgs, root: &Path, out: &Path) -> Result<Summary, XtaskError> {
    let tool = list::version(root)?;
    let commit = Commit::read(root)?;
    if commit.dirty {
        note("the working tree differs from its commit: the results say so");
    }
    let name = format!("shard-{}-of-{}", args.shard.number, args.shard.of);
    let scratch = out.join(&name);
    std::fs::create_dir_all(&scratch).map_err(XtaskError::write(&scratch))?;
    let _lock = lock(&scratch)?;
    process::limit_memory(MOST_MEMORY)?;

    let tree = Tree::copy(root, scratch.join("tree"))?;
    let workspace = Workspace::load(tree.root())?;
    let mut planned = Vec::new();
    let mut packages = Vec::new();
    for package in sources::libraries(&workspace) {
        let mutants = list::of_package(tree.root(), &package.name)?;
        packages.push(PackageMutants { listed: mutants.len(), package: package.name.clone() });
        planned.extend(mutants);
    }
    if let Some(unknown) = args.packages.iter().find(|name| packages.iter().all(|one| one.package != **name)) {
        let known: Vec<&str> = packages.iter().map(|one| one.package.as_str()).collect();
        return Err(XtaskError::Usage(format!("no library crate {unknown:?}: there are {}", known.join(", "))));
    }
    planned.retain(|mutant| args.packages.is_empty() || args.packages.contains(&mutant.package));
    let planned: Vec<Planned> =
        planned.into_iter().enumerate().filter(|(index, _)| args.shard.has(*index)).map(|(_, one)| one).collect();

    let sources_sha256 = tree.sha256();
    let file = Shard::path(out, &name, &sources_sha256);
    let done = Results::lines_of(out, &sources_sha256)?;
    let todo: Vec<&Planned> = planned.iter().filter(|mutant| !done.contains_key(&mutant.name)).collect();
    step(&format!(
        "{} mutants, {} of them have results already",
        planned.len(),
        planned.len().saturating_sub(todo.len())
    ));

    if !todo.is_empty() {
        let map = Map::read(tree.root(), &workspace)?;
        let sources = Sources::read(tree.root(), &workspace, &map)?;
        let mut bench = Bench {
            root: tree.root(),
            workspace: &workspace,
            target: scratch.join("target"),
            scratch: &scratch,
            // A test may be mapped twice.
            tests: map.tests.iter().map(MappedTest::id).collect::<BTreeSet<TestId>>().into_iter().collect(),
            timeout: Duration::from_secs(args.timeout),
            durations: BTreeMap::new(),
            unchanged: BTreeMap::new(),
        };
        baseline(&mut bench)?;
        let header = Header {
            sources_sha256: sources_sha256.clone(),
            commit: commit.sha.clone(),
            dirty: commit.dirty,
            tool,
            packages,
            sources: sources.libraries,
            test_sources: sources.tests,
            tests: bench.tests.clone(),
        };
        let mut shard = Shard::open(&file, &header)?;
        step(&format!("running {} tests on each of {} mutants", header.tests.len(), todo.len()));
        let made = try_all(&bench, &tree, &todo, &mut shard);
        if matches!(made, Err(XtaskError::Interrupted)) {
            note(&format!("the results so far are kept in {}; the same command goes on there", file.display()));
        }
        made?;
    }
    Ok(Summary::of_part(file, commit.sha, &Results::lines_of(out, &sources_sha256)?, &planned))
}

/// Takes the copy for this process.
fn lock(scratch: &Path) -> Result<File, XtaskError> {
    let path = scratch.join("lock");
    let file = File::create(&path).map_err(XtaskError::write(&path))?;
    file.try_lock().map_err(|_| {
        XtaskError::Input(format!("{} is in use: another run of this part is going on there", scratch.display()))
    })?;
    Ok(file)
}

/// Runs the tests without a mutant. Each must pass, or else what they say of mutants means nothing; those that need a GPU run
/// on none, and are left out from here on. A test that is slow here gets more time.
fn baseline(bench: &mut Bench<'_>) -> Result<(), XtaskError> {
    step("the baseline: building and testing without a mutant");
    let Built::Binaries(binaries) = bench.build(true)? else {
        return Err(XtaskError::Input(
            "the tests do not build without a mutant: mend what cargo reported above".into(),
        ));
    };
    let results = bench.test(&binaries)?;
    let outcome_of = |test: &TestId| results.iter().find(|result| result.id() == *test).map(|result| &result.outcome);
    let needs_a_gpu = |test: &TestId| matches!(outcome_of(test), Some(Outcome::NotRun(why)) if why == NEEDS_A_GPU);
    let mapped = bench.tests.len();
    bench.tests.retain(|test| !needs_a_gpu(test));
    if bench.tests.len() < mapped {
        note(&format!("left out, for they need a GPU: {} mapped tests", mapped.saturating_sub(bench.tests.len())));
    }
    for test in &bench.tests {
        let problem = match outcome_of(test) {
            Some(Outcome::Passed) => continue,
            Some(outcome) => outcome.reason().unwrap_or_default().lines().next().unwrap_or_default().to_owned(),
            None => "no test binary holds it".to_owned(),
        };
        return Err(XtaskError::Input(format!("without a mutant {test} does not pass: {problem}")));
    }
    bench.durations = results.iter().map(|result| (result.id(), result.duration)).collect();
    let slowest = bench.durations.values().max().copied().unwrap_or_default();
    bench.timeout = bench.timeout.max(slowest.saturating_mul(4));
    bench.remember(binaries);
    Ok(())
}

/// Tries one mutant after another, and keeps each result at once.
fn try_all(bench: &Bench<'_>, tree: &Tree, todo: &[&Planned], shard: &mut Shard) -> Result<(), XtaskError> {
    let bar = Bar::mutants(todo.len());
    for planned in todo {
        let started = Instant::now();
        let source = tree.text(&planned.file)?;
        let mutated = patch::apply(&source, &planned.diff)
            .map_err(|problem| XtaskError::Input(format!("the diff of {} does not apply: {problem}", planned.name)))?;
        tree.set(&planned.file, &mutated)?;
        let judged = try_one(bench);
        tree.set(&planned.file, &source)?;
        let (outcome, killed_by) = judged?;
        let line = Line {
            at: proof_bundle::now(),
            milliseconds: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            mutant: Mutant {
                name: planned.name.clone(),
                package: planned.package.clone(),
                file: planned.file.clone(),
                outcome,
                killed_by,
                reason: None,
            },
        };
        shard.append(&line)?;
        if !bar.is_drawn() || outcome == MutantOutcome::Survived {
            bar.line(&describe(&line));
        }
        bar.advance(1);
    }
    Ok(())
}

fn try_one(bench: &Bench<'_>) -> Result<(MutantOutcome, Vec<usize>), XtaskError> {
    match bench.build(false)? {
        Built::Refused => Ok((MutantOutcome::Unviable, Vec::new())),
        Built::Binaries(binaries) => Ok(trial::judge(&bench.tests, &bench.test(&binaries)?)),
    }
}

/// A result on a line: `survived  4.2 s  crates/…`.
fn describe(line: &Line) -> String {
    let outcome = match line.mutant.outcome {
        MutantOutcome::Killed | MutantOutcome::Timeout => format!("killed by {}", line.mutant.killed_by.len()),
        MutantOutcome::Survived => "SURVIVED".to_owned(),
        MutantOutcome::Unviable => "unviable".to_owned(),
    };
    let tenths = line.milliseconds.checked_div(100).unwrap_or_default();
    let (seconds, tenth) = (tenths.checked_div(10).unwrap_or_default(), tenths.checked_rem(10).unwrap_or_default());
    format!("{outcome:<13} {seconds:>3}.{tenth} s  {}", line.mutant.name)
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
    use super::*;

    #[test]
    fn the_parts_hold_each_mutant_once_and_an_odd_part_is_refused() {
        let parts = ["1/3", "2/3", "3/3"].map(|part| part.parse::<Part>().unwrap());
        for index in 0..10 {
            assert_eq!(parts.iter().filter(|part| part.has(index)).count(), 1, "{index}");
        }
        for odd in ["", "1", "0/3", "4/3", "1/0", "-1/3", "1/3/4", "a/b"] {
            assert!(odd.parse::<Part>().unwrap_err().contains("1/4"), "{odd}");
        }
    }
}
