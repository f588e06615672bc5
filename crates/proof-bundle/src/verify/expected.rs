//! What the one who verifies expects of a bundle: its commit, its nonce, its age.

use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::findings::{Check, Findings};
use crate::provenance::Provenance;

const FILE: &str = "provenance.json";

/// Whether the bundle is of this commit, and nothing else was in the tree.
pub(super) fn commit(provenance: Option<&Provenance>, wanted: Option<&str>) -> Check {
    let Some(wanted) = wanted else {
        return Check::NotAsked { why: "name the commit with --commit".to_owned() };
    };
    let Some(provenance) = provenance else {
        return Check::NotReached { why: format!("{FILE} is missing or cannot be used") };
    };
    let commit = &provenance.commit;
    let mut findings = Findings::default();
    if commit.sha != wanted {
        findings.add(FILE, None, format!("the run was of commit {}, and {wanted} was asked for", commit.sha));
    }
    if commit.dirty {
        findings.add(FILE, None, "files of the tree were changed or not tracked, so it is not this commit that ran");
    }
    findings.check(vec![format!("commit {wanted}, nothing changed in the tree")])
}

/// Whether the run is the one that was asked for, and recent enough.
pub(super) fn fresh(
    provenance: Option<&Provenance>,
    nonce: Option<&str>,
    max_age: Option<Duration>,
    now: OffsetDateTime,
) -> Check {
    if nonce.is_none() && max_age.is_none() {
        return Check::NotAsked { why: "ask with --nonce or --max-age".to_owned() };
    }
    let Some(provenance) = provenance else {
        return Check::NotReached { why: format!("{FILE} is missing or cannot be used") };
    };
    let mut findings = Findings::default();
    let mut what = Vec::new();
    if let Some(nonce) = nonce {
        match provenance.nonce.as_deref() {
            Some(found) if found == nonce => what.push("the run was asked for with this nonce".to_owned()),
            Some(_) => findings.add(FILE, None, "the run was asked for with another nonce"),
            None => findings.add(FILE, None, "the run was not asked for with a nonce"),
        }
    }
    if let Some(max_age) = max_age {
        match age(&provenance.timings.finished, now) {
            Err(problem) => findings.add(FILE, None, problem),
            Ok(age) if age > max_age => {
                let problem = format!("the run ended {} ago; {} is the limit", words(age), words(max_age));
                findings.add(FILE, None, problem);
            }
            Ok(age) => what.push(format!("the run ended {} ago", words(age))),
        }
    }
    findings.check(what)
}

fn age(finished: &str, now: OffsetDateTime) -> Result<Duration, String> {
    let finished = OffsetDateTime::parse(finished, &Rfc3339)
        .map_err(|_| "the time at which the run ended is no time in the form of RFC 3339".to_owned())?;
    let age = now.unix_timestamp_nanos().saturating_sub(finished.unix_timestamp_nanos());
    let age = u128::try_from(age).map_err(|_| "the run ends in the future: check both clocks".to_owned())?;
    let seconds = age.checked_div(1_000_000_000).and_then(|seconds| u64::try_from(seconds).ok());
    Ok(Duration::from_secs(seconds.unwrap_or(u64::MAX)))
}

/// The units of [`parse_age`], in seconds.
const UNITS: [(char, u64); 4] = [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)];

/// Reads an age: a whole number and one of `s`, `m`, `h`, `d`.
///
/// # Errors
///
/// What would be right.
pub fn parse_age(text: &str) -> Result<Duration, String> {
    let parse = || {
        let (unit, seconds) = UNITS.into_iter().find(|(unit, _)| text.ends_with(*unit))?;
        let number = text.strip_suffix(unit)?;
        let is_plain = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let number: u64 = is_plain.then(|| number.parse().ok())??;
        number.checked_mul(seconds).map(Duration::from_secs)
    };
    parse().ok_or_else(|| "write a whole number and s, m, h or d: 30m, 12h, 7d".to_owned())
}

/// An age in the largest unit of which there is one whole.
fn words(age: Duration) -> String {
    let seconds = age.as_secs();
    let (unit, length) = UNITS.into_iter().find(|(_, length)| seconds >= *length).unwrap_or(('s', 1));
    format!("{}{unit}", seconds.checked_div(length).unwrap_or_default())
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
    fn an_age_is_a_number_and_a_unit() {
        for (text, seconds) in [("0s", 0), ("30m", 1_800), ("12h", 43_200), ("7d", 604_800)] {
            assert_eq!(parse_age(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for odd in ["", "7", "d", "-1d", "+1d", "1.5h", "7 d", "7D", "1w", "99999999999999999999d", "١h"] {
            assert!(parse_age(odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn a_time_in_the_future_is_not_fresh() {
        let now = OffsetDateTime::parse("2026-01-02T03:04:05Z", &Rfc3339).unwrap();
        assert_eq!(age("2026-01-02T03:04:04.5Z", now), Ok(Duration::ZERO));
        assert_eq!(age("2026-01-01T03:04:05Z", now), Ok(Duration::from_secs(86_400)));
        assert_eq!(age("2026-01-02T04:04:05+01:00", now), Ok(Duration::ZERO));
        for odd in ["2026-01-02T03:04:05.000000001Z", "2027-01-01T00:00:00Z", "yesterday"] {
            assert!(age(odd, now).is_err(), "{odd}");
        }
    }
}
