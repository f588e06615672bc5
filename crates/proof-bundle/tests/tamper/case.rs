//! A corpus of changed bundles: what is done to each, and what the verifier has to say of it to one who trusts the maker's
//! key, and to one who asks for integrity alone.

use std::fs;
use std::process::Command;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use proof_bundle::attest::{self, SigningKey};
use proof_bundle::code_coverage::{CodeCoverage, ModuleCoverage};
use proof_bundle::junit::Outcome;
use proof_bundle::mutants::{Mutant, MutantOutcome, Mutants, PackageMutants};
use proof_bundle::test_map::MappedTest;
use proof_bundle::verify::{Options, Verification, verify};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Bundle, PRIVATE, PUBLIC, trusting, verifier, with_a_decision};
use crate::fixture::{COMMIT, Fixture, digests};

/// After so many seconds a verifier hangs. How fast it is decides nothing.
const HANGS: u64 = 60;

/// The memory that the program may have, in KiB; more than it needs, and less than what a bundle could make it need.
const MEMORY: u64 = 2 << 20;

/// An exit code, and words that stand together in a finding or, where the run's own code comes, in what the run shows.
pub(crate) type Answer = (u8, &'static str);

/// What integrity alone says where everything was made consistent again. Consistency is all that it can show.
pub(crate) const CONSISTENT: Answer = (0, "all that its host can prove is proven");

/// What one who trusts a key hears when what was signed is another list of hashes. Integrity alone is then asked with the
/// statements and without them.
pub(crate) const NOT_SIGNED: Answer = (21, "it was signed for another SHA256SUMS");

/// What both hear when a hash is wrong.
pub(crate) const HASH: Answer = (20, "its SHA-256 is not the one");

/// A changed bundle.
pub(crate) struct Case {
    name: String,
    from: Option<fn() -> Bundle>,
    change: Box<dyn Fn(&Bundle)>,
    trusting: Answer,
    alone: Answer,
}

/// What `change` makes of the rich bundle, and the answers with the maker's key and with `--integrity-only`.
pub(crate) fn case(
    name: impl Into<String>,
    change: impl Fn(&Bundle) + 'static,
    trusting: Answer,
    alone: Answer,
) -> Case {
    Case { name: name.into(), from: None, change: Box::new(change), trusting, alone }
}

impl Case {
    /// The same of another bundle.
    pub(crate) fn of(self, from: fn() -> Bundle) -> Self {
        Self { from: Some(from), ..self }
    }
}

/// Verifies every case in the library, both ways, and with the program, whose memory is bounded; names all that differ.
pub(crate) fn check(cases: &[Case]) {
    let rich = rich();
    let wrong: Vec<String> = cases.iter().flat_map(|case| wrong(case, &rich)).collect();
    assert!(wrong.is_empty(), "of {} cases:\n{}", cases.len(), wrong.join("\n"));
}

fn wrong(case: &Case, rich: &Bundle) -> Vec<String> {
    let bundle = case.from.map_or_else(|| rich.copy(), |from| from());
    (case.change)(&bundle);
    let program = program(&bundle, true);
    if program != case.trusting.0 {
        // Here nothing bounds the memory.
        return vec![format!("{}: the program: {program} and not {}", case.name, case.trusting.0)];
    }
    let mut answers = Vec::new();
    let mut unsaid = Vec::new();
    let mut ask = |who, options, answer: Answer| {
        let Some(verification) = within_limits(&bundle, options) else {
            return unsaid.push(format!("{}: {who}: it panics or hangs", case.name));
        };
        answers.push((who, verification.exit().code(), answer.0));
        let said = said(&verification);
        if !said.iter().any(|one| one.contains(answer.1)) {
            unsaid.push(format!("{}: {who}: nothing says {:?}: {said:#?}", case.name, answer.1));
        }
    };
    ask("with a key", trusting(), case.trusting);
    if case.trusting == NOT_SIGNED {
        // Statements about another bundle do not follow from this one, whoever signed them. Without them the rest shows.
        ask("alone, with its statements", Options::integrity_only(), (22, ""));
        fs::remove_dir_all(bundle.file(attest::DIRECTORY)).unwrap();
    }
    ask("alone", Options::integrity_only(), case.alone);
    println!("{:>3} {:>3}  {}", case.trusting.0, case.alone.0, case.name);
    let codes = answers.into_iter().filter(|(_, found, expected)| found != expected);
    codes
        .map(|(who, found, expected)| format!("{}: {who}: {found} and not {expected}", case.name))
        .chain(unsaid)
        .collect()
}

/// What the check says that gives the exit code, or what the run shows.
fn said(verification: &Verification) -> Vec<String> {
    let checks = verification.checks();
    let Some((_, check)) = checks.into_iter().find(|(_, check)| check.fails()) else {
        return verification
            .shown
            .iter()
            .flat_map(|run| [vec![run.result.to_owned()], run.problems.clone()].concat())
            .collect();
    };
    check.findings().iter().map(ToString::to_string).collect()
}

/// Verifies beside a clock; none when it panics or has not ended.
fn within_limits(bundle: &Bundle, options: Options) -> Option<Verification> {
    let path = bundle.path.clone();
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || sender.send(Box::new(verify(&path, &options))));
    receiver.recv_timeout(Duration::from_secs(HANGS)).ok().map(|verification| *verification)
}

