//! `cargo xtask proof`: finds the device, builds, runs every test, runs the live operations, and writes the bundle.
//!
//! What the run comes to is derived by `proof-bundle` from what was written and read back. Nothing here decides a status.

mod args;
mod driver_libraries;
mod origin;
mod source;
mod summary;

use std::path::{Path, PathBuf};
use std::time::Duration;

use proof_bundle::code_coverage::CodeCoverage;
use proof_bundle::junit::{Outcome, TestResult};
use proof_bundle::mutants::Mutants;
use proof_bundle::provenance::{Commit, FileDigest, Kit, Metadata, Provenance};
use proof_bundle::requirement::{Specifications, parse_specs};
use proof_bundle::test_map::TestId;
use proof_bundle::{StagedBundle, TestType};

use crate::code_coverage::{Measure, Tool};
use crate::device::{self, Chosen, Found};
use crate::error::XtaskError;
use crate::exit::Exit;
use crate::kernels;
use crate::live::{self, Live};
use crate::model::Model;
use crate::mutants;
use crate::output;
use crate::process;
use crate::progress::{self, note, step};
use crate::sign::Keys;
use crate::sources::Sources;
use crate::suite::build::TestBinary;
use crate::suite::map::Map;
use crate::suite::{TEMPORARY, run as tests};
use crate::watch::Watch;
use crate::workspace::Workspace;
use args::BundleType;
pub(crate) use args::ProofArgs;
use origin::{Origin, Toolchain};
use summary::Summary;

/// The subcommand.
pub(crate) fn run(args: &ProofArgs) -> Result<Exit, XtaskError> {
    process::catch_interrupts()?;
    let started = proof_bundle::now();
    // Everything that can be refused is refused before anything takes time.
    let origin = Origin::find(args)?;
    let root = origin.root();
    let keys = args.key.as_deref().map(|key| Keys { key, model_signing_key: args.model_signing_key.as_deref() });
    keys.as_ref().map_or(Ok(()), Keys::check)?;
    let found = device::find();
    let device = device::choose(args.device, &found)?;
    step(&format!("device: {} ({})", device.class, device.reason));
    found.looked_at.iter().for_each(|line| note(line));
    let models = args.models.iter().map(|path| Model::open(path)).collect::<Result<Vec<_>, _>>()?;
    device.check_room(&models)?;
    let tool = args.code_coverage.then(|| Tool::find(&root)).transpose()?;
    let before = origin.commit()?;
    let specifications = parse_specs(root.join("specs"))?;
    let workspace = origin.workspace()?;
    let map = Map::read(&root, &workspace)?;
    let watch = origin.watch(&map)?;
    let commit = watch.as_ref().map_or(before.clone(), |watch| watch.commit(before.clone()));
    if commit.dirty {
        note("the working tree differs from its commit: the bundle says so");
    }
    let toolchain = origin.toolchain()?;
    let sources = Sources::read(&root, &workspace, &map)?;
    let mutants = Mutants::read_file(root.join(mutants::DIRECTORY), mutants::SUMMARY)?;
    let out = match &args.out {
        Some(out) => std::path::absolute(out).map_err(XtaskError::write(out))?,
        None => origin.bundles(),
    };
    let bundle_type = test_type(args.bundle_type);
    check_writable(&out.join(bundle_type.as_str()))?;

    let scratch = tempfile::tempdir().map_err(XtaskError::write(&std::env::temp_dir()))?;
    // First, since a tool that fails must not cost the run.
    let what =
        Measure { root: &root, workspace: &workspace, commit: &commit, scratch: scratch.path(), seed: args.seed };
    let code_coverage = tool.map(|tool| tool.measure(&what)).transpose()?;
    let gpu = (device.class == vram_residency::DeviceClass::Gpu).then_some(device.index);
    let suite = Suite::run(args, &origin, &workspace, &map, watch.as_ref(), scratch.path(), gpu)?;
    step("running the live operations");
    // A panic there comes back as an error of one line; a backtrace above it would bury it.
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let live = live::run(&device, &suite.spool, args.seed, &models);
    std::panic::set_hook(hook);
    let mut live = live?;
    live.notes.extend(toolchain.build_environment.iter().map(|(name, value)| format!("built with {name}={value}")));
    live.notes.iter().for_each(|text| note(text));

    step("writing the bundle");
    process::check_interrupted()?;
    check_unchanged(&before, &origin.commit()?)?;
    watch.as_ref().map_or(Ok(()), Watch::check)?;
    // Only now, so that no test could find it.
    let bundle = StagedBundle::new(&out, bundle_type, &commit.sha)?;
    let plan = Plan {
        args,
        root: &root,
        toolchain,
        kit: origin.kit(),
        commit,
        device: &device,
        found: &found,
        specifications,
        map: &map,
        keys,
        code_coverage,
        sources,
        mutants,
    };
    plan.finish(bundle, suite, &live, started)
}

