//! Live operations: the checks of the guide for a rich proof bundle, run against the facade in this release build, each
//! status observed.
//!
//! They are no tests and prove no requirement. Their records show an auditor the operations at work on the device of the
//! run, and a record that does not hold fails the run.

mod bounds;
mod bytes;
mod crypto;
mod device;
mod input;
mod models;
mod performance;
mod policy;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use evidence::{Record, Recorded, Spool, Stream};
use proof_bundle::provenance::ModelFile;
use proof_bundle::records::{LIVE, spool_path};
use serde::Serialize;
use vram_residency::{DeviceFacts, VramConfig, VramError, VramManager};

use crate::device::Chosen;
use crate::error::XtaskError;
use crate::model::Model;
use crate::process;

/// More than the largest record, in bytes.
const ROOM_BYTES: usize = 1 << 16;

/// What became of one live operation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Ran {
    /// The stream that its records are in.
    pub(crate) operation: String,
    /// How many records it wrote.
    pub(crate) records: usize,
    /// The records that do not hold, by the name of their operation.
    pub(crate) broken: Vec<String>,
}

/// What the live operations gave.
pub(crate) struct Live {
    /// The operations, in order.
    pub(crate) ran: Vec<Ran>,
    /// The models, as observed.
    pub(crate) models: Vec<ModelFile>,
    /// The devices that they ran on, as those reported themselves, each once.
    pub(crate) devices: Vec<DeviceFacts>,
    /// What a reader of the bundle should know: what could not be compared, and why.
    pub(crate) notes: Vec<String>,
}

/// Runs every live operation, and then every model, on `device`. Their records go to the spool.
///
/// # Errors
/// [`XtaskError::Interrupted`]; [`XtaskError::Input`] when an operation panics, which it does when the spool cannot be
/// written, or a model does not fit the device; [`XtaskError::Read`] for a model's file.
pub(crate) fn run(device: &Chosen, spool: &Path, seed: u64, models: &[Model]) -> Result<Live, XtaskError> {
    type Operation = fn(&Context<'_>) -> Result<(), VramError>;
    let operations: [(Stream, Operation); 6] = [
        (Stream::CryptoValidation, crypto::run),
        (Stream::PolicyEnforcement, policy::run),
        (Stream::CudaOperations, device::run),
        (Stream::BoundsChecking, bounds::run),
        (Stream::InputValidation, input::run),
        (Stream::Performance, performance::run),
    ];
    let directory = spool_path(spool, LIVE, "any").parent().map(Path::to_owned).unwrap_or_default();
    std::fs::create_dir_all(&directory).map_err(XtaskError::write(&directory))?;
    let shared = Shared::default();
    let mut ran = Vec::new();
    for (stream, operation) in operations {
        process::check_interrupted()?;
        let context = Context::new(device, spool, &shared, seed);
        let name = stream.as_str();
        guarded(name, &directory, || {
            // An error where none was expected is an observation too: the stream says so, and the run fails.
            if let Err(error) = operation(&context) {
                context.emit(stream, &format!("{name}_completed"), |record| {
                    record.observe("completed", error.to_string())
                });
            }
        })?;
        ran.push(context.into_ran(name));
    }
    let mut files = Vec::new();
    let mut notes = Vec::new();
    for model in models {
        process::check_interrupted()?;
        let context = Context::new(device, spool, &shared, seed);
        match guarded(&model.name, &directory, || models::run(&context, model, &mut files, &mut notes))? {
            Ok(()) => {}
            // As above. What the tests have shown is not lost by it.
            Err(XtaskError::Vram(error)) => context.emit(Stream::CryptoValidation, "model_completed", |record| {
                record.field("model", &model.name).observe("completed", error.to_string())
            }),
            Err(error) => return Err(error),
        }
        ran.push(context.into_ran(&format!("model {}", model.name)));
    }
    Ok(Live { ran, models: files, devices: shared.devices.into_inner(), notes })
}

/// Runs `work`; a panic in it becomes an error that says what it said, or what `directory`, where evidence goes, lacks.
fn guarded<R>(name: &str, directory: &Path, work: impl FnOnce() -> R) -> Result<R, XtaskError> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        if let Err(source) = takes_a_file(directory) {
            return XtaskError::Write { path: std::env::temp_dir(), source };
        }
        let message = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("it panicked");
        XtaskError::Input(format!("the live operation {name} died, so no bundle was written: {message}"))
    })
}

