//! Bundles whose conclusions, origin or signatures were replaced, and honest ones that are shown again. What fits together is
//! found by the signature alone, so with `--integrity-only` it passes: consistency is all that shows.
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

use std::fs;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proof_bundle::attest::{self, DIRECTORY, PublicKey, RESIDENCY, SigningKey, TEST_RESULT};
use proof_bundle::code_coverage::CodeCoverage;
use proof_bundle::coverage::{Coverage, Status};
use proof_bundle::junit::{self, Outcome, TestResult};
use proof_bundle::mutants::{MutantOutcome, Mutants};
use proof_bundle::provenance::{Metadata, Provenance};
use proof_bundle::verify::{Options, verify};
use serde_json::json;
use tamper::case::{CONSISTENT, HASH, NOT_SIGNED, case, check, failed, of_another_version, rich};
use tamper::{Bundle, PUBLIC, STREAMS, trusting};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

const JUNIT: &str = "tests.junit.xml";
const SCRIPT: &str = "<script>alert(1)</script>";

fn then(first: fn(&Bundle), second: fn(&Bundle)) -> impl Fn(&Bundle) {
    move |bundle| {
        first(bundle);
        second(bundle);
    }
}

#[test]
fn tests_end_as_they_ended() {
    let swap = |bundle: &Bundle| {
        tests(bundle, |tests| {
            let failed = tests.iter().position(|test| matches!(test.outcome, Outcome::Failed(_))).unwrap();
            tests[0].outcome = std::mem::replace(&mut tests[failed].outcome, Outcome::Passed);
        });
    };
    let absent = |bundle: &Bundle| tests(bundle, |tests| tests.retain(|test| test.outcome == Outcome::Passed));
    let script = |bundle: &Bundle| {
        tests(bundle, |tests| {
            tests.iter_mut().find(|test| test.test == "unmapped").unwrap().outcome = Outcome::Failed(SCRIPT.to_owned());
        });
        bundle.put_in_order();
        assert!(!bundle.read("report.html").contains(SCRIPT) && bundle.read("report.html").contains("alert(1)"));
    };
    check(&[
        case("two tests change their results", then(swap, Bundle::rehash), NOT_SIGNED, (22, "coverage.json"))
            .of(failed),
        case("and everything else", then(swap, Bundle::put_in_order), NOT_SIGNED, (10, "failed")).of(failed),
        case("the failed test is not listed", then(absent, Bundle::rehash), NOT_SIGNED, (22, "coverage.json"))
            .of(failed),
        case("and everything else", then(absent, Bundle::put_in_order), NOT_SIGNED, (10, "not among the tests"))
            .of(failed),
        case(
            "a count of tests is another",
            |bundle| {
                bundle.replace(JUNIT, "failures=\"0\" errors=\"0\">", "failures=\"1\" errors=\"0\">");
                bundle.rehash();
            },
            (20, "tests.junit.xml:2"),
            (20, "tests.junit.xml:2"),
        ),
        case("a test fails with a script", script, NOT_SIGNED, (10, "failed")),
    ]);
}

/// Changes what became of the tests, in the one form that the file has.
fn tests(bundle: &Bundle, change: fn(&mut Vec<TestResult>)) {
    let mut results = junit::read(bundle.file(JUNIT)).unwrap();
    change(&mut results);
    bundle.write(JUNIT, junit::to_xml(&results).unwrap());
}

