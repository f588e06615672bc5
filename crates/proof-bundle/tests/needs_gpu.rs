//! What a requirement that needs a GPU asks of its tests, and that no other device passes for one.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod fixture;

use std::fs;

use evidence::{Stream, check, check_on, proves};
use fixture::derived::{reasons, record, status};
use fixture::{Fixture, device};
use proof_bundle::junit::Outcome;
use serde_json::json;

#[test]
fn only_a_record_from_a_gpu_proves_what_needs_one() {
    proves!("40§1.2");
    let on = |class: &str, known: &str| {
        let mut fixture = Fixture::healthy();
        fixture.devices = vec![device(known)];
        let more = record(Stream::PolicyEnforcement, "VP-001").device(class);
        fixture.spool("weights_stay").records.push((Stream::PolicyEnforcement, more, json!(1), json!(1)));
        let (_, coverage) = fixture.run();
        json!([status(&coverage, "VP-001"), coverage.problems.is_empty()])
    };
    let observed = json!({
        "simulated": on("simulated", "simulated"),
        "fake-driver": on("fake-driver", "fake-driver"),
        "host": on("host", "simulated"),
        "gpu": on("gpu", "gpu"),
        "gpu that provenance does not name": on("gpu", "simulated"),
    });
    let expected = json!({
        "simulated": ["needs_gpu", true],
        "fake-driver": ["needs_gpu", true],
        "host": ["needs_gpu", true],
        "gpu": ["proven", true],
        "gpu that provenance does not name": ["needs_gpu", false],
    });
    check(Stream::PolicyEnforcement, "judge_what_needs_a_gpu", expected, observed);
}

#[test]
fn a_mapped_test_that_used_another_device_withholds_what_needs_a_gpu() {
    proves!("40§1.2");
    let on = |devices: &[(&str, &str)]| {
        let mut fixture = Fixture::healthy();
        fixture.devices = vec![device("gpu")];
        // A second test of the requirement; without more it leaves a record from a simulated device.
        fixture.map[0].requirements.push("VP-001".to_owned());
        let second = fixture.spool("test_seal");
        second.claims.push("VP-001".to_owned());
        second.records.clear();
        fixture.spool("weights_stay").records.clear();
        for (test, class) in devices {
            let more = record(Stream::PolicyEnforcement, "VP-001").device(class);
            fixture.spool(test).records.push((Stream::PolicyEnforcement, more, json!(1), json!(1)));
        }
        let (_, coverage) = fixture.run();
        json!([status(&coverage, "VP-001"), reasons(&coverage, "VP-001")])
    };
    let (one, two) = ("weights_stay", "test_seal");
    let observed = json!({
        "no device at all": on(&[(one, "host"), (two, "host")]),
        "live operations alone": on(&[(one, "host"), (two, "host"), ("operations", "gpu")]),
        "the other on a simulated device": on(&[(one, "gpu"), (two, "simulated")]),
        "the other on a fake driver": on(&[(one, "gpu"), (two, "fake-driver")]),
        "the other on both": on(&[(one, "gpu"), (two, "simulated"), (two, "gpu")]),
        "the other on no device": on(&[(one, "gpu"), (two, "host")]),
        "both": on(&[(one, "gpu"), (two, "gpu")]),
    });
    let none = "it needs a GPU, and no record comes from one";
    let other = "it needs a GPU, and seal tests::test_seal used another device only";
    let expected = json!({
        "no device at all": ["needs_gpu", none],
        "live operations alone": ["needs_gpu", none],
        "the other on a simulated device": ["needs_gpu", other],
        "the other on a fake driver": ["needs_gpu", other],
        "the other on both": ["proven", ""],
        "the other on no device": ["proven", ""],
        "both": ["proven", ""],
    });
    check(Stream::PolicyEnforcement, "judge_each_test_of_what_needs_a_gpu", expected, observed);
}

#[test]
fn a_test_that_waits_for_a_gpu_leaves_what_needs_one_open_and_nothing_else() {
    proves!("40§1.2");
    let with = |requirement: &str, known: &str, reason: &str| {
        let mut fixture = Fixture::healthy();
        fixture.devices = vec![device(known)];
        fixture.map[0].requirements.push(requirement.to_owned());
        fixture.result("test_seal").outcome = Outcome::NotRun(reason.to_owned());
        let (_, coverage) = fixture.run();
        status(&coverage, requirement)
    };
    let (waits, other) = ("ignored: needs a GPU", "ignored: needs a GPU and patience");
    let observed = json!({
        "on a host without": with("VP-001", "simulated", waits),
        "on a host with one": with("VP-001", "gpu", waits),
        "for another reason": with("VP-001", "simulated", other),
        "of what needs none": with("CI-001", "simulated", waits),
    });
    let expected = json!({
        "on a host without": "needs_gpu",
        "on a host with one": "not_run",
        "for another reason": "not_run",
        "of what needs none": "not_run",
    });
    check(Stream::PolicyEnforcement, "judge_tests_that_wait_for_a_gpu", expected, observed);
}

#[test]
fn a_simulated_record_is_marked_and_never_counts_as_one_from_a_gpu() {
    proves!("40§1.5");
    let fixture = Fixture::healthy();
    let (directory, coverage) = fixture.run();
    let reports = ["test_report.md", "spec_coverage.md", "compliance_matrix.md"];
    let marked = reports.map(|name| fs::read_to_string(directory.join(name)).unwrap().contains("> **No GPU.**"));
    let residency = coverage.get("VP-001").unwrap();
    check_on(
        "simulated",
        Stream::PolicyEnforcement,
        "mark_the_simulated_device",
        json!({"devices": ["simulated"], "status": "needs_gpu", "residency": "needs_gpu", "reports": [true, true, true]}),
        json!({
            "devices": coverage.summary.devices,
            "status": residency.status,
            "residency": coverage.roll_ups[1].status,
            "reports": marked,
        }),
    );
}
