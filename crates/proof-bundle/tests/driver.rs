//! What a bundle says of the driver that its run was on.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[allow(dead_code, reason = "each test binary uses a part of it")]
mod fixture;
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod tamper;

use std::fs;

use facts::DeviceFacts;
use fixture::{Fixture, device};
use proof_bundle::exit::Exit;
use proof_bundle::provenance::FileDigest;
use tamper::Bundle;

fn bundle_with(names: &[&str]) -> Bundle {
    let mut fixture = Fixture::healthy();
    let (driver_version, compute_capability) = (Some("580.159.04".to_owned()), Some((9, 0)));
    fixture.devices = vec![DeviceFacts { driver_version, compute_capability, ..device("gpu") }];
    fixture.driver_libraries =
        names.iter().map(|name| FileDigest { name: (*name).to_owned(), sha256: "d".repeat(64) }).collect();
    Bundle::unsigned(fixture)
}

#[test]
fn the_libraries_of_the_driver_stand_in_the_reports_with_their_digests() {
    let bundle = bundle_with(&["libcuda.so.580.159.04", "libnvidia-ml.so.580.159.04"]);
    for report in ["report.html", "test_report.md"] {
        let text = fs::read_to_string(bundle.file(report)).unwrap().replace('\\', "");
        for name in ["libcuda.so.580.159.04", "libnvidia-ml.so.580.159.04"] {
            assert!(text.contains(name) && text.contains(&"d".repeat(64)), "{report}: {text}");
        }
    }
    let verification = bundle.verify();
    assert!(verification.intact.holds() && verification.derived.holds(), "{verification:#?}");
    bundle.replace("provenance.json", "libcuda.so.580.159.04", "libcuda.so.999");
    bundle.rehash();
    assert!(!bundle.verify().derived.holds(), "the reports name another driver");
}

#[test]
fn a_run_without_a_driver_has_no_such_member() {
    let bundle = bundle_with(&[]);
    let provenance = fs::read_to_string(bundle.file("provenance.json")).unwrap();
    assert!(!provenance.contains("driver_libraries"));
    bundle.replace("provenance.json", "\"kernel_images\"", "\"driver_libraries\": [],\n  \"kernel_images\"");
    bundle.rehash();
    assert_eq!(bundle.verify().exit(), Exit::NotIntact, "one form of one fact");
}
