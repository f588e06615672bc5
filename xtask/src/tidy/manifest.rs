//! Manifests: what a crate depends on, whether it inherits the lints, and whether each package is explained.

use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Finding, files};
use crate::error::XtaskError;

/// Where each package that we depend on is explained.
const EXPLAINED_IN: &str = "CONTRIBUTING.md";

/// The kind of table that a dependency stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    /// `[dependencies]` or `[build-dependencies]`: code that ships.
    Production,
    /// `[dev-dependencies]`: tests and examples.
    Dev,
    /// `[workspace.dependencies]` of the root manifest.
    Workspace,
}

/// One line of a dependency table.
#[derive(Clone, Debug)]
pub(super) struct Dependency {
    /// The package's name, also where the dependency is renamed.
    pub(super) package: String,
    /// The table it stands in.
    pub(super) section: Section,
    /// Its line, counted from 1.
    pub(super) line: usize,
    /// The features that it turns on.
    pub(super) features: Vec<String>,
    /// Whether it says `workspace = true`.
    inherited: bool,
    /// Whether it is one of our own crates by `path`.
    by_path: bool,
}

/// A feature that a crate has.
#[derive(Clone, Debug)]
pub(super) struct Feature {
    /// Its name.
    pub(super) name: String,
    /// Its line, counted from 1.
    pub(super) line: usize,
    /// What it turns on.
    pub(super) turns_on: Vec<String>,
}

/// What tidy needs of a `Cargo.toml`.
#[derive(Debug)]
pub(super) struct Manifest {
    /// The file, relative to the workspace's root.
    pub(super) path: PathBuf,
    /// The package's name; empty for a virtual workspace.
    pub(super) package: String,
    /// Every dependency of every table.
    pub(super) dependencies: Vec<Dependency>,
    /// Every feature.
    pub(super) features: Vec<Feature>,
    /// Whether `[lints] workspace = true`.
    inherits_lints: bool,
    /// The names of test targets with `harness = false`.
    pub(super) own_harnesses: Vec<String>,
}

impl Manifest {
    /// Reads `path`, given relative to `root`.
    pub(super) fn load(root: &Path, path: &Path) -> Result<Self, XtaskError> {
        let text = files::text(root, path)?;
        let malformed = |error: &dyn std::fmt::Display| {
            XtaskError::Input(format!("{} is not a manifest: {}", path.display(), error.to_string().trim()))
        };
        let table = DeTable::parse(&text).map_err(|error| malformed(&error))?;
        let table = table.get_ref();
        let mut dependencies = Vec::new();
        collect(&text, table, &mut dependencies);
        for (_, platform) in subtable(table, "target").into_iter().flatten() {
            if let Some(platform) = platform.get_ref().as_table() {
                collect(&text, platform, &mut dependencies);
            }
        }
        if let Some(workspace) = subtable(table, "workspace") {
            list(&text, workspace, "dependencies", Section::Workspace, &mut dependencies);
        }
        let features = subtable(table, "features").into_iter().flatten().map(|(name, value)| Feature {
            name: name.get_ref().to_string(),
            line: line_of(&text, name.span().start),
            turns_on: strings(value),
        });
        let features = features.collect();
        let tests = table.get("test").and_then(|tests| tests.get_ref().as_array());
        let own_harnesses = tests
            .into_iter()
            .flatten()
            .filter_map(|test| test.get_ref().as_table())
            .filter(|test| flag(test, "harness") == Some(false))
            .filter_map(|test| string(test, "name"))
            .collect();
        Ok(Self {
            path: path.to_owned(),
            package: subtable(table, "package").and_then(|package| string(package, "name")).unwrap_or_default(),
            dependencies,
            features,
            inherits_lints: subtable(table, "lints").and_then(|lints| flag(lints, "workspace")) == Some(true),
            own_harnesses,
        })
    }
}

/// Checks that lints are inherited, that packages come from the root manifest, and that each of those is explained.
pub(super) fn check(root: &Path, workspace: &Manifest, members: &[Manifest]) -> Result<Vec<Finding>, XtaskError> {
    let mut findings = Vec::new();
    let explanations = Path::new(EXPLAINED_IN);
    let explained = if root.join(explanations).is_file() { files::text(root, explanations)? } else { String::new() };
    for dependency in &workspace.dependencies {
        let name = &dependency.package;
        if !dependency.by_path && !explained.contains(&format!("`{name}`")) {
            let message = format!("`{name}` has no line in {EXPLAINED_IN}: say there what it is for");
            findings.push(Finding::new(&workspace.path, dependency.line, message));
        }
    }
    for member in members {
        if !member.inherits_lints {
            let message = "the workspace's lints are not inherited: add `[lints]` with `workspace = true`";
            findings.push(Finding::new(&member.path, 1, message));
        }
        let own = |dependency: &&Dependency| dependency.inherited || dependency.package == member.package;
        for dependency in member.dependencies.iter().filter(|dependency| !own(dependency)) {
            let name = &dependency.package;
            let message = format!(
                "`{name}` is not taken from the workspace: list it in the root Cargo.toml and write `{name}.workspace = true`"
            );
            findings.push(Finding::new(&member.path, dependency.line, message));
        }
    }
    Ok(findings)
}

/// The three dependency tables of a manifest, or of one of its `[target.…]` tables.
fn collect(text: &str, table: &DeTable<'_>, into: &mut Vec<Dependency>) {
    list(text, table, "dependencies", Section::Production, into);
    list(text, table, "build-dependencies", Section::Production, into);
    list(text, table, "dev-dependencies", Section::Dev, into);
}

fn list(text: &str, table: &DeTable<'_>, key: &str, section: Section, into: &mut Vec<Dependency>) {
    for (name, value) in subtable(table, key).into_iter().flatten() {
        let details = value.get_ref().as_table();
        let package = details.and_then(|details| string(details, "package"));
        into.push(Dependency {
            package: package.unwrap_or_else(|| name.get_ref().to_string()),
            section,
            line: line_of(text, name.span().start),
            features: details.and_then(|details| details.get("features")).map(strings).unwrap_or_default(),
            inherited: details.and_then(|details| flag(details, "workspace")) == Some(true),
            by_path: details.is_some_and(|details| details.contains_key("path")),
        });
    }
}

fn subtable<'t, 'i>(table: &'t DeTable<'i>, key: &str) -> Option<&'t DeTable<'i>> {
    table.get(key).and_then(|value| value.get_ref().as_table())
}

fn string(table: &DeTable<'_>, key: &str) -> Option<String> {
    table.get(key).and_then(|value: &Spanned<DeValue<'_>>| value.get_ref().as_str()).map(str::to_owned)
}

/// The texts of an array; none when it is something else.
fn strings(value: &Spanned<DeValue<'_>>) -> Vec<String> {
    let array = value.get_ref().as_array().into_iter().flatten();
    array.filter_map(|entry| entry.get_ref().as_str()).map(str::to_owned).collect()
}

fn flag(table: &DeTable<'_>, key: &str) -> Option<bool> {
    table.get(key).and_then(|value| value.get_ref().as_bool())
}

/// The line of a byte offset, counted from 1.
pub(super) fn line_of(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().iter().take(offset);
    before.filter(|byte| **byte == b'\n').count().saturating_add(1)
}
