//! Results as they are made: a file for each shard, a line for each mutant, so that an interrupted run goes on where it
//! stopped. The first line says of which sources they are; results of others are never mixed in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use proof_bundle::mutants::{Mutant, PackageMutants};
use proof_bundle::provenance::FileDigest;
use proof_bundle::test_map::TestId;
use serde::{Deserialize, Serialize};

use crate::error::XtaskError;

/// How the names of the files end.
const SUFFIX: &str = ".ndjson";

/// The first line of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    /// The digest of all sources.
    pub(super) sources_sha256: String,
    /// The full id of the commit, hexadecimal.
    pub(super) commit: String,
    /// Whether the tree differed from it.
    pub(super) dirty: bool,
    /// What made the mutants, with its version.
    pub(super) tool: String,
    /// The crates that are mutated, each with the number of its mutants.
    pub(super) packages: Vec<PackageMutants>,
    /// The files of these crates.
    pub(super) sources: Vec<FileDigest>,
    /// What each test binary is made of.
    pub(super) test_sources: Vec<FileDigest>,
    /// The tests that run on each mutant.
    pub(super) tests: Vec<TestId>,
}

/// Each line after the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Line {
    /// When it was made; RFC 3339 in UTC.
    pub(super) at: String,
    /// How long building and testing took, in milliseconds.
    pub(super) milliseconds: u64,
    /// The result; indices are into [`Header::tests`].
    #[serde(flatten)]
    pub(super) mutant: Mutant,
}

/// All that a directory holds of some sources.
pub(super) struct Results {
    pub(super) header: Header,
    /// By the mutant's name.
    pub(super) lines: BTreeMap<String, Line>,
}

impl Results {
    /// Reads every file of `directory`, state of the sources by state.
    pub(super) fn read_all(directory: &Path) -> Result<BTreeMap<String, Self>, XtaskError> {
        let mut all: BTreeMap<String, Self> = BTreeMap::new();
        for path in files(directory)? {
            let Some((header, lines)) = read(&path)? else { continue };
            let known = all
                .entry(header.sources_sha256.clone())
                .or_insert_with(|| Self { header: header.clone(), lines: BTreeMap::new() });
            let same = |of: &Header| (of.tool.clone(), of.packages.clone(), of.tests.clone());
            if same(&known.header) != same(&header) {
                return Err(XtaskError::Input(format!(
                    "{} was made with another tool or other tests than the results beside it: remove one of them",
                    path.display()
                )));
            }
            for line in lines {
                known.lines.entry(line.mutant.name.clone()).or_insert(line);
            }
        }
        Ok(all)
    }

    /// Every result of these sources in `directory`, by the mutant's name.
    pub(super) fn lines_of(directory: &Path, sources_sha256: &str) -> Result<BTreeMap<String, Line>, XtaskError> {
        Ok(Self::read_all(directory)?.remove(sources_sha256).map(|results| results.lines).unwrap_or_default())
    }
}

/// The files of results in `directory`, sorted; none when it does not exist.
fn files(directory: &Path) -> Result<BTreeSet<PathBuf>, XtaskError> {
    let mut files = BTreeSet::new();
    if directory.is_dir() {
        for entry in std::fs::read_dir(directory).map_err(XtaskError::read(directory))? {
            let path = entry.map_err(XtaskError::read(directory))?.path();
            if path.to_string_lossy().ends_with(SUFFIX) {
                if !path.is_file() {
                    return Err(XtaskError::Input(format!("{} is no regular file: remove it", path.display())));
                }
                files.insert(path);
            }
        }
    }
    Ok(files)
}

/// The complete lines of a file; the last one may be cut off by whatever ended the run. None without a header.
fn read(path: &Path) -> Result<Option<(Header, Vec<Line>)>, XtaskError> {
    let text = std::fs::read_to_string(path).map_err(XtaskError::read(path))?;
    let complete = text.rfind('\n').and_then(|end| text.get(..end)).unwrap_or_default();
    let fault = |error| XtaskError::Input(format!("{} holds no results of mutants: {error}", path.display()));
    let mut lines = complete.lines();
    let Some(header) = lines.next() else { return Ok(None) };
    let header = serde_json::from_str(header).map_err(fault)?;
    let lines = lines.map(serde_json::from_str).collect::<Result<Vec<Line>, _>>().map_err(fault)?;
    Ok(Some((header, lines)))
}

/// The file that a shard's results are appended to.
pub(super) struct Shard {
    path: PathBuf,
    file: File,
}

impl Shard {
    /// The file of shard `name` in `directory`, for results of these sources.
    pub(super) fn path(directory: &Path, name: &str, sources_sha256: &str) -> PathBuf {
        directory.join(format!("{}-{name}{SUFFIX}", sources_sha256.get(..12).unwrap_or_default()))
    }

