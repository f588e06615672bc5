//! Child processes: each in a process group of its own, with a timeout, stopped when the user interrupts. What a child
//! started ends with it.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use crate::error::XtaskError;

/// Set by the signal handler, read by everything that waits or loops.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// The longest sleep between two looks at a child.
const LONGEST_NAP: Duration = Duration::from_millis(20);

/// From now on Ctrl-C, SIGTERM and SIGHUP do not end this process but make [`interrupted`] true.
pub(crate) fn catch_interrupts() -> Result<(), XtaskError> {
    ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::SeqCst))
        .map_err(|error| XtaskError::Input(format!("cannot install the signal handler: {error}")))
}

/// Whether the user asked to stop.
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// [`XtaskError::Interrupted`] when the user asked to stop.
pub(crate) fn check_interrupted() -> Result<(), XtaskError> {
    if interrupted() { Err(XtaskError::Interrupted) } else { Ok(()) }
}

/// From now on no process started here may have more than `bytes` bytes of memory, nor this one.
pub(crate) fn limit_memory(bytes: u64) -> Result<(), XtaskError> {
    setrlimit(Resource::RLIMIT_AS, bytes, bytes)
        .map_err(|error| XtaskError::Input(format!("cannot limit the memory of the tests: {error}")))
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// By itself, with an exit code.
    Code(i32),
    /// By a signal of this number.
    Signal(i32),
    /// It ran past its timeout, and its process group was killed.
    TimedOut(Duration),
}

impl Ended {
    /// Whether it ended by itself with exit code 0.
    pub(crate) fn is_success(self) -> bool {
        self == Self::Code(0)
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(number) => match Signal::try_from(*number) {
                Ok(signal) => write!(f, "killed by {signal}"),
                Err(_) => write!(f, "killed by signal {number}"),
            },
            Self::TimedOut(limit) => write!(f, "timed out after {} s", limit.as_secs()),
        }
    }
}

impl From<ExitStatus> for Ended {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, signal) => Self::Signal(signal.unwrap_or(0)),
        }
    }
}

/// Runs `command` in its own process group and waits for it. A child that outlives `timeout`, or the user's patience, is
/// killed. However it ends, everything of its group that it left behind is killed: nothing writes after its test.
///
/// # Errors
/// [`XtaskError::Start`] when the program cannot be started, [`XtaskError::Interrupted`] when the user asked to stop.
pub(crate) fn run(command: &mut Command, timeout: Option<Duration>) -> Result<Ended, XtaskError> {
    check_interrupted()?;
    let program = command.get_program().to_string_lossy().into_owned();
    let start_error = |source| XtaskError::Start { program: program.clone(), source };
    let mut child = command.process_group(0).spawn().map_err(start_error)?;
    let started = Instant::now();
    let mut nap = Duration::from_millis(1);
    loop {
        if has_ended(&child).map_err(start_error)? {
            return kill_group(&mut child).map(Ended::from).map_err(start_error);
        }
        if interrupted() {
            let _ = kill_group(&mut child);
            return Err(XtaskError::Interrupted);
        }
        if let Some(limit) = timeout.filter(|limit| started.elapsed() >= *limit) {
            let _ = kill_group(&mut child);
            return Ok(Ended::TimedOut(limit));
        }
        std::thread::sleep(nap);
        nap = nap.saturating_mul(2).min(LONGEST_NAP);
    }
}

fn pid(child: &Child) -> std::io::Result<Pid> {
    i32::try_from(child.id()).map(Pid::from_raw).map_err(std::io::Error::other)
}

/// Whether the child has ended. It is not reaped, so that its id stays that of its group.
fn has_ended(child: &Child) -> std::io::Result<bool> {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    Ok(waitid(Id::Pid(pid(child)?), flags)? != WaitStatus::StillAlive)
}

/// Kills every process of the child's group, the child as well where it lives, and reaps the child.
fn kill_group(child: &mut Child) -> std::io::Result<ExitStatus> {
    // Not reaped yet, so the id is still the child's. A group without living members needs no killing.
    let _ = killpg(pid(child)?, Signal::SIGKILL);
    child.wait()
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
    use std::path::Path;

    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.arg("-c").arg(script);
        command
    }

    #[test]
    fn the_way_a_child_ended_is_told_apart() {
        assert_eq!(run(&mut shell("exit 0"), None).unwrap(), Ended::Code(0));
        assert_eq!(run(&mut shell("exit 101"), None).unwrap(), Ended::Code(101));
        let killed = run(&mut shell("kill -ABRT $$"), None).unwrap();
        assert_eq!(killed.to_string(), "killed by SIGABRT");
        let missing = run(&mut Command::new("no-such-program-here"), None).unwrap_err();
        assert!(missing.to_string().contains("no-such-program-here"), "{missing}");
    }

    /// Asserts that the process whose id is in `file` ends.
    fn ends(file: &Path) {
        let pid = std::fs::read_to_string(file).unwrap();
        let status = Path::new("/proc").join(pid.trim()).join("status");
        // Killed, it may be a zombie until its new parent looks at it.
        let alive = || std::fs::read_to_string(&status).is_ok_and(|text| !text.contains("State:\tZ"));
        let started = Instant::now();
        while alive() {
            assert!(started.elapsed() < Duration::from_secs(10), "the grandchild went on after the child");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn a_timeout_kills_the_grandchildren_too() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        let script = format!("sleep 600 & echo $! >{}; wait", file.display());
        let limit = Duration::from_secs(1);
        assert_eq!(run(&mut shell(&script), Some(limit)).unwrap(), Ended::TimedOut(limit));
        ends(&file);
    }

    #[test]
    fn a_child_that_ends_takes_what_it_left_behind_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        let script = format!("sleep 600 & echo $! >{}; exit 7", file.display());
        assert_eq!(run(&mut shell(&script), None).unwrap(), Ended::Code(7));
        ends(&file);
    }
}