/// Makes `directory`, and a file in it that is gone again.
fn check_writable(directory: &Path) -> Result<(), XtaskError> {
    std::fs::create_dir_all(directory).map_err(XtaskError::write(directory))?;
    tempfile::tempfile_in(directory).map(drop).map_err(XtaskError::write(directory))
}

/// Checks that the bundle can say which source was tested.
fn check_unchanged(before: &Commit, after: &Commit) -> Result<(), XtaskError> {
    if before == after {
        return Ok(());
    }
    let say = |commit: &Commit| format!("{} ({})", commit.sha, if commit.dirty { "dirty" } else { "clean" });
    Err(XtaskError::Input(format!(
        "the working tree changed while the tests ran, from {} to {}: run again and leave it alone meanwhile; where a test \
         wrote into it, mend the test",
        say(before),
        say(after)
    )))
}

fn test_type(bundle_type: BundleType) -> TestType {
    match bundle_type {
        BundleType::Unit => TestType::Unit,
        BundleType::Integration => TestType::Integration,
        BundleType::Bdd => TestType::Bdd,
        BundleType::Gpu => TestType::Gpu,
    }
}

/// What running the test suite gave.
struct Suite {
    binaries: Vec<TestBinary>,
    results: Vec<TestResult>,
    spool: PathBuf,
}

impl Suite {
    fn run(
        args: &ProofArgs,
        origin: &Origin,
        workspace: &Workspace,
        map: &Map,
        watch: Option<&Watch>,
        scratch: &Path,
        gpu: Option<u32>,
    ) -> Result<Self, XtaskError> {
        let [spool, output, temporary] = ["spool", "output", TEMPORARY].map(|name| scratch.join(name));
        for directory in [&output, &temporary] {
            std::fs::create_dir(directory).map_err(XtaskError::write(directory))?;
        }
        let binaries = origin.tests(workspace, scratch)?;
        watch.map_or(Ok(()), Watch::check)?;
        let settings = tests::Settings {
            root: &origin.root(),
            spool: &spool,
            output: &output,
            temporary: &temporary,
            seed: args.seed,
            gpu,
            timeout: Duration::from_secs(args.timeout),
            patience: None,
        };
        let (mut tests, mut results) = tests::list(&settings, &binaries)?;
        tests.retain(|test| match origin.lacks(&map.needs, &test.id()) {
            Some(reason) => {
                let TestId { binary, test } = test.id();
                results.push(TestResult::new(&binary, &test, Outcome::NotRun(reason), Duration::ZERO));
                false
            }
            None => true,
        });
        step(&format!("running {} tests of {} binaries, a process each", tests.len(), binaries.len()));
        let bar = progress::Bar::tests(tests.len());
        results.extend(tests::run(&settings, &tests, &|result| bar.finished(result))?);
        // An empty suite stays empty: doc tests map to nothing and must not hide that there is no test.
        if !results.is_empty() {
            results.push(origin.doctests(scratch, settings.timeout)?);
        }
        for binary in &binaries {
            binary.check_unchanged()?;
        }
        Ok(Self { binaries, results, spool })
    }
}

