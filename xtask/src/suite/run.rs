//! Running the tests: each in a process of its own, several at a time, so that a crash, an early exit or a hang is seen for
//! what it is and takes no other test with it.

use std::fs::File;
use std::io::{ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use proof_bundle::junit::{NEEDS_A_GPU, Outcome, TestResult};
use proof_bundle::records::spool_path;
use proof_bundle::test_map::TestId;

use super::build::TestBinary;
use super::verdict;
use crate::error::XtaskError;
use crate::process::Ended;
use crate::{env, process};

/// As much of a test's output as is looked at, in bytes from its end: the summary is last.
const OUTPUT_BYTES: u64 = 1 << 20;

/// The most that a test may leave as its spool, in bytes.
const SPOOL_BYTES: u64 = 64 << 20;

/// The length of the name of the directory that holds a running test's spool.
const NAME_LETTERS: usize = 32;

/// How the tests of a run are started.
pub(crate) struct Settings<'a> {
    /// The workspace's root.
    pub(crate) root: &'a Path,
    /// The directory for spools. It is made when the last test has ended, so that no test writes for another.
    pub(crate) spool: &'a Path,
    /// An existing, empty directory for the processes' output.
    pub(crate) output: &'a Path,
    /// An existing directory for the processes' temporary files.
    pub(crate) temporary: &'a Path,
    /// `PROOF_SEED`, and the seed of proptest.
    pub(crate) seed: u64,
    /// The index of the GPU for the tests that are ignored because they need one, where there is one: `PROOF_GPU`.
    pub(crate) gpu: Option<u32>,
    /// How long one process may run.
    pub(crate) timeout: Duration,
    /// How many tests may run past their time until no other is started; None for all.
    pub(crate) patience: Option<usize>,
}

/// A test that a binary lists.
pub(crate) struct Listed<'a> {
    binary: &'a TestBinary,
    name: String,
}

impl Listed<'_> {
    /// Its name in the map.
    pub(crate) fn id(&self) -> TestId {
        TestId::new(&self.binary.id, &self.name)
    }
}

impl<'a> Listed<'a> {
    /// The test `name` of `binary`, known from an earlier list.
    pub(crate) fn new(binary: &'a TestBinary, name: &str) -> Self {
        Self { binary, name: name.to_owned() }
    }
}

/// Asks every binary for its tests. A binary that cannot say is a dead test named `--list`. One that lists none is run as
/// it is: it may have a `main` of its own, and that is a test as well.
pub(crate) fn list<'a>(
    settings: &Settings<'_>,
    binaries: &'a [TestBinary],
) -> Result<(Vec<Listed<'a>>, Vec<TestResult>), XtaskError> {
    let mut tests = Vec::new();
    let mut dead = Vec::new();
    for (number, binary) in binaries.iter().enumerate() {
        let started = Instant::now();
        let mut command = command(settings, binary);
        let files = Output::create(settings.output, &format!("list-{number}"))?;
        let ended = process::run(files.attach(command.args(["--list", "--format", "terse"]))?, Some(settings.timeout))?;
        let (stdout, stderr) = files.read()?;
        let mut names: Vec<String> =
            stdout.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect();
        if !ended.is_success() {
            let reason = format!("the binary could not list its tests: {ended}; {}", last_line(&stderr));
            dead.push(TestResult::new(&binary.id, "--list", Outcome::Dead(reason), started.elapsed()));
            names.clear();
        } else if names.is_empty() {
            dead.extend(run_whole(settings, binary, number)?);
        }
        names.sort();
        tests.extend(names.into_iter().map(|name| Listed { binary, name }));
    }
    Ok((tests, dead))
}

/// Runs a binary that lists no test. It is a dead test unless it says that nothing failed, as a harness without tests does.
fn run_whole(settings: &Settings<'_>, binary: &TestBinary, number: usize) -> Result<Option<TestResult>, XtaskError> {
    let started = Instant::now();
    let files = Output::create(settings.output, &format!("whole-{number}"))?;
    let ended = process::run(files.attach(&mut command(settings, binary))?, Some(settings.timeout))?;
    let (stdout, stderr) = files.read()?;
    let verdict = match (ended.is_success(), verdict::Summary::at_the_end(&stdout)) {
        (true, Some(verdict::Summary { failed: 0, .. })) => return Ok(None),
        (true, Some(summary)) => format!("{} failed", summary.failed),
        (true, None) => "it printed no summary".to_owned(),
        (false, _) => last_line(&stderr).to_owned(),
    };
    let reason = format!("the binary lists no test, and run as a whole: {ended}; {verdict}");
    Ok(Some(TestResult::new(&binary.id, "main", Outcome::Dead(reason), started.elapsed())))
}

