//! Writes a bundle of any size, to measure the verifier with:
//!
//! ```sh
//! cargo build --release -p proof-bundle --bin verify-bundle --example large_bundle
//! target/release/examples/large_bundle /tmp/large 10000 100000
//! command time -v target/release/verify-bundle /tmp/large/unit/* --integrity-only
//! ```
//!
//! Arguments: the directory to write to, how many tests, how many records.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Duration;

use evidence::{Record, Spool, Stream};
use facts::DeviceClass;
use proof_bundle::junit::{Outcome, TestResult};
use proof_bundle::provenance::{Commit, Environment, FileDigest, Metadata, Provenance, RunTimings};
use proof_bundle::records::spool_path;
use proof_bundle::requirement::parse_specs;
use proof_bundle::run::{Run, assemble};
use proof_bundle::test_map::MappedTest;
use proof_bundle::{StagedBundle, TestType};
use serde_json::json;

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
const TIME: &str = "2026-01-02T03:04:05Z";

/// How many requirements the tests are shared out to.
const REQUIREMENTS: usize = 100;

/// How many test binaries there are.
const BINARIES: usize = 20;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(out), Some(tests), Some(records)) = (arguments.next(), arguments.next(), arguments.next()) else {
        return Err("usage: large_bundle DIRECTORY TESTS RECORDS".into());
    };
    let work = tempfile::tempdir()?;
    let specs = work.path().join("specs");
    fs::create_dir(&specs)?;
    fs::write(specs.join("00_large.md"), specification())?;
    let map = map(tests.parse()?);
    let spool = work.path().join("spool");
    write_spools(&spool, &map, records.parse()?)?;
    let results: Vec<TestResult> = map
        .iter()
        .map(|test| TestResult::new(&test.binary, &test.test, Outcome::Passed, Duration::from_millis(3)))
        .collect();

    let bundle = StagedBundle::new(out, TestType::Unit, COMMIT)?;
    let run = Run {
        specifications: parse_specs(specs)?,
        map: &map,
        scenarios: &[],
        results,
        spool: &spool,
        seeds: &[42],
        metadata: &metadata(),
        provenance: &provenance(bundle.run_id()),
        code_coverage: None,
        mutants: None,
    };
    assemble(&bundle, run)?;
    println!("{}", bundle.publish()?.display());
    Ok(())
}

fn id(number: usize) -> String {
    format!("LB-{:03}", number % REQUIREMENTS)
}

fn specification() -> String {
    let requirement = |number| {
        format!(
            "### {} Requirement {number}\n\nIt MUST hold.\n\n- Kind: product\n- Needs a GPU: no\n- Not claimed: Anything.\n\n",
            id(number)
        )
    };
    let requirements: String = (0..REQUIREMENTS).map(requirement).collect();
    format!("# A large run\n\n## Requirements\n\n{requirements}")
}

fn map(tests: usize) -> Vec<MappedTest> {
    let test = |number: usize| MappedTest {
        binary: binary(number % BINARIES),
        test: format!("module::a_test_with_a_name_of_usual_length_{number:06}"),
        requirements: vec![id(number)],
    };
    (0..tests).map(test).collect()
}

fn binary(number: usize) -> String {
    format!("crate_{number:02}::suite")
}

fn binaries() -> Vec<FileDigest> {
    (0..BINARIES).map(|number| FileDigest { name: binary(number), sha256: "b".repeat(64) }).collect()
}

/// Shares `records` out to the tests and, in turn, to the six streams.
fn write_spools(spool: &Path, map: &[MappedTest], records: usize) -> Result<(), Box<dyn Error>> {
    for (number, test) in map.iter().enumerate() {
        let path = spool_path(spool, &test.binary, &test.test);
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory)?;
        }
        let claims = test.requirements.iter().map(|id| format!("{}\n", json!({"kind": "claim", "requirement": id})));
        let file = Spool::create(&path)?;
        fs::write(&path, claims.collect::<String>())?;
        for record in (number..records).step_by(map.len()) {
            let stream = Stream::ALL.into_iter().cycle().nth(record % 6).unwrap_or(Stream::CryptoValidation);
            let value = json!({"digest": format!("{record:064x}"), "bytes": record, "outcome": "accepted"});
            Record::new(stream, "an_operation_of_usual_length")
                .device("simulated")
                .requirement(&id(number))
                .field("explanation", "what was done, in a sentence of about the usual length")
                .field("model_size_bytes", record)
                .observe(&value, &value)
                .write_to(&file);
        }
    }
    Ok(())
}

fn metadata() -> Metadata {
    Metadata {
        crate_name: "large".to_owned(),
        version: "0.1.0".to_owned(),
        git_sha: COMMIT.to_owned(),
        test_mode: DeviceClass::Simulated,
        device_reason: "generated".to_owned(),
        looked_at: Vec::new(),
        timestamp: TIME.to_owned(),
        environment: Environment {
            os: "linux".to_owned(),
            arch: "x86_64".to_owned(),
            rust_version: "generated".to_owned(),
            cuda_available: false,
        },
        gpu_devices: Vec::new(),
        models: Vec::new(),
        command: "generated".to_owned(),
    }
}

fn provenance(run_id: &str) -> Provenance {
    Provenance {
        run_id: run_id.to_owned(),
        commit: Commit { sha: COMMIT.to_owned(), dirty: false },
        cargo_lock_sha256: "a".repeat(64),
        rustc: "generated".to_owned(),
        build_environment: BTreeMap::new(),
        test_binaries: binaries(),
        kernel_images: Vec::new(),
        devices: Vec::new(),
        sources: Vec::new(),
        test_sources: binaries(),
        driver_libraries: Vec::new(),
        program_sha256: "c".repeat(64),
        kit: None,
        nonce: None,
        timings: RunTimings { started: TIME.to_owned(), finished: TIME.to_owned() },
    }
}