/// What was known before the first test ran.
struct Plan<'a> {
    args: &'a ProofArgs,
    root: &'a Path,
    toolchain: Toolchain,
    kit: Option<Kit>,
    commit: Commit,
    device: &'a Chosen,
    found: &'a Found,
    specifications: Specifications,
    map: &'a Map,
    keys: Option<Keys<'a>>,
    code_coverage: Option<CodeCoverage>,
    sources: Sources,
    mutants: Option<Mutants>,
}

impl Plan<'_> {
    /// Writes the bundle, publishes it, and shows what it says.
    fn finish(self, bundle: StagedBundle, suite: Suite, live: &Live, started: String) -> Result<Exit, XtaskError> {
        let dirty = self.commit.dirty;
        let metadata = self.metadata(live, &started);
        let provenance = self.provenance(bundle.run_id(), &suite.binaries, live, started)?;
        let run = proof_bundle::run::Run {
            specifications: self.specifications,
            map: &self.map.tests,
            scenarios: &self.map.scenarios,
            results: suite.results,
            spool: &suite.spool,
            seeds: &[self.args.seed],
            code_coverage: self.code_coverage.as_ref(),
            mutants: self.mutants.as_ref(),
            metadata: &metadata,
            provenance: &provenance,
        };
        let coverage = proof_bundle::run::assemble(&bundle, run)?;
        process::check_interrupted()?;
        let directory = bundle.publish()?;
        let summary = Summary::new(&coverage, self.device, &provenance.commit.sha, dirty, live, &directory);
        let signed = self.keys.as_ref().map(|keys| {
            step("signing the bundle");
            keys.sign(&directory)
        });
        let summary = match &signed {
            Some(signed) => summary.with_signature(signed),
            None => summary,
        };
        output::print(&if self.args.json { output::json(&summary.to_json())? } else { format!("{summary}\n") })?;
        signed.transpose()?.unwrap_or_default().lines().for_each(note);
        Ok(summary.exit())
    }

    fn metadata(&self, live: &Live, timestamp: &str) -> Metadata {
        Metadata {
            crate_name: "vram-residency".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            git_sha: self.commit.sha.clone(),
            test_mode: self.device.class,
            device_reason: self.device.reason.clone(),
            looked_at: self.found.looked_at.clone(),
            timestamp: timestamp.to_owned(),
            environment: source::environment(self.toolchain.rust_version.clone(), !self.found.devices.is_empty()),
            gpu_devices: live.devices.clone(),
            models: live.models.clone(),
            command: source::command(self.args),
        }
    }

    /// The image that the library has in it; a workspace may have none.
    fn kernel_images(&self) -> Result<Vec<FileDigest>, XtaskError> {
        let path = self.root.join(kernels::IMAGE);
        if path.exists() { Ok(vec![source::digest(kernels::IMAGE, &path)?]) } else { Ok(Vec::new()) }
    }

    /// The libraries of the driver that the run was on.
    fn driver_libraries(&self) -> Vec<FileDigest> {
        if self.device.class == vram_residency::DeviceClass::Gpu { driver_libraries::loaded() } else { Vec::new() }
    }

    fn provenance(
        &self,
        run_id: &str,
        binaries: &[TestBinary],
        live: &Live,
        started: String,
    ) -> Result<Provenance, XtaskError> {
        Ok(Provenance {
            run_id: run_id.to_owned(),
            commit: self.commit.clone(),
            cargo_lock_sha256: source::digest("Cargo.lock", &self.root.join("Cargo.lock"))?.sha256,
            rustc: self.toolchain.rustc.clone(),
            build_environment: self.toolchain.build_environment.clone(),
            sources: self.sources.libraries.clone(),
            test_sources: self.sources.tests.clone(),
            test_binaries: binaries.iter().map(|binary| binary.digest.clone()).collect(),
            kernel_images: self.kernel_images()?,
            devices: live.devices.clone(),
            driver_libraries: self.driver_libraries(),
            program_sha256: source::digest("", Path::new("/proc/self/exe"))?.sha256,
            kit: self.kit.clone(),
            nonce: self.args.nonce.clone(),
            timings: proof_bundle::provenance::RunTimings { started, finished: proof_bundle::now() },
        })
    }
}
