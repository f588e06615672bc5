//! From a coverage tool's report (LCOV, as `cargo llvm-cov` and `cargo tarpaulin` both write it) to the lines of each crate.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proof_bundle::code_coverage::ModuleCoverage;

use crate::workspace::{Package, Workspace};

/// Crates that nobody builds a worker of: they run the tests, or play a driver for them.
const NOT_COUNTED: [&str; 3] = ["acceptance", "fake-cuda", "find_cuda_helper"];

/// How often each line of each source file ran.
type Hits = BTreeMap<PathBuf, BTreeMap<usize, u64>>;

/// Counts the lines of the library crates of `workspace`. The lines of tests are not among them.
pub(super) fn modules(report: &str, root: &Path, workspace: &Workspace) -> Result<Vec<ModuleCoverage>, String> {
    let hits = parse(report, root)?;
    let mut modules: Vec<ModuleCoverage> = Vec::new();
    for package in workspace.packages.iter().filter(|package| is_counted(package)) {
        let sources = package.directory().join("src");
        let mut module = ModuleCoverage { module: package.name.clone(), ..ModuleCoverage::default() };
        for (path, lines) in hits.iter().filter(|(path, _)| path.starts_with(&sources)) {
            let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
            let tests = test_lines(path, &text);
            for (_, count) in lines.iter().filter(|(line, _)| !tests.contains(line)) {
                module.lines = module.lines.saturating_add(1);
                module.tested = module.tested.saturating_add(usize::from(*count > 0));
            }
        }
        modules.push(module);
    }
    modules.sort_by(|a, b| a.module.cmp(&b.module));
    match modules.iter().any(|module| module.lines > 0) {
        true => Ok(modules),
        false => Err("it has no line of a library crate".to_owned()),
    }
}

fn is_counted(package: &Package) -> bool {
    let is_library = |kind: &String| ["lib", "rlib", "dylib"].contains(&kind.as_str());
    !NOT_COUNTED.contains(&package.name.as_str())
        && package.targets.iter().any(|target| target.kind.iter().any(is_library))
}

/// Reads `SF:FILE`, then `DA:LINE,COUNT` for each line of it, then `end_of_record`. Other lines say what follows from these.
fn parse(report: &str, root: &Path) -> Result<Hits, String> {
    let mut hits = Hits::new();
    let mut file = None;
    for (number, line) in report.lines().enumerate() {
        let fault = || format!("its line {} is no LCOV: {:?}", number.saturating_add(1), line);
        if let Some(path) = line.strip_prefix("SF:") {
            file = Some(root.join(path));
        } else if line == "end_of_record" {
            file.take().ok_or_else(fault)?;
        } else if let Some(data) = line.strip_prefix("DA:") {
            let mut fields = data.split(',');
            let line: Option<usize> = fields.next().and_then(|field| field.parse().ok());
            let count: Option<u64> = fields.next().and_then(|field| field.parse().ok());
            let (Some(path), Some(line), Some(count)) = (&file, line, count) else { return Err(fault()) };
            let before = hits.entry(path.clone()).or_default().entry(line).or_default();
            *before = count.max(*before);
        }
    }
    if file.is_some() { Err("it ends in the middle of a file".to_owned()) } else { Ok(hits) }
}

