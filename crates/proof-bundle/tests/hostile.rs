//! Bundles that were made to harm whoever verifies them. The program has two GiB of memory and a minute; how fast it is
//! decides nothing. What is refused for its size or its depth is refused before anything is made of it.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod fixture;
#[allow(dead_code, reason = "each test binary uses a part of it")]
mod tamper;

use std::fs::File;

use proof_bundle::attest::DIRECTORY;
use proof_bundle::junit::{self, Outcome};
use proof_bundle::mutants::{Mutant, MutantOutcome, Mutants};
use proof_bundle::requirement::RequirementsFile;
use proof_bundle::test_map::{MappedTest, TestId};
use serde_json::json;
use tamper::case::{Answer, Case, case, check};
use tamper::{Bundle, STREAMS};

const JUNIT: &str = "tests.junit.xml";
const RESIDENCY: &str = "attestations/residency.dsse.json";
const MIB: usize = 1 << 20;

/// A case that both hear the same of: these bundles are not intact, whoever signed them.
fn refused(name: impl Into<String>, change: impl Fn(&Bundle) + 'static, words: &'static str) -> Case {
    let answer: Answer = (20, words);
    case(name, change, answer, answer)
}

/// Gives a file this size without a byte in it.
fn sparse(name: &'static str, bytes: u64) -> impl Fn(&Bundle) {
    move |bundle| File::options().write(true).open(bundle.file(name)).unwrap().set_len(bytes).unwrap()
}

/// Writes a file and hashes again.
fn write(name: &'static str, text: impl Fn() -> String) -> impl Fn(&Bundle) {
    move |bundle| {
        bundle.write(name, text());
        if !name.starts_with(DIRECTORY) {
            bundle.rehash();
        }
    }
}

#[test]
fn sizes_are_limited_before_anything_is_read() {
    let many =
        |count: usize| move |bundle: &Bundle| (0..count).for_each(|number| bundle.write(&format!("{number}"), ""));
    let unread = "are refused unread";
    check(&[
        refused("10 GiB of a report", sparse("report.html", 10 << 30), unread),
        refused("10 GiB of the hashes", sparse("SHA256SUMS", 10 << 30), unread),
        refused("10 GiB of a statement", sparse(RESIDENCY, 10 << 30), unread),
        refused("10 GiB of tests", sparse(JUNIT, 10 << 30), unread),
        refused("10 GiB of records", sparse(STREAMS[5], 10 << 30), unread),
        refused("8 TiB of records", sparse(STREAMS[5], 8 << 40), unread),
        refused("a line of 512 MiB", sparse(STREAMS[0], 512 << 20), "longer than 1048576 bytes"),
        refused("64 MiB of NUL in a report", sparse("report.html", 64 << 20), "its SHA-256 is not the one"),
        refused("64 MiB of NUL in metadata", sparse("metadata.json", 64 << 20), "its SHA-256 is not the one"),
        refused("64 MiB of NUL in the tests", sparse(JUNIT, 64 << 20), "its SHA-256 is not the one"),
        refused("16 MiB of NUL in a statement", sparse(RESIDENCY, 16 << 20), "no DSSE envelope"),
        refused("a statement of more than 16 MiB", sparse(RESIDENCY, (16 << 20) + 1), unread),
        refused("65 files more", many(65), "more than 64 entries"),
        refused("10,000 files more", many(10_000), "more than 64 entries"),
        refused(
            "10,000 statements more",
            |bundle| {
                (0..10_000).for_each(|number| bundle.write(&format!("{DIRECTORY}/{number}"), ""));
            },
            "more than 64 entries",
        ),
        refused("64 MiB of blank lines", write(STREAMS[0], || "\n".repeat(64 * MIB)), "not JSON"),
        refused(
            "64 MiB of lines that are no records",
            write(STREAMS[0], || "[]\n".repeat(21 * MIB)),
            "it is not of type object",
        ),
        refused(
            "60 MiB of hashes",
            |bundle| bundle.write("SHA256SUMS", format!("{}  x\n", "0".repeat(64)).repeat(MIB * 60 / 68)),
            "SHA256SUMS",
        ),
    ]);
}