/// What all operations of a run have in common.
#[derive(Default)]
struct Shared {
    /// One spool for each operation that has written.
    spools: RefCell<BTreeMap<PathBuf, Spool>>,
    /// See [`Live::devices`].
    devices: RefCell<Vec<DeviceFacts>>,
}

/// Whether another file of evidence fits into `directory`.
fn takes_a_file(directory: &Path) -> io::Result<()> {
    let path = directory.join("room");
    let written = std::fs::write(&path, [0; ROOM_BYTES]);
    // It is in the proof's own directory, which goes away.
    let _ = std::fs::remove_file(path);
    written
}

/// What an operation works with.
pub(crate) struct Context<'a> {
    device: &'a Chosen,
    spool: &'a Path,
    shared: &'a Shared,
    seed: u64,
    /// Of each record, its operation and whether it holds.
    written: RefCell<Vec<(String, bool)>>,
}

impl<'a> Context<'a> {
    fn new(device: &'a Chosen, spool: &'a Path, shared: &'a Shared, seed: u64) -> Self {
        Self { device, spool, shared, seed, written: RefCell::default() }
    }

    /// A manager on the device of the run.
    fn manager(&self) -> Result<VramManager, VramError> {
        self.manager_of(VramConfig::default(), 0)
    }

    /// The same as `config` says, with a device of `capacity_bytes` at least where it is simulated.
    fn manager_of(&self, config: VramConfig, capacity_bytes: u64) -> Result<VramManager, VramError> {
        let manager = self.device.manager(config, capacity_bytes)?;
        let facts = manager.device_facts(self.device.index)?;
        let mut devices = self.shared.devices.borrow_mut();
        // Counters of errors and processes may have moved on.
        let is_same = |known: &DeviceFacts| {
            let DeviceFacts { ecc_errors, compute_processes, .. } = facts;
            DeviceFacts { ecc_errors, compute_processes, ..known.clone() } == facts
        };
        if !devices.iter().any(is_same) {
            devices.push(facts);
        }
        Ok(manager)
    }

    /// Completes a record of `operation` on the device of the run, and writes it to the spool of that operation.
    #[allow(clippy::panic, reason = "evidence that cannot be written ends the run, see `run`")]
    fn emit(&self, stream: Stream, operation: &str, complete: impl FnOnce(Record) -> Recorded) {
        let path = spool_path(self.spool, LIVE, operation);
        let mut spools = self.shared.spools.borrow_mut();
        let spool = spools.entry(path.clone()).or_insert_with(|| match Spool::create(&path) {
            Ok(spool) => spool,
            Err(error) => panic!("{}: {error}", path.display()),
        });
        let recorded = complete(Record::new(stream, operation).device(self.device.class.as_str()));
        let holds = recorded.write_to(spool);
        self.written.borrow_mut().push((operation.to_owned(), holds));
    }

    fn into_ran(self, operation: &str) -> Ran {
        let written = self.written.into_inner();
        let broken = written.iter().filter(|(_, holds)| !holds).map(|(name, _)| name.clone()).collect();
        Ran { operation: operation.to_owned(), records: written.len(), broken }
    }
}

/// What a call came to, in words that do not change from run to run.
fn outcome<T>(result: &Result<T, VramError>) -> String {
    match result {
        Ok(_) => "accepted".to_owned(),
        Err(error) => refusal(error),
    }
}

