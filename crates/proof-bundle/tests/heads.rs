//! What the first lines of the reports say: which tests failed, why, and when the run was.
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

use std::fs;
use std::path::Path;
use std::time::Duration;

use fixture::Fixture;
use page::{elements, text_of};
use proof_bundle::junit::{Outcome, TestResult};

fn report(directory: &Path, name: &str) -> String {
    fs::read_to_string(directory.join(name)).unwrap()
}

/// Tests of a binary, each of which ended so.
fn end(fixture: &mut Fixture, binary: &str, count: usize, outcome: &Outcome) {
    let test = |number| TestResult::new(binary, format!("test_{number}"), outcome.clone(), Duration::ZERO);
    fixture.results.extend((0..count).map(test));
}

#[test]
fn the_first_lines_name_the_tests_that_failed_or_left_no_verdict() {
    let mut fixture = Fixture::healthy();
    end(&mut fixture, "b|<i>", 2, &Outcome::Failed("no".to_owned()));
    end(&mut fixture, "a", 1, &Outcome::Dead("gone".to_owned()));
    end(&mut fixture, "z", 9, &Outcome::NotRun("not here".to_owned()));
    let names = |directory: &Path, file: &str, named: &str| {
        let text = report(directory, file);
        let lines: Vec<&str> = text.lines().take(20).collect();
        assert!(lines.contains(&format!("Failed or left no verdict: {named}.").as_str()), "{file}: {lines:#?}");
        text
    };
    let files = ["test_report.md", "spec_coverage.md", "compliance_matrix.md", "VERIFY.md"];
    let (directory, _) = fixture.run();
    for file in files {
        let text = names(&directory, file, "b\\|&lt;i&gt; test\\_0, b\\|&lt;i&gt; test\\_1, `a test_0`");
        assert!(text.contains("FAILED: 2 tests failed, 1 left no verdict (of 4 requirements"), "{file}: {text}");
    }
    fixture.results.retain(|result| result.binary != "b|<i>");
    end(&mut fixture, &"long".repeat(1_000), 1, &Outcome::Failed("no".to_owned()));
    end(&mut fixture, "c", 9, &Outcome::Failed("no".to_owned()));
    let (directory, _) = fixture.run();
    for file in files {
        let text = names(&directory, file, "`c test_0`, `c test_1`, `c test_2` and 8 more");
        assert!(text.contains("FAILED: 10 tests failed, 1 left no verdict (of 4 requirements"), "{file}: {text}");
    }
    fixture.results.retain(|result| result.binary != "c");
    let (directory, _) = fixture.run();
    let text = report(&directory, "test_report.md");
    assert!(text.contains("FAILED: 1 test failed, 1 left no verdict"), "{text}");
    let line = text.lines().find(|line| line.starts_with("Failed or left no verdict: `long")).unwrap();
    assert!(line.chars().count() < 340 && line.contains("more characters"), "{line}");
    let fixture = Fixture::healthy();
    let (directory, _) = fixture.run();
    for file in files {
        let text = report(&directory, file);
        let head = text.split("\n## How").next().unwrap();
        assert!(!head.contains("Failed or left no verdict") && !head.contains("failed (of"), "{file}: {head}");
    }
}

#[test]
fn the_page_names_them_beside_its_verdict() {
    let verdict = |fixture: &Fixture| {
        let text = report(&fixture.run().0, "report.html");
        assert!(!text.contains("<i>"), "{text}");
        text_of(&elements(&text), "verdict")
    };
    let mut fixture = Fixture::healthy();
    assert!(!verdict(&fixture).contains("left no verdict"));
    end(&mut fixture, "b<i>", 4, &Outcome::Failed("no".to_owned()));
    end(&mut fixture, "a", 2, &Outcome::Dead("gone".to_owned()));
    end(&mut fixture, "z", 9, &Outcome::NotRun("not here".to_owned()));
    let text = verdict(&fixture);
    let named = "4 tests failed, 2 left no verdict: b<i> test_0, b<i> test_1, b<i> test_2 and 3 more";
    assert!(text.contains(named) && text.find(named) < text.find("No GPU."), "{text}");
}

#[test]
fn the_reason_of_a_failure_is_where_it_was_and_what_it_says() {
    let mut fixture = Fixture::healthy();
    let reason = "exit code 101: panicked at src/tag.rs:1:\n\n  the <tag> is wrong  \nleft: 1\nright: 2";
    fixture.result("tag_is_right").outcome = Outcome::Failed(reason.to_owned());
    fixture.result("unmapped").outcome = Outcome::Failed(format!("exit code 101:\n{}", "x".repeat(100_000)));
    let text = report(&fixture.run().0, "test_report.md");
    let reason = "exit code 101: panicked at src/tag.rs:1: the &lt;tag&gt; is wrong";
    assert!(text.contains(&format!("| `seal::tag tag_is_right` | failed | {reason} |\n")), "{text}");
    assert!(text.contains("| exit code 101: xxx") && !text.contains(&"x".repeat(1_000)), "{text}");
}

#[test]
fn the_head_says_when_the_run_started_and_ended() {
    let fixture = Fixture::healthy();
    let (directory, _) = fixture.run();
    for file in ["test_report.md", "spec_coverage.md", "compliance_matrix.md"] {
        let text = report(&directory, file);
        let lines = "**Started**: 2026-01-02T03:04:05Z  \n**Ended**: 2026-01-02T03:05:06Z  \n";
        assert!(text.contains(lines) && !text.contains("Generated"), "{file}: {text}");
    }
}
