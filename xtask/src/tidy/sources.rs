//! Rust files: module docs, size, the ban on unsafe code, the tests' allow header, which tests may be ignored, and that every
//! crate has a test.

use std::path::Path;

use syn::parse::Parser;
use syn::visit::Visit;

use super::manifest::Manifest;
use super::{Finding, files, records};
use crate::error::XtaskError;
use crate::suite::{self, attributes};

/// A file longer than this is a finding.
const MOST_LINES: usize = 500;

/// Crates that need `unsafe` and say so in the architecture.
const MAY_BE_UNSAFE: [&str; 3] = ["cuda-driver", "cuda-ffi", "fake-cuda"];

/// The header of every test file, as an inner attribute, and of every test module in `src`, as an outer one.
const HEADER: &str = r#"#[allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]"#;

/// The one test file that carries foreign code and may allow more.
const MAY_ALLOW_MORE: &str = "first_document.rs";

/// Checks the Rust files of one crate.
pub(super) fn check(root: &Path, member: &Manifest) -> Result<Vec<Finding>, XtaskError> {
    let directory = member.path.parent().unwrap_or(Path::new(""));
    let mut findings = Vec::new();
    let mut tested = !member.own_harnesses.is_empty();
    for part in ["src", "tests", "examples", "benches"] {
        let roots = directory.join(part);
        for path in files::below(root, &roots, &[".rs"])? {
            let text = files::text(root, &path)?;
            size_and_docs(&path, &text, &mut findings);
            let file = syn::parse_file(&text).map_err(|error| {
                XtaskError::Input(format!("{} is not Rust that can be parsed: {error}", path.display()))
            })?;
            let mut look = Look { tested: false, path: &path, text: &text, findings: &mut findings };
            look.visit_file(&file);
            tested |= look.tested;
            records::check(&member.package, &path, &text, &file, &mut findings);
            let is_root = path.parent() == Some(roots.as_path());
            match part {
                "src" if is_crate_root(&roots, &path) => forbids_unsafe(member, &path, &file, &mut findings),
                "examples" if is_root => forbids_unsafe(member, &path, &file, &mut findings),
                "tests" if is_root => test_file(&path, &text, &file, &mut findings),
                _ => {}
            }
        }
    }
    if !tested {
        let message = format!("`{}` has no test: add one that fails when the crate is broken", member.package);
        findings.push(Finding::new(&member.path, 1, message));
    }
    Ok(findings)
}

fn size_and_docs(path: &Path, text: &str, findings: &mut Vec<Finding>) {
    let lines = text.lines().count();
    if lines > MOST_LINES {
        let message = format!("{lines} lines, more than {MOST_LINES}: split it so that each file holds one idea");
        findings.push(Finding::new(path, MOST_LINES.saturating_add(1), message));
    }
    if !text.starts_with("//!") {
        findings.push(Finding::new(path, 1, "no module docs: begin the file with `//!` and what it holds"));
    }
}

fn is_crate_root(src: &Path, path: &Path) -> bool {
    path == src.join("lib.rs") || path == src.join("main.rs") || path.parent() == Some(&src.join("bin"))
}

fn forbids_unsafe(member: &Manifest, path: &Path, file: &syn::File, findings: &mut Vec<Finding>) {
    let forbids = file.attrs.iter().any(|attribute| {
        attribute.path().is_ident("forbid")
            && attribute.parse_args::<syn::Ident>().is_ok_and(|lint| lint == "unsafe_code")
    });
    if !forbids && !MAY_BE_UNSAFE.contains(&member.package.as_str()) {
        findings.push(Finding::new(
            path,
            1,
            "unsafe code is not forbidden: add `#![forbid(unsafe_code)]` after the docs",
        ));
    }
}

fn test_file(path: &Path, text: &str, file: &syn::File, findings: &mut Vec<Finding>) {
    let allows: Vec<&syn::Attribute> = file.attrs.iter().filter(|attr| attr.path().is_ident("allow")).collect();
    let may_allow_more = path.file_name().is_some_and(|name| name == MAY_ALLOW_MORE);
    let begins_with_header = allows.first().is_some_and(|first| is_header(first));
    if !begins_with_header || (allows.len() > 1 && !may_allow_more) {
        let line = line_with(text, "#![allow");
        let message = "the tests' allow header is missing or differs: copy it from another test file, and nothing more";
        findings.push(Finding::new(path, line, message));
    }
}

/// Whether an attribute is the header, whatever its layout and whether it is inner or outer.
fn is_header(attribute: &syn::Attribute) -> bool {
    let expected = syn::Attribute::parse_outer.parse_str(HEADER).ok().and_then(|mut attributes| attributes.pop());
    let words = |attribute: &syn::Attribute| attribute.meta.require_list().map(|list| list.tokens.to_string()).ok();
    attribute.path().is_ident("allow") && expected.is_some_and(|expected| words(&expected) == words(attribute))
}

/// The first line that begins with `beginning`, counted from 1; the first line when there is none.
fn line_with(text: &str, beginning: &str) -> usize {
    let index = text.lines().position(|line| line.trim_start().starts_with(beginning));
    index.unwrap_or(0).saturating_add(1)
}

/// Walks a file for `#[test]` functions and for test modules.
struct Look<'a> {
    tested: bool,
    path: &'a Path,
    text: &'a str,
    findings: &'a mut Vec<Finding>,
}

impl Look<'_> {
    fn ignores(&mut self) {
        if !self.path.ends_with(suite::ON_GPU) {
            let line = self
                .text
                .lines()
                .position(|line| line.contains("#[ignore") || (line.contains("cfg_attr") && line.contains("ignore")))
                .unwrap_or(0)
                .saturating_add(1);
            let place = suite::ON_GPU;
            let message =
                format!("a test that is ignored shows nothing: mend it, or, when it needs a GPU, put it into {place}");
            self.findings.push(Finding::new(self.path, line, message));
        }
    }
}

impl<'ast> Visit<'ast> for Look<'_> {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.tested |= function.attrs.iter().any(|attribute| attribute.path().is_ident("test"));
        if attributes::have(&function.attrs, "ignore") {
            self.ignores();
        }
        syn::visit::visit_item_fn(self, function);
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        // A macro that makes tests is given their attributes. As tokens an attribute has a space, and in a text it has none.
        let text = call.tokens.to_string();
        let conditional = text.split("# [cfg_attr").skip(1).filter_map(|rest| rest.split(']').next());
        if text.contains("# [ignore")
            || conditional.flat_map(|given| given.split([' ', '('])).any(|word| word == "ignore")
        {
            self.ignores();
        }
        syn::visit::visit_macro(self, call);
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        let only_in_tests = module.attrs.iter().any(|attribute| {
            attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Ident>().is_ok_and(|cfg| cfg == "test")
        });
        let outer = std::mem::take(&mut self.tested);
        syn::visit::visit_item_mod(self, module);
        // A module without tests is a helper, and keeps the rules of the code that it helps.
        let holds_tests = self.tested || module.content.is_none();
        self.tested |= outer;
        if only_in_tests && holds_tests && !module.attrs.iter().any(is_header) {
            let line = line_with(self.text, &format!("mod {}", module.ident));
            let message = "the test module lacks the tests' allow header: copy it from another module's tests";
            self.findings.push(Finding::new(self.path, line, message));
        }
    }
}
