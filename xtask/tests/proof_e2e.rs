//! `cargo xtask proof` from end to end, on a small workspace with one thing broken at a time.
//!
//! Not part of `cargo test`, and so not of the suite that a proof runs: `cargo test -p xtask --test proof_e2e`.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use proof_bundle::attest::{DIRECTORY, Envelope, PublicKey, statements};
use support::{Case, Run, finish, keygen, xtask};

const TESTS: &str = "tests/doubling.rs";

#[test]
fn a_good_workspace_is_proven_twice_with_the_same_evidence_and_leaves_nothing_to_build() {
    let case = Case::new();
    let first = case.proof(&["--nonce", "7f3a"]).ends(0, &["2 of 2 proven", "4 passed", "records hold"]);
    let bundle = first.bundle();
    for file in ["metadata.json", "coverage.json", "tests.junit.xml", "test_report.md", "SHA256SUMS", "seeds.txt"] {
        assert!(bundle.join(file).is_file(), "{file}");
    }
    let provenance = std::fs::read_to_string(bundle.join("provenance.json")).unwrap();
    assert!(provenance.contains("7f3a") && provenance.contains("\"dirty\": false"), "{provenance}");
    let judged = Command::new("sha256sum").arg(env!("CARGO_BIN_EXE_xtask")).output().unwrap().stdout;
    let judged = String::from_utf8(judged).unwrap();
    let digest = judged.split(' ').next().unwrap();
    assert!(provenance.contains(&format!("\"program_sha256\": \"{digest}\"")), "{provenance}");
    let sums = Command::new("sha256sum").args(["--check", "--quiet", "SHA256SUMS"]).current_dir(&bundle).status();
    assert!(sums.unwrap().success());

    let said = case.cargo(&["test", "--workspace", "--no-run", "--offline"]);
    assert!(!said.contains("Compiling"), "the proof left something to build:\n{said}");

    let second = case.proof(&["--nonce", "7f3a"]).ends(0, &[]);
    let mut diff = xtask();
    diff.arg("bundle-diff").arg(&bundle).arg(second.bundle());
    finish(diff).ends(0, &["nothing but fields marked volatile"]);

    let third = case.proof(&["--seed", "43"]).ends(0, &[]);
    let mut diff = xtask();
    diff.arg("bundle-diff").arg(&bundle).arg(third.bundle());
    finish(diff).ends(1, &["seeds.txt"]);
}

#[test]
fn the_summary_as_json_holds_the_same_and_the_bundle_is_filed_where_asked() {
    let case = Case::new();
    let out = case.path("elsewhere");
    let mut command = case.proof_command(&["--json", "--type", "bdd", "--out", "elsewhere"]);
    command.current_dir(case.path(""));
    let run = finish(command);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let summary: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(summary["requirements"]["proven"], 2);
    assert_eq!(summary["exit_code"], 0);
    assert_eq!(summary["device"]["class"], "simulated");
    let bundle = std::path::Path::new(summary["bundle"].as_str().unwrap());
    assert!(bundle.starts_with(out.join("bdd")) && bundle.join("SHA256SUMS").is_file());
    let metadata = std::fs::read_to_string(bundle.join("metadata.json")).unwrap();
    let looked_at = serde_json::from_str::<serde_json::Value>(&metadata).unwrap()["looked_at"].clone();
    assert!(
        run.stderr.contains(looked_at[0].as_str().unwrap()),
        "what was looked at is shown and recorded: {metadata}"
    );
    // The bundle in the tree was not ignored there.
    assert_eq!(summary["dirty"], false, "the tree was clean when the run began");
}

#[test]
fn a_failing_mapped_test_fails_its_requirement() {
    let case = Case::with(|case| case.replace(TESTS, "42, double(21)", "43, double(21)"));
    let words = ["1 of 2 proven", "IV-001 failed", "a_number_is_doubled", "expected: 43"];
    case.proof(&[]).ends(10, &words).bundle();
}

#[test]
fn a_failing_test_that_maps_to_nothing_fails_the_run() {
    let case = Case::with(|case| case.replace("src/lib.rs", "super::double(0), 0", "super::double(0), 1"));
    case.proof(&[]).ends(10, &["2 of 2 proven", "tests::zero_stays_zero: exit code 101"]).bundle();
}

