//! The verifier: a good bundle passes, and each of its questions has an answer and an exit code of its own.
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
use std::process::Command;
use std::time::Duration;

use fixture::{COMMIT, Fixture};
use proof_bundle::attest::{self, DIRECTORY, PublicKey, RESIDENCY, SigningKey, TEST_RESULT};
use proof_bundle::exit::Exit;
use proof_bundle::junit::Outcome;
use proof_bundle::verify::{Check, Options, Verification, verify};
use serde_json::{Value, json};
use tamper::{Bundle, PRIVATE, PUBLIC, STREAMS, fails, names, sha256, trusting, with_a_decision};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

fn is_not_asked(check: &Check) -> bool {
    matches!(check, Check::NotAsked { .. })
}

#[test]
fn a_good_signed_bundle_verifies_and_gives_the_exit_code_of_its_run() {
    let verification = Bundle::good().verify();
    assert_eq!(verification.exit(), Exit::Proven, "{verification:#?}");
    assert!(verification.intact.holds() && verification.trusted.holds() && verification.derived.holds());
    assert!(is_not_asked(&verification.commit) && is_not_asked(&verification.fresh));
    let shown = verification.shown.unwrap();
    assert_eq!(
        (shown.requirements.proven, shown.requirements.total, shown.needs_gpu),
        (3, 4, vec!["VP-001".to_owned()])
    );
    assert_eq!((shown.device_classes, shown.tests.passed), (vec!["simulated".to_owned()], 5));
}

#[test]
fn a_verified_bundle_of_a_failed_or_incomplete_run_gives_the_code_of_that_run() {
    let cases: [(Outcome, Exit); 3] = [
        (Outcome::Failed("exit code 101".to_owned()), Exit::Failed),
        (Outcome::NotRun("ignored".to_owned()), Exit::NotRun),
        (Outcome::Dead("no summary".to_owned()), Exit::BadInput),
    ];
    for (outcome, exit) in cases {
        let mut fixture = with_a_decision();
        fixture.result("tag_is_right").outcome = outcome;
        let bundle = Bundle::unsigned(fixture);
        proof_bundle::attest::sign(&bundle.path, &SigningKey::from_pem(PRIVATE).unwrap()).unwrap();
        let verification = bundle.verify();
        assert!(verification.trusted.holds() && verification.derived.holds(), "{verification:#?}");
        assert_eq!(verification.exit(), exit);
    }
}

#[test]
fn a_run_that_observed_nothing_verifies_as_one_that_has_no_input() {
    let mut fixture = Fixture::healthy();
    fixture.results.clear();
    fixture.spooled.clear();
    let bundle = Bundle::unsigned(fixture);
    let verification = verify(&bundle.path, &Options::integrity_only());
    assert!(verification.intact.holds() && verification.derived.holds(), "{verification:#?}");
    assert_eq!(verification.exit(), Exit::BadInput);
}

#[test]
fn any_changed_byte_of_any_file_is_not_intact() {
    let bundle = Bundle::good();
    for name in names(&bundle.path).into_iter().filter(|name| name != DIRECTORY) {
        let original = fs::read(bundle.file(&name)).unwrap();
        for place in [0, original.len() / 2, original.len() - 1] {
            let mut bytes = original.clone();
            bytes[place] ^= 1;
            bundle.write(&name, &bytes);
            assert_eq!(bundle.verify().exit(), Exit::NotIntact, "{name}, byte {place}");
        }
        bundle.write(&name, &original[..original.len() - 1]);
        assert_eq!(bundle.verify().exit(), Exit::NotIntact, "{name}, cut off");
        fs::remove_file(bundle.file(&name)).unwrap();
        fails(&bundle.verify(), Exit::NotIntact, &[&name]);
        bundle.write(&name, original);
    }
    assert_eq!(bundle.verify().exit(), Exit::Proven);
}