/// The exit code of `verify-bundle` with bounded time and memory; 124 when it hangs.
pub(crate) fn program(bundle: &Bundle, with_key: bool) -> u8 {
    let key = bundle.path.with_file_name("key.pub.pem");
    fs::write(&key, PUBLIC).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -v {MEMORY}; exec timeout {HANGS} \"$0\" \"$@\"")]);
    command.args([verifier().as_os_str(), bundle.path.as_os_str()]);
    if with_key {
        command.args(["--public-key".as_ref(), key.as_os_str()]);
    } else {
        command.arg("--integrity-only");
    }
    let output = command.output().unwrap();
    // A signal has no code.
    output.status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

/// A healthy run with everything that a bundle may hold.
fn run_with_everything() -> Fixture {
    let mut fixture = with_a_decision();
    // In base64 these give characters in which the two alphabets differ.
    fixture.nonce = Some("?????>>>>>".to_owned());
    fixture.declared.push(("input_validation", json!({"note": "a caller's own words"})));
    let module = ModuleCoverage { module: "seal".to_owned(), lines: 10, tested: 9 };
    fixture.code_coverage = Some(CodeCoverage {
        tool: "a tool".to_owned(),
        command: "a command".to_owned(),
        commit: COMMIT.to_owned(),
        dirty: false,
        modules: vec![module],
    });
    fixture.mutants = Some(mutants(&fixture));
    fixture
}

fn mutants(fixture: &Fixture) -> Mutants {
    let mut tests: Vec<_> = fixture.map.iter().map(MappedTest::id).collect();
    tests.sort();
    let mutant = |name: &str, outcome, killed_by: &[usize]| Mutant {
        name: name.to_owned(),
        package: "seal".to_owned(),
        file: "crates/seal/src/seal.rs".to_owned(),
        outcome,
        killed_by: killed_by.to_vec(),
        reason: None,
    };
    Mutants {
        commit: COMMIT.to_owned(),
        dirty: false,
        generated_at: "2026-01-01T00:00:00Z".to_owned(),
        tool: "a tool".to_owned(),
        packages: vec![PackageMutants { package: "seal".to_owned(), listed: 3 }],
        listed: 3,
        sources: digests(&["crates/policy/src/policy.rs", "crates/seal/src/seal.rs"]),
        test_sources: digests(&["acceptance::scenarios", "policy", "seal", "seal::tag"]),
        tests,
        mutants: vec![
            mutant("crates/seal/src/seal.rs:1: a", MutantOutcome::Killed, &[0, 2]),
            mutant("crates/seal/src/seal.rs:2: b", MutantOutcome::Killed, &[1, 3]),
            mutant("crates/seal/src/seal.rs:3: c", MutantOutcome::Survived, &[]),
        ],
    }
}

fn signed(fixture: Fixture) -> Bundle {
    let bundle = Bundle::unsigned(fixture);
    attest::sign(&bundle.path, &SigningKey::from_pem(PRIVATE).unwrap()).unwrap();
    bundle
}

/// What everything in order looks like, signed with the key of `PRIVATE`.
pub(crate) fn rich() -> Bundle {
    signed(run_with_everything())
}

/// A run in which a test failed and its record does not hold, signed as well.
pub(crate) fn failed() -> Bundle {
    let mut fixture = run_with_everything();
    fixture.result("tag_is_right").outcome = Outcome::Failed("the tag was wrong".to_owned());
    fixture.spool("tag_is_right").records[0].3 = json!("something else");
    signed(fixture)
}

/// A bundle that another version made, signed as well.
pub(crate) fn of_another_version() -> Bundle {
    let bundle = Bundle::unsigned(run_with_everything());
    bundle.replace("coverage.json", "\"renderer_version\": ", "\"renderer_version\": 9");
    bundle.rehash();
    bundle.resign();
    bundle
}

impl Bundle {
    /// Changes a JSON file that has this type.
    pub(crate) fn edit<T: Serialize + DeserializeOwned>(&self, name: &str, change: impl FnOnce(&mut T)) {
        let mut value = serde_json::from_str(&self.read(name)).unwrap();
        change(&mut value);
        self.write(name, format!("{}\n", serde_json::to_string_pretty(&value).unwrap()));
    }

    /// Changes the records of a file; their chain is as it was.
    pub(crate) fn edit_lines(&self, name: &str, change: impl FnOnce(&mut Vec<Value>)) {
        let mut records = self.read(name).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        change(&mut records);
        self.write(name, records.iter().map(|record| format!("{record}\n")).collect::<String>());
    }

    /// Puts everything in order but the signatures: chains, coverage, reports, hashes.
    pub(crate) fn put_in_order(&self) {
        self.rechain();
        self.rederive();
        self.rehash();
    }
}
