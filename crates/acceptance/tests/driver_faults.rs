//! A fault at every call of the driver in turn, while a worker seals, verifies, lends and releases: what the worker is told, what
//! is left in the books, and whether it goes on or says that it is stopped.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::sync::Arc;

use cuda_ffi::{DriverFault, FakeDriver, Leaks};
use evidence::{Record, Stream, proves};
use serde_json::json;
use vram_residency::{MemorySink, SealedShard, VramConfig, VramError, VramManager};

/// Two probed chunks, and three halves of the staging area.
const BYTES: usize = (2 << 20) + 4097;

/// Out of memory; an ECC error that cannot be corrected; the device is lost; the launch failed; and a code that cust does not
/// know. After all but the first the context is unusable.
const CODES: [u32; 5] = [OUT_OF_MEMORY, 214, 46, 719, 226];
const OUT_OF_MEMORY: u32 = 2;

/// A worker on a fake driver, and its shard once that is sealed.
struct Bench {
    manager: VramManager,
    shard: Option<SealedShard>,
    /// Dropped last: the next test begins with that.
    driver: FakeDriver,
}

impl Bench {
    fn new() -> Self {
        let driver = FakeDriver::start(1).unwrap();
        let manager = VramManager::require_gpu(VramConfig::default().audit(Arc::new(MemorySink::new()))).unwrap();
        Self { manager, shard: None, driver }
    }

    fn sealed() -> Self {
        let mut bench = Self::new();
        bench.seal().unwrap();
        bench
    }

    fn seal(&mut self) -> Result<(), VramError> {
        self.shard = Some(self.manager.seal_model(&vec![0x42; BYTES], 0)?);
        Ok(())
    }

    fn seal_a_little(&mut self) -> Result<(), VramError> {
        self.shard = Some(self.manager.seal_model(&[0x17; 4097], 0)?);
        Ok(())
    }

    fn verify(&mut self) -> Result<(), VramError> {
        self.manager.verify_sealed(self.shard.as_ref().unwrap())
    }

    fn lend(&mut self) -> Result<(), VramError> {
        let stream = self.manager.stream(0)?;
        let guard = self.manager.verify_for_execute(self.shard.as_ref().unwrap())?;
        let lent = guard.launch(&stream, |weights| weights.bytes())?;
        assert_eq!(lent, self.shard.as_ref().unwrap().vram_bytes as u64);
        Ok(())
    }

    fn release(&mut self) -> Result<(), VramError> {
        self.manager.release(self.shard.as_ref().unwrap())
    }

    /// Whether the worker does all of its work.
    fn works(&mut self) -> bool {
        self.shard = None;
        [Self::seal_a_little, Self::verify, Self::lend, Self::release].iter().all(|step| step(self).is_ok())
    }
}

/// Has every call of `step` fail in turn with every code, and looks at what follows.
fn sweep(operation: &str, prepare: fn() -> Bench, step: fn(&mut Bench) -> Result<(), VramError>) {
    let mut clean = prepare();
    clean.driver.clear_calls();
    step(&mut clean).unwrap();
    let calls = clean.driver.calls();
    drop(clean);
    let held_by_a_shard = Bench::sealed().driver.leaks();
    let mut wrong = Vec::new();
    let (mut struck, mut survived) = (0, 0);
    for code in CODES {
        for (nth, function) in (1_usize..).zip(&calls) {
            // Each operation asks for the thread's context, sets its own, and sets the former one again at its end.
            let restores = function == "cuCtxSetCurrent" && nth > 1 && calls[nth - 2] != "cuCtxGetCurrent";
            let nth = nth as u64;
            let mut bench = prepare();
            bench.driver.plant(DriverFault::at_any(nth, code));
            let result = step(&mut bench);
            struck += bench.driver.faults_struck();
            survived += u64::from(result.is_ok());
            for problem in problems(bench, &result, (function, restores, code), &held_by_a_shard) {
                wrong.push(format!("{code} at call {nth}, {function}: {problem}"));
            }
        }
    }
    assert!(!calls.is_empty());
    let all = (calls.len() * CODES.len()) as u64;
    // Those that are no error are of the one call that may fail without one, and are counted apart.
    println!("{operation}: {struck} faults at {} calls, {} told as errors", calls.len(), struck - survived);
    let record = Record::new(Stream::CudaOperations, &format!("faults_at_every_call_of_{operation}"))
        .device("fake-driver")
        .field("calls", calls.len())
        .field("told_as_errors", struck - survived)
        .field("former_context_not_restored", survived);
    let recorded = record.observe(json!({"faults": all, "wrong": []}), json!({"faults": struck, "wrong": wrong}));
    let observation = recorded.observation().clone();
    assert!(recorded.emit(), "{operation}: {observation:?}");
}