#[test]
fn a_failing_doc_test_fails_the_run() {
    let case = Case::with(|case| case.replace("src/lib.rs", "double(2), 4", "double(2), 5"));
    case.proof(&[]).ends(10, &["doc-tests"]).bundle();
}

#[test]
fn an_ignored_mapped_test_leaves_its_requirement_unproven_and_says_why() {
    let ignored = "#[test]\n#[ignore = \"not today\"]\nfn a_number_is_doubled";
    let case = Case::with(|case| case.replace(TESTS, "#[test]\nfn a_number_is_doubled", ignored));
    case.proof(&[]).ends(11, &["1 of 2 proven", "IV-001 not run", "a_number_is_doubled", "not today"]).bundle();
}

#[test]
fn a_named_test_that_was_renamed_is_missed() {
    let case = Case::with(|case| case.replace(TESTS, "test_large_numbers_saturate", "test_large_numbers"));
    case.proof(&[]).ends(11, &["IV-002 not run", "test_large_numbers_saturate"]).bundle();
}

#[test]
fn a_mapped_test_that_is_compiled_out_is_missed() {
    let gone = "#[cfg(any())]\n#[test]\nfn a_number_is_doubled";
    let case = Case::with(|case| case.replace(TESTS, "#[test]\nfn a_number_is_doubled", gone));
    case.proof(&[]).ends(11, &["IV-001 not run", "a_number_is_doubled"]).bundle();
}

#[test]
fn a_test_process_that_exits_before_its_end_is_dead() {
    let exits = "check(Stream::InputValidation, \"double\", 42, double(21));\n    std::process::exit(0);";
    let old = "check(Stream::InputValidation, \"double\", 42, double(21));";
    let case = Case::with(|case| case.replace(TESTS, old, exits));
    case.proof(&[]).ends(12, &["IV-001", "a_number_is_doubled", "before its summary"]).bundle();
}

#[test]
fn a_test_that_aborts_or_hangs_fails_and_the_others_run() {
    let case = Case::with(|case| {
        case.replace(TESTS, "42, double(21)", "{ std::process::abort(); 42 }, double(21)");
        let hangs = "super::double(0), 0); std::thread::sleep(std::time::Duration::from_secs(60)";
        case.replace("src/lib.rs", "super::double(0), 0", hangs);
    });
    let started = Instant::now();
    let words = ["IV-001 failed", "SIGABRT", "timed out after 2 s", "1 of 2 proven"];
    case.proof(&["--timeout", "2"]).ends(10, &words).bundle();
    assert!(started.elapsed() < Duration::from_secs(50));
}

#[test]
fn a_requirement_whose_test_observes_nothing_is_vacuous() {
    let old = "check(Stream::InputValidation, \"double\", 42, double(21));";
    let case = Case::with(|case| case.replace(TESTS, old, "assert_eq!(double(21), 42);"));
    case.proof(&[]).ends(11, &["IV-001 vacuous"]).bundle();
}

#[test]
fn a_claim_of_an_id_that_no_specification_defines_is_an_input_error() {
    let case = Case::with(|case| case.replace(TESTS, "proves!(\"IV-001\")", "proves!(\"IV-001\", \"IV-009\")"));
    case.proof(&[]).ends(12, &["IV-009"]).bundle();
}

#[test]
fn an_empty_suite_proves_nothing() {
    let case = Case::with(|case| {
        case.write(TESTS, "//! Nothing.\n");
        case.replace("src/lib.rs", "#[test]", "#[allow(dead_code)]");
    });
    case.proof(&[]).ends(12, &["0 of 2 proven", "0 listed"]).bundle();
}

#[test]
fn explain_says_of_which_commit_evidence_is_and_when_the_text_changed_since() {
    let case = Case::new();
    case.proof(&[]).ends(0, &[]);
    let explain = || {
        let mut command = xtask();
        command.args(["explain", "IV-001"]).current_dir(case.path(""));
        finish(command)
    };
    let said = explain().ends(0, &["  of commit ", "  proven on host"]).stdout;
    assert!(!said.contains("stale") && !said.contains("differed"), "{said}");
    case.replace("specs/20_fixture.md", "MUST", "MUST always");
    explain().ends(0, &["stale: the text changed since; the old one was proven on host"]);
    case.proof(&[]).ends(0, &[]);
    explain().ends(0, &["  proven on host", ", and the working tree differed from it"]);
}