#[test]
fn depths_are_limited() {
    let deep = |open: &'static str| move || open.repeat(100_000);
    let elements = || format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}", "<testsuites>".repeat(100_000));
    let properties = || {
        let head = "<testsuites name=\"proof\"><testsuite name=\"x\">";
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{head}{}", "<properties>".repeat(100_000))
    };
    let decisions = |bundle: &Bundle| {
        let deep = format!("{}{}", "[".repeat(120), "]".repeat(120));
        bundle.edit_lines(STREAMS[1], |lines| lines[1]["decisions"] = serde_json::from_str(&deep).unwrap());
        bundle.put_in_order();
    };
    check(&[
        refused("100,000 lists in metadata", write("metadata.json", deep("[")), "not the JSON"),
        refused("100,000 objects in metadata", write("metadata.json", deep("{\"a\":")), "not the JSON"),
        refused(
            "100,000 lists in a member",
            write("metadata.json", || format!("{{\"x\":{}", "[".repeat(100_000))),
            "not the JSON",
        ),
        refused("100,000 lists in a record", write(STREAMS[0], deep("[")), "not JSON: recursion"),
        refused("100,000 objects in a record", write(STREAMS[0], deep("{\"a\":")), "not JSON: recursion"),
        refused("100,000 lists in a statement", write(RESIDENCY, deep("[")), "no DSSE envelope"),
        refused("100,000 elements of XML", write(JUNIT, elements), JUNIT),
        refused("100,000 properties of XML", write(JUNIT, properties), JUNIT),
        case("120 lists in a decision", decisions, tamper::case::NOT_SIGNED, (22, "its decisions are not")),
    ]);
}

#[test]
fn text_is_never_expanded() {
    let laughs = |uses: &'static str| {
        move || {
            let entities: String = (1..=30)
                .map(|number| format!("<!ENTITY l{number} \"{}\">", format!("&l{};", number - 1).repeat(10)))
                .collect();
            format!(
                "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE x [<!ENTITY l0 \"ha\">{entities}]>\n<testsuites \
                 name=\"{uses}\"><testsuite name=\"x\"><testcase name=\"{uses}\"/></testsuite></testsuites>\n"
            )
        }
    };
    let external = || {
        "<?xml version=\"1.0\"?>\n<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///dev/zero\">]>\n<testsuites name=\"&e;\"/>\n"
            .to_owned()
    };
    let svg = || {
        let uses = |number: usize| format!("<use href=\"#g{number}\"/>").repeat(10);
        let groups: String = (1..30).map(|number| format!("<g id=\"g{number}\">{}</g>", uses(number - 1))).collect();
        format!("<svg xmlns=\"http://www.w3.org/2000/svg\"><circle id=\"g0\" r=\"1\"/>{groups}</svg>")
    };
    let in_report = move |bundle: &Bundle| {
        bundle.replace("report.html", "</body>", &format!("{}</body>", svg()));
        bundle.rehash();
    };
    check(&[
        refused("a billion laughs", write(JUNIT, laughs("&l30;")), JUNIT),
        refused("entities that nobody uses", write(JUNIT, laughs("x")), JUNIT),
        refused("an entity from outside", write(JUNIT, external), JUNIT),
        refused("a file of SVG that grows", write("bomb.svg", svg), "no file of a bundle"),
        case("SVG that grows in the report", in_report, tamper::case::NOT_SIGNED, (22, "report.html")),
    ]);
}

/// What was derived from these would be larger than they are by far: names and reasons are repeated wherever they bear.
#[test]
fn tests_grow_to_a_limit() {
    grown("tests");
}

#[test]
fn requirements_grow_to_a_limit() {
    grown("requirements");
}

#[test]
fn mutants_grow_to_a_limit() {
    grown("mutants");
}

#[test]
fn records_grow_to_a_limit() {
    grown("records");
}