    /// Opens a file, begun with `header` when it is new. One that was begun with other tests is refused: its results count
    /// them in another order.
    pub(super) fn open(path: &Path, header: &Header) -> Result<Self, XtaskError> {
        let path = path.to_owned();
        let text = if path.is_file() { std::fs::read(&path).map_err(XtaskError::read(&path))? } else { Vec::new() };
        if let Some((begun, _)) = path.is_file().then(|| read(&path)).transpose()?.flatten()
            && begun.tests != header.tests
        {
            return Err(XtaskError::Input(format!(
                "{} is of other tests than those that pass here without a mutant: remove it, or go on where it was made",
                path.display()
            )));
        }
        let complete = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end.saturating_add(1));
        let file = File::options().create(true).append(true).open(&path).map_err(XtaskError::write(&path))?;
        let length = u64::try_from(complete).unwrap_or(u64::MAX);
        file.set_len(length).map_err(XtaskError::write(&path))?;
        let mut shard = Self { path, file };
        if complete == 0 {
            shard.append(header)?;
        }
        Ok(shard)
    }

    /// Appends a line, and waits until the disk holds it.
    pub(super) fn append(&mut self, line: &impl Serialize) -> Result<(), XtaskError> {
        let mut text = serde_json::to_vec(line).map_err(|error| XtaskError::Input(error.to_string()))?;
        text.push(b'\n');
        self.file.write_all(&text).and_then(|()| self.file.sync_data()).map_err(XtaskError::write(&self.path))
    }
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
    use proof_bundle::mutants::MutantOutcome;

    use super::super::summary::Summary;
    use super::*;

    fn header(sources: &str) -> Header {
        Header {
            sources_sha256: sources.repeat(64),
            commit: "c".into(),
            dirty: false,
            tool: "cargo-mutants 1".into(),
            packages: vec![PackageMutants { package: "p".into(), listed: 3 }],
            sources: Vec::new(),
            test_sources: Vec::new(),
            tests: vec![TestId::new("p", "t")],
        }
    }

    fn line(name: &str) -> Line {
        let mutant = Mutant {
            name: name.into(),
            package: "p".into(),
            file: "src/lib.rs".into(),
            outcome: MutantOutcome::Killed,
            killed_by: vec![0],
            reason: None,
        };
        Line { at: "now".into(), milliseconds: 7, mutant }
    }

    fn names(directory: &Path, sources: &str) -> Vec<String> {
        let all = Results::read_all(directory).unwrap();
        all.get(&sources.repeat(64)).into_iter().flat_map(|known| known.lines.keys().cloned()).collect()
    }

    fn open(directory: &Path, name: &str, sources: &str) -> Shard {
        let header = header(sources);
        Shard::open(&Shard::path(directory, name, &header.sources_sha256), &header).unwrap()
    }

    #[test]
    fn a_run_goes_on_after_its_last_complete_line_and_parts_are_read_together() {
        let dir = tempfile::tempdir().unwrap();
        let mut first = open(dir.path(), "shard-1-of-2", "a");
        first.append(&line("one")).unwrap();
        std::io::Write::write_all(&mut first.file, b"{\"at\": \"cut o").unwrap();
        assert_eq!(names(dir.path(), "a"), ["one"]);
        let mut first = open(dir.path(), "shard-1-of-2", "a");
        first.append(&line("two")).unwrap();
        open(dir.path(), "shard-2-of-2", "a").append(&line("three")).unwrap();
        assert_eq!(names(dir.path(), "a"), ["one", "three", "two"]);
    }

    #[test]
    fn results_of_other_sources_are_kept_apart_and_a_file_of_other_tests_or_of_something_else_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        open(dir.path(), "shard-1-of-1", "a").append(&line("one")).unwrap();
        let mut other = open(dir.path(), "shard-1-of-1", "b");
        assert_eq!((names(dir.path(), "a").len(), names(dir.path(), "b").len()), (1, 0));
        other.append(&"no result").unwrap();
        let more = Header { tests: vec![TestId::new("p", "t"), TestId::new("p", "u")], ..header("a") };
        let path = Shard::path(dir.path(), "shard-1-of-1", &more.sources_sha256);
        let error = Shard::open(&path, &more).err().unwrap().line();
        assert!(error.contains("is of other tests"), "{error}");
        let error = Results::read_all(dir.path()).err().unwrap().line();
        assert!(error.contains("holds no results of mutants"), "{error}");
    }

    #[test]
    fn a_pipe_or_a_device_is_refused_unread() {
        let dir = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/dev/null", dir.path().join("x.ndjson")).unwrap();
        let error = Results::read_all(dir.path()).err().unwrap().line();
        assert!(error.contains("x.ndjson is no regular file"), "{error}");
    }

    #[test]
    fn results_that_contradict_one_another_leave_the_summary_as_it_was() {
        let (root, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let sources = vec![FileDigest { name: "src/lib.rs".into(), sha256: "d".repeat(64) }];
        let header = Header { sources, ..header("a") };
        let mut shard = Shard::open(&Shard::path(out.path(), "shard-1-of-1", &header.sources_sha256), &header).unwrap();
        shard.append(&line("one")).unwrap();
        Summary::merge(root.path(), out.path()).unwrap();
        let summary = || std::fs::read(root.path().join("mutants/summary.json")).unwrap();
        let before = summary();
        let of_no_test = Mutant { killed_by: vec![9], ..line("two").mutant };
        shard.append(&Line { mutant: of_no_test, ..line("two") }).unwrap();
        let error = Summary::merge(root.path(), out.path()).err().unwrap().line();
        assert!(error.contains("contradict one another (two is not what its tests say"), "{error}");
        assert_eq!(summary(), before);
    }
}