#[test]
fn explain_takes_no_bundle_for_evidence_that_somebody_changed() {
    let case = Case::new();
    let bundle = case.proof(&[]).ends(0, &[]).bundle();
    let coverage = std::fs::read_to_string(bundle.join("coverage.json")).unwrap();
    assert!(coverage.contains("\"host\""), "{coverage}");
    std::fs::write(bundle.join("coverage.json"), coverage.replace("\"host\"", "\"gpu\"")).unwrap();
    let mut command = xtask();
    command.args(["explain", "IV-001"]).current_dir(case.path(""));
    let said = finish(command).ends(0, &["it is no evidence: it is not intact: coverage.json"]).stdout;
    assert!(!said.contains("proven on"), "{said}");
}

#[test]
fn a_variable_that_changes_the_build_is_in_the_bundle_and_in_the_summary() {
    let case = Case::new();
    let mut command = case.proof_command(&[]);
    command.env("CARGO_BUILD_JOBS", "2").env("INSTA_FORCE_PASS", "1");
    let run = finish(command).ends(0, &["note: built with CARGO_BUILD_JOBS=2"]);
    let provenance = std::fs::read(run.bundle().join("provenance.json")).unwrap();
    let provenance: serde_json::Value = serde_json::from_slice(&provenance).unwrap();
    let environment = provenance["build_environment"].as_object().unwrap();
    assert_eq!(environment["CARGO_BUILD_JOBS"], "2");
    assert!(!environment.contains_key("CARGO_TARGET_DIR"), "{environment:?}");
}

#[test]
fn what_is_older_than_the_last_build_is_built_all_the_same() {
    let case = Case::new();
    case.proof(&[]).ends(0, &[]);
    let library = case.path("src/lib.rs");
    let modified = std::fs::metadata(&library).unwrap().modified().unwrap();
    case.replace("src/lib.rs", "saturating_mul(2)", "saturating_mul(3)");
    std::fs::File::options().append(true).open(&library).unwrap().set_modified(modified).unwrap();
    case.proof(&[]).ends(10, &["IV-001 failed", "observed: 63"]);
}

