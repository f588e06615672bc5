//! Tidy over this repository, and over small trees with one planted fault each.

use std::path::Path;

use evidence::{Stream, check as record, proves};

use super::*;

const HEADER: &str = "#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = \"a test fails by panicking\"
)]
";

/// A tree that breaks no rule.
struct Tree(tempfile::TempDir);

impl Tree {
    fn clean() -> Self {
        let tree = Self(tempfile::tempdir().unwrap());
        tree.write("Cargo.toml", "[workspace]\n[workspace.dependencies]\nring = \"0.17\"\nfacts = { path = \"x\" }\n");
        tree.write("CONTRIBUTING.md", "- `ring`: digests.\n");
        for (name, dependency) in [("validation", "ring"), ("facts", "validation")] {
            let manifest = format!(
                "[package]\nname = \"{name}\"\n\n[dependencies]\n{dependency}.workspace = true\n\n[lints]\nworkspace = true\n"
            );
            tree.write(&format!("crates/{name}/Cargo.toml"), &manifest);
            tree.write(&format!("crates/{name}/src/lib.rs"), "//! Docs.\n#![forbid(unsafe_code)]\n");
            tree.write(
                &format!("crates/{name}/tests/t.rs"),
                &format!("//! Docs.\n{HEADER}\n#[test]\nfn holds() {{}}\n"),
            );
        }
        tree
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.0.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn replace(&self, path: &str, old: &str, new: &str) {
        let text = std::fs::read_to_string(self.0.path().join(path)).unwrap();
        assert!(text.contains(old), "{path} has no {old}");
        self.write(path, &text.replace(old, new));
    }

    /// The findings, each as one line.
    fn findings(&self) -> Vec<String> {
        check(self.0.path()).unwrap().iter().map(ToString::to_string).collect()
    }

    /// Asserts that there is one finding, that it begins with `place`, and that it contains `words`.
    fn finds(&self, place: &str, words: &str) {
        let findings = self.findings();
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert!(findings[0].starts_with(&format!("{place}: ")), "{findings:?}");
        assert!(findings[0].contains(words), "{findings:?}");
    }
}

#[test]
fn only_tests_that_need_a_gpu_are_ignored() {
    let ignored = |ignore: &str| format!("//! Docs.\n{HEADER}\n#[test]\n{ignore}\nfn holds() {{}}\n");
    let by_macro = |ignore: &str| format!("//! Docs.\n{HEADER}\ndevices::tests!(bench, {ignore});\n");
    let (plain, conditional) = ("#[ignore = \"needs a GPU\"]", "#[cfg_attr(all(), ignore = \"needs a GPU\")]");
    for text in [ignored(plain), by_macro(plain), ignored(conditional), by_macro(conditional)] {
        let tree = Tree::clean();
        tree.write("crates/facts/tests/on_gpu.rs", &text);
        assert!(tree.findings().is_empty());
        tree.write("crates/facts/tests/on_fake_driver.rs", &text);
        let findings = tree.findings();
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].starts_with("crates/facts/tests/on_fake_driver.rs:"), "{findings:?}");
        assert!(findings[0].ends_with("put it into tests/on_gpu.rs"), "{findings:?}");
    }
}

#[test]
fn this_repository_is_tidy_and_every_crate_has_a_test() {
    proves!("40§1.1");
    let findings: Vec<String> = check(Path::new("..")).unwrap().iter().map(ToString::to_string).collect();
    record(Stream::InputValidation, "tidy_over_the_repository", Vec::<String>::new(), findings);
}

#[test]
fn a_clean_tree_has_no_findings() {
    assert_eq!(Tree::clean().findings(), Vec::<String>::new());
}

#[test]
fn a_crate_without_a_test_is_found() {
    proves!("40§1.1");
    let tree = Tree::clean();
    tree.replace("crates/facts/tests/t.rs", "#[test]", "");
    let findings = tree.findings();
    let message = "crates/facts/Cargo.toml:1: `facts` has no test: add one that fails when the crate is broken";
    record(Stream::InputValidation, "tidy_finds_a_crate_without_a_test", [message], findings);
    tree.write("crates/facts/src/unit.rs", "//! Docs.\n#[test]\nfn holds() {}\n");
    assert_eq!(tree.findings(), Vec::<String>::new(), "a unit test counts too");
}

