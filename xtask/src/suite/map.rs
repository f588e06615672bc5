//! The map from tests to requirements, found in the source of the tests: `proves!("…")` inside `#[test]` functions, and the
//! tags of scenarios. It is made without running anything, so that a test that is skipped or gone stays in it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use gherkin::{Feature, GherkinEnv};
use proof_bundle::test_map::{MappedTest, Scenario, TestId};
use syn::punctuated::Punctuated;
use syn::visit::Visit;

use super::attributes;
use crate::error::XtaskError;
use crate::workspace::{Target, Workspace};

/// The package and test target that run the scenarios.
const SCENARIO_BINARY: &str = "acceptance::scenarios";

/// What the sources say.
pub(crate) struct Map {
    /// Each test that claims requirements, scenarios included, sorted.
    pub(crate) tests: Vec<MappedTest>,
    /// Every scenario, whether it claims one or not.
    pub(crate) scenarios: Vec<Scenario>,
    /// The files that each test binary is made of, by its id; those that other crates bring are not among them.
    pub(crate) files: BTreeMap<String, BTreeSet<PathBuf>>,
    /// What tests need of the host, by binary and name: the words of their `needs!`.
    pub(crate) needs: BTreeMap<TestId, Vec<String>>,
}

impl Map {
    /// Reads the test targets of `workspace` and the feature files below `root`.
    ///
    /// # Errors
    /// [`XtaskError::Read`] and [`XtaskError::Input`] when a source file cannot be read or parsed, or claims a requirement
    /// where the claim would be missed or mean its opposite.
    pub(crate) fn read(root: &Path, workspace: &Workspace) -> Result<Self, XtaskError> {
        let mut tests = Vec::new();
        let mut needs = BTreeMap::new();
        let mut files = BTreeMap::new();
        for package in &workspace.packages {
            for target in package.targets.iter().filter(|target| target.test) {
                let read = read_target(&package.name, target, &mut tests, &mut needs)?;
                files.insert(target.binary_id(&package.name), read);
            }
        }
        let mut scenarios = Vec::new();
        for path in feature_files(&root.join("specs").join("features"))? {
            read_feature(&path, &mut tests, &mut scenarios)?;
            files.entry(SCENARIO_BINARY.to_owned()).or_insert_with(BTreeSet::new).insert(path);
        }
        tests.sort();
        Ok(Self { tests, scenarios, files, needs })
    }
}

/// Reads a target's root file and every module that it declares; returns these files.
fn read_target(
    package: &str,
    target: &Target,
    into: &mut Vec<MappedTest>,
    needs: &mut BTreeMap<TestId, Vec<String>>,
) -> Result<BTreeSet<PathBuf>, XtaskError> {
    let binary = target.binary_id(package);
    let mut files = BTreeSet::new();
    let Some(directory) = target.src_path.parent() else { return Ok(files) };
    let mut pending = vec![Module { file: target.src_path.clone(), children: directory.to_owned(), name: Vec::new() }];
    while let Some(module) = pending.pop() {
        let text = std::fs::read_to_string(&module.file).map_err(XtaskError::read(&module.file))?;
        let file = syn::parse_file(&text).map_err(|error| {
            XtaskError::Input(format!("{} is not Rust that can be parsed: {error}", module.file.display()))
        })?;
        let place = module.file.display().to_string();
        files.insert(module.file.clone());
        let mut walk = Walk { binary: &binary, module, found: into, needs, files: &mut pending, fault: None };
        walk.visit_file(&file);
        let mut hidden = Hidden(None);
        hidden.visit_file(&file);
        if let Some(fault) = walk.fault.or(hidden.0) {
            return Err(XtaskError::Input(format!("{place}: {fault}")));
        }
    }
    Ok(files)
}

/// A module that has a file of its own.
#[derive(Clone)]
struct Module {
    file: PathBuf,
    /// Where the files of its child modules are.
    children: PathBuf,
    /// Its path from the crate's root.
    name: Vec<String>,
}

/// Walks one file.
struct Walk<'a> {
    binary: &'a str,
    module: Module,
    found: &'a mut Vec<MappedTest>,
    needs: &'a mut BTreeMap<TestId, Vec<String>>,
    files: &'a mut Vec<Module>,
    /// The first thing that must not be so.
    fault: Option<String>,
}

