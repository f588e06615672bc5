//! Attestations: keys, envelopes, statements, and what signing does to a bundle and what it refuses.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod fixture;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use fixture::{COMMIT, Fixture, device};
use proof_bundle::attest::{
    DIRECTORY, Envelope, ModelSigningKey, PAYLOAD_TYPE, PublicKey, RESIDENCY, RESIDENCY_PREDICATE, SigningKey,
    TEST_RESULT, TEST_RESULT_PREDICATE, pae, sign, statements,
};
use proof_bundle::coverage::Verdict;
use proof_bundle::diff::bundle_diff;
use proof_bundle::junit::Outcome;
use proof_bundle::report::{RENDERER_VERSION, render_all};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

const PRIVATE: &str = include_str!("keys/ed25519.pem");
const PUBLIC: &str = include_str!("keys/ed25519.pub.pem");

/// `{}` signed by OpenSSL with that key.
const SIGNATURE: &str = "vW8iDoS+pQIrO8G9pV+VHVGcvY/XcGMh2vfWpJJwwrH/m4CRZswsl9wIASL/n2XN7RSNIqdiogwYkqskDFZiAQ==";

/// What `openssl pkey -pubout -outform DER | sha256sum` prints for that key.
const KEYID: &str = "06e3fd8fda29bb60ab59557de61edb0aecdb231134be30e75b455f8e1b792fa9";

fn key() -> SigningKey {
    SigningKey::from_pem(PRIVATE).unwrap()
}

fn signed(fixture: &Fixture) -> PathBuf {
    let (bundle, _) = fixture.run();
    sign(&bundle, &key()).unwrap();
    bundle
}

