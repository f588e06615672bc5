//! Who may import whom, as the architecture draws it.

use super::Finding;
use super::manifest::{Dependency, Manifest, Section};

/// Each crate with the crates of ours that its shipped code may use. An edge that is not here is a finding.
const PRODUCTION: [(&str, &[&str]); 16] = [
    ("validation", &[]),
    ("evidence", &[]),
    ("content-digest", &[]),
    ("facts", &["validation"]),
    ("policy", &["facts"]),
    ("seal", &["validation", "content-digest"]),
    ("audit", &["facts", "validation"]),
    ("find_cuda_helper", &[]),
    ("cuda-driver", &[]),
    ("fake-cuda", &["content-digest"]),
    ("cuda-ffi", &["facts", "validation", "content-digest", "cuda-driver"]),
    ("allocator", &["cuda-ffi", "facts", "validation"]),
    ("vram-residency", &["validation", "facts", "content-digest", "seal", "policy", "allocator", "audit", "cuda-ffi"]),
    ("proof-bundle", &["evidence", "facts", "policy"]),
    ("acceptance", &["vram-residency", "proof-bundle", "evidence"]),
    ("xtask", &["vram-residency", "proof-bundle", "evidence"]),
];

/// What tests may use beyond that. Every crate's tests may use `evidence` as well.
const TESTS: [(&str, &[&str]); 5] = [
    ("allocator", &["content-digest", "fake-cuda"]),
    ("acceptance", &["audit", "cuda-ffi", "fake-cuda"]),
    ("cuda-driver", &["fake-cuda"]),
    ("cuda-ffi", &["fake-cuda"]),
    ("xtask", &["fake-cuda"]),
];

/// Checks every dependency of one of our crates on another.
pub(super) fn check(members: &[Manifest]) -> Vec<Finding> {
    let ours: Vec<&str> = members.iter().map(|member| member.package.as_str()).collect();
    let mut findings = Vec::new();
    for member in members {
        let Some(allowed) = edges(&PRODUCTION, &member.package) else {
            let message = format!(
                "the crate `{}` is not in the architecture's list of edges: decide what it may import and add it to \
                 xtask/src/tidy/edges.rs",
                member.package
            );
            findings.push(Finding::new(&member.path, 1, message));
            continue;
        };
        for dependency in &member.dependencies {
            let known = ours.contains(&dependency.package.as_str())
                || PRODUCTION.iter().any(|(package, _)| *package == dependency.package);
            if known && !may(member, allowed, dependency) {
                findings.push(Finding::new(&member.path, dependency.line, refusal(member, allowed, dependency)));
            }
        }
    }
    findings
}

fn edges(table: &[(&'static str, &'static [&'static str])], package: &str) -> Option<&'static [&'static str]> {
    table.iter().find(|(name, _)| *name == package).map(|(_, allowed)| *allowed)
}

fn may(member: &Manifest, allowed: &[&str], dependency: &Dependency) -> bool {
    let package = dependency.package.as_str();
    // A crate's tests may ask for its own features.
    let itself = dependency.section == Section::Dev && package == member.package;
    if itself || allowed.contains(&package) {
        return true;
    }
    let in_tests = edges(&TESTS, &member.package).unwrap_or_default();
    dependency.section == Section::Dev && (package == "evidence" || in_tests.contains(&package))
}

fn refusal(member: &Manifest, allowed: &[&str], dependency: &Dependency) -> String {
    let whose = match dependency.section {
        Section::Dev => "the tests of ",
        Section::Production | Section::Workspace => "",
    };
    let list = if allowed.is_empty() { "none of our crates".to_owned() } else { allowed.join(", ") };
    format!(
        "{whose}`{}` must not import `{}`: it may import {list}; move the code, or change the architecture first",
        member.package, dependency.package
    )
}