#[test]
fn conclusions_follow_from_the_evidence() {
    let status = |bundle: &Bundle| {
        bundle.edit("coverage.json", |coverage: &mut Coverage| coverage.requirements[3].status = Status::Proven);
    };
    let script = |bundle: &Bundle| bundle.replace("report.html", "</body>", &format!("{SCRIPT}</body>"));
    let key = |bundle: &Bundle| bundle.replace("VERIFY.md", "key", "attacker's key");
    let version = |bundle: &Bundle| {
        bundle.replace("coverage.json", "\"renderer_version\": ", "\"renderer_version\": 9");
        bundle.write("test_report.md", "ALL TESTS PASSED\n");
        bundle.rehash();
    };
    let no_reports = |bundle: &Bundle| {
        bundle.edit("coverage.json", |coverage: &mut Coverage| coverage.renderer_version = 0);
        for name in ["test_report.md", "spec_coverage.md", "compliance_matrix.md", "report.html", "VERIFY.md"] {
            fs::remove_file(bundle.file(name)).unwrap();
        }
        bundle.rehash();
    };
    let facts = |bundle: &Bundle| {
        bundle.edit_lines(STREAMS[1], |lines| lines[1]["decisions"][0]["record"]["device"]["integrated"] = json!(true));
        bundle.put_in_order();
    };
    let outcome = |bundle: &Bundle| {
        bundle.edit_lines(STREAMS[1], |lines| {
            lines[1]["decisions"][0]["decision"]["outcome"] = json!("enforced");
            lines[1]["expected"] = json!({"outcomes": ["enforced"]});
            lines[1]["observed"] = json!({"outcomes": ["enforced"]});
        });
        bundle.put_in_order();
    };
    let no_facts = |bundle: &Bundle| {
        bundle.edit_lines(STREAMS[1], |lines| drop(lines[1].as_object_mut().unwrap().remove("decisions")));
        bundle.put_in_order();
    };
    let no_decisions = |bundle: &Bundle| {
        bundle.edit_lines(STREAMS[1], |lines| {
            lines[1]["decisions"] = json!([]);
            lines[1]["expected"] = json!({"outcomes": []});
            lines[1]["observed"] = json!({"outcomes": []});
        });
        bundle.put_in_order();
    };
    let other_words = |bundle: &Bundle| {
        bundle.edit_lines(STREAMS[1], |lines| {
            lines[1]["expected"] = json!({"outcome": "enforced"});
            lines[1]["observed"] = json!({"outcome": "enforced"});
        });
        bundle.put_in_order();
    };
    let ended_before = |bundle: &Bundle| {
        bundle.edit("provenance.json", |provenance: &mut Provenance| {
            provenance.timings.started = "2030-01-01T00:00:00Z".to_owned();
        });
        bundle.put_in_order();
    };
    let other_compiler = |bundle: &Bundle| {
        bundle.edit("metadata.json", |metadata: &mut Metadata| {
            metadata.environment.rust_version = "rustc 9.9.9".to_owned();
        });
        bundle.put_in_order();
    };
    let kills = |bundle: &Bundle| {
        bundle.edit("mutants.json", |mutants: &mut Mutants| {
            mutants.mutants[2].outcome = MutantOutcome::Killed;
            mutants.mutants[2].killed_by = vec![1];
        });
    };
    let no_kills = |bundle: &Bundle| {
        bundle.edit("mutants.json", |mutants: &mut Mutants| mutants.mutants[0].killed_by.clear());
        bundle.put_in_order();
    };
    check(&[
        case(
            "a status of a requirement",
            then(status, Bundle::rehash),
            NOT_SIGNED,
            (22, "VP-001 is needs a GPU and not proven"),
        ),
        case("a script in the report", then(script, Bundle::rehash), NOT_SIGNED, (22, "report.html")),
        case("a guide that leads astray", then(key, Bundle::rehash), NOT_SIGNED, (22, "VERIFY.md")),
        case("reports that say that another version made them", version, NOT_SIGNED, (22, "of version")),
        case("no reports, for a version that made none", no_reports, (20, "missing"), (20, "missing")),
        case("facts of a decision", facts, NOT_SIGNED, (22, "VP-002")),
        case("the outcome of a decision", outcome, NOT_SIGNED, (22, "outcome simulated and not enforced")),
        case("a decision without facts", no_facts, NOT_SIGNED, (22, "facts")),
        case("no decision at all", no_decisions, NOT_SIGNED, (22, "its list of decisions is empty")),
        case("other words than the decision's", other_words, NOT_SIGNED, (22, "its observed outcomes are not those")),
        case("a run that ended before it began", ended_before, NOT_SIGNED, (22, "ended before it began")),
        case("another compiler", other_compiler, NOT_SIGNED, (22, "its Rust version is not the one")),
        case("a mutant is killed", kills, HASH, HASH),
        case("and the hash", then(kills, Bundle::rehash), NOT_SIGNED, (22, "coverage.json")),
        case("and everything else", then(kills, Bundle::put_in_order), NOT_SIGNED, CONSISTENT),
        case("a killed mutant that no test killed", no_kills, NOT_SIGNED, (12, "mutants.json")),
        case(
            "measured lines of code",
            |bundle| {
                bundle.replace("code_coverage.json", "\"tested\": 9", "\"tested\": 10");
                bundle.rehash();
            },
            NOT_SIGNED,
            (22, "spec_coverage.md"),
        ),
        case(
            "more measured lines than there are",
            |bundle| {
                bundle.replace("code_coverage.json", "\"tested\": 9", "\"tested\": 11");
                bundle.rehash();
            },
            NOT_SIGNED,
            (22, "11 of 10 lines"),
        ),
    ]);
}

