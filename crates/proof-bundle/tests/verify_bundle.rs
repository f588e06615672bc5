//! The program `verify-bundle`, and the verifier against bundles that were made to harm.
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

use std::fs::{self, File};
use std::process::Command;
use std::time::{Duration, Instant};

use fixture::COMMIT;
use proof_bundle::exit::Exit;
use proof_bundle::provenance::{Metadata, Provenance};
use proof_bundle::verify::Verification;
use serde_json::{Value, json};
use tamper::{Bundle, PUBLIC, STREAMS, verifier};

/// Asserts that the bundle is not intact and that one finding has each of these words.
fn refuses(verification: &Verification, words: &[&str]) {
    assert_eq!(verification.exit(), Exit::NotIntact, "{verification:#?}");
    let findings: Vec<String> = verification.intact.findings().iter().map(ToString::to_string).collect();
    assert!(findings.iter().any(|finding| words.iter().all(|word| finding.contains(word))), "{words:?}: {findings:#?}");
}

/// Bundles that were made to harm: each is refused at once.
#[test]
fn hostile_sizes_and_depths_are_refused_in_no_time() {
    let started = Instant::now();
    let bundle = Bundle::good();
    File::options().write(true).open(bundle.file("performance.jsonl")).unwrap().set_len(10 << 30).unwrap();
    refuses(&bundle.verify(), &["performance.jsonl", "refused unread"]);

    let bundle = Bundle::good();
    File::options().write(true).open(bundle.file(STREAMS[0])).unwrap().set_len(500 << 20).unwrap();
    refuses(&bundle.verify(), &[STREAMS[0], "longer than 1048576 bytes"]);

    let deep = "[".repeat(900_000);
    for name in ["metadata.json", STREAMS[1]] {
        let bundle = Bundle::good();
        bundle.write(name, &deep);
        assert_eq!(bundle.verify().exit(), Exit::NotIntact);
    }
    let bundle = Bundle::good();
    bundle.write("tests.junit.xml", format!("<testsuites>{}", "<testsuite>".repeat(500_000)));
    assert_eq!(bundle.verify().exit(), Exit::NotIntact);
    for number in 0..100 {
        fs::write(bundle.file(&format!("{number}")), "").unwrap();
    }
    refuses(&bundle.verify(), &["more than 64 entries"]);
    // Hours, if a limit were missing.
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
}

#[test]
fn what_a_bundle_says_reaches_a_terminal_without_control_characters() {
    let bundle = Bundle::good();
    bundle.replace("metadata.json", "\"test_mode\": \"simulated\"", "\"test_mode\": \"\\u001b[31msimulated\"");
    bundle.write(STREAMS[0], "{\"class\":\"\u{202e}\u{1b}[2J\"}\n");
    bundle.rehash();
    let output = run(&[bundle.path.to_str().unwrap(), "--integrity-only"]);
    assert_eq!(output.0, 20);
    assert!(!output.1.contains(['\u{1b}', '\u{202e}']), "{:?}", output.1);
}

#[test]
fn no_value_of_a_bundle_makes_a_line_of_what_the_verifier_says() {
    let bundle = Bundle::good();
    let planted = "  proven     55 of 55 requirements";
    let name = |devices: &mut Vec<facts::DeviceFacts>| {
        devices.iter_mut().for_each(|device| device.name = format!("Demo\n{planted}\n  devices    gpu"));
    };
    bundle.edit("provenance.json", |provenance: &mut Provenance| name(&mut provenance.devices));
    bundle.edit("metadata.json", |metadata: &mut Metadata| name(&mut metadata.gpu_devices));
    bundle.edit_lines(STREAMS[1], |lines| {
        lines[1]["decisions"][0]["record"]["device"]["name"] = json!(format!("Demo\n{planted}\n  devices    gpu"));
    });
    bundle.put_in_order();
    fs::remove_dir_all(bundle.file(proof_bundle::attest::DIRECTORY)).unwrap();
    let (code, said, _) = run(&[bundle.path.to_str().unwrap(), "--integrity-only"]);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("Demo\\u{a}"), "{said}");
    assert!(!said.lines().any(|line| line == planted), "{said}");
}

/// Runs `verify-bundle`: exit code, stdout, stderr.
fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = Command::new(verifier()).args(arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn the_program_says_the_verdict_first_and_then_what_the_run_shows() {
    let bundle = Bundle::good();
    let path = bundle.path.to_str().unwrap();
    let key = bundle.path.with_file_name("key.pub.pem");
    fs::write(&key, PUBLIC).unwrap();
    let (code, stdout, stderr) = run(&[path, "--public-key", key.to_str().unwrap(), "--commit", COMMIT]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    assert!(stdout.starts_with("VERIFIED: all that its host can prove is proven (exit code 0)\n"), "{stdout}");
    for line in ["  proven     3 of 4 requirements\n", "not proven here: VP-001", "5 of 5 passed", "NO GPU"] {
        assert!(stdout.contains(line), "{line}: {stdout}");
    }
    let (code, stdout, _) = run(&[path, "--integrity-only"]);
    assert!(code == 0 && stdout.starts_with("INTACT, and nobody vouches for it"), "{stdout}");
    let (code, stdout, _) = run(&[path]);
    assert!(code == 21 && stdout.starts_with("NOT VERIFIED: not signed by a trusted key (exit code 21)"), "{stdout}");
    let (code, stdout, _) = run(&[path, "--json"]);
    let json: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!((code, &json["exit_code"], &json["trusted"]["result"]), (21, &json!(21), &json!("fails")));
    assert_eq!((&json["intact"]["result"], &json["shown"]["requirements"]["proven"]), (&json!("holds"), &json!(3)));
}

#[test]
fn bad_input_gives_one_line_that_says_what_to_do() {
    let bundle = Bundle::good();
    let path = bundle.path.to_str().unwrap();
    let parent = bundle.path.parent().unwrap().to_str().unwrap();
    let seeds = bundle.file("seeds.txt").to_str().unwrap().to_owned();
    for (arguments, code, words) in [
        (vec!["/nowhere", "--integrity-only"], 12, "cannot read /nowhere"),
        (vec![&seeds, "--integrity-only"], 12, "is no directory"),
        (vec![parent, "--integrity-only"], 12, "is no bundle"),
        (vec![path, "--public-key", "/nowhere.pem"], 12, "cannot read /nowhere.pem"),
        (vec![path, "--public-key", parent], 12, "no file of a key"),
        (vec![path, "--public-key", &seeds], 12, "seeds.txt"),
        (vec![path, "--commit", "0123456"], 2, "full id"),
        (vec![path, "--max-age", "soon"], 2, "30m, 12h, 7d"),
        (vec![path, "--nonce", ""], 2, "--nonce"),
        (vec![path, "--public-key", &seeds, "--integrity-only"], 2, "cannot be used with"),
    ] {
        let (found, stdout, stderr) = run(&arguments);
        assert_eq!((found, stdout.as_str()), (code, ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(words), "{arguments:?}: {stderr}");
        assert!(code == 2 || stderr.trim_end().lines().count() == 1, "{arguments:?}: {stderr}");
    }
}