#[test]
fn a_tree_or_a_test_binary_that_changes_during_the_run_makes_no_bundle() {
    let writes = "super::double(0), 0); std::fs::write(\"left_behind.txt\", \"\").unwrap(";
    let case = Case::with(|case| case.replace("src/lib.rs", "super::double(0), 0", writes));
    case.proof(&[]).refuses(12, &["the working tree changed", "(clean)", "(dirty)"]);
    assert_eq!(case.bundles(), Vec::<String>::new());

    let puts_back = "super::double(0), 0);
        let text = std::fs::read(\"src/lib.rs\").unwrap();
        std::fs::write(\"src/lib.rs\", text).unwrap(";
    let case = Case::with(|case| case.replace("src/lib.rs", "super::double(0), 0", puts_back));
    case.proof(&[]).refuses(12, &["src/lib.rs was written to"]);
    assert_eq!(case.bundles(), Vec::<String>::new());

    let replaces = "super::double(0), 0);
        let executable = std::env::current_exe().unwrap();
        let bytes = [std::fs::read(&executable).unwrap(), vec![0]].concat();
        std::fs::remove_file(&executable).unwrap();
        std::fs::write(&executable, bytes).unwrap(";
    let case = Case::with(|case| case.replace("src/lib.rs", "super::double(0), 0", replaces));
    case.proof(&[]).refuses(12, &["the test binary of doubling_", "changed while the tests ran"]);
    assert_eq!(case.bundles(), Vec::<String>::new());
}

#[test]
fn what_does_not_build_makes_no_bundle() {
    let case = Case::with(|case| case.replace(TESTS, "double(21)", "double(\"21\")"));
    case.proof(&[]).refuses(12, &["do not build"]);
    assert_eq!(case.bundles(), Vec::<String>::new());
}

#[test]
fn a_dirty_tree_is_said_to_be_dirty() {
    let case = Case::new();
    case.write("note.txt", "changed");
    let run = case.proof(&[]).ends(0, &["the working tree differs from it"]);
    let provenance = std::fs::read_to_string(run.bundle().join("provenance.json")).unwrap();
    assert!(provenance.contains("\"dirty\": true"), "{provenance}");
}

#[test]
fn sources_that_the_repository_ignores_are_not_said_to_be_of_its_commit() {
    let case = Case::with(|case| {
        std::fs::create_dir(case.path("tests/more")).unwrap();
        std::fs::rename(case.path(TESTS), case.path("tests/more/doubling.rs")).unwrap();
        case.replace("Cargo.toml", TESTS, "tests/more/doubling.rs");
        case.write(".gitignore", "/target/\n/proof_bundles/\n/tests/more/\n");
    });
    case.proof(&[]).ends(0, &["the working tree differs from it"]);

    let case = Case::new();
    std::fs::remove_dir_all(case.path(".git")).unwrap();
    let around = tempfile::tempdir().unwrap();
    let inner = around.path().join("work");
    std::fs::rename(case.path(""), &inner).unwrap();
    std::fs::create_dir(case.path("")).unwrap();
    std::fs::write(around.path().join(".gitignore"), "/work/\n").unwrap();
    for arguments in [["init", "--quiet"].as_slice(), &["add", "--all"], &["commit", "--quiet", "--message=around"]] {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]).args(arguments);
        assert!(git.current_dir(around.path()).status().unwrap().success());
    }
    let mut command = xtask();
    command.args(["proof", "--device", "simulated", "--root"]).arg(&inner);
    finish(command).ends(0, &["the working tree differs from it"]);
}

#[test]
fn when_signing_fails_the_summary_says_so_with_the_exit_code_of_the_process() {
    let place = tempfile::tempdir().unwrap();
    let key = keygen(place.path());
    let removes = format!("super::double(0), 0); let _ = std::fs::remove_file({key:?}); assert_eq!(0, 0");
    let case = Case::with(|case| case.replace("src/lib.rs", "super::double(0), 0", &removes));
    let run = case.proof(&["--key", key.to_str().unwrap(), "--json"]);
    let summary: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(
        (run.code, &summary["exit_code"], &summary["signed"]),
        (12, &12.into(), &false.into()),
        "{}",
        run.stderr
    );
    assert!(summary["result"].as_str().unwrap().ends_with("and signing failed"), "{summary}");
    let bundle = Path::new(summary["bundle"].as_str().unwrap());
    assert!(bundle.join("SHA256SUMS").is_file() && !bundle.join(DIRECTORY).exists());
}

#[test]
fn nothing_that_a_test_says_reaches_a_terminal_as_a_command() {
    let says = "super::double(0), 0); panic!(\"\\u{9b}2J\\u{202e}x\\u{2028}y\\nnext\"";
    let case = Case::with(|case| case.replace("src/lib.rs", "super::double(0), 0", says));
    let run = case.proof(&[]).ends(10, &["2J\\u{202e}x\\u{2028}y", "\n    next"]);
    assert!(!run.stdout.contains(['\u{9b}', '\u{202e}', '\u{2028}']), "{}", run.stdout);
}

#[test]
fn without_a_repository_a_device_or_a_place_the_run_refuses_at_once() {
    let case = Case::new();
    case.write("file", "x");
    let file = case.path("file/below");
    let error = case.proof(&["--out", file.to_str().unwrap()]).refuses(1, &["Not a directory"]).stderr;
    assert!(!error.contains("building"), "{error}");
    let mut gpu = xtask();
    gpu.args(["proof", "--device", "cuda:7", "--root"]).arg(case.path(""));
    finish(gpu).refuses(12, &["cuda:7"]);
    std::fs::remove_dir_all(case.path(".git")).unwrap();
    case.proof(&[]).refuses(12, &["git"]);
    assert_eq!(case.bundles(), Vec::<String>::new());
}

fn sign(bundle: &Path, key: &Path) -> Run {
    let mut command = xtask();
    command.arg("sign").arg(bundle).arg("--key").arg(key);
    finish(command)
}

#[test]
fn a_proof_with_a_key_is_signed_and_no_test_is_told_of_the_key() {
    let old = "check(Stream::InputValidation, \"double\", 42, double(21));";
    let asks = "for (_, value) in std::env::vars_os() { assert!(!value.to_string_lossy().contains(\"signing.pem\")); }";
    let case = Case::with(|case| case.replace(TESTS, old, &format!("{asks}\n    {old}")));
    let place = tempfile::tempdir().unwrap();
    let key = keygen(place.path());
    let run = case.proof(&["--key", key.to_str().unwrap()]).ends(0, &["2 of 2 proven"]);
    let bundle = run.bundle();
    let public = PublicKey::from_pem(&std::fs::read_to_string(place.path().join("signing.pem.pub")).unwrap()).unwrap();
    for (name, statement) in statements(&bundle).unwrap() {
        let envelope = Envelope::parse(&std::fs::read(bundle.join(DIRECTORY).join(name)).unwrap()).unwrap();
        assert!(envelope.is_signed_by(&public) && envelope.payload() == statement, "{name}");
    }
    assert!(run.stderr.contains(&public.keyid()), "{}", run.stderr);
    let command = std::fs::read_to_string(bundle.join("metadata.json")).unwrap();
    assert!(!command.contains("signing.pem"), "where a key lies is nobody's business: {command}");

    sign(&bundle, &key).refuses(12, &["already"]);
    let unsigned = case.proof(&[]).ends(0, &[]).bundle();
    assert!(!unsigned.join(DIRECTORY).exists());
    std::fs::write(unsigned.join("seeds.txt"), "43\n").unwrap();
    sign(&unsigned, &key).refuses(20, &["seeds.txt"]);
    assert!(!unsigned.join(DIRECTORY).exists());
}

#[test]
fn a_key_that_cannot_sign_is_refused_before_anything_is_built() {
    let case = Case::new();
    let place = tempfile::tempdir().unwrap();
    let key = keygen(place.path());
    let open = place.path().join("open.pem");
    std::fs::write(&open, std::fs::read(&key).unwrap()).unwrap();
    std::fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let (missing, public) = (place.path().join("missing.pem"), place.path().join("signing.pem.pub"));
    std::fs::set_permissions(&public, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    for (key, model_key, words) in [
        (&missing, None, "No such file"),
        (&open, None, "chmod 600"),
        (&public, None, "it is a public key"),
        (&key, Some(&key), "P-256"),
    ] {
        let mut arguments = vec!["--key", key.to_str().unwrap()];
        arguments.extend(model_key.into_iter().flat_map(|key| ["--model-signing-key", key.to_str().unwrap()]));
        let error = case.proof(&arguments).refuses(12, &[words]).stderr;
        assert!(!error.contains("building"), "{error}");
        assert_eq!(error.matches("error: ").count(), 1, "{error}");
    }
    assert_eq!(case.proof(&["--model-signing-key", key.to_str().unwrap()]).code, 2, "it needs --key");
    assert_eq!(case.bundles(), Vec::<String>::new());
}

#[test]
fn models_that_are_none_are_refused_before_anything_is_built() {
    let case = Case::new();
    case.write("empty.gguf", "");
    case.write("short.safetensors", [0x40, 0, 0, 0, 0, 0, 0, 0, b'{']);
    let header = [b"GGUF".as_slice(), &3_u32.to_le_bytes(), &(1_u64 << 60).to_le_bytes(), &[0; 8]].concat();
    case.write("vast.gguf", header);
    std::fs::File::create(case.path("sparse.bin")).unwrap().set_len(1 << 42).unwrap();
    for (model, words) in [
        ("sparse.bin", "bytes free, the model needs 4398046511104"),
        ("missing.gguf", "No such file"),
        ("src", "is a directory"),
        ("empty.gguf", "is empty"),
        ("short.safetensors", "truncated"),
        ("vast.gguf", "claims 1152921504606846976 tensors"),
    ] {
        let path = case.path(model);
        let error = case.proof(&["--model", path.to_str().unwrap()]).refuses(12, &[words]).stderr;
        assert!(!error.contains("building"), "{error}");
    }
    assert_eq!(case.bundles(), Vec::<String>::new());
}

#[test]
fn a_model_is_sealed_corrupted_found_out_and_released_under_a_name_full_of_markup() {
    let case = Case::new();
    let header = r#"{"w":{"dtype":"F32","shape":[5000],"data_offsets":[0,20000]}}"#;
    let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &[7; 20000]].concat();
    case.write("tiny.safetensors", &bytes);
    let odd = "<script>|.gguf";
    let gguf = [b"GGUF".as_slice(), &3_u32.to_le_bytes(), &[0; 16], &[9; 5000]].concat();
    case.write(odd, gguf);
    let (tiny, odd) = (case.path("tiny.safetensors"), case.path(odd));
    let run = case.proof(&["--model", tiny.to_str().unwrap(), "--model", odd.to_str().unwrap()]).ends(0, &[]);
    let bundle = run.bundle();
    let crypto = std::fs::read_to_string(bundle.join("crypto_validation.jsonl")).unwrap();
    let corruption = crypto.lines().filter(|line| line.contains("\"operation\":\"model_corruption\"")).count();
    assert_eq!(corruption, 2, "one for each model");
    assert!(crypto.contains("model_digest_by_sha256sum"), "coreutils are installed where tests run");
    let metadata = std::fs::read_to_string(bundle.join("metadata.json")).unwrap();
    assert!(metadata.contains("\"tensors\": 1") && metadata.contains("<script>|.gguf"), "{metadata}");
    let directory = case.path("").display().to_string();
    for entry in std::fs::read_dir(&bundle).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains(directory.trim_end_matches('/')), "{} names a directory", path.display());
        // Every other part is between fences, where nothing is markup.
        let mut prose = text.split("```").step_by(2);
        let is_report = path.extension().is_some_and(|extension| extension == "md");
        assert!(!is_report || !prose.any(|part| part.contains("<script>")), "{} has markup", path.display());
    }
}

