//! The specifications' format: what is accepted, and that everything else is refused with its line.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::fs;
use std::path::Path;

use proof_bundle::Error;
use proof_bundle::requirement::{Kind, Specifications, parse_specs};

const GOOD: &str = "# A title

Prose, with a | in it.

## Core

Prose under a heading.

### AB-001 First thing

It MUST do
  one   thing.

- Kind: product
- Needs a GPU: no
- Named test: `test_one`, `test_two`
- Not claimed: Anything | else.
- Not claimed: More.

### 20§1.2 Second thing

It MUST NOT do another.

- Kind: process
- Needs a GPU: yes
- Not claimed: Anything.

## Roll-ups

Some words.

| Roll-up | Title | Requirements |
| --- | :-- | --- |
| VR-001 | Both | AB-001, 20§1.2 |

## Vulnerabilities

| Vulnerability | Severity | Mitigation | Requirements |
| --- | --- | --- | --- |
| Trouble | HIGH | Care | AB-001 |
";

fn parse(documents: &[(&str, &str)]) -> Result<Specifications, Error> {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in documents {
        fs::write(directory.path().join(name), text).unwrap();
    }
    parse_specs(directory.path())
}

#[test]
fn a_document_is_read_whole() {
    let specifications = parse(&[("20_good.md", GOOD), ("README.md", "### not a spec")]).unwrap();
    assert_eq!(specifications.documents.len(), 1);
    assert_eq!(specifications.documents[0].title, "A title");
    let [first, second] = &specifications.requirements[..] else {
        panic!("{:?}", specifications.requirements);
    };
    assert_eq!((first.id.as_str(), first.section.as_str(), first.title.as_str()), ("AB-001", "Core", "First thing"));
    assert_eq!(first.text, "It MUST do one thing.");
    assert_eq!(first.document, "20_good.md");
    assert_eq!(first.named_tests, ["test_one", "test_two"]);
    assert_eq!(first.non_claims, ["Anything | else.", "More."]);
    assert_eq!((first.kind, first.needs_gpu), (Kind::Product, false));
    assert_eq!((second.kind, second.needs_gpu), (Kind::Process, true));
    assert_eq!(specifications.roll_ups[0].requirements, ["AB-001", "20§1.2"]);
    assert_eq!(specifications.vulnerabilities[0].severity, "HIGH");
}

#[test]
fn the_text_hash_sees_words_and_not_white_space() {
    let hash = |text: &str| parse(&[("20_a.md", text)]).unwrap().requirements[0].text_sha256.clone();
    let original = hash(GOOD);
    // printf 'It MUST do one thing.' | sha256sum
    assert_eq!(original, "45b6edfa3771c2ace547084648da0097ec8004a4208b1e37d4af99478b559c42");
    assert_eq!(hash(&GOOD.replace("do\n  one   thing", "do one thing")), original);
    assert_ne!(hash(&GOOD.replace("one   thing", "one  other thing")), original);
}