impl<'ast> Visit<'ast> for Walk<'_> {
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        let name = item.ident.to_string();
        let outer = self.module.clone();
        self.module.name.push(name.clone());
        self.module.children.push(&name);
        if item.content.is_some() {
            syn::visit::visit_item_mod(self, item);
        } else if let Some(file) = file_of(item, &outer, &name) {
            let is_mod_rs = file.file_name().is_some_and(|file_name| file_name == "mod.rs");
            let directory = file.parent().unwrap_or(&outer.children);
            let children = if is_mod_rs { directory.to_owned() } else { self.module.children.clone() };
            self.files.push(Module { file, children, name: self.module.name.clone() });
        }
        self.module = outer;
    }

    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        if !function.attrs.iter().any(|attribute| attribute.path().is_ident("test")) {
            return;
        }
        let mut name = self.module.name.clone();
        name.push(function.sig.ident.to_string());
        let needs = calls("needs", function);
        if !needs.is_empty() {
            self.needs.insert(TestId { binary: self.binary.to_owned(), test: name.join("::") }, needs);
        }
        let claims = calls("proves", function);
        if claims.is_empty() {
            return;
        }
        if attributes::have(&function.attrs, "should_panic") {
            let test = name.join("::");
            self.fault.get_or_insert(format!(
                "the test {test} claims a requirement and should panic: then it passes when its own check fails; look at \
                 the panic with catch_unwind instead"
            ));
        }
        self.found.push(MappedTest { binary: self.binary.to_owned(), test: name.join("::"), requirements: claims });
    }
}

/// The file of a module declared as `mod name;`. None when there is no such file: a module behind a `cfg` may lack one.
fn file_of(item: &syn::ItemMod, outer: &Module, name: &str) -> Option<PathBuf> {
    let path = item.attrs.iter().find_map(|attribute| match &attribute.meta {
        syn::Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(path), .. }) => Some(path.value()),
            _ => None,
        },
        _ => None,
    });
    let candidates = match path {
        Some(path) => vec![outer.file.parent()?.join(path)],
        None => vec![outer.children.join(format!("{name}.rs")), outer.children.join(name).join("mod.rs")],
    };
    candidates.into_iter().find(|file| file.is_file())
}

/// The words in the calls of the macro `name` in a function, sorted, each once.
fn calls(name: &'static str, function: &syn::ItemFn) -> Vec<String> {
    let mut calls = Calls { name, words: Vec::new() };
    calls.visit_block(&function.block);
    calls.words.sort();
    calls.words.dedup();
    calls.words
}

struct Calls {
    name: &'static str,
    words: Vec<String>,
}

impl<'ast> Visit<'ast> for Calls {
    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        if call.path.segments.last().is_none_or(|segment| segment.ident != self.name) {
            return;
        }
        // What is not a list of literals does not compile either.
        if let Ok(words) = call.parse_body_with(Punctuated::<syn::LitStr, syn::Token![,]>::parse_terminated) {
            self.words.extend(words.iter().map(syn::LitStr::value));
        }
    }
}

/// Looks for claims that [`Walk`] cannot see: those in macros that make items, and so perhaps tests.
struct Hidden(Option<String>);

impl<'ast> Visit<'ast> for Hidden {
    fn visit_item_macro(&mut self, item: &'ast syn::ItemMacro) {
        // Printed, tokens have spaces between them, and a literal is as it was written.
        if format!(" {}", item.mac.tokens).contains(" proves ! ") {
            let defined = item.ident.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
            let made = item.mac.path.segments.last().map(|segment| segment.ident.to_string()).unwrap_or_default();
            self.0.get_or_insert(format!(
                "the macro {made}!{defined} makes a claim with proves!, and such tests are not found: write the test out"
            ));
        }
    }
}

/// The feature files, sorted; none when the directory does not exist.
fn feature_files(directory: &Path) -> Result<Vec<PathBuf>, XtaskError> {
    if !directory.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(XtaskError::read(directory))? {
        let path = entry.map_err(XtaskError::read(directory))?.path();
        if path.is_dir() || path.extension().is_none_or(|extension| extension != "feature") {
            return Err(XtaskError::Input(format!("{} is no .feature file: put it elsewhere", path.display())));
        }
        files.push(path);
    }
    files.sort();
    Ok(files)
}

