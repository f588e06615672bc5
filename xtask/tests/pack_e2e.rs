//! `cargo xtask pack` from end to end: kits of the small workspace and of this one, proven where there is no cargo, no git and
//! no checkout.
//!
//! Not part of `cargo test`, since it builds everything once more: `cargo test -p xtask --test pack_e2e`.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[allow(dead_code, reason = "what only proofs in the checkout need")]
mod support;

use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use support::{Case, Run, finish, xtask};

const TESTS: &str = "tests/doubling.rs";

/// As much as an archive may have: it is carried by hand.
const MOST_BYTES: u64 = 60 << 20;

/// What the script needs, and what tests of this workspace start, of tar, sed, a shell, coreutils and glibc. Neither cargo nor git,
/// nor a compiler.
const TOOLS: [&str; 19] = [
    "tar",
    "rm",
    "sh",
    "cat",
    "sed",
    "head",
    "uname",
    "sha256sum",
    "getconf",
    "ldd",
    "env",
    "mkfifo",
    "ln",
    "truncate",
    "timeout",
    "sleep",
    "echo",
    "printf",
    "true",
];

/// A place to unpack a kit in, with nothing of this host's PATH but [`TOOLS`].
struct There(tempfile::TempDir);

impl There {
    fn new() -> Self {
        let there = Self(tempfile::tempdir().unwrap());
        let bin = there.path("bin");
        std::fs::create_dir(&bin).unwrap();
        std::fs::create_dir(there.path("tmp")).unwrap();
        let path = std::env::var_os("PATH").unwrap();
        for tool in TOOLS {
            let found = std::env::split_paths(&path).map(|directory| directory.join(tool)).find(|path| path.is_file());
            symlink(found.unwrap_or_else(|| panic!("{tool} is not installed")), bin.join(tool)).unwrap();
        }
        there
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Unpacks an archive with plain tar; returns the kit.
    fn unpack(&self, archive: &Path) -> PathBuf {
        let before = self.names();
        let mut tar = Command::new("tar");
        assert!(tar.arg("-xzf").arg(archive).current_dir(self.0.path()).status().unwrap().success());
        let new: Vec<String> = self.names().into_iter().filter(|name| !before.contains(name)).collect();
        assert_eq!(new.len(), 1, "one directory is unpacked: {new:?}");
        self.path(&new[0])
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// A program with an empty environment but for this PATH.
    fn run(&self, program: &Path, arguments: &[&str]) -> Run {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().env("PATH", self.path("bin")).env("TMPDIR", self.path("tmp"));
        command.current_dir("/").stdin(Stdio::null());
        finish(command)
    }

    fn prove(&self, kit: &Path, arguments: &[&str]) -> Run {
        self.run(&kit.join("prove"), &[["--device", "simulated"].as_slice(), arguments].concat())
    }
}

/// `xtask pack` on a copy of the small workspace: the archive.
fn pack(case: &Case, name: &str) -> PathBuf {
    let out = case.path("target").join(name);
    let run = finish(pack_command(case, &out));
    assert_eq!(run.code, 0, "{}", run.stderr);
    let mut lines = run.stdout.lines();
    assert!(lines.next().unwrap().starts_with("kit "), "{}", run.stdout);
    assert_eq!(lines.next().map(PathBuf::from), Some(out.clone()));
    out
}

fn pack_command(case: &Case, out: &Path) -> Command {
    let mut command = xtask();
    command.args(["pack", "--root"]).arg(case.path("")).arg("--out").arg(out);
    command
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The small workspace, with a test that reads a source and one that needs cargo.
fn case() -> Case {
    Case::with(|case| {
        let reads = "super::double(0), 0);\n        assert!(std::fs::read_to_string(\"specs/20_fixture.md\").is_ok()";
        case.replace("src/lib.rs", "super::double(0), 0", reads);
        let cargo = "\n#[test]\nfn cargo_is_there() {\n    evidence::needs!(\"cargo\");\n    \
                     assert!(std::process::Command::new(\"cargo\").status().is_ok());\n}\n";
        let tests = std::fs::read_to_string(case.path(TESTS)).unwrap();
        case.write(TESTS, tests + cargo);
    })
}

#[test]
fn a_kit_proves_without_cargo_git_and_checkout_what_is_proven_with_them() {
    let there = There::new();
    let case = case();
    let commit = {
        let bundle = case.proof(&[]).ends(0, &["2 of 2 proven", "5 passed"]).bundle();
        let provenance = json(&bundle.join("provenance.json"));
        assert!(provenance.get("kit").is_none(), "what is built where it runs is of no kit: {provenance}");
        provenance["sha"].clone()
    };
    let archive = there.path("kit.tar.gz");
    std::fs::rename(pack(&case, "kit.tar.gz"), &archive).unwrap();
    let checkout = case.path("");
    drop(case);
    assert!(!checkout.exists());

    let kit = there.unpack(&archive);
    let words = ["2 of 2 proven", "3 passed", "2 not run", "cargo_is_there: needs cargo, and a kit runs without it"];
    let run = there.prove(&kit, &["--nonce", "7f3a"]).ends(0, &words);
    let bundle = run.bundle();
    assert!(bundle.starts_with(kit.join("proof_bundles/unit")), "{}", bundle.display());
    let provenance = json(&bundle.join("provenance.json"));
    assert_eq!((&provenance["sha"], &provenance["dirty"]), (&commit, &false.into()));
    assert_eq!((&provenance["kit"]["profile"], &provenance["nonce"]), (&"kit".into(), &"7f3a".into()));
    assert!(provenance["rustc"].as_str().unwrap().contains("host: "), "{provenance}");
    let metadata = json(&bundle.join("metadata.json"));
    assert!(metadata["command"].as_str().unwrap().starts_with("./prove --device simulated"), "{metadata}");
    let results = std::fs::read_to_string(bundle.join("tests.junit.xml")).unwrap();
    assert!(results.contains("needs cargo and rustdoc"), "{results}");

    let own = kit.join("bin/xtask");
    let verified = there.run(&own, &["verify", bundle.to_str().unwrap(), "--integrity-only"]);
    verified.ends(0, &["not built by this run but came in a kit", provenance["kit"]["sha256"].as_str().unwrap()]);

    // A second run, signed, and elsewhere: a kit can be used again and stays as it is.
    let key = there.path("signing.pem");
    there.run(&own, &["keygen", key.to_str().unwrap()]).ends(0, &[]);
    let out = there.path("out");
    let arguments = ["--key", key.to_str().unwrap(), "--out", out.to_str().unwrap()];
    let signed = there.prove(&kit, &arguments).ends(0, &["2 of 2 proven"]).bundle();
    assert!(signed.starts_with(&out) && signed.join("attestations").is_dir(), "{}", signed.display());
    let public = there.path("signing.pem.pub");
    let trusted = ["verify", signed.to_str().unwrap(), "--public-key", public.to_str().unwrap()];
    there.run(&own, &trusted).ends(0, &["VERIFIED"]);
}

#[test]
fn a_requirement_whose_test_needs_cargo_is_not_run_there() {
    let there = There::new();
    let old = "check(Stream::InputValidation, \"double\", 42, double(21));";
    let case = Case::with(|case| case.replace(TESTS, old, &format!("evidence::needs!(\"cargo\");\n    {old}")));
    case.proof(&[]).ends(0, &["2 of 2 proven"]);
    let kit = there.unpack(&pack(&case, "kit.tar.gz"));
    there.prove(&kit, &[]).ends(11, &["1 of 2 proven", "IV-001 not run", "a_number_is_doubled", "needs cargo"]);
}

#[test]
fn a_kit_that_was_changed_is_refused_before_anything_runs() {
    let there = There::new();
    let case = Case::new();
    let kit = there.unpack(&pack(&case, "kit.tar.gz"));
    let packed = kit.join("tests.tar.zst");
    let good = std::fs::read(&packed).unwrap();
    let mut bytes = good.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    for bytes in [bytes, good[..middle].to_vec(), Vec::new()] {
        std::fs::write(&packed, bytes).unwrap();
        there.prove(&kit, &[]).refuses(12, &["tests"]);
        assert!(!kit.join("proof_bundles").exists());
    }
    std::fs::write(&packed, good).unwrap();
    there.prove(&kit, &[]).ends(0, &["2 of 2 proven"]);
    std::fs::remove_dir_all(kit.join("proof_bundles")).unwrap();
    assert!(!packed.exists());
    let deps = kit.join("tests/deps");
    let binary = std::fs::read_dir(&deps).unwrap().map(|entry| entry.unwrap().path()).next().unwrap();
    let name = format!("tests/deps/{}", binary.file_name().unwrap().to_str().unwrap());
    let refused = |words: &str| {
        let run = there.prove(&kit, &[]).refuses(12, &["the kit is not intact", words]);
        assert!(!run.stderr.contains("==>"), "nothing was begun: {}", run.stderr);
        // The program looks as closely as the script.
        let direct = ["proof", "--kit", kit.to_str().unwrap(), "--device", "simulated"];
        let run = there.run(&kit.join("bin/xtask"), &direct).refuses(12, &["the kit is not intact", words]);
        assert!(!run.stderr.contains("==>"), "nothing was begun: {}", run.stderr);
        assert!(!kit.join("proof_bundles").exists());
    };

    let good = std::fs::read(&binary).unwrap();
    let mut bytes = good.clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&binary, bytes).unwrap();
    refused(&name);
    std::fs::remove_file(&binary).unwrap();
    refused(&name);
    std::fs::write(&binary, good).unwrap();
    std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o755)).unwrap();
    let manifest = std::fs::read_to_string(kit.join("kit.json")).unwrap();
    std::fs::write(kit.join("kit.json"), manifest.replace("\"dirty\": false", "\"dirty\": true")).unwrap();
    refused("kit.json");
    std::fs::write(kit.join("kit.json"), manifest).unwrap();
    // coreutils do not see what is there too much; the program does.
    std::fs::write(kit.join("source/more.rs"), "").unwrap();
    there.prove(&kit, &[]).refuses(12, &["source/more.rs is not part of it"]);
    std::fs::remove_file(kit.join("source/more.rs")).unwrap();
    there.prove(&kit, &[]).ends(0, &["2 of 2 proven"]);