/// Runs every test and returns what was observed, in the order of `tests`; `finished` hears of each. Ignored tests are
/// started too: their harness says why they are ignored, and where that is for want of a GPU that is here, they are run at the
/// end.
///
/// # Errors
/// [`XtaskError::Interrupted`], and errors of files and processes that are ours, not the test's.
pub(crate) fn run(
    settings: &Settings<'_>,
    tests: &[Listed<'_>],
    finished: &(dyn Fn(&TestResult) + Sync),
) -> Result<Vec<TestResult>, XtaskError> {
    let next = AtomicUsize::new(0);
    let overran = AtomicUsize::new(0);
    let results = Mutex::new(Vec::with_capacity(tests.len()));
    let failure = Mutex::new(None);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(test) = tests.get(number) else { return };
                    match run_once(settings, test, &["--exact"], &number.to_string()) {
                        Ok((result, spooled, ended)) => {
                            if !waits_for_the_gpu(settings, &result) {
                                finished(&result);
                            }
                            if matches!(ended, Ended::TimedOut(_)) {
                                let overran = overran.fetch_add(1, Ordering::Relaxed).saturating_add(1);
                                if settings.patience.is_some_and(|patience| overran >= patience) {
                                    next.store(tests.len(), Ordering::Relaxed);
                                }
                            }
                            results.lock().unwrap_or_else(PoisonError::into_inner).push((number, result, spooled));
                        }
                        Err(error) => {
                            // The others stop at their next test; an interrupted one has stopped already.
                            next.store(tests.len(), Ordering::Relaxed);
                            failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
                            return;
                        }
                    }
                }
            });
        }
    });
    if let Some(error) = failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        return Err(error);
    }
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(number, ..)| *number);
    // One at a time and when the others are done: two processes on a GPU take turns, and what is timed there would show it.
    for (number, result, spooled) in results.iter_mut().filter(|(_, result, _)| waits_for_the_gpu(settings, result)) {
        let Some(test) = tests.get(*number) else { continue };
        let ran = run_once(settings, test, &["--ignored", "--exact"], &format!("{number}-on-gpu"))?;
        (*result, *spooled) = (ran.0, ran.1);
        finished(result);
    }
    std::fs::create_dir(settings.spool).map_err(XtaskError::write(settings.spool))?;
    for (_, result, spooled) in &results {
        let path = spool_path(settings.spool, &result.binary, &result.test);
        let directory = path.parent().unwrap_or(settings.spool);
        std::fs::create_dir_all(directory).map_err(XtaskError::write(directory))?;
        if let Some(spooled) = spooled {
            std::fs::write(&path, spooled).map_err(XtaskError::write(&path))?;
        }
    }
    Ok(results.into_iter().map(|(_, result, _)| result).collect())
}

/// Whether a test was ignored for want of the GPU that is here.
fn waits_for_the_gpu(settings: &Settings<'_>, result: &TestResult) -> bool {
    settings.gpu.is_some() && matches!(&result.outcome, Outcome::NotRun(reason) if reason == NEEDS_A_GPU)
}

/// Starts one test; what it spooled comes with its result. The spool is under a name that no other test can guess.
fn run_once(
    settings: &Settings<'_>,
    test: &Listed<'_>,
    options: &[&str],
    name: &str,
) -> Result<(TestResult, Option<Vec<u8>>, Ended), XtaskError> {
    let private = tempfile::Builder::new().rand_bytes(NAME_LETTERS).tempdir_in(settings.output);
    let private = private.map_err(XtaskError::write(settings.output))?;
    let spool = private.path().join("spool.ndjson");
    let mut command = command(settings, test.binary);
    command.args(options).arg(&test.name).env("PROOF_SPOOL", &spool);
    let files = Output::create(settings.output, name)?;
    let started = Instant::now();
    let ended = process::run(files.attach(&mut command)?, Some(settings.timeout))?;
    let duration = started.elapsed();
    let (stdout, stderr) = files.read()?;
    let (outcome, spooled) = match read_spool(&spool) {
        Ok(spooled) => (verdict::judge(&test.name, ended, &stdout, &stderr), spooled),
        Err(problem) => (Outcome::Dead(problem), None),
    };
    Ok((TestResult::new(&test.binary.id, &test.name, outcome, duration), spooled, ended))
}

