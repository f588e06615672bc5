//! A run whose binaries were built on another host: every page that a reader begins with says so.
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

use fixture::Fixture;
use proof_bundle::exit::Exit;
use proof_bundle::provenance::{Host, Kit};
use tamper::Bundle;

const SENTENCE: &str = "the binaries were not built by this run but came in a kit: built on Debian GNU/Linux 12 (bookworm) \
                        (kernel 6.1.0, glibc 2.36), run on Ubuntu 24.04 LTS (kernel 6.8.0, glibc 2.39)";

fn kit() -> Kit {
    let host = |os: &str, kernel: &str, libc: &str| Host {
        os: os.to_owned(),
        kernel: kernel.to_owned(),
        libc: libc.to_owned(),
    };
    Kit {
        sha256: "e".repeat(64),
        cargo: "cargo 1.95.0".to_owned(),
        profile: "kit".to_owned(),
        built_on: host("Debian GNU/Linux 12 (bookworm)", "6.1.0", "glibc 2.36"),
        run_on: host("Ubuntu 24.04 LTS", "6.8.0", "glibc 2.39"),
    }
}

fn bundle_of(kit: Option<Kit>) -> Bundle {
    let mut fixture = Fixture::healthy();
    fixture.kit = kit;
    Bundle::unsigned(fixture)
}

#[test]
fn a_run_of_a_kit_says_so_wherever_a_reader_begins() {
    let bundle = bundle_of(Some(kit()));
    let plain = |text: String| text.replace("\\", "").split_whitespace().collect::<Vec<_>>().join(" ");
    for report in ["report.html", "test_report.md", "VERIFY.md"] {
        let text = plain(fs::read_to_string(bundle.file(report)).unwrap());
        assert!(text.contains(SENTENCE) && text.contains(&"e".repeat(64)), "{report}: {text}");
    }
    let verification = bundle.verify();
    let shown = verification.shown.as_ref().unwrap().kit.clone();
    assert_eq!(shown, Some(format!("{SENTENCE}; kit {}", "e".repeat(64))));
}

#[test]
fn a_run_of_no_kit_has_no_such_member_and_says_nothing_of_one() {
    let bundle = bundle_of(None);
    for name in ["provenance.json", "report.html", "test_report.md", "VERIFY.md"] {
        let text = fs::read_to_string(bundle.file(name)).unwrap();
        assert!(!text.contains("\"kit\"") && !text.contains("came in a kit"), "{name}");
    }
    assert!(bundle.verify().shown.as_ref().unwrap().kit.is_none());
}

#[test]
fn the_program_that_judged_is_a_digest() {
    for (program, holds) in [("c".repeat(64), true), ("target/xtask".to_owned(), false)] {
        let mut fixture = Fixture::healthy();
        fixture.program_sha256.clone_from(&program);
        let bundle = Bundle::unsigned(fixture);
        assert_eq!(bundle.verify().intact.holds(), holds, "{program:?}");
    }
}

#[test]
fn facts_of_a_host_are_one_line_and_nothing_may_be_left_out_or_added() {
    let changes: [(&str, &str); 4] = [
        ("Ubuntu 24.04 LTS", "Ubuntu\\nVERIFIED"),
        ("\"glibc 2.39\"", "\"\""),
        ("\"profile\": \"kit\"", "\"profile\": 1"),
        ("\"cargo\": \"cargo 1.95.0\"", "\"cargo\": \"cargo 1.95.0\", \"more\": 1"),
    ];
    for (old, new) in changes {
        let bundle = bundle_of(Some(kit()));
        bundle.replace("provenance.json", old, new);
        bundle.rehash();
        assert_eq!(bundle.verify().exit(), Exit::NotIntact, "{old}");
    }
}