#[test]
fn what_is_no_file_of_a_bundle_is_not_intact() {
    let add = |what: &str, change: &dyn Fn(&Bundle), words: &[&str]| {
        let bundle = Bundle::good();
        change(&bundle);
        bundle.rehash();
        bundle.resign();
        let verification = bundle.verify();
        assert_eq!(verification.exit(), Exit::NotIntact, "{what}");
        fails(&verification, Exit::NotIntact, words);
    };
    add("a file more", &|bundle| bundle.write("notes.txt", "x"), &["notes.txt"]);
    add("a look-alike", &|bundle| bundle.write("c\u{43e}verage.json", "{}"), &["c\\u{43e}verage.json"]);
    add("another case", &|bundle| bundle.write("Coverage.json", "{}"), &["Coverage.json"]);
    add("a hidden file", &|bundle| bundle.write(".hidden", "x"), &[".hidden"]);
    let link = |bundle: &Bundle| {
        fs::rename(bundle.file("seeds.txt"), bundle.file("../seeds.txt")).unwrap();
        std::os::unix::fs::symlink("../seeds.txt", bundle.file("seeds.txt")).unwrap();
    };
    add("a link", &link, &["seeds.txt", "symbolic link"]);
}

#[test]
fn a_pipe_a_folder_and_a_name_that_is_no_text_are_found_and_not_opened() {
    use std::os::unix::ffi::OsStrExt;

    let bundle = Bundle::good();
    fs::remove_file(bundle.file("seeds.txt")).unwrap();
    assert!(Command::new("mkfifo").arg(bundle.file("seeds.txt")).status().unwrap().success());
    fails(&bundle.verify(), Exit::NotIntact, &["seeds.txt", "no regular file"]);

    let bundle = Bundle::good();
    fs::create_dir(bundle.file("inputs")).unwrap();
    fs::write(bundle.path.join(std::ffi::OsStr::from_bytes(b"odd\xff")), "x").unwrap();
    fs::write(bundle.file(DIRECTORY).join("third.dsse.json"), "x").unwrap();
    let verification = bundle.verify();
    for name in ["inputs", "odd", "attestations/third.dsse.json"] {
        fails(&verification, Exit::NotIntact, &[name, "no file of a bundle"]);
    }
}

#[test]
fn a_file_that_says_the_same_in_another_form_is_not_intact() {
    let cases: [(&str, &str, &str, &str); 9] = [
        ("metadata.json", "\n}\n", "\n}\n\n", "metadata.json:"),
        ("provenance.json", "\"dirty\": false", "\"dirty\":false", "provenance.json:4"),
        ("requirements.json", "\"kind\": \"product\"", "\"kind\": \"p\\u0072oduct\"", "requirements.json:"),
        ("crypto_validation.jsonl", "{\"binary\"", "{ \"binary\"", "crypto_validation.jsonl:1"),
        ("performance.jsonl", "1000000", "1e6", "performance.jsonl:1"),
        ("tests.junit.xml", "<testsuites ", "<testsuites  ", "tests.junit.xml:2"),
        ("seeds.txt", "42", "042", "seeds.txt:1"),
        ("SHA256SUMS", "\n", "\r\n", "SHA256SUMS"),
        ("SHA256SUMS", "  bounds", " *bounds", "SHA256SUMS"),
    ];
    for (name, old, new, place) in cases {
        let bundle = Bundle::good();
        bundle.replace(name, old, new);
        if name != "SHA256SUMS" {
            bundle.rehash();
        }
        bundle.resign();
        fails(&bundle.verify(), Exit::NotIntact, &[place]);
    }
    let bundle = Bundle::good();
    bundle.write(
        "SHA256SUMS",
        bundle.read("SHA256SUMS").lines().rev().map(|line| format!("{line}\n")).collect::<String>(),
    );
    bundle.resign();
    fails(&bundle.verify(), Exit::NotIntact, &["SHA256SUMS", "sorted by name"]);
    let bundle = Bundle::good();
    bundle.replace(&format!("{DIRECTORY}/{RESIDENCY}"), "{\"payload", "{ \"payload");
    fails(&bundle.verify(), Exit::NotIntact, &[RESIDENCY, "canonical form"]);
}