/// What a test left as its spool, or what is wrong with that: a pipe would never end.
fn read_spool(path: &Path) -> Result<Option<Vec<u8>>, String> {
    let unreadable = |error: std::io::Error| format!("its spool cannot be read: {error}");
    let metadata = match path.symlink_metadata() {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        metadata => metadata.map_err(unreadable)?,
    };
    if !metadata.is_file() {
        return Err("what it left as its spool is no regular file".to_owned());
    }
    if metadata.len() > SPOOL_BYTES {
        return Err(format!("its spool has {} bytes, more than {SPOOL_BYTES}", metadata.len()));
    }
    std::fs::read(path).map(Some).map_err(unreadable)
}

/// A test binary with the environment that `cargo test` gives it, and with every source of randomness seeded.
fn command(settings: &Settings<'_>, binary: &TestBinary) -> Command {
    let mut command = Command::new(&binary.executable);
    env::scrub(&mut command);
    command
        .current_dir(&binary.directory)
        .stdin(Stdio::null())
        .env("TMPDIR", settings.temporary)
        .env("CARGO_MANIFEST_DIR", &binary.directory)
        .env("PROOF_SEED", settings.seed.to_string())
        .env("PROPTEST_RNG_SEED", settings.seed.to_string())
        .env("INSTA_WORKSPACE_ROOT", settings.root)
        .env("INSTA_UPDATE", "no")
        // More than one, for then the harness prints a test's line whole, at its end.
        .env("RUST_TEST_THREADS", "2")
        .env("RUST_BACKTRACE", "0")
        .envs(binary.programs.iter().map(|(name, path)| (format!("CARGO_BIN_EXE_{name}"), path)));
    if let Some(index) = settings.gpu {
        command.env("PROOF_GPU", index.to_string());
    }
    command
}

fn last_line(text: &str) -> &str {
    text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it printed nothing")
}

/// The files that a process's output goes to.
struct Output {
    stdout: std::path::PathBuf,
    stderr: std::path::PathBuf,
}

impl Output {
    fn create(directory: &Path, name: &str) -> Result<Self, XtaskError> {
        Ok(Self { stdout: directory.join(format!("{name}.out")), stderr: directory.join(format!("{name}.err")) })
    }

    fn attach<'c>(&self, command: &'c mut Command) -> Result<&'c mut Command, XtaskError> {
        let open = |path: &Path| File::create_new(path).map_err(XtaskError::write(path));
        Ok(command.stdout(open(&self.stdout)?).stderr(open(&self.stderr)?))
    }

    fn read(&self) -> Result<(String, String), XtaskError> {
        Ok((tail(&self.stdout)?, tail(&self.stderr)?))
    }
}