#[test]
fn what_does_not_follow_the_format_is_refused_with_its_line() {
    for (from, to, line, what) in [
        ("# A title\n", "", 1, "begins with a `# ` heading"),
        ("## Core\n", "# Core\n", 5, "one `# ` heading"),
        ("### AB-001 First thing", "### AB-01 First thing", 9, "no requirement id"),
        ("### AB-001 First thing", "### 10§1.1 First thing", 9, "no requirement id"),
        ("### AB-001 First thing", "### AB-001", 9, "no title"),
        ("It MUST do\n  one   thing.\n", "", 9, "no text"),
        ("It MUST do", "It does", 9, "no MUST"),
        ("- Kind: product\n", "", 9, "no `- Kind: …` line"),
        ("- Kind: product", "- Kind: produce", 14, "unknown"),
        ("- Kind: product", "- Kind: product\n- Kind: product", 15, "twice"),
        ("- Needs a GPU: no\n", "", 9, "no `- Needs a GPU: …` line"),
        ("- Needs a GPU: no", "- Needs a GPU: perhaps", 15, "use yes or no"),
        ("`test_one`, `test_two`", "test_one", 16, "named tests"),
        ("- Not claimed: Anything | else.\n- Not claimed: More.\n", "", 9, "Not claimed"),
        ("- Named test: ", "- Named tests: ", 16, "no field"),
        ("- Kind: product", "- Kind product", 14, "`- Name: value`"),
        ("- Not claimed: More.", "- Not claimed: More.\n\nAnd prose.", 20, "after the fields"),
        ("### AB-001 First", " ### AB-001 First", 9, "a heading is"),
        ("### AB-001 First", "#### AB-001 First", 9, "a heading is"),
        ("### AB-001 First", "###\tAB-001 First", 9, "a heading is"),
        ("### 20§1.2 Second", "\t### 20§1.2 Second", 20, "a heading is"),
        ("  one   thing.", "one thing.\n\n #### AB-002 More", 14, "a heading is"),
        ("### AB-001 First", "**AB-001** First", 11, "a sentence with MUST"),
        ("Some words.", "**AB-002**: it MUST do more.", 30, "a sentence with MUST"),
        ("Some words.", "- Kind: product", 30, "a field stands under"),
        ("Some words.", "AB-002 More\n---", 31, "a heading is"),
        ("Some words.", "AB-002 More\n  ===  ", 31, "a heading is"),
        ("Some words.", "- AB-002 More\n  -", 31, "a heading is"),
        ("Some words.", "> ### AB-002", 30, "a heading is"),
        ("Some words.", " - ### AB-002", 30, "a heading is"),
        ("Some words.", "12)\t> * #### AB-002", 30, "a heading is"),
        ("Some words.", "Words.<H3 id=a>AB-002</H3>", 30, "no HTML"),
        ("## Core", "## Core<h3>AB-002</h3>", 5, "no HTML"),
        ("First thing", "First thing\r### AB-002 More", 9, "a carriage return"),
        ("Some words.", "Words.\r### AB-002 More", 30, "a carriage return"),
        ("### 20§1.2 Second", "### AB-001 Second", 20, "defined already"),
        ("| AB-001, 20§1.2 |", "| AB-001, AB-009 |", 34, "`AB-009` is not defined"),
        ("| AB-001, 20§1.2 |", "| |", 34, "names no requirement"),
        ("| HIGH | Care", "| HIGH, Care", 40, "4 filled cells"),
        ("| --- | :-- | --- |\n", "", 32, "a heading row and a rule"),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let error = parse(&[("20_bad.md", &GOOD.replacen(from, to, 1))]).expect_err(to).to_string();
        assert!(error.contains(&format!("20_bad.md:{line}: ")) && error.contains(what), "{to:?}: {error}");
    }
}

#[test]
fn what_looks_like_a_heading_or_a_list_and_is_none_is_read() {
    for (from, to) in [
        ("Some words.", "- One.\n- Two - three.\n1. Four <hr> five.\n\n> Six # seven = eight."),
        ("Some words.", "MUSTARD, a <head>, and -1."),
        ("\n", "\r\n"),
    ] {
        let read = parse(&[("20_good.md", &GOOD.replace(from, to))]).unwrap();
        assert_eq!(read.requirements.len(), 2, "{to:?}");
    }
}

#[test]
fn what_nothing_reads_is_refused_beside_the_specifications() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    for read in ["20_good.md", "README.md", "coverage.snapshot.json"] {
        fs::write(path(read), GOOD).unwrap();
    }
    fs::create_dir(path("features")).unwrap();
    parse_specs(directory.path()).unwrap();
    for unread in ["30_more.MD", "30_more.markdown", ".30_more.md", "30_more.txt"] {
        fs::write(path(unread), "").unwrap();
        let error = parse_specs(directory.path()).unwrap_err().to_string();
        assert!(error.contains(unread), "{error}");
        fs::remove_file(path(unread)).unwrap();
    }
    for unread in ["more", "30_more.md"] {
        fs::create_dir(path(unread)).unwrap();
        let error = parse_specs(directory.path()).unwrap_err().to_string();
        assert!(error.contains("nothing reads it"), "{error}");
        fs::remove_dir(path(unread)).unwrap();
    }
}

#[test]
fn an_id_is_defined_once_in_all_documents() {
    let other = GOOD.replace("20§1.2", "30§1.2").replace("VR-001", "VR-002");
    let error = parse(&[("20_a.md", GOOD), ("30_b.md", &other)]).unwrap_err().to_string();
    assert!(error.contains("30_b.md:9: AB-001 is defined already, at 20_a.md:9"), "{error}");
}

#[test]
fn a_directory_without_requirements_is_refused() {
    assert!(parse(&[]).is_err());
    assert!(parse(&[("20_empty.md", "# Title\n")]).is_err());
    assert!(parse(&[("good.md", GOOD)]).is_err());
    assert!(parse_specs("/nonexistent").is_err());
}

#[test]
fn the_project_specifies_fifty_five_requirements() {
    let specifications = parse_specs(Path::new("../../specs")).unwrap();
    let count =
        |document: &str| specifications.requirements.iter().filter(|one| one.document.starts_with(document)).count();
    assert_eq!([count("00_"), count("10_"), count("20_"), count("40_")], [12, 8, 30, 5]);
    assert_eq!(specifications.requirements.len(), 55);
    assert_eq!(specifications.roll_ups.len(), 8);
    assert_eq!(specifications.vulnerabilities.len(), 7);
}