#[test]
fn a_broken_chain_or_sequence_is_not_intact_even_when_it_is_hashed_and_signed_again() {
    let swap = |text: &str| text.lines().rev().map(|line| format!("{line}\n")).collect::<String>();
    let drop_first = |text: &str| text.lines().skip(1).map(|line| format!("{line}\n")).collect::<String>();
    let double =
        |text: &str| text.lines().flat_map(|line| [line, line]).map(|line| format!("{line}\n")).collect::<String>();
    for change in [&swap as &dyn Fn(&str) -> String, &drop_first, &double] {
        let bundle = Bundle::good();
        bundle.write(STREAMS[0], change(&bundle.read(STREAMS[0])));
        bundle.rederive();
        bundle.rehash();
        bundle.resign();
        fails(&bundle.verify(), Exit::NotIntact, &[STREAMS[0], "seq"]);
    }
    let bundle = Bundle::good();
    bundle.replace("performance.jsonl", "\"median_ns\":1500", "\"median_ns\":1400");
    bundle.replace("performance.jsonl", "live_operation", "live_0peration");
    bundle.rederive();
    bundle.rehash();
    bundle.resign();
    assert_eq!(
        bundle.verify().exit(),
        Exit::Proven,
        "the last line of a chain is held by SHA256SUMS and the signature"
    );
}

#[test]
fn what_a_schema_forbids_is_not_intact() {
    let bundle = Bundle::good();
    bundle.replace("provenance.json", &"a".repeat(64), "none");
    bundle.rehash();
    bundle.resign();
    fails(&bundle.verify(), Exit::NotIntact, &["provenance.json", "/cargo_lock_sha256"]);

    let bundle = Bundle::good();
    bundle.replace(STREAMS[3], "\"timestamp\":\"2", "\"timestamp\":\"x");
    bundle.rechain();
    bundle.rederive();
    bundle.rehash();
    bundle.resign();
    fails(&bundle.verify(), Exit::NotIntact, &["bounds_checking.jsonl:1", "/timestamp", "RFC 3339"]);
}

