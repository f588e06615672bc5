//! `report.html`: that it says what the files beside it say, and that nothing in them can make it do anything else.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod fixture;
mod page;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use evidence::Stream;
use fixture::{Fixture, device};
use page::{Element, elements, text_of};
use proof_bundle::coverage::Status;
use proof_bundle::junit::{Outcome, TestResult};
use proof_bundle::provenance::ModelFile;
use proof_bundle::report::render_all;
use serde_json::{Value, json};

/// What a name can hold that does harm where it is not escaped.
const HOSTILE: &str =
    "</style></code><script>alert(1)</script>\"' onload=x &amp;&lt; ]]>--><!-- \u{202e}\u{0}\u{7}\u{feff}";

fn render(directory: &Path) -> String {
    render_all(directory).unwrap().into_iter().find(|(name, _)| name == "report.html").unwrap().1
}

fn page_of(fixture: &Fixture) -> (String, Vec<Element>) {
    let text = render(&fixture.run().0);
    let elements = elements(&text);
    (text, elements)
}

fn has_class(element: &Element, class: &str) -> bool {
    element.attribute("class").split(' ').any(|one| one == class)
}

/// A run in which each thing that can go wrong does.
fn troubled() -> Fixture {
    let mut fixture = Fixture::healthy();
    fixture.result("tag_is_right").outcome = Outcome::Failed("left: 1\nright: <b>2</b>".to_owned());
    fixture.result("unmapped").outcome = Outcome::NotRun("no fs-verity here".to_owned());
    fixture.spool("test_seal").records.clear();
    fixture.spool("weights_stay").records[0].3 = json!("something else");
    fixture.results.push(TestResult::new(
        "dead",
        "(binary)",
        Outcome::Dead("it did not start".to_owned()),
        Duration::ZERO,
    ));
    fixture.core = fixture.core.replace(
        "## Roll-ups",
        "### 00§2.3 Forget\n\nForgetting MUST be known.\n\n- Kind: product\n- Needs a GPU: no\n- Not claimed: All.\n\n## Roll-ups",
    );
    fixture
}

/// The statuses of requirements as the page shows them.
fn shown_statuses(elements: &[Element]) -> Vec<(String, String)> {
    let mut shown = Vec::new();
    for summary in
        elements.iter().filter(|element| element.name == "summary" && element.parents.last().unwrap() == "details")
    {
        let words: Vec<&str> = summary.text.split_whitespace().collect();
        if let Some(tests) = words.windows(2).position(|pair| pair[0].contains('/') && pair[1] == "tests") {
            shown.push((words[0].to_owned(), words[tests + 2..].join(" ")));
        }
    }
    shown
}

#[test]
fn every_requirement_is_there_with_its_status_text_tests_reasons_and_non_claims() {
    for fixture in [Fixture::healthy(), troubled()] {
        let (directory, coverage) = fixture.run();
        let elements = elements(&render(&directory));
        let expected: Vec<_> =
            coverage.requirements.iter().map(|one| (one.id.clone(), one.status.as_str().to_owned())).collect();
        assert_eq!(shown_statuses(&elements), expected);
        let requirements: Value =
            serde_json::from_str(&fs::read_to_string(directory.join("requirements.json")).unwrap()).unwrap();
        for (one, specified) in coverage.requirements.iter().zip(requirements["requirements"].as_array().unwrap()) {
            let body = text_of(&elements, &format!("r-{}", one.id));
            let non_claims =
                specified["non_claims"].as_array().unwrap().iter().map(|claim| claim.as_str().unwrap().to_owned());
            let tests = one.tests.iter().map(|test| test.test.to_string());
            let known = [specified["text"].as_str().unwrap().to_owned(), one.text_sha256.clone()];
            let figures = format!(
                "mapped {}, run {}, passed {}, failed {}, absent {}",
                one.mapped, one.run, one.passed, one.failed, one.absent
            );
            for part in known.into_iter().chain(non_claims).chain(tests).chain(one.reasons.clone()).chain([figures]) {
                assert!(body.contains(&part), "{}: {part}: {body}", one.id);
            }
        }
    }
}