/// It is no way out: to add an id here is to say that no host without a GPU can ever prove it.
#[test]
fn exactly_five_requirements_need_a_gpu() {
    let specifications = parse_specs(Path::new("../../specs")).unwrap();
    let needing: Vec<&str> =
        specifications.requirements.iter().filter(|one| one.needs_gpu).map(|one| one.id.as_str()).collect();
    assert_eq!(needing, ["VP-001", "VP-002", "VP-003", "VP-005", "40§1.2"]);
}

/// To name another test, or none, is to let a requirement be shown by another test than was agreed.
#[test]
fn each_named_test_is_asked_for_by_the_requirements_that_it_was_named_for() {
    let expected = [
        ("00§2.1", "test_seal_model_basic"),
        ("00§2.2", "test_verify_sealed_valid"),
        ("00§2.3", "test_compute_digest_deterministic"),
        ("00§2.4", "test_compute_signature_valid_inputs"),
        ("00§3.1", "test_allocate_valid_size"),
        ("00§3.2", "test_drop_frees_memory"),
        ("00§3.3", "test_multiple_allocations"),
        ("00§3.4", "test_error_recovery_after_failed_allocation"),
        ("00§4.1", "test_available_vram_returns_value"),
        ("00§4.2", "test_seal_validates_shard_id_format"),
        ("00§4.3", "test_valid_model_size"),
        ("00§4.4", "test_valid_device_in_range"),
        ("10§1.1", "test_seal_model_basic"),
        ("10§1.2", "test_verify_sealed_valid"),
        ("10§1.3", "test_available_vram_returns_value"),
        ("10§1.4", "test_seal_model_zero_size_rejected"),
        ("10§2.1", "test_verify_signature_tampered_digest_rejected"),
        ("10§2.2", "test_verify_signature_wrong_key_rejected"),
        ("10§2.3", "test_debug_format_omits_vram_ptr"),
        ("10§2.4", "test_drop_frees_memory"),
        ("MS-001", "test_debug_format_omits_vram_ptr"),
        ("MS-002", "test_bounds_checking_overflow"),
        ("MS-003", "test_seal_model_zero_size_rejected"),
        ("MS-004", "test_error_recovery_after_invalid_operation"),
        ("MS-005", "test_drop_frees_memory"),
        ("MS-006", "test_write_overflow"),
        ("MS-007", "test_write_out_of_bounds"),
        ("CI-001", "test_compute_signature_valid_inputs"),
        ("CI-002", "test_signature_different_for_different_shards"),
        ("CI-003", "test_timing_safe_comparison"),
        ("CI-004", "test_compute_digest_deterministic"),
        ("CI-005", "test_derive_seal_key_valid_inputs"),
        ("CI-006", "test_debug_format_omits_vram_ptr"),
        ("CI-007", "test_verify_sealed_valid"),
        ("VP-001", "test_vram_policy_enforced"),
        ("VP-002", "test_unified_memory_disabled"),
        ("VP-003", "test_vram_policy_enforced"),
        ("VP-004", "test_error_recovery_after_failed_allocation"),
        ("VP-005", "test_vram_policy_enforced"),
        ("VP-006", "test_verify_sealed_valid"),
        ("IV-001", "test_valid_model_size"),
        ("IV-002", "test_valid_device_in_range"),
        ("IV-003", "test_valid_shard_id_alphanumeric"),
        ("IV-003", "test_path_traversal_with_dotdot_rejected"),
        ("IV-004", "test_verify_sealed_valid"),
        ("IV-005", "test_null_byte_injection_rejected"),
        ("RP-001", "test_available_vram_returns_value"),
        ("RP-002", "test_write_overflow"),
        ("RP-003", "test_size_exceeds_max_rejected"),
        ("RP-004", "test_seal_model_zero_size_rejected"),
        ("RP-005", "test_drop_frees_memory"),
    ];
    let specifications = parse_specs(Path::new("../../specs")).unwrap();
    let named: Vec<(&str, &str)> = specifications
        .requirements
        .iter()
        .flat_map(|one| one.named_tests.iter().map(|test| (one.id.as_str(), test.as_str())))
        .collect();
    assert_eq!(named, expected);
    let names: std::collections::BTreeSet<&str> = named.into_iter().map(|(_, test)| test).collect();
    assert_eq!(names.len(), 29, "{names:?}");
}