#[test]
fn a_forbidden_edge_is_found_in_every_kind_of_table() {
    let edge = "facts.workspace = true";
    for table in ["dependencies", "build-dependencies", "dev-dependencies", "target.'cfg(unix)'.dependencies"] {
        let tree = Tree::clean();
        tree.replace("crates/validation/Cargo.toml", "[lints]", &format!("[{table}]\n{edge}\n\n[lints]"));
        tree.replace("crates/validation/Cargo.toml", "[dependencies]\nring.workspace = true\n\n", "");
        tree.finds("crates/validation/Cargo.toml:5", "`validation` must not import `facts`");
    }
}

#[test]
fn a_renamed_dependency_does_not_hide_an_edge() {
    let tree = Tree::clean();
    let renamed = "[dependencies]\nf = { package = \"facts\", workspace = true }\n";
    tree.replace("crates/validation/Cargo.toml", "[dependencies]\n", renamed);
    tree.finds("crates/validation/Cargo.toml:5", "must not import `facts`");
}

#[test]
fn tests_may_use_evidence_and_shipped_code_may_not() {
    let tree = Tree::clean();
    tree.replace("crates/facts/Cargo.toml", "[lints]", "[dev-dependencies]\nevidence.workspace = true\n\n[lints]");
    assert_eq!(tree.findings(), Vec::<String>::new());
    tree.replace("crates/facts/Cargo.toml", "[dev-dependencies]", "[build-dependencies]");
    tree.finds("crates/facts/Cargo.toml:8", "must not import `evidence`");
}

#[test]
fn nothing_imports_xtask_or_acceptance() {
    for package in ["xtask", "acceptance"] {
        let tree = Tree::clean();
        let section = format!("[dev-dependencies]\n{package}.workspace = true\n\n[lints]");
        tree.replace("crates/facts/Cargo.toml", "[lints]", &section);
        tree.finds("crates/facts/Cargo.toml:8", &format!("must not import `{package}`"));
    }
}

#[test]
fn a_crate_that_the_architecture_does_not_know_is_found() {
    let tree = Tree::clean();
    tree.replace("crates/facts/Cargo.toml", "name = \"facts\"", "name = \"newcomer\"");
    tree.finds("crates/facts/Cargo.toml:1", "`newcomer` is not in the architecture's list");
}

#[test]
fn lints_that_are_not_inherited_are_found() {
    let tree = Tree::clean();
    tree.replace("crates/facts/Cargo.toml", "[lints]\nworkspace = true\n", "");
    tree.finds("crates/facts/Cargo.toml:1", "lints are not inherited");
}

#[test]
fn a_package_without_an_explanation_or_outside_the_root_manifest_is_found() {
    let tree = Tree::clean();
    tree.replace("CONTRIBUTING.md", "`ring`", "`rings`");
    tree.finds("Cargo.toml:3", "`ring` has no line in CONTRIBUTING.md");
    let tree = Tree::clean();
    tree.replace("crates/validation/Cargo.toml", "ring.workspace = true", "ring = \"0.17\"");
    tree.finds("crates/validation/Cargo.toml:5", "`ring` is not taken from the workspace");
}

#[test]
fn a_crate_root_that_does_not_forbid_unsafe_code_is_found() {
    for root in ["src/lib.rs", "src/main.rs", "src/bin/tool.rs", "examples/tool.rs"] {
        let tree = Tree::clean();
        tree.write(&format!("crates/facts/{root}"), "//! Docs.\n#![deny(unsafe_code)]\n");
        tree.finds(&format!("crates/facts/{root}:1"), "unsafe code is not forbidden");
    }
}

