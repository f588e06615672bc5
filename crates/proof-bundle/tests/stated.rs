//! What a run states of itself, its device, its models and its programs, against what its operations and tests left.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod fixture;
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod tamper;

use std::time::Duration;

use proof_bundle::junit::{self, Outcome, TestResult};
use proof_bundle::provenance::{FileDigest, Metadata, ModelFile, Provenance};
use serde_json::json;
use tamper::STREAMS;
use tamper::case::{NOT_SIGNED, case, check};

const CRYPTO: &str = STREAMS[0];
const POLICY: &str = STREAMS[1];

#[test]
fn what_a_run_states_is_what_its_operations_and_tests_left() {
    check(&[
        case(
            "a decision about another device",
            |bundle| {
                bundle.edit_lines(POLICY, |lines| {
                    lines[1]["decisions"][0]["record"]["device"]["uuid"] =
                        json!("GPU-00000000-0000-0000-0000-000000000009");
                });
                bundle.put_in_order();
            },
            NOT_SIGNED,
            (22, "facts of another device"),
        ),
        case(
            "a decision without its policy and its facts",
            |bundle| {
                bundle.edit_lines(POLICY, |lines| {
                    let record = lines[1].as_object_mut().unwrap();
                    drop((record.remove("policy"), record.remove("decisions")));
                });
                bundle.put_in_order();
            },
            NOT_SIGNED,
            (22, "observed outcomes and states no decision"),
        ),
        case(
            "a model that no operation sealed",
            |bundle| {
                bundle.edit("metadata.json", |metadata: &mut Metadata| metadata.models.push(a_model()));
                bundle.put_in_order();
            },
            NOT_SIGNED,
            (22, "no live operation sealed the model llama.gguf"),
        ),
        case(
            "an operation that sealed a model which is not listed",
            |bundle| {
                bundle.edit_lines(CRYPTO, |lines| {
                    let live = lines.iter_mut().find(|line| line["binary"] == "live").unwrap();
                    live["operation"] = json!("model_seal");
                });
                bundle.put_in_order();
            },
            NOT_SIGNED,
            (22, "does not list like that"),
        ),
        case(
            "a program of tests without a digest",
            |bundle| {
                bundle.edit("provenance.json", |provenance: &mut Provenance| drop(provenance.test_binaries.pop()));
                bundle.put_in_order();
            },
            NOT_SIGNED,
            (22, "test_binaries has no digest for seal::tag"),
        ),
        case(
            "a program of tests with two digests",
            |bundle| {
                bundle.edit("provenance.json", |provenance: &mut Provenance| {
                    provenance.test_sources.push(provenance.test_sources[0].clone());
                });
                bundle.put_in_order();
            },
            NOT_SIGNED,
            (22, "test_sources is not sorted"),
        ),
        case(
            "a test that did not run left a record",
            |bundle| {
                let mut tests = junit::read(bundle.file(junit::FILE)).unwrap();
                tests.iter_mut().find(|test| test.test == "tag_is_right").unwrap().outcome =
                    Outcome::NotRun("ignored: needs a GPU".to_owned());
                bundle.write(junit::FILE, junit::to_xml(&tests).unwrap());
                bundle.put_in_order();
            },
            NOT_SIGNED,
            (12, "a record of a test that did not run"),
        ),
        case(
            "a live operation is listed as a test",
            |bundle| {
                let mut tests = junit::read(bundle.file(junit::FILE)).unwrap();
                tests.push(TestResult::new("live", "operations", Outcome::Passed, Duration::ZERO));
                tests.sort_by_key(TestResult::id);
                bundle.write(junit::FILE, junit::to_xml(&tests).unwrap());
                let add = |files: &mut Vec<FileDigest>| {
                    files.insert(1, FileDigest { name: "live".to_owned(), ..files[0].clone() });
                };
                bundle.edit("provenance.json", |provenance: &mut Provenance| {
                    add(&mut provenance.test_binaries);
                    add(&mut provenance.test_sources);
                });
                bundle.put_in_order();
            },
            NOT_SIGNED,
            (12, "has the name of a live operation"),
        ),
        case(
            "libraries of a driver without a GPU",
            |bundle| {
                bundle.edit("provenance.json", |provenance: &mut Provenance| {
                    provenance.driver_libraries = provenance.sources.clone();
                });
                bundle.put_in_order();
            },
            NOT_SIGNED,
            (22, "and no GPU"),
        ),
    ]);
}

fn a_model() -> ModelFile {
    ModelFile {
        name: "llama.gguf".to_owned(),
        format: "gguf".to_owned(),
        bytes: 141_000_000_000,
        header_bytes: None,
        tensors: None,
        sha256: "a".repeat(64),
        tree_digest: "b".repeat(64),
    }
}