/// The last [`OUTPUT_BYTES`] of a file.
fn tail(path: &Path) -> Result<String, XtaskError> {
    let read = || {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(OUTPUT_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(OUTPUT_BYTES).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().map_err(XtaskError::read(path))
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
    use std::os::unix::fs::PermissionsExt;

    use evidence::{Stream, check, proves};
    use serde_json::{Value, json};

    use super::*;

    /// Plays a test binary that lists some tests, each of which ends in another way.
    const HARNESS: &str = r#"#!/bin/sh
if [ "$1" = --list ]; then
    for name in passes fails ignored exits_early is_killed hangs unknown; do echo "$name: test"; done
    echo "bench_one: benchmark"
    exit 0
fi
result() { printf '\ntest result: %s. %s; 0 measured; 6 filtered out; finished in 0.00s\n' "$1" "$2"; }
case "$1 $2" in
'--exact passes')
    [ "$PROOF_SEED" = 7 ] && [ "$PROPTEST_RNG_SEED" = 7 ] && [ "$INSTA_UPDATE" = no ] && [ "$TMPDIR" = "$CARGO_MANIFEST_DIR/output" ] || exit 1
    echo '{}' >"$PROOF_SPOOL"
    printf '\nrunning 1 test\ntest passes ... ok\n'
    result ok '1 passed; 0 failed; 0 ignored' ;;
'--exact fails') result FAILED '0 passed; 1 failed; 0 ignored'; exit 101 ;;
'--exact ignored') echo 'test ignored ... ignored, needs a GPU'; result ok '0 passed; 0 failed; 1 ignored' ;;
'--exact exits_early') exit 0 ;;
'--exact is_killed') kill -KILL $$ ;;
'--exact hangs') sleep 60 ;;
*) result ok '0 passed; 0 failed; 0 ignored' ;;
esac
"#;

    struct Place(tempfile::TempDir);

    impl Place {
        fn new() -> Self {
            let place = Self(tempfile::tempdir().unwrap());
            std::fs::create_dir(place.0.path().join("output")).unwrap();
            place
        }

        fn binary(&self, id: &str, script: &str) -> TestBinary {
            let executable = self.0.path().join(id);
            std::fs::write(&executable, script).unwrap();
            std::fs::set_permissions(&executable, std::fs::Permissions::from_mode(0o755)).unwrap();
            TestBinary::new(id.to_owned(), executable, self.0.path().to_owned()).unwrap()
        }

        /// Lists and runs on a host without a GPU; each result as one word and its reason, by name.
        fn run(&self, binaries: &[TestBinary]) -> Value {
            self.run_beside(None, binaries)
        }

        fn run_beside(&self, gpu: Option<u32>, binaries: &[TestBinary]) -> Value {
            let (spool, output) = (self.0.path().join("spool"), self.0.path().join("output"));
            let settings = Settings {
                root: self.0.path(),
                spool: &spool,
                output: &output,
                temporary: &output,
                seed: 7,
                gpu,
                timeout: Duration::from_secs(4),
                patience: None,
            };
            let (tests, mut results) = list(&settings, binaries).unwrap();
            results.extend(run(&settings, &tests, &|_| ()).unwrap());
            let word = |outcome: &Outcome| match outcome {
                Outcome::Passed => "passed".to_owned(),
                Outcome::Failed(reason) => format!("failed: {reason}"),
                Outcome::NotRun(reason) => format!("not run: {reason}"),
                Outcome::Dead(reason) => format!("dead: {reason}"),
            };
            results.iter().map(|result| (result.id().to_string(), json!(word(&result.outcome)))).collect()
        }
    }

    #[test]
    fn every_listed_test_is_accounted_for_however_its_process_ends() {
        proves!("40§1.1");
        let place = Place::new();
        let observed = place.run(&[place.binary("b", HARNESS)]);
        let expected = json!({
            "b exits_early": "dead: exit code 0 before its summary: the process ended in mid-test",
            "b fails": "failed: exit code 101",
            "b hangs": "failed: timed out after 4 s",
            "b ignored": "not run: ignored: needs a GPU",
            "b is_killed": "failed: killed by SIGKILL",
            "b passes": "passed",
            "b unknown": "dead: exit code 0, but its binary ran no test of this name",
        });
        check(Stream::InputValidation, "each_way_to_end_is_told_apart", expected, observed);
        assert!(
            spool_path(place.0.path().join("spool"), "b", "passes").is_file(),
            "the spool is where it is collected"
        );
    }

    #[test]
    fn a_test_that_is_ignored_for_want_of_a_gpu_runs_where_there_is_one() {
        proves!("40§1.1");
        const HARNESS: &str = "#!/bin/sh
case \"$1\" in
--list) echo 'waits: test'; echo 'fails: test'; echo 'slow: test'; exit 0 ;;
--ignored) [ \"$2 $PROOF_GPU\" = '--exact 3' ] || exit 1
    [ \"$3\" = waits ] || { echo 'test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured'; exit 101; }
    echo 1 >\"$PROOF_SPOOL\"; printf 'running 1 test\\ntest waits ... ok\\n'
    echo 'test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured'; exit 0 ;;
esac
reason='needs a GPU'; [ \"$2\" = slow ] && reason='takes an hour'
echo \"test $2 ... ignored, $reason\"
echo 'test result: ok. 0 passed; 0 failed; 1 ignored; 0 measured'
";
        let observed = [None, Some(3)].map(|gpu| {
            let place = Place::new();
            let results = place.run_beside(gpu, &[place.binary("b", HARNESS)]);
            json!([results, spool_path(place.0.path().join("spool"), "b", "waits").is_file()])
        });
        let waits = "not run: ignored: needs a GPU";
        let slow = "not run: ignored: takes an hour";
        let expected = json!([
            [{"b fails": waits, "b slow": slow, "b waits": waits}, false],
            [{"b fails": "failed: exit code 101", "b slow": slow, "b waits": "passed"}, true],
        ]);
        check(Stream::InputValidation, "tests_that_need_a_gpu", expected, json!(observed));
    }

    #[test]
    fn a_binary_that_cannot_list_its_tests_is_a_dead_test_and_hides_no_other() {
        proves!("40§1.1");
        let place = Place::new();
        let mute = place.binary("mute", "#!/bin/sh\necho 'x: test'\necho 'no libcuda' >&2\nexit 127\n");
        let fine = "#!/bin/sh\n[ \"$1\" = --list ] && echo 'x: test' && exit 0\n\
                    printf 'running 1 test\\ntest x ... ok\\n'\n\
                    echo 'test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured'\n";
        let observed = place.run(&[mute, place.binary("fine", fine)]);
        let expected = json!({
            "fine x": "passed",
            "mute --list": "dead: the binary could not list its tests: exit code 127; no libcuda",
        });
        check(Stream::InputValidation, "a_binary_that_cannot_list", expected, observed);
    }

    #[test]
    fn a_test_that_knows_where_spools_are_collected_writes_none_for_another() {
        let place = Place::new();
        let script = |body: &str| format!("#!/bin/sh\n[ \"$1\" = --list ] && echo 'x: test' && exit 0\n{body}\n");
        let forges = script("echo forged >spool/b/x.ndjson; echo own >\"$PROOF_SPOOL\"");
        place.run(&[place.binary("a", &forges), place.binary("b", &script("true"))]);
        let spooled =
            |binary: &str| std::fs::read_to_string(spool_path(place.0.path().join("spool"), binary, "x")).ok();
        assert_eq!((spooled("a"), spooled("b")), (Some("own\n".into()), None));
    }

    #[test]
    fn a_test_whose_spool_is_no_file_or_too_large_is_dead_and_nothing_waits_for_it() {
        proves!("40§1.1");
        let place = Place::new();
        let binary = |id: &str, leaves: &str| {
            let says = "printf 'running 1 test\\ntest x ... ok\\n'\n\
                        echo 'test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured'\n";
            place.binary(id, &format!("#!/bin/sh\n[ \"$1\" = --list ] && echo 'x: test' && exit 0\n{leaves}\n{says}"))
        };
        let observed = place.run(&[
            binary("device", "ln -s /dev/null \"$PROOF_SPOOL\""),
            binary("large", "truncate -s 67108865 \"$PROOF_SPOOL\""),
            binary("whole", "truncate -s 67108864 \"$PROOF_SPOOL\""),
        ]);
        let expected = json!({
            "device x": "dead: what it left as its spool is no regular file",
            "large x": "dead: its spool has 67108865 bytes, more than 67108864",
            "whole x": "passed",
        });
        check(Stream::InputValidation, "a_spool_that_cannot_be_read", expected, observed);
    }

    #[test]
    fn a_binary_that_lists_no_test_is_run_and_dead_unless_it_says_that_nothing_failed() {
        proves!("40§1.1");
        let place = Place::new();
        let binary = |id: &str, body: &str| place.binary(id, &format!("#!/bin/sh\n[ \"$1\" = --list ] || {body}\n"));
        let summary = "echo 'test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured'";
        let observed = place.run(&[
            binary("empty", summary),
            binary("mute", "true"),
            binary("fails", "{ echo 'it is broken' >&2; exit 101; }"),
            binary("counts", &summary.replace("0 failed", "2 failed")),
        ]);
        let expected = json!({
            "counts main": "dead: the binary lists no test, and run as a whole: exit code 0; 2 failed",
            "fails main": "dead: the binary lists no test, and run as a whole: exit code 101; it is broken",
            "mute main": "dead: the binary lists no test, and run as a whole: exit code 0; it printed no summary",
        });
        check(Stream::InputValidation, "a_binary_that_lists_no_test", expected, observed);
    }
}