/// The lines of what is compiled for tests alone: items after `#[cfg(test)]`, as rustfmt lays them out.
fn test_lines(path: &Path, text: &str) -> std::collections::BTreeSet<usize> {
    let all = path.file_stem().is_some_and(|stem| stem == "tests");
    let mut inside = false;
    let mut found = std::collections::BTreeSet::new();
    for (index, line) in text.lines().enumerate() {
        inside |= line == "#[cfg(test)]";
        if inside || all {
            found.insert(index.saturating_add(1));
        }
        let is_item_of_one_line = line.starts_with(|first: char| first.is_ascii_lowercase()) && line.ends_with(';');
        inside &= line != "}" && !is_item_of_one_line;
    }
    found
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
mod tests {
    use super::*;
    use crate::workspace::Target;

    /// What `cargo tarpaulin --out Lcov` wrote of some small files; the paths are made relative.
    const SAMPLE: &str = include_str!("sample.info");

    fn workspace(root: &Path, packages: &[(&str, &str)]) -> Workspace {
        let packages = packages.iter().map(|(name, kind)| Package {
            name: (*name).to_owned(),
            id: (*name).to_owned(),
            manifest_path: root.join("crates").join(name).join("Cargo.toml"),
            targets: vec![Target {
                name: (*name).to_owned(),
                kind: vec![(*kind).to_owned()],
                src_path: PathBuf::new(),
                test: true,
                doctest: false,
            }],
        });
        Workspace { packages: packages.collect(), target_directory: PathBuf::new() }
    }

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        dir
    }

    fn figures(modules: &[ModuleCoverage]) -> Vec<(&str, usize, usize)> {
        modules.iter().map(|one| (one.module.as_str(), one.lines, one.tested)).collect()
    }

    #[test]
    fn the_report_of_a_tool_is_counted_by_crate() {
        let files =
            ["acceptance/src/witness.rs", "facts/src/device.rs", "seal/src/compare.rs", "validation/src/gpu_index.rs"];
        let files = files.map(|file| (format!("crates/{file}"), "//\n".repeat(100)));
        let dir = tree(&files.each_ref().map(|(file, text)| (file.as_str(), text.as_str())));
        let packages = ["seal", "facts", "acceptance", "policy", "validation"].map(|name| (name, "lib"));
        let modules = modules(SAMPLE, dir.path(), &workspace(dir.path(), &packages)).unwrap();
        assert_eq!(figures(&modules), [("facts", 6, 6), ("policy", 0, 0), ("seal", 2, 2), ("validation", 8, 6)]);
        let programs = workspace(dir.path(), &[("seal", "bin"), ("facts", "lib")]);
        assert_eq!(figures(&super::modules(SAMPLE, dir.path(), &programs).unwrap()), [("facts", 6, 6)]);
    }

    #[test]
    fn lines_of_tests_are_not_counted_and_a_line_that_ran_once_is_tested() {
        let source = "fn a() {}\n#[cfg(test)]\nuse x;\nfn b() {}\n#[cfg(test)]\n#[allow(\n    x,\n)]\nmod tests {\n    fn c() {\n    }\n}\nfn d() {}\n";
        let dir = tree(&[("crates/a/src/lib.rs", source), ("crates/a/src/x/tests.rs", "fn t() {}\n")]);
        let data: String = (1..=13).map(|line| format!("DA:{line},{}\n", usize::from(line != 13))).collect();
        let report = format!(
            "SF:crates/a/src/lib.rs\n{data}end_of_record\nSF:crates/a/src/lib.rs\nDA:1,0\nend_of_record\n\
             SF:crates/a/src/x/tests.rs\nDA:1,1\nend_of_record\nSF:crates/a/tests/t.rs\nDA:1,1\nend_of_record\n"
        );
        let modules = modules(&report, dir.path(), &workspace(dir.path(), &[("a", "lib")])).unwrap();
        assert_eq!(figures(&modules), [("a", 3, 2)]);
    }

    #[test]
    fn what_is_no_report_is_refused_and_never_counted_as_nothing() {
        let dir = tree(&[("crates/a/src/lib.rs", "fn a() {}\n")]);
        for (report, words) in [
            ("", "no line of a library crate"),
            ("<html>", "no line of a library crate"),
            ("SF:elsewhere.rs\nDA:1,1\nend_of_record\n", "no line of a library crate"),
            ("DA:1,1\nend_of_record\n", "its line 1"),
            ("SF:crates/a/src/lib.rs\nDA:one,1\nend_of_record\n", "its line 2"),
            ("SF:crates/a/src/lib.rs\nDA:1\nend_of_record\n", "its line 2"),
            ("SF:crates/a/src/lib.rs\nDA:1,-1\nend_of_record\n", "its line 2"),
            ("SF:crates/a/src/lib.rs\nDA:1,1\n", "in the middle"),
            ("SF:crates/a/src/gone.rs\nDA:1,1\nend_of_record\n", "gone.rs"),
        ] {
            let error = modules(report, dir.path(), &workspace(dir.path(), &[("a", "lib")])).unwrap_err();
            assert!(error.contains(words), "{report:?}: {error}");
        }
    }
}
