//! `cargo xtask explain`: one requirement, its tests, what the latest bundle says of it, and how to rerun it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use proof_bundle::coverage::Coverage;
use proof_bundle::provenance::Commit;
use proof_bundle::requirement::{Requirement, RequirementsFile, Specifications, parse_specs};
use proof_bundle::test_map::MappedTest;
use proof_bundle::verify::{Options, one_line, verify};
use serde::de::DeserializeOwned;

use crate::error::XtaskError;
use crate::exit::Exit;
use crate::shell::quoted;
use crate::suite::{self, map::Map};
use crate::workspace::{self, Workspace};
use crate::{bundles, output};

/// The most ids that are suggested for one that does not exist.
const MOST_SUGGESTIONS: usize = 5;

/// A suggestion differs by this many characters at most.
const FARTHEST: usize = 2;

/// Options of `explain`.
#[derive(Args, Debug)]
#[command(after_help = format!("Examples:\n  cargo xtask explain MS-001\n  cargo xtask explain '00§2.1'\n\n{}", Exit::help()))]
pub(crate) struct ExplainArgs {
    /// The requirement's id, as specs/ writes it; not that of a roll-up (VR-001)
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Where to look for the latest bundle [default: proof_bundles]
    #[arg(long, value_name = "DIR")]
    pub(crate) bundles: Option<PathBuf>,
}

/// The subcommand.
pub(crate) fn run(args: &ExplainArgs) -> Result<Exit, XtaskError> {
    let root = workspace::find_root()?;
    let specifications = parse_specs(root.join("specs"))?;
    let Some(requirement) = specifications.get(&args.id) else {
        return Err(XtaskError::Usage(unknown(&args.id, &specifications)));
    };
    let workspace = Workspace::load(&root)?;
    let map = Map::read(&root, &workspace)?;
    let tests: Vec<&MappedTest> = map.tests.iter().filter(|test| test.requirements.contains(&args.id)).collect();
    let bundles = match &args.bundles {
        Some(named) => bundles::named(named)?,
        None => root.join(bundles::DEFAULT),
    };
    output::print(&text(requirement, &tests, &latest(&bundles, requirement), &commands(&tests, &workspace)))?;
    Ok(Exit::Proven)
}

fn text(requirement: &Requirement, tests: &[&MappedTest], evidence: &[String], commands: &[String]) -> String {
    let Requirement { id, title, document, section, text, .. } = requirement;
    let mut out = format!("{id}  {title}\nspecs/{document}, {section}\n\n{text}\n\n");
    if requirement.needs_gpu {
        out.push_str("needs a GPU\n");
    }
    for non_claim in &requirement.non_claims {
        out.push_str(&format!("not claimed: {non_claim}\n"));
    }
    let list = |heading: &str, lines: &[String], none: &str| {
        let mut out = format!("\n{heading}\n");
        for line in lines {
            out.push_str(&format!("  {}\n", one_line(line)));
        }
        if lines.is_empty() {
            out.push_str(&format!("  {none}\n"));
        }
        out
    };
    let tests: Vec<String> = tests.iter().map(|test| format!("{} {}", test.binary, test.test)).collect();
    out.push_str(&list("tests", &tests, "none: no test claims it"));
    out.push_str(&list("latest evidence", evidence, "none: run `cargo xtask proof`"));
    out.push_str(&list("run them again", commands, "nothing to run"));
    out
}

/// What the latest bundle says of a requirement, and of which text and commit.
fn latest(bundles: &Path, requirement: &Requirement) -> Vec<String> {
    let Some(run) = bundles::latest(bundles) else { return Vec::new() };
    let mut lines = vec![run.display().to_string()];
    if let Some(fault) = verify(&run, &Options::integrity_only()).fault() {
        lines.push(format!("it is no evidence: {fault}; run `cargo xtask proof` again"));
        return lines;
    }
    match evidence(&run, requirement) {
        Ok(evidence) => lines.extend(evidence),
        Err(file) => lines.push(format!("{file} cannot be read: run `cargo xtask proof` again")),
    }
    lines
}

