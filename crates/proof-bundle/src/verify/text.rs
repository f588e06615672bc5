//! What a person reads: the verdict first, a line for each check, then what the run shows and what nobody claims.

use std::path::Path;

use super::{Check, Shown, ShownRun, Verification};
use crate::exit::Exit;
use crate::report::reorders;

/// The non-claims of the reports, in one line.
const NON_CLAIMS: &str = "Not claimed: evidence supports a control and certifies nothing; that statuses follow shows \
    consistency, and who ran the tests vouches for the rest; ECC corrects single-bit errors before a hash sees them; root \
    on the host can subvert all of it; a window remains between verification and execution; vectors are no FIPS validation.";

/// The whole output.
pub(super) fn of(bundle: &Path, verification: &Verification) -> String {
    let exit = verification.exit();
    let mut text =
        format!("{}\n  bundle     {}\n", headline(verification, exit), one_line(&bundle.display().to_string()));
    for (name, check) in verification.checks() {
        text.push_str(&line(name, check));
    }
    match &verification.shown {
        Some(run) if !verification.intact.fails() && !verification.derived.fails() => {
            text.push_str(if verification.trusted.fails() {
                "\nWhat the bundle says, and no trusted key vouches for\n"
            } else {
                "\nWhat the run shows\n"
            });
            text.push_str(&run_of(run));
        }
        _ => text.push_str("\nWhat the bundle says counts for nothing: see above.\n"),
    }
    text.push_str(&format!("\n{NON_CLAIMS}\n"));
    text
}

fn headline(verification: &Verification, exit: Exit) -> String {
    let code = exit.code();
    match (exit, &verification.shown) {
        (Exit::NotIntact | Exit::NotTrusted | Exit::NotDerived | Exit::OtherCommit | Exit::Stale, _) => {
            format!("NOT VERIFIED: {} (exit code {code})", meaning(exit))
        }
        (Exit::Proven, Some(run)) if verification.trusted.holds() => format!("VERIFIED: {} (exit code 0)", run.result),
        (_, Some(run)) if verification.trusted.holds() => {
            format!("VERIFIED, and the run itself fell short: {} (exit code {code})", run.result)
        }
        (_, Some(run)) => {
            format!("INTACT, and nobody vouches for it (--integrity-only): {} (exit code {code})", run.result)
        }
        _ => format!("NOT VERIFIED (exit code {code})"),
    }
}

fn meaning(exit: Exit) -> &'static str {
    Exit::TABLE.into_iter().find(|(known, _)| *known == exit).map(|(_, meaning)| meaning).unwrap_or_default()
}

fn line(name: &str, check: &Check) -> String {
    match check {
        Check::Holds { what } => format!("  {name:<9}  yes: {}\n", one_line(&what.join("; "))),
        Check::NotAsked { why } => format!("  {name:<9}  not asked: {}\n", one_line(why)),
        Check::NotReached { why } => format!("  {name:<9}  not reached: {}\n", one_line(why)),
        Check::Fails { findings } => {
            let mut text = format!("  {name:<9}  NO\n");
            for finding in findings {
                text.push_str(&format!("               {}\n", one_line(&finding.to_string())));
            }
            text
        }
    }
}

fn run_of(run: &Shown) -> String {
    let count = &run.requirements;
    let dirty = if run.dirty { ", with uncommitted changes" } else { "" };
    let [run_id, commit, finished] = [&run.run_id, &run.commit, &run.finished].map(|value| one_line(value));
    let mut text = format!("  run        {run_id}, of commit {commit}{dirty}, ended {finished}\n");
    if let Some(kit) = &run.kit {
        text.push_str(&format!("  built      {}\n", one_line(kit)));
    }
    text.push_str(&format!("  result     {}\n", run.result));
    for one in &run.runs {
        let ShownRun { run_id, result, requirements, devices, kit, .. } = one;
        let mut parts = vec![format!("{} of {} proven", requirements.proven, requirements.total)];
        parts.extend(devices.iter().chain(kit).cloned());
        text.push_str(&format!("  merged of  {}: {result}; {}\n", one_line(run_id), one_line(&parts.join("; "))));
    }
    text.push_str(&format!("  proven     {} of {} requirements\n", count.proven, count.total));
    if !run.needs_gpu.is_empty() {
        text.push_str(&format!(
            "  needs GPU  {} of {}, not proven here: {}\n",
            run.needs_gpu.len(),
            count.total,
            one_line(&run.needs_gpu.join(", "))
        ));
    }
    if !run.open.is_empty() {
        text.push_str(&format!(
            "  open       {} of {}: {}\n",
            run.open.len(),
            count.total,
            one_line(&run.open.join(", "))
        ));
    }
    let tests = &run.tests;
    text.push_str(&format!(
        "  tests      {} of {} passed, {} failed, {} did not run, {} left no verdict\n",
        tests.passed, tests.listed, tests.failed, tests.not_run, tests.dead
    ));
    text.push_str(&format!(
        "  records    {} of {} observed records hold; {} declared records count for nothing\n",
        run.records_holding, run.records_observed, run.records_declared
    ));
    let classes = if run.device_classes.is_empty() { "none".to_owned() } else { run.device_classes.join(", ") };
    text.push_str(&format!("  devices    {}; {}\n", one_line(&classes), one_line(&run.devices.join("; "))));
    if !run.has_gpu() {
        text.push_str(
            "             NO GPU: host memory played the part of a GPU; nothing here is evidence from a GPU\n",
        );
    }
    for problem in &run.problems {
        text.push_str(&format!("  problem    {}\n", one_line(problem)));
    }
    text
}

/// A value of a bundle's on one line, without the characters that a terminal obeys or that reorder what it shows: a line break
/// in it must not make a line of ours.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut plain, character| {
        if is_obeyed(character) {
            plain.extend(character.escape_unicode());
        } else {
            plain.push(character);
        }
        plain
    })
}

/// JSON text that says the same without the characters that a terminal obeys: within its strings JSON has a form for each
/// (RFC 8259, section 7). Line breaks between its members stay.
#[must_use]
pub fn plain_json(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut plain, character| {
        if is_obeyed(character) && character != '\n' {
            for unit in character.encode_utf16(&mut [0; 2]) {
                plain.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            plain.push(character);
        }
        plain
    })
}

/// Whether a terminal obeys the character, or shows others in another order for it.
fn is_obeyed(character: char) -> bool {
    character.is_control() || reorders(character)
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

    #[test]
    fn a_terminal_obeys_nothing_in_json_that_still_says_the_same() {
        let text = "{\n  \"nonce\": \"a\u{202e}\u{9b}31m\u{2028}\u{e0001}b\"\n}";
        let plain = plain_json(text);
        assert!(plain.is_ascii(), "{plain}");
        let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
        assert_eq!(read(&plain), read(text));
    }
}