/// The scenarios of a file. They are listed as `<file stem>::<name with underscores>`.
fn read_feature(path: &Path, tests: &mut Vec<MappedTest>, scenarios: &mut Vec<Scenario>) -> Result<(), XtaskError> {
    let text = std::fs::read_to_string(path).map_err(XtaskError::read(path))?;
    let feature = Feature::parse(text, GherkinEnv::default())
        .map_err(|error| XtaskError::Input(format!("{} is not a feature file: {error}", path.display())))?;
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    for scenario in feature.scenarios {
        let test = format!("{stem}::{}", scenario.name.replace(' ', "_"));
        if !scenario.tags.is_empty() {
            let mut requirements = scenario.tags;
            requirements.sort();
            requirements.dedup();
            tests.push(MappedTest { binary: SCENARIO_BINARY.to_owned(), test: test.clone(), requirements });
        }
        scenarios.push(Scenario {
            feature: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            scenario: scenario.name,
            binary: SCENARIO_BINARY.to_owned(),
            test,
        });
    }
    Ok(())
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
    use crate::workspace::Package;

    /// Reads a package `p` with these files, its targets given as (kind, name, root file).
    fn read(files: &[(&str, &str)], targets: &[(&str, &str, &str)]) -> Result<Map, XtaskError> {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let targets = targets.iter().map(|(kind, name, file)| Target {
            name: (*name).to_owned(),
            kind: vec![(*kind).to_owned()],
            src_path: dir.path().join(file),
            test: *name != "untested",
            doctest: false,
        });
        let package = Package {
            name: "p".into(),
            id: "p".into(),
            manifest_path: dir.path().join("Cargo.toml"),
            targets: targets.collect(),
        };
        Map::read(dir.path(), &Workspace { packages: vec![package], target_directory: PathBuf::new() })
    }

    /// The map of a sound package.
    fn map(files: &[(&str, &str)], targets: &[(&str, &str, &str)]) -> Vec<(String, String, Vec<String>)> {
        let map = read(files, targets).unwrap();
        map.tests.into_iter().map(|test| (test.binary, test.test, test.requirements)).collect()
    }

    fn entry(binary: &str, test: &str, ids: &[&str]) -> (String, String, Vec<String>) {
        (binary.to_owned(), test.to_owned(), ids.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn names_follow_modules_through_files_and_binaries() {
        let test = |name: &str, id: &str| format!("#[test]\nfn {name}() {{ proves!(\"{id}\"); }}\n");
        let files = [
            ("src/lib.rs", format!("mod a;\nmod b;\n#[cfg(feature = \"x\")]\nmod absent;\n{}", test("root", "R-1"))),
            ("src/a.rs", format!("mod inner {{ {} mod deep; }}\nmod c;", test("t", "R-2"))),
            ("src/a/inner/deep.rs", test("t", "R-3")),
            ("src/a/c.rs", test("t", "R-4")),
            ("src/b/mod.rs", format!("mod d;\n#[path = \"odd.rs\"] mod e;\n{}", test("t", "R-5"))),
            ("src/b/d.rs", test("t", "R-6")),
            ("src/b/odd.rs", test("t", "R-7")),
            ("src/main.rs", test("t", "R-8")),
            ("tests/hmac.rs", format!("mod support;\n{}", test("t", "R-9"))),
            ("tests/support/mod.rs", test("t", "R-10")),
            ("tests/e2e.rs", test("t", "R-11")),
        ];
        let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
        let targets = [
            ("lib", "p", "src/lib.rs"),
            ("bin", "p", "src/main.rs"),
            ("test", "hmac", "tests/hmac.rs"),
            ("test", "untested", "tests/e2e.rs"),
        ];
        let expected = [
            entry("p", "a::c::t", &["R-4"]),
            entry("p", "a::inner::deep::t", &["R-3"]),
            entry("p", "a::inner::t", &["R-2"]),
            entry("p", "b::d::t", &["R-6"]),
            entry("p", "b::e::t", &["R-7"]),
            entry("p", "b::t", &["R-5"]),
            entry("p", "root", &["R-1"]),
            entry("p::bin/p", "t", &["R-8"]),
            entry("p::hmac", "support::t", &["R-10"]),
            entry("p::hmac", "t", &["R-9"]),
        ];
        assert_eq!(map(&files, &targets), expected);
    }

    #[test]
    fn every_claim_in_a_test_counts_and_none_outside() {
        let source = r#"
            /// proves!("NOT-A-CLAIM")
            fn helper() { proves!("R-9"); }
            #[test]
            #[ignore = "later"]
            fn t() { evidence::proves!("R-2", "R-1"); if true { proves!("R-2", "00§2.1",); } let _ = "proves!(\"R-8\")"; }
            #[test]
            fn claims_nothing() {}
        "#;
        let expected = [entry("p", "t", &["00§2.1", "R-1", "R-2"])];
        assert_eq!(map(&[("src/lib.rs", source)], &[("lib", "p", "src/lib.rs")]), expected);
    }

    #[test]
    fn what_a_test_needs_is_found_whether_it_claims_a_requirement_or_not() {
        let source = r#"
            mod m { #[test] fn t() { evidence::needs!("git"); if true { needs!("cargo"); } proves!("R-1"); } }
            #[test] fn claims_nothing() { needs!("cargo"); }
            #[test] fn needs_nothing() { proves!("R-2"); }
            fn helper() { needs!("git"); }
        "#;
        let map = read(&[("src/lib.rs", source)], &[("lib", "p", "src/lib.rs")]).unwrap();
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        let expected = [("claims_nothing", words(&["cargo"])), ("m::t", words(&["cargo", "git"]))];
        assert_eq!(map.needs, expected.map(|(test, needs)| (TestId::new("p", test), needs)).into());
        assert_eq!(map.tests.len(), 2);
    }

    #[test]
    fn a_claim_that_would_be_missed_or_mean_its_opposite_is_refused_with_its_place() {
        for (source, words) in [
            ("#[test] #[should_panic] fn t() { proves!(\"R-1\"); }", "the test t claims"),
            (
                "mod m { #[test] #[should_panic(expected = \"x\")] fn t() { proves!(\"R-1\"); } }",
                "the test m::t claims",
            ),
            ("#[test] #[cfg_attr(all(), should_panic)] fn t() { proves!(\"R-1\"); }", "the test t claims"),
            (
                "#[test] #[cfg_attr(a = \"b\", cfg_attr(all(), allow(dead_code), should_panic(expected = \"x\")))] fn t() { \
                 proves!(\"R-1\"); }",
                "the test t claims",
            ),
            ("macro_rules! cases { ($n:ident) => { #[test] fn $n() { proves!(\"R-1\"); } } }", "macro_rules! cases"),
            ("proptest! { #[test] fn t(x in 0..9) { evidence::proves!(\"R-1\"); } }", "the macro proptest! makes"),
            ("fn f() { macro_rules! inner { () => { proves!(\"R-1\") } } }", "macro_rules! inner"),
        ] {
            let error = read(&[("src/lib.rs", source)], &[("lib", "p", "src/lib.rs")]).err().expect(source);
            assert!(error.to_string().contains("src/lib.rs: "), "{error}");
            assert!(error.to_string().contains(words), "{source}: {error}");
        }
        let fine = "#[test] #[should_panic] fn t() {} proptest! { #[test] fn proves(x in 0..9) { say(\"proves!\"); } }";
        assert_eq!(map(&[("src/lib.rs", fine)], &[("lib", "p", "src/lib.rs")]), []);
        let fine = "#[test] #[cfg_attr(should_panic, doc = \"should_panic\")] fn t() { proves!(\"R-1\"); }";
        assert_eq!(map(&[("src/lib.rs", fine)], &[("lib", "p", "src/lib.rs")]), [entry("p", "t", &["R-1"])]);
    }

    #[test]
    fn scenarios_are_mapped_by_their_tags() {
        let feature = "Feature: F\n\n  @MS-001 @00§2.1\n  Scenario: it holds, always\n    Given x\n\n  Scenario: untagged\n    Given y\n";
        let expected = [entry("acceptance::scenarios", "seal_model::it_holds,_always", &["00§2.1", "MS-001"])];
        assert_eq!(map(&[("specs/features/seal_model.feature", feature)], &[]), expected);
    }

    #[test]
    fn what_is_no_feature_file_is_refused_beside_the_scenarios() {
        for file in ["more.FEATURE", "more/more.feature", "more.feature.md"] {
            let error = read(&[(&format!("specs/features/{file}"), "Feature: F")], &[]).err().expect(file).to_string();
            assert!(error.contains("is no .feature file"), "{error}");
        }
    }
}