/// What the bundle at `run` says of a requirement. The error is the file that cannot be read.
fn evidence(run: &Path, requirement: &Requirement) -> Result<Vec<String>, &'static str> {
    let Commit { sha, dirty } = read(run, "provenance.json")?;
    let tree = if dirty { ", and the working tree differed from it" } else { "" };
    let mut lines = vec![format!("of commit {sha}{tree}")];
    let proven: RequirementsFile = read(run, "requirements.json")?;
    let proven = proven.requirements.iter().find(|one| one.requirement.id == requirement.id);
    let is_stale = proven.is_some_and(|proven| proven.requirement.text_sha256 != requirement.text_sha256);
    match read::<Coverage>(run, "coverage.json")?.get(&requirement.id) {
        None => lines.push("it does not know this requirement".to_owned()),
        Some(one) => {
            let devices = if one.devices.is_empty() { "no device".to_owned() } else { one.devices.join(", ") };
            let stale = if is_stale { "stale: the text changed since; the old one was " } else { "" };
            lines.push(format!("{stale}{} on {devices}", one.status.as_str()));
            lines.extend(one.reasons.iter().cloned());
            lines.extend(
                one.kills.map(|kills| format!("its tests notice {kills} of the faults planted in the library")),
            );
            lines.extend(ranges(&one.evidence));
        }
    }
    Ok(lines)
}

fn read<T: DeserializeOwned>(run: &Path, file: &'static str) -> Result<T, &'static str> {
    let bytes = std::fs::read(run.join(file)).map_err(|_| file)?;
    serde_json::from_slice(&bytes).map_err(|_| file)
}

/// `file:line` citations, a text for each file: `file:3-5, 9`.
fn ranges(citations: &[String]) -> Vec<String> {
    let mut files: BTreeMap<&str, Vec<(usize, usize)>> = BTreeMap::new();
    let mut cited: Vec<(&str, usize)> = citations
        .iter()
        .filter_map(|citation| citation.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse().ok()?))))
        .collect();
    cited.sort();
    for (file, line) in cited {
        let lines = files.entry(file).or_default();
        match lines.last_mut() {
            Some((_, last)) if last.saturating_add(1) == line => *last = line,
            _ => lines.push((line, line)),
        }
    }
    let range = |(first, last): &(usize, usize)| match first == last {
        true => first.to_string(),
        false => format!("{first}-{last}"),
    };
    let line = |lines: &[(usize, usize)]| lines.iter().map(range).collect::<Vec<_>>().join(", ");
    files.iter().map(|(file, lines)| format!("{file}:{}", line(lines))).collect()
}

/// One cargo command for each binary.
fn commands(tests: &[&MappedTest], workspace: &Workspace) -> Vec<String> {
    let mut by_binary: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for test in tests {
        by_binary.entry(&test.binary).or_default().push(quoted(&test.test));
    }
    let selection = |binary: &str| {
        workspace.packages.iter().find_map(|package| {
            let target = package.targets.iter().find(|target| target.binary_id(&package.name) == binary)?;
            let which = match target.kind.first().map(String::as_str) {
                Some(kind @ ("test" | "bin" | "example" | "bench")) => format!("--{kind} {}", target.name),
                _ => "--lib".to_owned(),
            };
            let ignored = if target.src_path.ends_with(suite::ON_GPU) { "--ignored " } else { "" };
            Some(format!("-p {} {which} -- {ignored}--exact", package.name))
        })
    };
    by_binary
        .iter()
        .filter_map(|(binary, names)| Some(format!("cargo test {} {}", selection(binary)?, names.join(" "))))
        .collect()
}

fn unknown(id: &str, specifications: &Specifications) -> String {
    let distances: Vec<(usize, &str)> = specifications
        .requirements
        .iter()
        .map(|requirement| (distance(&id.to_lowercase(), &requirement.id.to_lowercase()), requirement.id.as_str()))
        .collect();
    let nearest = distances.iter().map(|(distance, _)| *distance).min().filter(|nearest| *nearest <= FARTHEST);
    // A section without its document, as people cite it.
    let is_section =
        |full: &str| full.split_once('§').is_some_and(|(_, section)| section == id.trim_start_matches('§'));
    let sections = distances.iter().map(|(_, id)| *id).filter(|full| is_section(full));
    let mut near: Vec<&str> = sections.take(MOST_SUGGESTIONS).collect();
    if near.is_empty() {
        let nearest = distances.iter().filter(|(distance, _)| Some(*distance) == nearest).map(|(_, id)| *id);
        near = nearest.take(MOST_SUGGESTIONS).collect();
    }
    let roll_up = specifications.roll_ups.iter().find(|roll_up| roll_up.id == id);
    match (roll_up, near.is_empty()) {
        (Some(roll_up), _) => {
            format!("{id} is a roll-up of {}: ask for one of those", roll_up.requirements.join(", "))
        }
        (None, false) => format!("no requirement {id:?}; did you mean {}?", near.join(", ")),
        (None, true) => format!("no requirement {id:?}: specs/README.md says how ids look"),
    }
}

