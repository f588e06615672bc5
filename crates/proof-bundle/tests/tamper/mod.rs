//! A good signed bundle, and the ways in which someone could change it and put it in order again.

pub(crate) mod case;

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proof_bundle::attest::{self, Envelope, PAYLOAD_TYPE, PublicKey, SigningKey, pae};
use proof_bundle::coverage::{Inputs, derive};
use proof_bundle::exit::Exit;
use proof_bundle::report::render_all;
use proof_bundle::verify::{Options, Verification, verify};
use ring::digest::{SHA256, digest};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde_json::{Value, json};

use crate::fixture::Fixture;

pub(crate) const PRIVATE: &str = include_str!("../keys/ed25519.pem");
pub(crate) const PUBLIC: &str = include_str!("../keys/ed25519.pub.pem");

pub(crate) const STREAMS: [&str; 6] = [
    "crypto_validation.jsonl",
    "policy_enforcement.jsonl",
    "cuda_operations.jsonl",
    "bounds_checking.jsonl",
    "input_validation.jsonl",
    "performance.jsonl",
];

/// The program, where whoever runs the tests has put it: where it was built, unless the tests came in a kit.
pub(crate) fn verifier() -> PathBuf {
    std::env::var_os("CARGO_BIN_EXE_verify-bundle")
        .map_or_else(|| env!("CARGO_BIN_EXE_verify-bundle").into(), PathBuf::from)
}

/// A bundle in a directory of its own.
pub(crate) struct Bundle {
    pub(crate) path: PathBuf,
    _place: tempfile::TempDir,
}

impl Bundle {
    /// A healthy run with a policy decision, signed with [`PRIVATE`].
    pub(crate) fn good() -> Self {
        let bundle = Self::unsigned(with_a_decision());
        attest::sign(&bundle.path, &SigningKey::from_pem(PRIVATE).unwrap()).unwrap();
        bundle
    }

    /// What this run comes to, not signed.
    pub(crate) fn unsigned(fixture: Fixture) -> Self {
        let (path, _) = fixture.run();
        Self { path, _place: fixture.directory }
    }

    /// The same files in another place.
    pub(crate) fn copy(&self) -> Self {
        fn copy_all(from: &Path, to: &Path) {
            fs::create_dir(to).unwrap();
            for name in names(from) {
                let (from, to) = (from.join(&name), to.join(&name));
                if from.is_dir() {
                    copy_all(&from, &to);
                } else {
                    fs::copy(from, to).unwrap();
                }
            }
        }
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join(self.path.file_name().unwrap());
        copy_all(&self.path, &path);
        Self { path, _place: place }
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.file(name), bytes).unwrap();
    }

    /// Replaces the first `old` in a file, which must be there.
    pub(crate) fn replace(&self, name: &str, old: &str, new: &str) {
        let text = self.read(name);
        assert!(text.contains(old), "{name} has no {old:?}");
        self.write(name, text.replacen(old, new, 1));
    }

    /// Makes the chain of every `.jsonl` file right again.
    pub(crate) fn rechain(&self) {
        let run_id = self.json("provenance.json")["run_id"].as_str().unwrap().to_owned();
        for file in STREAMS {
            let mut previous = sha256(format!("{run_id}/{file}").as_bytes());
            let mut text = String::new();
            for (index, line) in self.read(file).lines().enumerate() {
                let mut record: Value = serde_json::from_str(line).unwrap();
                record["seq"] = json!(index + 1);
                record["prev_sha256"] = json!(previous);
                let line = record.to_string();
                previous = sha256(line.as_bytes());
                text.push_str(&format!("{line}\n"));
            }
            self.write(file, text);
        }
    }

    /// Makes coverage and reports follow from the rest again.
    pub(crate) fn rederive(&self) {
        let coverage = derive(&Inputs::read(&self.path).unwrap());
        self.write("coverage.json", format!("{}\n", serde_json::to_string_pretty(&coverage).unwrap()));
        for (name, text) in render_all(&self.path).unwrap() {
            self.write(&name, text);
        }
    }

    /// Makes `SHA256SUMS` list what is there.
    pub(crate) fn rehash(&self) {
        let mut names: Vec<String> = fs::read_dir(&self.path)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "SHA256SUMS" && name != attest::DIRECTORY)
            .collect();
        names.sort();
        let line = |name: &String| format!("{}  {name}\n", sha256(&fs::read(self.file(name)).unwrap()));
        let text: String = names.iter().map(line).collect();
        self.write("SHA256SUMS", text);
    }

    /// Signs the statements that follow from the files as they are, whatever they are, with the key of [`PRIVATE`].
    pub(crate) fn resign(&self) {
        for (name, statement) in attest::statements(&self.path).unwrap() {
            self.sign_statement(name, &statement);
        }
    }

    /// Signs any statement at all with the key of [`PRIVATE`].
    pub(crate) fn sign_statement(&self, name: &str, statement: &[u8]) {
        let der = STANDARD.decode(PRIVATE.lines().nth(1).unwrap()).unwrap();
        let key = Ed25519KeyPair::from_seed_unchecked(&der[der.len() - 32..]).unwrap();
        let public = PublicKey::from_pem(PUBLIC).unwrap();
        assert!(STANDARD.decode(PUBLIC.lines().nth(1).unwrap()).unwrap().ends_with(key.public_key().as_ref()));
        let envelope = format!(
            r#"{{"payloadType":"{PAYLOAD_TYPE}","payload":"{}","signatures":[{{"keyid":"{}","sig":"{}"}}]}}"#,
            STANDARD.encode(statement),
            public.keyid(),
            STANDARD.encode(key.sign(&pae(PAYLOAD_TYPE, statement))),
        );
        fs::create_dir_all(self.file(attest::DIRECTORY)).unwrap();
        self.write(&format!("{}/{name}", attest::DIRECTORY), format!("{envelope}\n"));
    }

    /// The statement in an envelope.
    pub(crate) fn statement(&self, name: &str) -> String {
        let bytes = fs::read(self.file(attest::DIRECTORY).join(name)).unwrap();
        String::from_utf8(Envelope::parse(&bytes).unwrap().payload().to_vec()).unwrap()
    }

    pub(crate) fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }

    /// Verifies with the key of [`PUBLIC`].
    pub(crate) fn verify(&self) -> Verification {
        verify(&self.path, &trusting())
    }
}

/// The options of one who trusts the key of [`PUBLIC`].
pub(crate) fn trusting() -> Options {
    Options {
        public_keys: vec![PublicKey::from_pem(PUBLIC).unwrap()],
        integrity_only: false,
        ..Options::integrity_only()
    }
}

/// A healthy run with a live record of a policy decision.
pub(crate) fn with_a_decision() -> Fixture {
    Fixture { decides: true, ..Fixture::healthy() }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The names below a directory.
pub(crate) fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Asserts the exit code and that one finding of the check that gives it has each of these words.
pub(crate) fn fails(verification: &Verification, exit: Exit, words: &[&str]) {
    assert_eq!(verification.exit(), exit, "{words:?}: {verification:#?}");
    let check = match exit {
        Exit::NotIntact => &verification.intact,
        Exit::NotTrusted => &verification.trusted,
        Exit::NotDerived => &verification.derived,
        Exit::OtherCommit => &verification.commit,
        _ => &verification.fresh,
    };
    let findings: Vec<String> = check.findings().iter().map(ToString::to_string).collect();
    assert!(
        findings.iter().any(|finding| words.iter().all(|word| finding.contains(word))),
        "no finding has {words:?}: {findings:#?}"
    );
}
