//! The features by which tests open another library in the driver's place, and that no shipped code turns them on.

use std::path::Path;

use super::Finding;
use super::manifest::{Manifest, Section};

/// The features, by the crate that has them.
const FEATURES: [(&str, &str); 2] = [("cuda-driver", "other-library"), ("cuda-ffi", "fake-driver")];

/// Checks that only tests turn the features on. Cargo builds the examples of a crate with what its tests turn on, and
/// examples are programs that people take: a crate that has examples may not turn them on at all.
pub(super) fn check(root: &Path, members: &[Manifest]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for member in members {
        let directory = member.path.parent().unwrap_or(Path::new(""));
        let has_examples = root.join(directory).join("examples").is_dir();
        for dependency in &member.dependencies {
            let on = dependency.features.iter().any(|feature| is_one(&dependency.package, feature));
            if on && (has_examples || dependency.section != Section::Dev) {
                findings.push(Finding::new(&member.path, dependency.line, refusal(&dependency.package, has_examples)));
            }
        }
        for feature in &member.features {
            // The one feature of these that is made of another.
            if is_one(&member.package, &feature.name) {
                continue;
            }
            for entry in &feature.turns_on {
                // A feature of its own, or `crate/feature`, or `crate?/feature`.
                let (package, name) = entry.split_once('/').unwrap_or((&member.package, entry));
                let package = package.trim_end_matches('?');
                if is_one(package, name) {
                    findings.push(Finding::new(&member.path, feature.line, refusal(package, has_examples)));
                }
            }
        }
    }
    findings
}

fn is_one(package: &str, feature: &str) -> bool {
    FEATURES.contains(&(package, feature))
}

fn refusal(package: &str, has_examples: bool) -> String {
    let advice = if has_examples { "move the tests to a crate without examples" } else { "only dev-dependencies may" };
    format!("a feature of `{package}` that replaces the driver is turned on in what is shipped: {advice}")
}
