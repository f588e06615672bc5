//! What is looked at of XML before it is parsed. A parser compares each attribute of a mark with the others, and copies the
//! names around a mark for each of them: a few megabytes could take it days.

/// More marks than there are in the XML of 50,000 tests.
const MARKS_LIMIT: usize = 500_000;

/// More quotation marks than are in one mark that a run writes.
const QUOTES_LIMIT: usize = 32;

/// The most that the longest name of a test or a suite, once for every mark, may come to; in bytes.
const NAMES_LIMIT: usize = 1 << 32;

/// Whether a parser may read this.
///
/// # Errors
///
/// What it has that no run writes.
pub(super) fn check(xml: &str) -> Result<(), String> {
    let (mut marks, mut longest) = (0_usize, 0_usize);
    let mut rest = xml;
    while let Some((_, after)) = rest.split_once('<') {
        marks = marks.saturating_add(1);
        if marks > MARKS_LIMIT {
            return Err(format!("it has more than {MARKS_LIMIT} marks"));
        }
        // What these hold would have to be read in another way.
        if after.starts_with('!') || (after.starts_with('?') && marks > 1) {
            return Err("it has a comment, a declaration or an instruction".to_owned());
        }
        let end = end_of_mark(after).ok_or("it has a mark that no run writes")?;
        let (mark, after) = after.split_at_checked(end).unwrap_or((after, ""));
        if ["testsuite", "testcase"].iter().any(|name| mark.starts_with(name)) {
            longest = longest.max(mark.len());
        }
        rest = after;
    }
    match longest.saturating_mul(marks) > NAMES_LIMIT {
        true => Err(format!("a name of {longest} bytes among {marks} marks takes too long to read")),
        false => Ok(()),
    }
}

/// Where the mark ends; `None` when it does not, or holds too much.
fn end_of_mark(text: &str) -> Option<usize> {
    let mut quotes = 0_usize;
    for (index, byte) in text.bytes().enumerate() {
        let is_quoted = !quotes.is_multiple_of(2);
        match byte {
            b'"' => quotes = quotes.saturating_add(1),
            b'>' if !is_quoted => return Some(index),
            b'<' | b'\'' if !is_quoted => return None,
            _ => {}
        }
        if quotes > QUOTES_LIMIT {
            return None;
        }
    }
    None
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
    fn what_a_run_writes_is_read_and_what_would_take_long_is_not() {
        let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
        let with = |text: &str| check(&format!("{head}{text}"));
        assert_eq!(with("<testcase name=\"a > b 'c'\" time=\"0.001\"/>\n<failure>it's \"wrong\"</failure>"), Ok(()));
        assert_eq!(with(&format!("<testcase name=\"{}\"/>", "x".repeat(1 << 20))), Ok(()));
        for odd in ["<!-- -->", "<![CDATA[]]>", "<?x ?>", "<a b='c'/>", "<a <b/>", "<a b=\"", "<a"] {
            assert!(with(odd).is_err(), "{odd}");
        }
        assert!(with(&format!("<a{}/>", " b=\"\"".repeat(17))).is_err());
        assert!(with(&"<a/>".repeat(MARKS_LIMIT)).is_err());
        assert!(with(&format!("<testcase name=\"{}\"/>{}", "x".repeat(1 << 20), "<a/>".repeat(5_000))).is_err());
    }
}