/// How many characters have to be inserted, deleted or replaced to make one text of the other (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i.saturating_add(1);
        let mut next = vec![left];
        for (above, to) in row.iter().skip(1).zip(&b) {
            let replaced = diagonal.saturating_add(usize::from(from != *to));
            left = replaced.min(above.saturating_add(1)).min(left.saturating_add(1));
            diagonal = *above;
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
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
    use std::path::PathBuf;

    use proof_bundle::coverage::derive_current;

    use super::*;
    use crate::workspace::{Package, Target};

    #[test]
    fn the_distance_is_levenshteins() {
        for (a, b, expected) in
            [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("ms-001", "ms-010", 2)]
        {
            assert_eq!(distance(a, b), expected, "{a} {b}");
        }
    }

    #[test]
    fn a_bundle_that_is_not_intact_is_no_evidence_and_nothing_that_a_terminal_obeys_is_shown() {
        let specifications = parse_specs("../specs").unwrap();
        let requirement = specifications.get("VP-001").unwrap();
        let requirements = RequirementsFile::new(specifications.clone(), &[], &[]);
        let mut coverage = serde_json::to_value(derive_current(&requirements, None)).unwrap();
        for one in coverage["requirements"].as_array_mut().unwrap() {
            one["status"] = "proven".into();
        }
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("unit/20260102-030405-0123abcd");
        std::fs::create_dir_all(&run).unwrap();
        std::fs::write(run.join("SHA256SUMS"), "").unwrap();
        for (file, value) in [
            ("coverage.json", coverage),
            ("requirements.json", serde_json::to_value(requirements).unwrap()),
            ("provenance.json", serde_json::json!({"sha": "0", "dirty": false})),
        ] {
            std::fs::write(run.join(file), value.to_string()).unwrap();
        }
        let said = latest(dir.path(), requirement);
        assert!(said.len() == 2 && said[1].starts_with("it is no evidence: it is not intact: "), "{said:?}");
        let said = text(requirement, &[], &["\u{1b}[2Jfine\n  proven".to_owned()], &[]);
        assert!(said.contains("  \\u{1b}[2Jfine\\u{a}  proven\n"), "{said}");
    }

    #[test]
    fn citations_are_gathered_by_file_and_in_runs() {
        let citations = ["b:9", "a:3", "a:10", "a:4", "a:5", "a:12"].map(str::to_owned);
        assert_eq!(ranges(&citations), ["a:3-5, 10, 12", "b:9"]);
    }

    #[test]
    fn an_unknown_id_names_the_near_ones_and_a_roll_up_its_members() {
        let specifications = parse_specs("../specs").unwrap();
        assert!(unknown("ms-001", &specifications).contains("did you mean MS-001?"));
        assert!(unknown("00§21", &specifications).contains("00§2.1"));
        for section in ["2.1", "§2.1"] {
            let said = unknown(section, &specifications);
            assert!(said.contains("did you mean") && said.contains("00§2.1") && said.contains("10§2.1"), "{said}");
            assert!(!said.contains("§2.2"), "{said}");
        }
        assert!(unknown("VR-001", &specifications).contains("roll-up of VP-001"));
        assert!(unknown("nonsense", &specifications).contains("specs/README.md"));
    }

    #[test]
    fn the_commands_select_exactly_the_mapped_tests() {
        let target = |kind: &str, name: &str| Target {
            name: name.into(),
            kind: vec![kind.into()],
            src_path: format!("tests/{name}.rs").into(),
            test: true,
            doctest: false,
        };
        let targets =
            vec![target("lib", "seal"), target("test", "hmac"), target("bin", "tool"), target("test", "on_gpu")];
        let package = Package { name: "seal".into(), id: "x".into(), manifest_path: PathBuf::new(), targets };
        let test = |binary: &str, test: &str| MappedTest {
            binary: binary.into(),
            test: test.into(),
            requirements: vec!["CI-001".into()],
        };
        let tests = [
            test("seal::hmac", "b"),
            test("seal", "tests::a"),
            test("seal::hmac", "it's one"),
            test("seal::bin/tool", "t"),
            test("seal::on_gpu", "waits"),
        ];
        let tests: Vec<&MappedTest> = tests.iter().collect();
        assert_eq!(
            commands(&tests, &Workspace { packages: vec![package], target_directory: PathBuf::new() }),
            [
                "cargo test -p seal --lib -- --exact tests::a",
                "cargo test -p seal --bin tool -- --exact t",
                r"cargo test -p seal --test hmac -- --exact b 'it'\''s one'",
                "cargo test -p seal --test on_gpu -- --ignored --exact waits",
            ]
        );
    }
}