#[test]
fn a_run_is_the_one_that_it_was() {
    let provenance = |change: fn(&mut Provenance)| {
        move |bundle: &Bundle| {
            bundle.edit("provenance.json", change);
            bundle.put_in_order();
        }
    };
    let run_id = |bundle: &Bundle| {
        let run_id = bundle.json("provenance.json")["run_id"].as_str().unwrap().to_owned();
        bundle.replace("provenance.json", &run_id, &run_id.replacen("20", "19", 1));
    };
    let run_id_everywhere = |bundle: &Bundle| {
        let run_id = bundle.json("provenance.json")["run_id"].as_str().unwrap().to_owned();
        let other = run_id.replacen("20", "19", 1);
        bundle.replace("provenance.json", &run_id, &other);
        for file in STREAMS {
            bundle.edit_lines(file, |lines| lines.iter_mut().for_each(|line| line["run_id"] = json!(other)));
        }
        bundle.put_in_order();
    };
    check(&[
        case("another run id", then(run_id, Bundle::rehash), (20, "it belongs to run"), (20, "it belongs to run")),
        case("another run id everywhere", run_id_everywhere, NOT_SIGNED, CONSISTENT),
        case(
            "another commit",
            provenance(|provenance| provenance.commit.sha = "f".repeat(40)),
            NOT_SIGNED,
            (22, "the run id does not name the commit"),
        ),
        case(
            "another commit that begins alike",
            |bundle| {
                let sha = "01234567".repeat(5);
                bundle.edit("provenance.json", |provenance: &mut Provenance| provenance.commit.sha.clone_from(&sha));
                bundle.edit("metadata.json", |metadata: &mut Metadata| metadata.git_sha.clone_from(&sha));
                bundle.edit("code_coverage.json", |measured: &mut CodeCoverage| measured.commit.clone_from(&sha));
                strip(bundle);
                bundle.put_in_order();
            },
            (21, "there is no such statement"),
            CONSISTENT,
        ),
        case(
            "another commit in one of two files",
            |bundle| {
                bundle.edit("metadata.json", |metadata: &mut Metadata| metadata.git_sha = "01234567".repeat(5));
                bundle.put_in_order();
            },
            NOT_SIGNED,
            (22, "metadata.json"),
        ),
        case(
            "a dirty tree",
            provenance(|provenance| provenance.commit.dirty = true),
            NOT_SIGNED,
            (22, "code_coverage.json"),
        ),
        case("a nonce", provenance(|provenance| provenance.nonce = Some("mine".to_owned())), NOT_SIGNED, CONSISTENT),
        case(
            "a time in the future",
            provenance(|provenance| provenance.timings.finished = "2999-01-01T00:00:00Z".to_owned()),
            NOT_SIGNED,
            CONSISTENT,
        ),
    ]);
}

fn strip(bundle: &Bundle) {
    fs::remove_dir_all(bundle.file(DIRECTORY)).unwrap();
}

fn envelope(name: &str) -> String {
    format!("{DIRECTORY}/{name}")
}

/// Replaces an envelope's payload or signature.
fn replace_base64(bundle: &Bundle, name: &str, member: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) {
    let name = envelope(name);
    let text = bundle.read(&name);
    let old = text.split_once(&format!("\"{member}\":\"")).unwrap().1.split_once('"').unwrap().0;
    bundle.replace(&name, old, &STANDARD.encode(change(STANDARD.decode(old).unwrap())));
}

fn another_key() -> SigningKey {
    SigningKey::generate().unwrap().0
}