fn statement(bundle: &Path, name: &str) -> Value {
    let (_, bytes) = statements(bundle).unwrap().into_iter().find(|(file, _)| *file == name).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

fn sha256(path: &Path) -> String {
    digest(&SHA256, &fs::read(path).unwrap()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A run in which what needs a GPU has one.
fn on_a_gpu(fixture: &mut Fixture) {
    fixture.devices = vec![device("gpu")];
    for (_, record, ..) in &mut fixture.spool("weights_stay").records {
        *record = record.clone().device("gpu");
    }
}

/// The names below a directory and what each holds.
fn tree(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(tree(&entry.path()).into_iter().map(|(below, bytes)| (format!("{name}/{below}"), bytes)));
        } else {
            found.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    found
}

#[test]
fn the_encoding_that_is_signed_is_that_of_the_specification() {
    let expected = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world";
    assert_eq!(pae("http://example.com/HelloWorld", b"hello world"), expected);
    assert_eq!(pae("", "§".as_bytes()), "DSSEv1 0  2 §".as_bytes(), "lengths are in bytes");
}

#[test]
fn an_envelope_that_openssl_signed_is_read_and_its_key_is_told_from_another() {
    let text = envelope("e30=", KEYID, SIGNATURE);
    let envelope = Envelope::parse(text.as_bytes()).unwrap();
    assert_eq!(envelope.payload(), b"{}");
    assert!(envelope.is_signed_by(&PublicKey::from_pem(PUBLIC).unwrap()));
    assert!(!envelope.is_signed_by(&SigningKey::generate().unwrap().0.public_key()));
    assert_eq!(envelope.to_bytes(), text.as_bytes());
}

#[test]
fn what_an_envelope_says_of_its_key_makes_nobody_trust_it() {
    let other = SigningKey::generate().unwrap().0.public_key();
    let text = envelope("e30=", &other.keyid(), SIGNATURE);
    let envelope = Envelope::parse(text.as_bytes()).unwrap();
    assert!(!envelope.is_signed_by(&other));
    assert!(envelope.is_signed_by(&PublicKey::from_pem(PUBLIC).unwrap()), "nor does it keep the true key from fitting");
    assert_eq!(envelope.keyid(), other.keyid(), "so that whoever knows the key can see that the hint is another's");
}

fn envelope(payload: &str, keyid: &str, signature: &str) -> String {
    format!(
        "{{\"payloadType\":\"{PAYLOAD_TYPE}\",\"payload\":\"{payload}\",\"signatures\":[{{\"keyid\":\"{keyid}\",\"sig\":\
         \"{signature}\"}}]}}\n"
    )
}

#[test]
fn an_envelope_in_any_but_its_canonical_form_is_refused() {
    let good = envelope("e30=", KEYID, SIGNATURE);
    assert!(Envelope::parse(good.as_bytes()).is_ok());
    let url_safe = SIGNATURE.replace('+', "-").replace('/', "_");
    let with = |from: &str, to: &str| {
        assert!(good.contains(from), "{from}");
        good.replacen(from, to, 1)
    };
    let type_first = format!("\"payloadType\":\"{PAYLOAD_TYPE}\",\"payload\":\"e30=\"");
    let second = format!("}},{{\"keyid\":\"{KEYID}\",\"sig\":\"{SIGNATURE}\"}}]");
    let canonical = "canonical";
    let cases = [
        ("white space", with(",\"payload\"", ", \"payload\""), canonical),
        ("no newline", good.trim_end().to_owned(), canonical),
        ("two newlines", format!("{good}\n"), canonical),
        ("a carriage return", good.replace('\n', "\r\n"), canonical),
        ("a byte order mark", format!("\u{feff}{good}"), "no DSSE envelope"),
        ("text behind it", format!("{good}{{}}"), "no DSSE envelope"),
        (
            "another order",
            with(&type_first, &format!("\"payload\":\"e30=\",\"payloadType\":\"{PAYLOAD_TYPE}\"")),
            canonical,
        ),
        ("an escaped letter", with("\"sig\"", "\"\\u0073ig\""), canonical),
        ("the other alphabet", envelope("e30=", KEYID, &url_safe), canonical),
        ("mixed alphabets", envelope("e30=", KEYID, &SIGNATURE.replace('+', "-")), "not base64"),
        ("no padding", envelope("e30", KEYID, SIGNATURE), "not base64"),
        ("loose bits in the last character", envelope("e31=", KEYID, SIGNATURE), "not base64"),
        ("a line break in base64", envelope("e3\\n0=", KEYID, SIGNATURE), "not base64"),
        ("a second signature", with("}]", &second), "no DSSE envelope"),
        (
            "no signature",
            envelope("e30=", KEYID, SIGNATURE).replace(&second[3..second.len() - 2], ""),
            "no DSSE envelope",
        ),
        ("a field more", with("\"payload\"", "\"note\":1,\"payload\""), "no DSSE envelope"),
        ("a field more in the signature", with("\"sig\"", "\"note\":1,\"sig\""), "no DSSE envelope"),
        ("a field twice", with("\"payload\"", "\"payload\":\"e30=\",\"payload\""), "no DSSE envelope"),
        ("a field less", with(&format!("\"keyid\":\"{KEYID}\","), ""), "no DSSE envelope"),
        ("another type", with(PAYLOAD_TYPE, "application/json"), "payload is of type"),
        ("upper case in the key's name", with(KEYID, &KEYID.to_uppercase()), "keyid"),
        ("an empty name of the key", with(KEYID, ""), "keyid"),
        ("a short signature", envelope("e30=", KEYID, &SIGNATURE[4..]), "64 bytes"),
        ("nothing", String::new(), "no DSSE envelope"),
        ("a control character", with("\"sig\"", "\"\\u001b[31m\":1,\"sig\""), "no DSSE envelope"),
    ];
    for (what, text, word) in cases {
        let error = Envelope::parse(text.as_bytes()).expect_err(what);
        assert!(error.contains(word), "{what}: {error}");
        assert!(!error.contains(char::is_control), "{what}: {error:?}");
    }
}

#[test]
fn a_new_key_is_of_the_form_that_openssl_reads_and_no_two_are_alike() {
    let (key, pem) = SigningKey::generate().unwrap();
    let lines: Vec<&str> = pem.lines().collect();
    assert_eq!((lines[0], lines[2]), ("-----BEGIN PRIVATE KEY-----", "-----END PRIVATE KEY-----"));
    // PKCS#8 version 1 of an Ed25519 key begins with these 16 bytes; here is all of them that fills its characters.
    assert!(lines[1].starts_with("MC4CAQAwBQYDK2VwBCIEI") && lines[1].len() == 64, "the head of the PEM differs");
    assert_eq!(SigningKey::from_pem(&pem).unwrap().public_key(), key.public_key());
    assert_ne!(SigningKey::generate().unwrap().0.public_key(), key.public_key());
}

#[test]
fn a_public_key_is_written_as_openssl_writes_it() {
    let public = PublicKey::from_pem(PUBLIC).unwrap();
    assert_eq!(public.to_pem(), PUBLIC);
    assert_eq!(public.keyid(), KEYID);
    assert_eq!(key().public_key(), public);
}

#[test]
fn no_debug_text_shows_a_private_key() {
    assert_eq!(format!("{:?}", key()), "SigningKey(secret)");
    let model_key = ModelSigningKey::from_pem(include_str!("keys/p256.pem")).unwrap();
    assert_eq!(format!("{model_key:?}"), "ModelSigningKey(secret)");
}

#[test]
fn a_file_that_is_no_such_key_is_refused_with_what_to_do() {
    let private = |text: &str| SigningKey::from_pem(text).map(drop);
    let public = |text: &str| PublicKey::from_pem(text).map(drop);
    let model = |text: &str| ModelSigningKey::from_pem(text).map(drop);
    let (p256, rsa) = (include_str!("keys/p256.pem"), include_str!("keys/rsa.pem"));
    let encrypted = include_str!("keys/encrypted.pem");
    let cut = PRIVATE.replace("MC4C", "MC4D");
    let end = PRIVATE.replace("-----END", "-----");
    let cases = [
        (private(""), "cargo xtask keygen"),
        (private("garbage\u{1b}[31m"), "no PEM file"),
        (private(PUBLIC), "it is a public key"),
        (private(encrypted), "openssl pkey -in FILE -out"),
        (private(p256), "ECDSA"),
        (private(rsa), "RSA"),
        (private(include_str!("keys/ed448.pem")), "Ed448"),
        (private(include_str!("keys/sec1.pem")), "openssl pkcs8 -topk8"),
        (private(&cut), "damaged"),
        (private(&end), "is missing"),
        (private(&PRIVATE.replace('J', "!")), "not base64"),
        (private("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n"), "`CERTIFICATE`"),
        (private("-----BEGIN \u{7}-----\n"), "\\u{7}"),
        (public(PRIVATE), "-pubout"),
        (public(include_str!("keys/p256.pub.pem")), "ECDSA"),
        (public(include_str!("keys/rsa.pub.pem")), "RSA"),
        (public(&PUBLIC.replace("MCow", "MCox")), "damaged"),
        (public(""), "openssl pkey"),
        (model(PRIVATE), "Ed25519"),
        (model(rsa), "RSA"),
        (model(include_str!("keys/p384.pem")), "P-256"),
        (model(include_str!("keys/sec1.pem")), "openssl pkcs8 -topk8"),
        (model(encrypted), "openssl pkey -in FILE -out"),
    ];
    for (number, (result, word)) in cases.into_iter().enumerate() {
        let error = result.expect_err(&format!("case {number}")).to_string();
        assert!(error.contains(word), "case {number}: {error}");
        assert!(!error.contains(char::is_control), "case {number}: {error:?}");
    }
}

#[test]
fn a_signed_bundle_holds_both_statements_under_the_key_and_is_else_unchanged() {
    let fixture = Fixture::healthy();
    let (bundle, _) = fixture.run();
    let before = tree(&bundle);
    sign(&bundle, &key()).unwrap();
    let mut after = tree(&bundle);
    for (name, bytes) in statements(&bundle).unwrap() {
        let text = after.remove(&format!("{DIRECTORY}/{name}")).unwrap();
        let envelope = Envelope::parse(&text).unwrap();
        assert!(envelope.is_signed_by(&key().public_key()));
        assert_eq!((envelope.payload(), envelope.keyid()), (bytes.as_slice(), KEYID));
    }
    assert_eq!(after, before);
    let beside: Vec<_> = fs::read_dir(bundle.parent().unwrap()).unwrap().collect();
    assert_eq!(beside.len(), 1, "{beside:?}");
}

#[test]
fn a_bundle_is_signed_once() {
    let fixture = Fixture::healthy();
    let bundle = signed(&fixture);
    let before = tree(&bundle);
    let error = sign(&bundle, &SigningKey::generate().unwrap().0).unwrap_err().to_string();
    assert!(error.contains("already"), "{error}");
    assert_eq!(tree(&bundle), before);
}

#[test]
fn signing_changes_nothing_that_is_compared_or_rendered() {
    let fixture = Fixture::healthy();
    let (unsigned, _) = fixture.run();
    let bundle = signed(&fixture);
    assert_eq!(bundle_diff(&unsigned, &bundle).unwrap(), []);
    for (name, text) in render_all(&bundle).unwrap() {
        assert_eq!(fs::read_to_string(bundle.join(&name)).unwrap(), text, "{name}");
    }
}

#[test]
fn a_bundle_that_is_not_what_its_run_wrote_is_not_signed() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 7] = [
        ("tests.junit.xml", |bundle| append(&bundle.join("tests.junit.xml"))),
        ("extra.txt", |bundle| fs::write(bundle.join("extra.txt"), "").unwrap()),
        ("seeds.txt", |bundle| fs::remove_file(bundle.join("seeds.txt")).unwrap()),
        ("SHA256SUMS", |bundle| fs::remove_file(bundle.join("SHA256SUMS")).unwrap()),
        ("coverage.json", |bundle| {
            let text = fs::read_to_string(bundle.join("coverage.json")).unwrap();
            rewrite(bundle, "coverage.json", &text.replacen("needs_gpu\"", "proven\"", 1));
        }),
        ("version 1 made the bundle", |bundle| {
            let text = fs::read_to_string(bundle.join("coverage.json")).unwrap();
            let version = format!("\"renderer_version\": {RENDERER_VERSION}");
            rewrite(bundle, "coverage.json", &text.replace(&version, "\"renderer_version\": 1"));
        }),
        ("test_report.md", |bundle| {
            let text = fs::read_to_string(bundle.join("test_report.md")).unwrap();
            rewrite(bundle, "test_report.md", &text.replace("simulated", "gpu"));
        }),
    ];
    for (file, change) in changes {
        let fixture = Fixture::healthy();
        let (bundle, _) = fixture.run();
        change(&bundle);
        let error = sign(&bundle, &key()).expect_err(file).to_string();
        assert!(error.contains("is not signed") && error.contains(file), "{file}: {error}");
        assert!(!bundle.join(DIRECTORY).exists(), "{file}");
    }
}

fn append(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    bytes.push(b'\n');
    fs::write(path, bytes).unwrap();
}

/// Changes a file and makes `SHA256SUMS` fit again.
fn rewrite(bundle: &Path, file: &str, text: &str) {
    let old = sha256(&bundle.join(file));
    fs::write(bundle.join(file), text).unwrap();
    let new = sha256(&bundle.join(file));
    assert_ne!(old, new, "nothing was changed");
    let sums = fs::read_to_string(bundle.join("SHA256SUMS")).unwrap();
    fs::write(bundle.join("SHA256SUMS"), sums.replace(&old, &new)).unwrap();
}

#[test]
fn a_link_in_place_of_a_file_is_not_signed() {
    let fixture = Fixture::healthy();
    let (bundle, _) = fixture.run();
    for file in ["seeds.txt", "SHA256SUMS"] {
        let outside = bundle.parent().unwrap().join(file);
        fs::rename(bundle.join(file), &outside).unwrap();
        std::os::unix::fs::symlink(&outside, bundle.join(file)).unwrap();
        let error = sign(&bundle, &key()).unwrap_err().to_string();
        assert!(error.contains(file), "{error}");
        fs::rename(&outside, bundle.join(file)).unwrap();
    }
    sign(&bundle, &key()).unwrap();
}

#[test]
fn statements_follow_from_the_bundle_alone() {
    let fixture = Fixture::healthy();
    let bundle = signed(&fixture);
    let before = statements(&bundle).unwrap();
    assert_eq!(statements(&bundle).unwrap(), before);
    let moved = fixture.directory.path().join("elsewhere");
    fs::rename(&bundle, &moved).unwrap();
    fs::remove_dir_all(moved.join(DIRECTORY)).unwrap();
    assert_eq!(statements(&moved).unwrap(), before, "neither the place nor the signature plays a part");
    rewrite(&moved, "seeds.txt", "43\n");
    for ((name, new), (_, old)) in statements(&moved).unwrap().iter().zip(&before) {
        assert_ne!(new, old, "{name}");
    }
}

#[test]
fn both_statements_are_about_the_hashes_and_the_commit() {
    let fixture = Fixture::healthy();
    let bundle = signed(&fixture);
    for name in [TEST_RESULT, RESIDENCY] {
        let statement = statement(&bundle, name);
        assert_eq!(statement["_type"], "https://in-toto.io/Statement/v1");
        assert_eq!(
            statement["subject"],
            json!([
                {"name": "SHA256SUMS", "digest": {"sha256": sha256(&bundle.join("SHA256SUMS"))}},
                {"name": "source", "digest": {"gitCommit": COMMIT}},
            ])
        );
    }
}

#[test]
fn the_test_result_is_in_totos_and_nothing_else() {
    let mut fixture = Fixture::healthy();
    on_a_gpu(&mut fixture);
    let (bundle, _) = fixture.run();
    let statement = statement(&bundle, TEST_RESULT);
    assert_eq!(statement["predicateType"], "https://in-toto.io/attestation/test-result/v0.1");
    let configuration: Vec<Value> = ["requirements.json", "provenance.json", "seeds.txt"]
        .map(|name| json!({"name": name, "digest": {"sha256": sha256(&bundle.join(name))}}))
        .into();
    assert_eq!(
        statement["predicate"],
        json!({
            "result": "PASSED",
            "configuration": configuration,
            "passedTests": [
                "acceptance::scenarios seal_model.feature: A model is sealed",
                "policy weights_stay",
                "seal tests::test_seal",
                "seal unmapped",
                "seal::tag tag_is_right",
            ],
            "warnedTests": [],
            "failedTests": [],
        })
    );
}

#[test]
fn a_result_is_passed_only_when_everything_mapped_ran_and_passed_on_that_commit() {
    let result_of = |fixture: &Fixture| {
        let predicate = statement(&fixture.run().0, TEST_RESULT)["predicate"].clone();
        (predicate["result"].as_str().unwrap().to_owned(), predicate["failedTests"].clone())
    };
    let result = |change: fn(&mut Fixture)| {
        let mut fixture = Fixture::healthy();
        on_a_gpu(&mut fixture);
        change(&mut fixture);
        result_of(&fixture)
    };
    // Nothing failed, and all that a host without a GPU can prove is proven; still what needs one is open.
    let mut without = Fixture::healthy();
    assert_eq!(result_of(&without), ("WARNED".to_owned(), json!([])));
    without.result("weights_stay").outcome = Outcome::NotRun("ignored: needs a GPU".into());
    without.spooled.retain(|spooled| spooled.test != "weights_stay");
    assert_eq!(without.run().1.verdict(), Verdict::Proven);
    assert_eq!(result_of(&without), ("WARNED".to_owned(), json!([])));
    let passed = |change| assert_eq!(result(change), ("PASSED".to_owned(), json!([])));
    let warned = |change| assert_eq!(result(change), ("WARNED".to_owned(), json!([])));
    let failed = |change, tests: Value| assert_eq!(result(change), ("FAILED".to_owned(), tests));
    passed(|_| {});
    passed(|fixture| fixture.result("unmapped").outcome = Outcome::NotRun("not today".into()));
    warned(|fixture| fixture.result("tag_is_right").outcome = Outcome::NotRun("not today".into()));
    warned(|fixture| {
        fixture.results.retain(|result| result.test != "tag_is_right");
        fixture.spooled.retain(|spooled| spooled.test != "tag_is_right");
    });
    warned(|fixture| {
        fixture.map.retain(|test| test.test != "weights_stay");
        fixture.spooled.retain(|spooled| spooled.test != "weights_stay");
    });
    warned(|fixture| fixture.spool("weights_stay").records.clear());
    warned(|fixture| fixture.dirty = true);
    failed(|fixture| fixture.result("unmapped").outcome = Outcome::Failed("x".into()), json!(["seal unmapped"]));
    failed(
        |fixture| fixture.result("tag_is_right").outcome = Outcome::Dead("x".into()),
        json!(["seal::tag tag_is_right"]),
    );
    failed(|fixture| fixture.spool("tag_is_right").records[0].3 = json!("another"), json!([]));
    failed(
        |fixture| {
            fixture.results.clear();
            fixture.spooled.clear();
        },
        json!([]),
    );
}

#[test]
fn the_residency_statement_says_what_was_shown_on_which_device_and_what_is_not_claimed() {
    let mut fixture = Fixture::healthy();
    fixture.nonce = Some("7f3a".to_owned());
    fixture.result("tag_is_right").outcome = Outcome::NotRun("not today".into());
    let (bundle, coverage) = fixture.run();
    let statement = statement(&bundle, RESIDENCY);
    assert_eq!(statement["predicateType"], "urn:vram-residency:residency:v1");
    let predicate = &statement["predicate"];
    assert_eq!(predicate["run_id"], coverage.run_id);
    assert_eq!((&predicate["sha"], &predicate["dirty"]), (&json!(COMMIT), &json!(false)));
    assert_eq!((&predicate["nonce"], &predicate["verdict"]), (&json!("7f3a"), &json!("not_run")));
    assert_eq!(predicate["device_classes"], json!(["simulated"]));
    assert_eq!(predicate["devices"], json!([device("simulated")]));
    assert_eq!(predicate["requirement_counts"], json!(coverage.summary.requirements));
    assert_eq!(predicate["test_counts"], json!(coverage.summary.tests));
    let status = |id: &str| {
        let all = predicate["requirements"].as_array().unwrap();
        all.iter().find(|one| one["id"] == id).unwrap()["status"].as_str().unwrap().to_owned()
    };
    let statuses = ["00§2.1", "00§2.2", "CI-001", "VP-001"].map(status);
    assert_eq!(statuses, ["proven", "not_run", "not_run", "needs_gpu"]);
    assert_eq!(
        predicate["tests_not_passed"],
        json!([{"binary": "seal::tag", "test": "tag_is_right", "result": "not_run", "reason": "not today"}])
    );
    assert!(predicate["non_claims"].as_array().unwrap().iter().any(|claim| claim.as_str().unwrap().contains("Root")));
}

#[test]
fn the_guide_to_verification_names_what_is_written() {
    let fixture = Fixture::healthy();
    let guide = fs::read_to_string(signed(&fixture).join("VERIFY.md")).unwrap();
    let pae_head = format!("'DSSEv1 {} {PAYLOAD_TYPE} %s '", PAYLOAD_TYPE.len());
    let kinds = [TEST_RESULT_PREDICATE, RESIDENCY_PREDICATE].map(|kind| format!("\"predicateType\":\"{kind}\""));
    for words in kinds.iter().chain([&pae_head]) {
        assert!(guide.contains(words), "{words}");
    }
    for name in [TEST_RESULT, RESIDENCY] {
        assert!(guide.contains(&format!("`{DIRECTORY}/{name}`")), "{name}");
    }
}