#[test]
fn a_test_file_without_the_exact_allow_header_is_found() {
    for (old, new, line) in [
        (HEADER, "", 1),
        ("    clippy::panic,\n", "", 2),
        ("    clippy::panic,\n", "    clippy::panic,\n    dead_code,\n", 2),
        ("a test fails by panicking", "I like it", 2),
        ("#[test]", "#![allow(dead_code)]\n#[test]", 2),
    ] {
        let tree = Tree::clean();
        tree.replace("crates/facts/tests/t.rs", old, new);
        tree.finds(&format!("crates/facts/tests/t.rs:{line}"), "allow header is missing or differs");
    }
}

#[test]
fn only_the_first_document_may_allow_more_than_the_header() {
    let tree = Tree::clean();
    let more = format!("//! Docs.\n{HEADER}#![allow(unused_mut)]\n#[test]\nfn t() {{}}\n");
    tree.write("crates/facts/tests/first_document.rs", &more);
    assert_eq!(tree.findings(), Vec::<String>::new());
    tree.write("crates/facts/tests/second.rs", &more);
    tree.finds("crates/facts/tests/second.rs:2", "allow header is missing or differs");
}

#[test]
fn tests_may_ask_for_features_of_their_own_crate() {
    let tree = Tree::clean();
    let itself = "[dev-dependencies]\nfacts = { path = \".\", features = [\"x\"] }\n\n[lints]";
    tree.replace("crates/facts/Cargo.toml", "[lints]", itself);
    assert_eq!(tree.findings(), Vec::<String>::new());
}

#[test]
fn a_test_module_without_the_allow_header_is_found() {
    let tree = Tree::clean();
    let module = |header: &str, rest: &str| format!("//! Docs.\n\n#[cfg(test)]\n{header}mod tests{rest}\n");
    let holds_a_test = " {\n#[test]\nfn t() {}\n}";
    for rest in [";", holds_a_test] {
        tree.write("crates/facts/src/m.rs", &module("", rest));
        tree.finds("crates/facts/src/m.rs:4", "test module lacks");
    }
    tree.write("crates/facts/src/m.rs", &module(&HEADER.replace("#!", "#"), holds_a_test));
    assert_eq!(tree.findings(), Vec::<String>::new());
    tree.write("crates/facts/src/m.rs", &module("", " {\nfn helper() {}\n}"));
    assert_eq!(tree.findings(), Vec::<String>::new());
}

#[test]
fn a_record_that_compares_what_it_was_given_with_itself_is_found() {
    let with = |package: &str, record: &str| {
        let tree = Tree::clean();
        let test = format!("//! Docs.\n{HEADER}\n#[test]\nfn holds() {{\n    {record};\n}}\n");
        tree.write(&format!("crates/{package}/tests/t.rs"), &test);
        tree
    };
    for itself in [
        "check(Stream::InputValidation, \"halve\", 1, 1)",
        "evidence::check(Stream::InputValidation, \"halve\", -1, (1))",
        "check_on(class, Stream::InputValidation, \"halve\", \"refused\", \"accepted\")",
        "for n in 0..9 { assert!(record.observe(halve( n ), halve(n)).emit()) }",
        "record.observe([1, 2], &[1, 2])",
        "self.sees(stream, json!({\"a\": 1}), json!({ \"a\": 1 }))",
    ] {
        with("facts", itself).finds("crates/facts/tests/t.rs:12", "in `holds`: ");
    }
    for fine in ["check(stream, \"halve\", 1, halve(2))", "check(stream, \"halve\", halve(2), halve(3))", "check(1)"] {
        assert_eq!(with("facts", fine).findings(), Vec::<String>::new());
    }
}

#[test]
fn a_record_that_is_told_that_its_device_is_a_gpu_is_found() {
    let with = |record: &str| {
        let tree = Tree::clean();
        tree.write("crates/facts/src/m.rs", &format!("//! Docs.\nfn records() {{\n    {record};\n}}\n"));
        tree
    };
    for told in ["check_on(\"gpu\", stream, \"halve\", 1, halve(2))", "Record::new(stream, \"halve\").device(\"gpu\")"]
    {
        with(told).finds("crates/facts/src/m.rs:2", "pass on the class that the device reports");
    }
    for fine in ["check_on(\"simulated\", stream, \"halve\", 1, halve(2))", "record.device(device.class().as_str())"] {
        assert_eq!(with(fine).findings(), Vec::<String>::new());
    }
}