#[test]
fn each_statement_names_the_key_that_signed_it() {
    let bundle = Bundle::unsigned(with_a_decision());
    let twin = bundle.copy();
    let keys = [SigningKey::from_pem(PRIVATE).unwrap(), SigningKey::generate().unwrap().0];
    for (bundle, key) in [&bundle, &twin].into_iter().zip(&keys) {
        attest::sign(&bundle.path, key).unwrap();
    }
    let options = Options { public_keys: keys.iter().map(SigningKey::public_key).collect(), ..trusting() };
    let [first, second] = [&options.public_keys[0], &options.public_keys[1]].map(PublicKey::keyid);
    let said = |bundle: &Bundle| match verify(&bundle.path, &options).trusted {
        Check::Holds { what } => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(said(&bundle), [format!("both statements signed by the key {first}")]);
    let residency = |bundle: &Bundle| bundle.file(DIRECTORY).join(RESIDENCY);
    fs::copy(residency(&twin), residency(&bundle)).unwrap();
    let expected = [(TEST_RESULT, first), (RESIDENCY, second)]
        .map(|(name, key)| format!("{DIRECTORY}/{name} signed by the key {key}"));
    assert_eq!(said(&bundle), expected);
}

#[test]
fn without_a_signature_of_a_trusted_key_a_bundle_is_not_trusted() {
    let bundle = Bundle::good();
    let no_key = verify(&bundle.path, &Options { public_keys: Vec::new(), ..trusting() });
    fails(&no_key, Exit::NotTrusted, &["--public-key"]);
    assert!(no_key.derived.holds(), "the other checks are made all the same");
    let other = SigningKey::generate().unwrap().0.public_key();
    fails(
        &verify(&bundle.path, &Options { public_keys: vec![other.clone()], ..trusting() }),
        Exit::NotTrusted,
        &[TEST_RESULT, "none of the keys"],
    );
    let either = Options { public_keys: vec![other, PublicKey::from_pem(PUBLIC).unwrap()], ..trusting() };
    assert_eq!(verify(&bundle.path, &either).exit(), Exit::Proven);

    fs::remove_file(bundle.file(DIRECTORY).join(RESIDENCY)).unwrap();
    fails(&bundle.verify(), Exit::NotTrusted, &[RESIDENCY, "no such statement"]);
    fs::remove_dir_all(bundle.file(DIRECTORY)).unwrap();
    fails(&bundle.verify(), Exit::NotTrusted, &[TEST_RESULT, "no such statement"]);
    let unsigned = verify(&bundle.path, &Options::integrity_only());
    assert!(unsigned.exit() == Exit::Proven && is_not_asked(&unsigned.trusted));
}

#[test]
fn a_signature_over_another_bundle_is_not_trusted_here() {
    let bundle = Bundle::good();
    bundle.replace("seeds.txt", "42", "43");
    bundle.rehash();
    fails(&bundle.verify(), Exit::NotTrusted, &[TEST_RESULT, "another SHA256SUMS"]);
}

#[test]
fn a_key_id_that_was_changed_is_found_though_no_signature_covers_it() {
    let bundle = Bundle::good();
    let keyid = PublicKey::from_pem(PUBLIC).unwrap().keyid();
    bundle.replace(&format!("{DIRECTORY}/{TEST_RESULT}"), &keyid, &"0".repeat(64));
    fails(&bundle.verify(), Exit::NotIntact, &[TEST_RESULT, "keyid"]);
}

#[test]
fn a_status_that_does_not_follow_is_not_derived_even_when_it_is_signed() {
    let bundle = Bundle::good();
    bundle.replace("coverage.json", "\"status\": \"needs_gpu\"", "\"status\": \"proven\"");
    bundle.rehash();
    bundle.resign();
    fails(&bundle.verify(), Exit::NotDerived, &["coverage.json:", "VP-001 is needs a GPU and not proven"]);
}

#[test]
fn a_report_that_its_files_do_not_render_to_is_not_derived() {
    for name in ["test_report.md", "spec_coverage.md", "compliance_matrix.md"] {
        let bundle = Bundle::good();
        bundle.write(name, format!("{}\nALL TESTS PASSED\n", bundle.read(name)));
        bundle.rehash();
        bundle.resign();
        fails(&bundle.verify(), Exit::NotDerived, &[name, "render"]);
    }
}

#[test]
fn a_statement_that_the_files_do_not_make_is_not_derived() {
    let bundle = Bundle::good();
    let statement = bundle.statement(RESIDENCY).replace("needs_gpu\"", "proven\"");
    bundle.sign_statement(RESIDENCY, statement.as_bytes());
    fails(&bundle.verify(), Exit::NotDerived, &[RESIDENCY, "does not follow"]);
}

#[test]
fn a_text_that_is_not_the_hashed_one_is_not_derived() {
    let bundle = Bundle::good();
    bundle.replace("requirements.json", "Sealing MUST work.", "Sealing MAY work.");
    bundle.rederive();
    bundle.rehash();
    bundle.resign();
    fails(&bundle.verify(), Exit::NotDerived, &["requirements.json", "00§2.1"]);
}

#[test]
fn a_record_whose_status_does_not_follow_is_not_derived() {
    let bundle = Bundle::good();
    bundle.replace(STREAMS[2], "\"observed\":{\"ok\":true}", "\"observed\":{\"ok\":false}");
    bundle.rechain();
    bundle.rederive();
    bundle.rehash();
    bundle.resign();
    fails(&bundle.verify(), Exit::NotDerived, &["cuda_operations.jsonl:1", "status"]);
}

/// Changes the last record of the policy stream and puts everything else in order again.
fn with_policy(change: impl Fn(&mut Value)) -> Verification {
    let bundle = Bundle::good();
    let text = bundle.read("policy_enforcement.jsonl");
    let (before, last) = text.trim_end().rsplit_once('\n').unwrap();
    let mut record: Value = serde_json::from_str(last).unwrap();
    assert_eq!(record["operation"], "vram_only_policy");
    change(&mut record);
    bundle.write("policy_enforcement.jsonl", format!("{before}\n{record}\n"));
    bundle.rederive();
    bundle.rehash();
    bundle.resign();
    bundle.verify()
}

#[test]
fn a_policy_decision_that_does_not_follow_from_its_facts_is_not_derived() {
    let decision = |change: &dyn Fn(&mut Value)| with_policy(|record| change(&mut record["decisions"][0]));
    let place = "policy_enforcement.jsonl:2";
    let outcome = decision(&|judged| judged["decision"]["outcome"] = json!("enforced"));
    fails(&outcome, Exit::NotDerived, &[place, "outcome simulated and not enforced"]);
    let facts = decision(&|judged| judged["record"]["device"]["integrated"] = json!(true));
    fails(&facts, Exit::NotDerived, &[place, "VP-002"]);
    let stated = with_policy(|record| {
        record["expected"] = json!({"outcomes": ["enforced"]});
        record["observed"] = json!({"outcomes": ["enforced"]});
    });
    fails(&stated, Exit::NotDerived, &[place, "outcomes"]);
    let relabelled = with_policy(|record| record["device"] = json!("fake-driver"));
    fails(&relabelled, Exit::NotDerived, &[place, "class simulated"]);
    let bare = with_policy(|record| drop(record.as_object_mut().unwrap().remove("decisions")));
    fails(&bare, Exit::NotDerived, &[place, "facts"]);
}

#[test]
fn a_device_that_only_says_that_it_is_a_gpu_is_not_derived() {
    let bundle = Bundle::good();
    for file in ["metadata.json", "provenance.json"] {
        bundle.replace(file, "\"class\": \"simulated\"", "\"class\": \"gpu\"");
    }
    bundle.rederive();
    bundle.rehash();
    bundle.resign();
    fails(&bundle.verify(), Exit::NotDerived, &["provenance.json", "driver version"]);
}

#[test]
fn what_another_version_made_is_left_to_its_verifier() {
    let bundle = Bundle::good();
    bundle.replace("coverage.json", "\"renderer_version\": ", "\"renderer_version\": 9");
    bundle.write("test_report.md", "what another version wrote");
    bundle.rehash();
    bundle.resign();
    fails(&bundle.verify(), Exit::NotDerived, &["coverage.json", "version 9", "of its own commit"]);
}

#[test]
fn another_commit_or_a_changed_tree_is_not_the_commit_asked_for() {
    let bundle = Bundle::good();
    let asking = |commit: &str| Options { commit: Some(commit.to_owned()), ..trusting() };
    let verification = verify(&bundle.path, &asking(COMMIT));
    assert!(verification.exit() == Exit::Proven && verification.commit.holds());
    let other = COMMIT.replace('0', "f");
    fails(&verify(&bundle.path, &asking(&other)), Exit::OtherCommit, &["provenance.json", &other]);

    let mut fixture = with_a_decision();
    fixture.dirty = true;
    let dirty = Bundle::unsigned(fixture);
    dirty.resign();
    assert_eq!(dirty.verify().exit(), Exit::Proven, "nobody asked");
    fails(&verify(&dirty.path, &asking(COMMIT)), Exit::OtherCommit, &["not tracked"]);
}

#[test]
fn another_nonce_or_an_old_run_is_not_fresh() {
    let mut fixture = with_a_decision();
    fixture.nonce = Some("7f3a".to_owned());
    let bundle = Bundle::unsigned(fixture);
    bundle.resign();
    let nonce = |nonce: &str| Options { nonce: Some(nonce.to_owned()), ..trusting() };
    assert!(verify(&bundle.path, &nonce("7f3a")).fresh.holds());
    fails(&verify(&bundle.path, &nonce("7f3b")), Exit::Stale, &["another nonce"]);
    fails(&verify(&Bundle::good().path, &nonce("7f3a")), Exit::Stale, &["not asked for with a nonce"]);

    let at = |now: &str| Options {
        max_age: Some(Duration::from_secs(3600)),
        now: OffsetDateTime::parse(now, &Rfc3339).unwrap(),
        ..trusting()
    };
    assert!(verify(&bundle.path, &at("2026-01-02T04:05:06Z")).fresh.holds());
    fails(&verify(&bundle.path, &at("2026-01-02T04:05:07Z")), Exit::Stale, &["1h is the limit"]);
    fails(&verify(&bundle.path, &at("2026-01-02T03:05:05Z")), Exit::Stale, &["future"]);
}

#[test]
fn the_first_question_that_fails_gives_the_exit_code_and_the_others_are_answered() {
    let bundle = Bundle::good();
    bundle.replace("coverage.json", "\"status\": \"needs_gpu\"", "\"status\": \"proven\"");
    let options =
        Options { public_keys: Vec::new(), commit: Some("f".repeat(40)), nonce: Some("x".to_owned()), ..trusting() };
    let verification = verify(&bundle.path, &options);
    assert!(verification.checks().iter().all(|(_, check)| check.fails()), "{verification:#?}");
    assert_eq!(verification.exit(), Exit::NotIntact);
}

#[test]
fn the_digests_are_those_of_sha256sum() {
    assert_eq!(sha256(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    let bundle = Bundle::good();
    assert_eq!(
        bundle.read("SHA256SUMS").lines().find(|line| line.ends_with("  seeds.txt")).unwrap(),
        format!("{}  seeds.txt", sha256(b"42\n"))
    );
}
