//! Applying a mutant's diff to its file. Every line of context must be there, so that a mutant of other sources is refused
//! and never makes something else.

/// The text that `diff`, a unified diff of one file, makes of `source`.
///
/// # Errors
/// What does not fit, when the diff is of another text.
pub(super) fn apply(source: &str, diff: &str) -> Result<String, String> {
    let old: Vec<&str> = source.split_inclusive('\n').collect();
    let mut new = String::with_capacity(source.len());
    // The lines of `old` that are in `new`, or were left out.
    let mut done = 0;
    let mut lines = diff.split_inclusive('\n').skip_while(|line| !line.starts_with("@@ ")).peekable();
    if lines.peek().is_none() {
        return Err("it changes nothing".to_owned());
    }
    for line in lines {
        if let Some(header) = line.strip_prefix("@@ -") {
            let start = first_line(header).ok_or_else(|| format!("{:?} is no place", line.trim_end()))?;
            let between = old.get(done..start).ok_or_else(|| format!("it has no line {start}"))?;
            new.extend(between.iter().copied());
            done = start;
            continue;
        }
        let (kind, text) = match line.split_at_checked(1) {
            // Some tools leave out the space of an empty line.
            _ if line == "\n" => (" ", line),
            Some(("\\", _)) => continue,
            Some(split) => split,
            None => continue,
        };
        match kind {
            "+" => new.push_str(text),
            " " | "-" => {
                let here = old.get(done).copied().unwrap_or_default();
                if here.trim_end_matches('\n') != text.trim_end_matches('\n') {
                    return Err(format!("line {} is another: {:?}", done.saturating_add(1), here.trim_end()));
                }
                if kind == " " {
                    new.push_str(here);
                }
                done = done.saturating_add(1);
            }
            _ => return Err(format!("{:?} is no line of a diff", line.trim_end())),
        }
    }
    new.extend(old.get(done..).unwrap_or_default().iter().copied());
    Ok(new)
}

/// The index of the first old line of a hunk, from what follows `@@ -`.
fn first_line(header: &str) -> Option<usize> {
    let (old, _) = header.split_once(' ')?;
    let (start, length) = old.split_once(',').unwrap_or((old, "1"));
    let start: usize = start.parse().ok()?;
    // An empty range names the line before it.
    if length == "0" { Some(start) } else { start.checked_sub(1) }
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

    const SOURCE: &str = "a\nb\nc\nd\ne\n";
    const HEAD: &str = "--- f.rs\n+++ replace c\n";

    #[test]
    fn lines_are_replaced_added_and_removed_in_their_place() {
        for (hunks, expected) in [
            ("@@ -2,3 +2,3 @@\n b\n-c\n+C\n d\n", "a\nb\nC\nd\ne\n"),
            ("@@ -1,2 +1,1 @@\n-a\n b\n@@ -5,1 +4,2 @@\n e\n+f\n", "b\nc\nd\ne\nf\n"),
            ("@@ -2,0 +3,1 @@\n+x\n", "a\nb\nx\nc\nd\ne\n"),
        ] {
            assert_eq!(apply(SOURCE, &format!("{HEAD}{hunks}")).as_deref(), Ok(expected), "{hunks}");
        }
        assert_eq!(apply("a\nb", "@@ -2,1 +2,1 @@\n-b\n+c\n\\ No newline\n").as_deref(), Ok("a\nc\n"));
    }

    #[test]
    fn a_diff_of_another_text_is_refused() {
        for hunks in ["", "@@ -2,2 +2,2 @@\n b\n-x\n+y\n", "@@ -9,1 +9,1 @@\n-b\n", "@@ -5,2 +5,1 @@\n e\n-f\n"] {
            assert!(apply(SOURCE, &format!("{HEAD}{hunks}")).is_err(), "{hunks}");
        }
    }
}