#[test]
fn a_file_without_docs_and_a_file_that_is_too_long_are_found() {
    let tree = Tree::clean();
    tree.write("crates/facts/src/m.rs", "// Not docs.\n");
    tree.finds("crates/facts/src/m.rs:1", "no module docs");
    tree.write("crates/facts/src/m.rs", &format!("//! Docs.\n{}", "\n".repeat(499)));
    assert_eq!(tree.findings(), Vec::<String>::new(), "500 lines are allowed");
    tree.write("crates/facts/src/m.rs", &format!("//! Docs.\n{}", "\n".repeat(500)));
    tree.finds("crates/facts/src/m.rs:501", "501 lines");
}

#[test]
fn a_kernel_that_the_committed_image_does_not_hold_is_found() {
    let tree = Tree::clean();
    tree.write("kernels/more.cu", "");
    let findings = tree.findings();
    assert_eq!(findings.len(), 2, "{findings:?}");
    assert!(findings[0].starts_with("kernels/images/manifest.json:1: "), "{findings:?}");
    assert!(findings.iter().all(|finding| finding.contains("is missing: run `cargo xtask kernels`")), "{findings:?}");
}

#[test]
fn a_path_of_one_machine_is_found_and_a_url_is_not() {
    let home = concat!("/ho", "me/mallory/model.gguf");
    let tree = Tree::clean();
    tree.write("README.md", &format!("Text.\n\nRun it on `{home}`.\n"));
    tree.finds("README.md:3", "names a place on one machine");
    for fine in [format!("See https://example.org{home}"), home.replace("mallory", "somebody")] {
        tree.write("README.md", &fine);
        assert_eq!(tree.findings(), Vec::<String>::new());
    }
    tree.write("README.md", &format!("In {}\n", tree.0.path().display()));
    tree.finds("README.md:1", "names a place on one machine");
}

#[test]
fn a_feature_that_replaces_the_driver_is_found_wherever_shipped_code_turns_it_on() {
    let manifest = "crates/cuda-ffi/Cargo.toml";
    let tree = || {
        let tree = Tree::clean();
        let text = "[package]\nname = \"cuda-ffi\"\n\n[dependencies]\ncuda-driver.workspace = true\n\n[dev-dependencies]\n\
            cuda-ffi = { path = \".\", features = [\"fake-driver\"] }\n\n[features]\nfake-driver = \
            [\"cuda-driver/other-library\"]\n\n[lints]\nworkspace = true\n";
        tree.write(manifest, text);
        tree.write("crates/cuda-ffi/src/lib.rs", "//! Docs.\n");
        tree.write("crates/cuda-ffi/tests/t.rs", &format!("//! Docs.\n{HEADER}\n#[test]\nfn holds() {{}}\n"));
        tree
    };
    assert_eq!(tree().findings(), Vec::<String>::new());

    let shipped = "is turned on in what is shipped: only dev-dependencies may";
    let production = tree();
    production.replace(
        manifest,
        "cuda-driver.workspace = true",
        "cuda-driver = { workspace = true, features = [\"other-library\"] }",
    );
    production.finds(&format!("{manifest}:5"), shipped);
    for entry in ["fake-driver", "cuda-driver/other-library", "cuda-driver?/other-library"] {
        let feature = tree();
        feature.replace(manifest, "[lints]", &format!("default = [\"{entry}\"]\n\n[lints]"));
        feature.finds(&format!("{manifest}:13"), shipped);
    }
    let examples = tree();
    examples.write("crates/cuda-ffi/examples/e.rs", "//! Docs.\nfn main() {}\n");
    examples.finds(&format!("{manifest}:8"), "move the tests to a crate without examples");
}