#[test]
fn a_record_is_cited_by_file_and_line_and_one_that_does_not_hold_is_shown_with_both_values() {
    let fixture = troubled();
    let (directory, coverage) = fixture.run();
    let elements = elements(&render(&directory));
    let one = coverage.get("VP-001").unwrap();
    let body = text_of(&elements, "r-VP-001");
    let (file, line) = one.evidence[0].split_once(':').unwrap();
    for part in [&format!("{file} line {line}"), "differs", "expected \"as expected\"", "observed \"something else\""] {
        assert!(body.contains(part), "{part}: {body}");
    }
    let healthy = text_of(&page_of(&Fixture::healthy()).1, "r-VP-001");
    assert!(healthy.contains("equal \"as expected\"") && !healthy.contains("differs"), "{healthy}");
}

#[test]
fn the_verdict_comes_first_with_its_denominators() {
    let (text, elements) = page_of(&Fixture::healthy());
    let verdict = text_of(&elements, "verdict");
    for part in [
        "All that this host can prove is proven",
        "3 of 4 requirements are proven by this run; 1 needs a GPU",
        "proven 3/4 (75 %)",
        "failed 0/4 (0 %)",
        "Started 2026-01-02T03:04:05Z",
        "Ended 2026-01-02T03:05:06Z",
        "5 of 5 ran, 5 of 5 passed; failed 0, not run 0, without a verdict 0",
        "10 of 10 hold",
        fixture::COMMIT,
    ] {
        assert!(verdict.contains(part), "{part}: {verdict}");
    }
    assert!(text.find("id=\"verdict\"") < text.find("id=\"requirements\""));

    let trouble = text_of(&page_of(&troubled()).1, "verdict");
    for part in [
        "FAILED",
        "0 of 5 requirements are proven by this run; 1 vacuous, 1 unmapped, 3 failed",
        "4 of 6 ran, 3 of 6 passed",
        "without a verdict 1",
        "1 test failed, 1 left no verdict: seal::tag tag_is_right, dead (binary)",
    ] {
        assert!(trouble.contains(part), "{part}: {trouble}");
    }
}

#[test]
fn what_went_wrong_is_named() {
    let fixture = troubled();
    let (directory, coverage) = fixture.run();
    let elements = elements(&render(&directory));
    assert!(!coverage.problems.is_empty() && coverage.tests_not_passed.len() >= 3);
    let problems = text_of(&elements, "problems");
    for problem in &coverage.problems {
        assert!(problems.contains(&problem.message), "{problems}");
    }
    let tests = text_of(&elements, "tests");
    for part in
        ["seal::tag tag_is_right", "left: 1 right: <b>2</b>", "no fs-verity here", "it did not start", "no verdict"]
    {
        assert!(tests.contains(part), "{part}: {tests}");
    }
    let open = text_of(&elements, "open");
    for one in coverage.requirements.iter().filter(|one| one.status != Status::Proven) {
        assert!(open.contains(&format!("{} {} {}", one.id, one.status.as_str(), one.reasons[0])), "{}: {open}", one.id);
    }
    let (text, elements) = page_of(&Fixture::healthy());
    assert!(!text.contains("id=\"problems\""));
    assert!(text_of(&elements, "open").ends_with("VP-001 needs a GPU it needs a GPU, and no record comes from one"));
}