    // Another xtask would run the live operations.
    let other = there.path("xtask");
    std::fs::write(&other, [std::fs::read(kit.join("bin/xtask")).unwrap(), vec![0]].concat()).unwrap();
    std::fs::set_permissions(&other, std::fs::Permissions::from_mode(0o755)).unwrap();
    there
        .run(&other, &["proof", "--device", "simulated", "--kit", kit.to_str().unwrap()])
        .refuses(12, &["this is not the xtask of the kit"]);
}

#[test]
fn a_test_that_changes_the_kit_makes_no_bundle() {
    let there = There::new();
    let writes = "super::double(0), 0); std::fs::write(\"left_behind.txt\", \"\").unwrap(";
    let case = Case::with(|case| case.replace("src/lib.rs", "super::double(0), 0", writes));
    let kit = there.unpack(&pack(&case, "kit.tar.gz"));
    there.prove(&kit, &[]).refuses(12, &["source/left_behind.txt is not part of it"]);
    let written = kit.join("proof_bundles/unit");
    assert!(std::fs::read_dir(written).unwrap().next().is_none());
}

#[test]
fn a_host_that_is_too_old_or_of_another_kind_is_told_so_at_once() {
    let there = There::new();
    let case = Case::new();
    let kit = there.unpack(&pack(&case, "kit.tar.gz"));
    let needed = json(&kit.join("kit.json"))["needs_glibc"].as_str().unwrap().to_owned();
    for (tool, says, words) in [
        ("getconf", "glibc 2.3.4", format!("has glibc 2.3.4, and the kit needs {needed} or newer")),
        ("getconf", "glibc 1.99", format!("has glibc 1.99, and the kit needs {needed} or newer")),
        ("uname", "riscv64", "this machine is riscv64".to_owned()),
    ] {
        let path = there.path("bin").join(tool);
        let original = std::fs::read_link(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, format!("#!/bin/sh\necho '{says}'\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let run = there.prove(&kit, &[]).refuses(12, &[&words]);
        assert!(!run.stderr.contains("==>"), "nothing was begun: {}", run.stderr);
        std::fs::remove_file(&path).unwrap();
        symlink(original, &path).unwrap();
    }
    // Where getconf does not know, ldd does.
    let path = there.path("bin/getconf");
    std::fs::remove_file(&path).unwrap();
    there.prove(&kit, &[]).ends(0, &["2 of 2 proven"]);
    there.run(&kit.join("prove"), &["--help"]).ends(0, &["Usage: ./prove", "--key FILE"]);
}

#[test]
fn an_archive_is_the_same_each_time_and_never_written_over_another() {
    let case = Case::new();
    let (first, second) = (pack(&case, "first.tar.gz"), pack(&case, "second.tar.gz"));
    assert!(std::fs::read(&first).unwrap() == std::fs::read(&second).unwrap(), "two kits of one commit differ");
    let before = std::fs::metadata(&first).unwrap().modified().unwrap();
    let run = finish(pack_command(&case, &first)).refuses(12, &["first.tar.gz exists", "--out"]);
    assert!(!run.stderr.contains("==>"), "nothing was begun: {}", run.stderr);
    assert_eq!(std::fs::metadata(&first).unwrap().modified().unwrap(), before);
    let left: Vec<_> =
        std::fs::read_dir(case.path("target")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "nothing else is left: {left:?}");
    case.write(
        "src/lib.rs",
        "//! Changed.\n#![forbid(unsafe_code)]\npub fn double(n: u32) -> u32 { n.saturating_mul(2) }\n",
    );
    let kit = There::new();
    let kit = kit.unpack(&pack(&case, "dirty.tar.gz"));
    assert!(kit.file_name().unwrap().to_str().unwrap().ends_with("-dirty"));
    assert_eq!(json(&kit.join("kit.json"))["commit"]["dirty"], true);
}

/// The kit of this repository's last commit, from a clone that is gone when the kit runs.
#[test]
fn this_repository_is_proven_by_a_kit_under_sixty_mebibytes() {
    let there = There::new();
    let clone = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let git = Command::new("git").args(["clone", "--quiet"]).arg(root).arg(clone.path()).status().unwrap();
    assert!(git.success());
    let archive = there.path("kit.tar.gz");
    let mut command = xtask();
    command.args(["pack", "--root"]).arg(clone.path()).arg("--out").arg(&archive);
    command.env("CARGO_TARGET_DIR", concat!(env!("CARGO_TARGET_TMPDIR"), "/pack-e2e"));
    let run = finish(command);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let bytes = std::fs::metadata(&archive).unwrap().len();
    println!("the archive has {bytes} bytes");
    assert!(bytes < MOST_BYTES, "{bytes} bytes are more than {MOST_BYTES}");
    clone.close().unwrap();

    let kit = there.unpack(&archive);
    let run = there.prove(&kit, &[]).ends(0, &["0 failed", "0 dead"]);
    let own = kit.join("bin/xtask");
    there.run(&own, &["verify", run.bundle().to_str().unwrap(), "--integrity-only"]).ends(0, &[]);
}