/// What is wrong after `step` ended with `result` when `function` had failed with `code`.
fn problems(
    mut bench: Bench,
    result: &Result<(), VramError>,
    (function, restores, code): (&str, bool, u32),
    held_by_a_shard: &Leaks,
) -> Vec<String> {
    let mut wrong = Vec::new();
    match result {
        // The thread's former context could not be made current again: nothing of the worker's work is undone by that.
        Ok(()) if restores => {}
        Ok(()) => wrong.push("it succeeded".to_owned()),
        Err(error) => {
            let text = error.to_string();
            // A context that was not made current again is no error; where the device is lost, the next call says so.
            let named = restores || text.contains(function);
            if !named || !text.contains(&format!("({code})")) {
                wrong.push(format!("the error does not name the function and the code: {text}"));
            }
        }
    }
    let kept = bench.shard.is_some() && bench.manager.verify_sealed(bench.shard.as_ref().unwrap()).is_ok();
    let used = bench.manager.used_vram(0).unwrap();
    let held: u64 =
        bench.driver.allocations().iter().filter(|one| one.bytes == BYTES as u64).map(|one| one.bytes).sum();
    if used != held {
        wrong.push(format!("the ledger says {used} bytes, the device holds {held}"));
    }
    // A shard that was not released may still be there; it can be released now, or the worker says that it is stopped.
    if kept && bench.release().is_err() {
        wrong.push("the shard verifies and cannot be released".to_owned());
    }
    let quarantined = bench.manager.used_vram(0).unwrap();
    let works = bench.works();
    let stopped = !works
        && matches!(bench.manager.seal_model(&[1], 0), Err(VramError::Stopped { cause }) if cause.contains("device 0"));
    if !works && !stopped {
        wrong.push("it neither works on nor says that it is stopped".to_owned());
    }
    if works && quarantined > 0 {
        wrong.push(format!("it works on with {quarantined} bytes in quarantine"));
    }
    if quarantined == 0 && bench.driver.memory_holds(0, &[0x42; 64]) {
        wrong.push("weights are left in freed memory".to_owned());
    }
    let Bench { driver, manager, shard } = bench;
    drop((manager, shard));
    let leaks = driver.leaks();
    let stays = match (quarantined, driver.is_lost(0)) {
        (0, _) => Leaks::default(),
        // The memory in quarantine, and the context that it lives in.
        (bytes, false) => Leaks { allocations: 1, bytes, contexts: 1, ..Leaks::default() },
        // A lost device takes nothing back.
        (_, true) => *held_by_a_shard,
    };
    if leaks != stays {
        wrong.push(format!("{leaks:?} is not given back, where it should be {stays:?}"));
    }
    wrong
}

#[test]
fn a_fault_at_any_call_while_sealing_is_named_and_leaves_the_books_right() {
    proves!("00§3.3", "MS-004");
    sweep("seal", Bench::new, Bench::seal);
}

#[test]
fn a_fault_at_any_call_while_verifying_is_named_and_leaves_the_books_right() {
    proves!("00§3.3", "MS-004");
    sweep("verify", Bench::sealed, Bench::verify);
}

#[test]
fn a_fault_at_any_call_while_lending_is_named_and_leaves_the_books_right() {
    proves!("00§3.3", "CI-007", "MS-004");
    sweep("lend", Bench::sealed, Bench::lend);
}

#[test]
fn a_fault_at_any_call_while_releasing_is_named_and_leaves_the_books_right() {
    proves!("00§3.2", "00§3.3", "MS-004");
    sweep("release", Bench::sealed, Bench::release);
}