#[test]
fn a_reader_who_left_does_not_change_the_exit_code_and_a_full_disk_does() {
    let run = |arguments: &[&str], stdout: Stdio, stderr: Stdio| {
        let mut command = xtask();
        let output = command.args(arguments).stdout(stdout).stderr(stderr).spawn().unwrap().wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let full = || Stdio::from(std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap());
    let unread = || Stdio::from(std::io::pipe().unwrap().1);
    assert_eq!(run(&["explain", "MS-001"], unread(), Stdio::piped()), (Some(0), String::new()));
    assert_eq!(run(&["gpu"], unread(), Stdio::piped()), (Some(0), String::new()));
    let (code, said) = run(&["gpu", "--json"], full(), Stdio::piped());
    assert!(code == Some(1) && said.starts_with("error: cannot write stdout"), "{code:?} {said}");
    for stderr in [full(), unread()] {
        assert_eq!(run(&["explain", "NO-001"], Stdio::null(), stderr).0, Some(2));
    }
}

#[test]
fn ctrl_c_stops_the_children_and_leaves_no_bundle() {
    let case = Case::with(|case| {
        let sleeps = "super::double(0), 0); std::fs::write(std::env::temp_dir().join(\"left\"), \"\").unwrap();
            std::thread::sleep(std::time::Duration::from_secs(600)";
        case.replace("src/lib.rs", "super::double(0), 0", sleeps);
    });
    let temporary = tempfile::tempdir().unwrap();
    let mut command = case.proof_command(&[]);
    command.env("TMPDIR", temporary.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let running = lines.by_ref().find(|line| line.as_ref().unwrap().contains("running 3 tests"));
    assert!(running.is_some(), "the tests never ran");
    while case.processes().is_empty() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let started = Instant::now();
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    let status = child.wait().unwrap();
    assert!(started.elapsed() < Duration::from_secs(10), "it waited for the sleeping test");
    assert_eq!(status.code(), Some(130));
    let last = lines.map(Result::unwrap).last().unwrap();
    assert!(last.starts_with("error: interrupted"), "{last}");
    assert_eq!(case.bundles(), Vec::<String>::new());
    assert_eq!(case.processes(), Vec::<std::path::PathBuf>::new(), "the sleeping test lives on");
    let left = std::fs::read_dir(&temporary).unwrap().count();
    assert_eq!(left, 0, "temporary files are left behind, the proof's or its children's");
}