#[test]
fn what_it_ran_on_is_said_in_words() {
    let banner = |fixture: &Fixture| {
        let (_, elements) = page_of(fixture);
        let element = elements.into_iter().find(|element| has_class(element, "device")).unwrap();
        element.text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let on = |class: &str, devices: &[&str]| {
        let mut fixture = Fixture::healthy();
        for spooled in &mut fixture.spooled {
            for record in &mut spooled.records {
                record.1 = record.1.clone().device(class);
            }
        }
        fixture.devices = devices.iter().map(|class| device(class)).collect();
        fixture
    };
    let simulated = banner(&Fixture::healthy());
    assert!(simulated.starts_with("No GPU. Device operations ran on the simulated device"), "{simulated}");
    assert!(simulated.contains("Nothing below is evidence from a GPU."), "{simulated}");
    let stand_in = banner(&on("fake-driver", &["fake-driver"]));
    assert!(stand_in.starts_with("No GPU. Device operations ran against a stand-in for the driver"), "{stand_in}");
    let host = banner(&on("host", &[]));
    assert!(host.starts_with("No GPU. No operation of this run touched a device."), "{host}");
    let unnamed = banner(&on("gpu", &["simulated"]));
    assert!(unnamed.starts_with("No GPU is named.") && unnamed.contains("none of them counts"), "{unnamed}");
    let gpu = banner(&on("gpu", &["gpu"]));
    assert!(gpu.starts_with("GPU Records come from Demo.") && !gpu.contains("No GPU"), "{gpu}");
}

#[test]
fn nothing_runs_and_nothing_comes_from_elsewhere() {
    for fixture in [Fixture::healthy(), troubled(), hostile()] {
        let (directory, _) = fixture.run();
        let text = render(&directory);
        let elements = elements(&text);
        let known = [
            "a",
            "b",
            "body",
            "circle",
            "code",
            "dd",
            "desc",
            "details",
            "div",
            "dl",
            "dt",
            "fieldset",
            "figcaption",
            "figure",
            "h1",
            "h2",
            "h3",
            "h4",
            "head",
            "header",
            "html",
            "input",
            "label",
            "legend",
            "li",
            "line",
            "main",
            "meta",
            "nav",
            "p",
            "path",
            "pre",
            "rect",
            "section",
            "span",
            "strong",
            "style",
            "summary",
            "svg",
            "symbol",
            "table",
            "tbody",
            "td",
            "text",
            "th",
            "thead",
            "title",
            "tr",
            "ul",
            "use",
        ];
        let ids: BTreeSet<&str> = elements.iter().map(|element| element.attribute("id")).collect();
        for element in &elements {
            assert!(known.contains(&element.name.as_str()), "<{}>", element.name);
            for (name, value) in &element.attributes {
                assert!(
                    !name.starts_with("on") && !["style", "src", "srcset", "action"].contains(&name.as_str()),
                    "{name}"
                );
                if name == "href" {
                    match value.strip_prefix('#') {
                        Some(id) => assert!(ids.contains(decode_percent(id).as_str()), "no {value}"),
                        None => assert!(directory.join(value).is_file(), "no {value}"),
                    }
                }
            }
        }
        for word in ["http:", "https:", "//", "javascript:", "url(", "@import"] {
            assert!(!text.contains(word), "{word}");
        }
    }
}

fn decode_percent(text: &str) -> String {
    let mut parts = text.split('%');
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        bytes.push(u8::from_str_radix(&part[..2], 16).unwrap());
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn the_policy_allows_the_one_style_sheet_and_nothing_else() {
    let (_, elements) = page_of(&Fixture::healthy());
    let policy = elements.iter().find(|element| element.attribute("http-equiv") == "Content-Security-Policy").unwrap();
    let styles: Vec<&Element> = elements.iter().filter(|element| element.name == "style").collect();
    let digest = ring::digest::digest(&ring::digest::SHA256, styles[0].text.as_bytes());
    let digest = base64::engine::general_purpose::STANDARD.encode(digest);
    let expected = format!("default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'");
    assert_eq!((styles.len(), policy.attribute("content")), (1, expected.as_str()));
}

/// A run whose names and messages are meant to do harm.
fn hostile() -> Fixture {
    let mut fixture = Fixture::healthy();
    fixture.result("tag_is_right").outcome = Outcome::Failed(HOSTILE.replace(['\u{0}', '\u{7}'], ""));
    let live = fixture.spool("operations");
    for record in &mut live.records {
        record.2 = json!(HOSTILE);
        record.3 = json!({ HOSTILE: HOSTILE });
    }
    fixture.with_model(ModelFile {
        name: format!("{}.gguf", "x".repeat(4000)),
        format: HOSTILE.to_owned(),
        bytes: u64::MAX,
        header_bytes: None,
        tensors: Some(0),
        sha256: "c".repeat(64),
        tree_digest: HOSTILE.to_owned(),
    });
    fixture
}

/// Adds the hostile text to every text in `value` that is free: not a word of ours, which the files could not be read
/// without.
fn poison(value: &mut Value, name: &str) {
    const OURS: &str = "status result kind class uuid driver_model ecc_mode severity renderer_version test_mode";
    match value {
        Value::String(text) if OURS.split(' ').all(|ours| ours != name) => text.push_str(HOSTILE),
        Value::Array(items) => items.iter_mut().for_each(|item| poison(item, name)),
        Value::Object(members) => members.iter_mut().for_each(|(name, value)| poison(value, name)),
        _ => {}
    }
}

#[test]
fn no_text_of_any_file_breaks_out_of_its_place() {
    for fixture in [troubled(), hostile()] {
        let (directory, _) = fixture.run();
        let before: BTreeSet<(String, usize)> = shape(&elements(&render(&directory)));
        for file in ["metadata.json", "provenance.json", "requirements.json", "coverage.json"] {
            let path = directory.join(file);
            let mut value: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
            poison(&mut value, "");
            fs::write(&path, serde_json::to_vec_pretty(&value).unwrap()).unwrap();
        }
        let text = render(&directory);
        let after = shape(&elements(&text));
        let names =
            |shape: &BTreeSet<(String, usize)>| shape.iter().map(|(name, _)| name.clone()).collect::<BTreeSet<_>>();
        assert!(names(&after).is_subset(&names(&before)), "{after:?}");
        assert!(text.matches("&lt;script&gt;alert(1)").count() > 20, "the hostile text is shown");
        for character in text.chars() {
            assert!(character == '\n' || !character.is_control(), "{character:?}");
            assert!(!['\u{202e}', '\u{feff}'].contains(&character), "{character:?}");
        }
    }
}

/// Which elements a page has, and how deep they lie.
fn shape(elements: &[Element]) -> BTreeSet<(String, usize)> {
    elements.iter().map(|element| (element.name.clone(), element.parents.len())).collect()
}

#[test]
fn a_filter_exists_for_each_status_and_document_and_hides_only_others() {
    let (_, elements) = page_of(&troubled());
    let sheet = &elements.iter().find(|element| element.name == "style").unwrap().text;
    let radios: Vec<&Element> = elements.iter().filter(|element| element.attribute("type") == "radio").collect();
    let checked: Vec<&str> =
        radios.iter().filter(|one| one.attributes.contains_key("checked")).map(|one| one.attribute("id")).collect();
    assert_eq!(checked, ["f-any-status", "f-any-document"]);
    let classes: Vec<&str> = radios.iter().map(|radio| radio.attribute("id").strip_prefix("f-").unwrap()).collect();
    for class in &classes {
        let rule = format!("#requirements:has(#f-{class}:checked)");
        assert_eq!(sheet.contains(&rule), !class.starts_with("any-"), "{rule}");
    }
    // Every requirement can be chosen by its status and by its document.
    for requirement in elements.iter().filter(|element| has_class(element, "req")) {
        assert_eq!(classes.iter().filter(|class| has_class(requirement, class)).count(), 2, "{requirement:?}");
    }
}

#[test]
fn the_timings_shown_are_those_of_the_records() {
    let mut fixture = Fixture::healthy();
    let operations = fixture.spool("operations");
    let (stream, record, expected, observed) =
        operations.records.iter().find(|record| record.0 == Stream::Performance).unwrap().clone();
    operations.records.retain(|record| record.0 != Stream::Performance);
    let figures = [(0, 0, 0), (1, 31_487, 344_713), (1_473_361, 1_641_650, u64::MAX)];
    for (minimum, median, p99) in figures {
        let record = record
            .clone()
            .field("timings", json!({"count": 7, "minimum_ns": minimum, "median_ns": median, "p99_ns": p99}));
        operations.records.push((stream, record, expected.clone(), observed.clone()));
    }
    let (_, elements) = page_of(&fixture);
    let timings = text_of(&elements, "timings");
    for (minimum, median, p99) in figures {
        assert!(
            timings.contains(&format!("7 {minimum} {median} {p99} performance.jsonl line")),
            "{minimum}: {timings}"
        );
    }
    let description = text_of(&elements, "plot-0-description");
    assert!(description.contains("minimum 0 ns, median 0 ns, 99th percentile 0 ns"), "{description}");
    assert!(description.contains("minimum 1 ns, median 31.4 µs, 99th percentile 344 µs"), "{description}");
    let plot = elements.iter().find(|element| has_class(element, "plot")).unwrap();
    assert_eq!((plot.attribute("role"), plot.attribute("aria-labelledby")), ("img", "plot-0-title plot-0-description"));
    // Each mark lies within the picture, and those of a row in order.
    let places = |class: &str, attribute: &str| -> Vec<f64> {
        let marks = elements
            .iter()
            .filter(|element| has_class(element, class) && element.parents.contains(&"figure".to_owned()));
        let shares = marks.filter_map(|mark| mark.attribute(attribute).strip_suffix('%')?.parse().ok());
        shares.collect()
    };
    let (minimum, median, end) = (places("minimum", "x1"), places("median", "cx"), places("range", "x2"));
    assert_eq!((minimum.len(), median.len(), end.len()), (3, 3, 3));
    for row in 0..3 {
        assert!(
            0.0 <= minimum[row] && minimum[row] <= median[row] && median[row] <= end[row] && end[row] <= 100.0,
            "{row}"
        );
    }
}

#[test]
fn classes_of_device_are_never_in_one_picture() {
    let mut fixture = Fixture::healthy();
    let timed = fixture.spool("operations").records.iter().find(|record| record.0 == Stream::Performance);
    let mut other = timed.unwrap().clone();
    other.1 = other.1.device("fake-driver");
    fixture.spool("test_seal").records.push(other);
    let (_, elements) = page_of(&fixture);
    let titles: Vec<String> = (0..2).map(|number| text_of(&elements, &format!("plot-{number}-title"))).collect();
    assert_eq!(titles, ["Time per operation on fake-driver", "Time per operation on simulated"]);
}

#[test]
fn a_run_without_timings_says_so() {
    let mut fixture = Fixture::healthy();
    fixture.spool("operations").records.retain(|record| record.0 != Stream::Performance);
    let (text, elements) = page_of(&fixture);
    assert_eq!(text_of(&elements, "timings"), "Timings No timings were recorded.");
    assert!(!text.contains("class=\"plot\""));
}

#[test]
fn thousands_of_tests_stay_figures_and_the_page_small() {
    let mut fixture = Fixture::healthy();
    for number in 0..10_000 {
        let outcome = if number % 2 == 0 { Outcome::Passed } else { Outcome::Failed("a reason ".repeat(40)) };
        let name = format!("a_test_with_a_name_that_is_quite_long_and_says_what_must_hold_number_{number}");
        fixture.results.push(TestResult::new("many", &name, outcome, Duration::ZERO));
        if number < 2_000 {
            fixture.map.push(proof_bundle::test_map::MappedTest {
                binary: "many".to_owned(),
                test: name,
                requirements: vec!["CI-001".to_owned()],
            });
        }
    }
    let (directory, coverage) = fixture.run();
    assert_eq!((coverage.summary.tests.failed, coverage.get("CI-001").unwrap().mapped), (5_000, 2_001));
    let started = std::time::Instant::now();
    let text = render(&directory);
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    assert!(text.len() < 400_000, "{} bytes", text.len());
    let elements = elements(&text);
    assert!(text_of(&elements, "tests").contains("4900 more of 5000 are not shown here: see tests.junit.xml"));
    assert!(text_of(&elements, "r-CI-001").contains("mapped 2001, run 10"), "{}", text_of(&elements, "r-CI-001"));
}

#[test]
fn it_is_read_without_its_style() {
    let (_, elements) = page_of(&Fixture::healthy());
    // Statuses are words; what only the eye sees is hidden from those who listen.
    for sign in elements.iter().filter(|element| has_class(element, "sign")) {
        assert_eq!(sign.attribute("aria-hidden"), "true");
    }
    for table in elements.iter().filter(|element| element.name == "table") {
        assert!(table.attributes.contains_key("aria-label") || table.parents.last().unwrap() == "div");
    }
    let headings: Vec<&Element> = elements.iter().filter(|element| element.name == "h1").collect();
    assert_eq!(headings.len(), 1);
}