/// Checks the cases of what grows. In tests of their own, for each takes its time.
fn grown(what: &str) {
    let claims = |bundle: &Bundle| {
        let claims: String =
            (0..200_000).map(|number| format!("<property name=\"proves\" value=\"{number}\"/>")).collect();
        let name = "x".repeat(2 * MIB);
        bundle.write(JUNIT, format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"proof\"><testsuite name=\"x\"><testcase name=\"{name}\">\
             <properties>{claims}</properties></testcase></testsuite></testsuites>\n"
        ));
    };
    let reasons = |bundle: &Bundle| {
        let mut tests = junit::read(bundle.file(JUNIT)).unwrap();
        tests.iter_mut().for_each(|test| test.outcome = Outcome::Failed("x".repeat(MIB / 4)));
        bundle.write(JUNIT, junit::to_xml(&tests).unwrap());
        bundle.edit("requirements.json", |file: &mut RequirementsFile| {
            let one = file.requirements[0].clone();
            file.requirements.extend((0..5_000).map(|number| {
                let mut one = one.clone();
                one.requirement.id = format!("X-{number}");
                one
            }));
        });
        bundle.rehash();
    };
    let unresolved = |bundle: &Bundle| {
        bundle.edit("requirements.json", |file: &mut RequirementsFile| {
            file.unresolved = vec![MappedTest {
                binary: "x".to_owned(),
                test: "y".repeat(2 * MIB),
                requirements: (0..200_000).map(|number| format!("X-{number}")).collect(),
            }];
        });
        bundle.rehash();
    };
    let members = |bundle: &Bundle| {
        bundle.edit("requirements.json", |file: &mut RequirementsFile| {
            let mut one = file.vulnerabilities[0].clone();
            one.requirements = vec!["VP-001".to_owned(); 20_000];
            file.vulnerabilities = vec![one; 10];
        });
        bundle.rehash();
    };
    let kills = |bundle: &Bundle| {
        bundle.edit("mutants.json", |mutants: &mut Mutants| {
            mutants.mutants = (0..20_000)
                .map(|number| Mutant {
                    name: format!("{number:06}"),
                    package: "seal".to_owned(),
                    file: "crates/seal/src/seal.rs".to_owned(),
                    outcome: MutantOutcome::Killed,
                    killed_by: vec![0],
                    reason: None,
                })
                .collect();
            mutants.listed = 20_000;
            mutants.packages[0].listed = 20_000;
        });
        bundle.edit("requirements.json", |file: &mut RequirementsFile| {
            let one = file.requirements[0].clone();
            file.requirements.extend((0..9_000).map(|number| {
                let mut one = one.clone();
                one.requirement.id = format!("X-{number}");
                one
            }));
        });
        bundle.rehash();
    };
    let indices = |bundle: &Bundle| {
        bundle.edit("mutants.json", |mutants: &mut Mutants| mutants.mutants[0].killed_by.clear());
        bundle.replace("mutants.json", "\"killed_by\": []", &format!("\"killed_by\": [{}0]", "0,".repeat(MIB)));
        bundle.rehash();
    };
    let ids = |bundle: &Bundle| {
        let line = bundle.read(STREAMS[0]).lines().next().unwrap().to_owned();
        let mut record: serde_json::Value = serde_json::from_str(&line).unwrap();
        record["requirements"] = (0..100_000).map(|number| json!(format!("{number}"))).collect();
        let line = format!("{record}\n");
        bundle.write(STREAMS[0], line.repeat(11));
        bundle.rechain();
        bundle.rehash();
    };
    let tests = |bundle: &Bundle| {
        let cases: String = (0..600_000).map(|number| format!("<testcase name=\"{number}\"/>\n")).collect();
        bundle.write(JUNIT, format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"proof\"><testsuite name=\"x\">{cases}</testsuite></testsuites>\n"
        ));
        bundle.rehash();
    };
    let mapped = |bundle: &Bundle| {
        bundle.edit("requirements.json", |file: &mut RequirementsFile| {
            let tests = (0..100_000).map(|number| TestId::new("x", format!("{number:06}")));
            file.requirements[0].mapped_tests = tests.collect();
            let id = file.requirements[0].requirement.id.clone();
            file.vulnerabilities = (0..100)
                .map(|number| {
                    let mut one = file.vulnerabilities[0].clone();
                    one.name = format!("{number}");
                    one.requirements = vec![id.clone()];
                    one
                })
                .collect();
        });
        bundle.rehash();
    };
    let twice = |bundle: &Bundle| {
        bundle.edit("requirements.json", |file: &mut RequirementsFile| {
            file.documents = vec![file.documents[0].clone(); 9_000];
        });
        bundle.rehash();
    };
    let cases = match what {
        "tests" => vec![
            refused("200,000 claims of a test with a name of 2 MiB", claims, JUNIT),
            refused("600,000 tests", tests, JUNIT),
            refused("100,000 tests that 100 groups show", mapped, "what became of its tests"),
        ],
        "requirements" => vec![
            refused("reasons of 256 KiB for 5,000 requirements", reasons, "requirements.json"),
            refused("200,000 unknown requirements of a test with a name of 2 MiB", unresolved, "requirements.json"),
            refused("200,000 members of groups", members, "requirements.json"),
            refused("a document 9,000 times", twice, "00_demo.md is there twice"),
        ],
        "mutants" => vec![
            refused("20,000 kills of a test for 9,000 requirements", kills, "mutants.json"),
            refused("1,000,000 indices of tests", indices, "mutants.json"),
        ],
        _ => vec![refused("1,100,000 requirements of 11 records", ids, STREAMS[0])],
    };
    check(&cases);
}