fn refusal(error: &VramError) -> String {
    match error {
        VramError::InvalidInput(_) => "refused: invalid input".to_owned(),
        VramError::InsufficientVram { needed_bytes, available_bytes, .. } => {
            format!("refused: {needed_bytes} bytes needed, {available_bytes} available")
        }
        VramError::NotSealed { .. } => "refused: not sealed".to_owned(),
        VramError::SealForged { .. } => "refused: seal forged".to_owned(),
        VramError::ContentsChanged { blocks, .. } => format!("refused: contents changed in blocks {blocks:?}"),
        VramError::DigestNotExpected { kind, .. } => format!("refused: {kind} digest not as expected"),
        VramError::PolicyViolated { rules, .. } => format!("refused: policy {} broken", rules.join(", ")),
        VramError::Stopped { .. } => "refused: stopped".to_owned(),
        VramError::Released { .. } => "refused: released".to_owned(),
        other => format!("refused: {other}"),
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
    use std::collections::BTreeSet;

    use evidence::{check_on, proves};
    use serde_json::{Value, json};
    use vram_residency::SimulatedConfig;

    use super::*;
    use crate::device::DeviceChoice;

    /// Every line of every spool of a run, without what differs from run to run.
    fn lines(spool: &Path) -> Vec<Value> {
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(spool.join(LIVE)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        let text: String = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
        let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for line in &mut lines {
            let line = line.as_object_mut().unwrap();
            line.remove("timestamp");
            line.remove("timings");
        }
        lines
    }

    fn live(directory: &Path) -> (Live, Vec<Value>) {
        let chosen = crate::device::choose(DeviceChoice::Simulated, &crate::device::find()).unwrap();
        let model = directory.join("model.bin");
        std::fs::write(&model, bytes::Generator::new(3).bytes(9000)).unwrap();
        let spool = directory.join("spool");
        let live = run(&chosen, &spool, 42, &[Model::open(&model).unwrap()]).unwrap();
        (live, lines(&spool))
    }

    #[test]
    fn on_the_simulated_device_every_live_record_holds_and_names_its_class() {
        proves!("40§1.5");
        let dir = tempfile::tempdir().unwrap();
        let (live, lines) = live(dir.path());
        let broken: Vec<&String> = live.ran.iter().flat_map(|ran| &ran.broken).collect();
        let devices: BTreeSet<&str> = lines.iter().map(|line| line["device"].as_str().unwrap()).collect();
        let streams: BTreeSet<&str> = lines.iter().map(|line| line["stream"].as_str().unwrap()).collect();
        let policy = lines.iter().find(|line| line["operation"] == "vram_only_policy").unwrap();
        check_on(
            "simulated",
            Stream::PolicyEnforcement,
            "live_operations_are_marked_as_simulated",
            json!({"broken": [], "devices": ["simulated"], "streams": 6, "policy": ["simulated"], "vram_only": false}),
            json!({
                "broken": broken,
                "devices": devices,
                "streams": streams.len(),
                "policy": policy["observed"]["outcomes"],
                "vram_only": policy["observed"]["is_vram_only"],
            }),
        );
    }

    #[test]
    fn the_devices_are_those_that_were_used_each_once() {
        let chosen = crate::device::choose(DeviceChoice::Simulated, &crate::device::find()).unwrap();
        let shared = Shared::default();
        let context = Context::new(&chosen, Path::new(""), &shared, 42);
        let usual = SimulatedConfig::default().device_facts.total_bytes;
        let large = usual * 2;
        for capacity in [0, large, 1, large] {
            context.manager_of(VramConfig::default(), capacity).unwrap();
        }
        let sizes: Vec<u64> = shared.devices.borrow().iter().map(|facts| facts.total_bytes).collect();
        assert_eq!(sizes, [usual, large]);
    }

    #[test]
    fn two_runs_of_one_seed_write_the_same_records() {
        let (first, second) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        assert_eq!(live(first.path()).1, live(second.path()).1);
    }

    #[test]
    fn a_model_that_the_library_refuses_is_a_record_that_does_not_hold_and_the_others_go_on() {
        let dir = tempfile::tempdir().unwrap();
        let chosen = crate::device::choose(DeviceChoice::Simulated, &crate::device::find()).unwrap();
        let paths = ["shrinks.bin", "stays.bin"].map(|name| dir.path().join(name));
        let models = paths.clone().map(|path| {
            std::fs::write(&path, [7; 5000]).unwrap();
            Model::open(&path).unwrap()
        });
        std::fs::write(&paths[0], [7; 4000]).unwrap();
        let spool = dir.path().join("spool");
        let live = run(&chosen, &spool, 42, &models).unwrap();
        let broken: Vec<_> = live.ran.iter().flat_map(|ran| ran.broken.clone()).collect();
        assert_eq!(broken, ["model_completed"]);
        let names: Vec<&str> = live.models.iter().map(|model| model.name.as_str()).collect();
        assert_eq!(names, ["stays.bin"]);
        let refused: Vec<Value> =
            lines(&spool).into_iter().filter(|line| line["operation"] == "model_completed").collect();
        assert_eq!((refused.len(), refused[0]["model"].as_str()), (1, Some("shrinks.bin")));
        assert!(refused[0]["observed"].as_str().unwrap().starts_with("the model ended after 4000 of 5000 bytes"));
    }

    #[test]
    fn of_an_opaque_model_no_header_is_recorded_and_its_name_need_not_be_unicode() {
        use std::os::unix::ffi::OsStrExt;

        let dir = tempfile::tempdir().unwrap();
        let chosen = crate::device::choose(DeviceChoice::Simulated, &crate::device::find()).unwrap();
        let opaque = dir.path().join(std::ffi::OsStr::from_bytes(b"odd\xff.bin"));
        std::fs::write(&opaque, [7; 5000]).unwrap();
        let gguf = dir.path().join("empty.gguf");
        std::fs::write(&gguf, [b"GGUF".as_slice(), &3_u32.to_le_bytes(), &[0; 16]].concat()).unwrap();
        let models = [Model::open(&opaque).unwrap(), Model::open(&gguf).unwrap()];
        let spool = dir.path().join("spool");
        let live = run(&chosen, &spool, 42, &models).unwrap();
        assert!(live.ran.iter().all(|ran| ran.broken.is_empty()), "{:?}", live.ran);
        let lines = lines(&spool);
        let headers: Vec<&Value> = lines.iter().filter(|line| line["operation"] == "model_header").collect();
        assert_eq!(headers.len(), 1);
        for (file, model) in live.models.iter().zip(&models) {
            assert_eq!(
                json!(file.format),
                json!(model.format)["format"],
                "one word in the record and in metadata.json"
            );
        }
        assert_eq!(headers[0]["header"]["format"], "gguf");
    }

    #[test]
    fn a_panic_over_a_full_disk_is_reported_as_what_cannot_be_written() {
        let dir = tempfile::tempdir().unwrap();
        let gone = guarded("x", &dir.path().join("gone"), || panic!("correct PROOF_SPOOL")).unwrap_err();
        assert_eq!(gone.exit(), crate::exit::Exit::Found);
        let expected = format!("cannot write {}: ", std::env::temp_dir().display());
        assert!(gone.line().starts_with(&expected) && !gone.line().contains("PROOF_SPOOL"), "{}", gone.line());
        let died = guarded("x", dir.path(), || panic!("why")).unwrap_err();
        assert!(died.line().contains("x died") && died.line().contains("why"), "{}", died.line());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_spool_that_cannot_be_written_ends_the_run_with_one_line() {
        let dir = tempfile::tempdir().unwrap();
        let chosen = crate::device::choose(DeviceChoice::Simulated, &crate::device::find()).unwrap();
        let taken = spool_path(dir.path(), LIVE, "seal_operation");
        std::fs::create_dir_all(&taken).unwrap();
        let error = run(&chosen, dir.path(), 42, &[]).err().unwrap();
        assert!(error.line().contains("crypto_validation died"), "{}", error.line());
        assert!(error.line().contains("seal_operation.ndjson"), "{}", error.line());
    }
}