#[test]
fn only_the_makers_signature_over_this_bundle_counts() {
    let remove = |name: &'static str| move |bundle: &Bundle| fs::remove_file(bundle.file(&envelope(name))).unwrap();
    let copy = |from: &'static str, to: &'static str| {
        move |bundle: &Bundle| bundle.write(&envelope(to), bundle.read(&envelope(from)))
    };
    let swap = |bundle: &Bundle| {
        let [one, other] = [TEST_RESULT, RESIDENCY].map(|name| bundle.read(&envelope(name)));
        bundle.write(&envelope(TEST_RESULT), other);
        bundle.write(&envelope(RESIDENCY), one);
    };
    let from_another = |bundle: &Bundle| {
        let other = failed();
        for name in [TEST_RESULT, RESIDENCY] {
            bundle.write(&envelope(name), other.read(&envelope(name)));
        }
    };
    let of_another = |bundle: &Bundle| {
        let other = failed();
        for name in [envelope(TEST_RESULT), envelope(RESIDENCY), "SHA256SUMS".to_owned()] {
            bundle.write(&name, other.read(&name));
        }
    };
    let other_key = |bundle: &Bundle| {
        strip(bundle);
        attest::sign(&bundle.path, &another_key()).unwrap();
    };
    let other_key_in_disguise = |bundle: &Bundle| {
        let key = another_key();
        strip(bundle);
        attest::sign(&bundle.path, &key).unwrap();
        let maker = PublicKey::from_pem(PUBLIC).unwrap().keyid();
        for name in [TEST_RESULT, RESIDENCY] {
            bundle.replace(&envelope(name), &key.public_key().keyid(), &maker);
        }
    };
    let one_by_another = |bundle: &Bundle| {
        let mine = bundle.read(&envelope(TEST_RESULT));
        strip(bundle);
        attest::sign(&bundle.path, &another_key()).unwrap();
        bundle.write(&envelope(TEST_RESULT), mine);
    };
    let nobody = (21, "none of the keys given signed it");
    let none = (21, "there is no such statement");
    let other_kind = (21, "it is not the statement of this name");
    let other_version = (22, "this verifier is of version");
    let does_not_follow = (22, "what it states does not follow");
    check(&[
        case("signed with another key", other_key, nobody, CONSISTENT),
        case("which says that it is the maker's", other_key_in_disguise, nobody, CONSISTENT),
        case("one statement signed with another key", one_by_another, nobody, CONSISTENT),
        case("no statements", strip, none, CONSISTENT),
        case("no statements, and everything in order", then(strip, Bundle::put_in_order), none, CONSISTENT),
        case("only the residency", remove(TEST_RESULT), none, CONSISTENT),
        case("only the test result", remove(RESIDENCY), none, CONSISTENT),
        case("the statements change places", swap, other_kind, does_not_follow),
        case("the test result twice", copy(TEST_RESULT, RESIDENCY), other_kind, does_not_follow),
        case("the residency twice", copy(RESIDENCY, TEST_RESULT), other_kind, does_not_follow),
        case("the test result twice, by another version", copy(TEST_RESULT, RESIDENCY), other_kind, other_version)
            .of(of_another_version),
        case("the statements change places, by another version", swap, other_kind, other_version)
            .of(of_another_version),
        case("the statements of another bundle", from_another, (21, "another SHA256SUMS"), does_not_follow),
        case("the statements and the hashes of another bundle", of_another, HASH, HASH),
        case(
            "a byte of what is signed",
            |bundle| {
                replace_base64(bundle, RESIDENCY, "payload", |mut bytes| {
                    bytes[100] ^= 1;
                    bytes
                });
            },
            nobody,
            does_not_follow,
        ),
        case(
            "a byte of a signature",
            |bundle| {
                replace_base64(bundle, RESIDENCY, "sig", |mut bytes| {
                    bytes[40] ^= 1;
                    bytes
                });
            },
            nobody,
            CONSISTENT,
        ),
        case(
            "a signature of zeros",
            |bundle| replace_base64(bundle, RESIDENCY, "sig", |_| vec![0; 64]),
            nobody,
            CONSISTENT,
        ),
        case(
            "a signature with its order added",
            |bundle| replace_base64(bundle, RESIDENCY, "sig", plus_order),
            nobody,
            CONSISTENT,
        ),
        case(
            "a short signature",
            |bundle| replace_base64(bundle, RESIDENCY, "sig", |bytes| bytes[..63].to_vec()),
            (20, "64 bytes"),
            (20, "64 bytes"),
        ),
    ]);
}

/// The same signature for one who does not check that its second half is below the order of the group (RFC 8032,
/// section 5.1.7).
fn plus_order(mut signature: Vec<u8>) -> Vec<u8> {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut carry = 0;
    for (byte, order) in signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
    signature
}

#[test]
fn an_old_bundle_is_not_shown_again() {
    let bundle = rich();
    let now = |text| OffsetDateTime::parse(text, &Rfc3339).unwrap();
    let day = Some(Duration::from_secs(86_400));
    for (name, options, code, word) in [
        ("another nonce", Options { nonce: Some("today's".to_owned()), ..trusting() }, 24, "another nonce"),
        ("another commit", Options { commit: Some("f".repeat(40)), ..trusting() }, 23, "was asked for"),
        (
            "a day and a second later",
            Options { max_age: day, now: now("2026-01-03T03:05:07Z"), ..trusting() },
            24,
            "1d",
        ),
        ("a second before", Options { max_age: day, now: now("2026-01-02T03:05:05Z"), ..trusting() }, 24, "future"),
        ("nobody asks", trusting(), 0, ""),
    ] {
        let verification = verify(&bundle.path, &options);
        assert_eq!(verification.exit().code(), code, "{name}: {verification:#?}");
        let checks = verification.checks();
        let findings: Vec<String> =
            checks.iter().flat_map(|(_, check)| check.findings()).map(ToString::to_string).collect();
        assert!(code == 0 || findings.iter().any(|finding| finding.contains(word)), "{name}: {findings:?}");
    }
}
