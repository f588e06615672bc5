//! Markdown (GFM) that text of unknown origin cannot break out of.

/// Escapes text so that it shows as it is, in a paragraph, a list or a cell: nothing in it is markup, a web link, HTML, a
/// new cell or a new line. Characters that would show as nothing or reorder the text are written as `\u{…}`.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (position, character) in text.char_indices() {
        let (before, from) = text.split_at(position);
        match character {
            // GFM makes a link of `scheme://` and of `www.`, without any markup.
            ':' if from.starts_with("://") => escaped.push_str("\\:"),
            '.' if before.get(before.len().saturating_sub(3)..).is_some_and(|end| end.eq_ignore_ascii_case("www")) => {
                escaped.push_str("\\.");
            }
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\n' => escaped.push(' '),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '|' | '~' => {
                escaped.push('\\');
                escaped.push(character);
            }
            _ if character.is_control() || reorders(character) => {
                escaped.push_str(&format!("\\\\u\\{{{:x}\\}}", u32::from(character)));
            }
            _ => escaped.push(character),
        }
    }
    escaped
}

/// A test's name as code, where it can be shown so.
pub(super) fn code(name: &str) -> String {
    let plain = !name.contains(['`', '|', '\\']) && !name.chars().any(|c| c.is_control() || reorders(c));
    if plain && name.trim() == name && !name.is_empty() { format!("`{name}`") } else { escape(name) }
}

/// Text that is Markdown already, for a cell.
pub(super) fn cell(markdown: &str) -> String {
    markdown.replace('|', "\\|").replace('\n', " ")
}

/// A table; the cells are Markdown.
pub(super) fn table<const N: usize>(heading: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    table_of(&heading, rows.into_iter().map(Vec::from))
}

/// The same, where the number of columns is that of something counted; the heading is Markdown as well.
pub(super) fn table_of(heading: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut text = format!("| {} |\n|{}\n", heading.join(" | "), " --- |".repeat(heading.len()));
    for row in rows {
        text.push_str(&format!("| {} |\n", row.join(" | ")));
    }
    text.push('\n');
    text
}

/// A block of code of one line.
pub(super) fn fenced(language: &str, line: &str) -> String {
    let line: String = line
        .chars()
        .map(|c| if c.is_control() || reorders(c) { c.escape_unicode().to_string() } else { c.to_string() })
        .collect();
    let mut fence = "```".to_owned();
    while line.contains(&fence) {
        fence.push('`');
    }
    format!("{fence}{language}\n{line}\n{fence}\n\n")
}

/// How many hundredths of `whole` are `part`, rounded down; none of nothing.
pub(super) fn percent(part: usize, whole: usize) -> Option<usize> {
    part.saturating_mul(100).checked_div(whole)
}

/// A share with its denominator; rounded down, so that 100 % means all.
pub(super) fn share(part: usize, whole: usize) -> String {
    match percent(part, whole) {
        Some(percent) => format!("{part}/{whole} ({percent} %)"),
        None => format!("{part}/{whole}"),
    }
}

/// Bidirectional controls, invisible separators, and characters that are drawn as nothing.
pub(crate) fn reorders(character: char) -> bool {
    matches!(
        character,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
    )
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
    fn a_hostile_name_shows_as_it_is() {
        assert_eq!(escape("<script>|.gguf"), "&lt;script&gt;\\|.gguf");
        assert_eq!(escape("[a](http://b) `c`\n# d"), "\\[a\\](http\\://b) \\`c\\` \\# d");
        assert_eq!(escape("https://a.b, www.c.d, §2.1: x"), "https\\://a.b, www\\.c.d, §2.1: x");
        assert_eq!(escape("WWW.§.www"), "WWW\\.§.www");
        assert_eq!(escape("gpj\u{202e}.exe\u{7}"), "gpj\\\\u\\{202e\\}.exe\\\\u\\{7\\}");
        assert_eq!(escape("&amp;"), "&amp;amp;");
    }

    #[test]
    fn code_is_used_only_where_it_can_hold_the_name() {
        assert_eq!(code("tests::tag"), "`tests::tag`");
        assert_eq!(code("a`b"), "a\\`b");
        assert_eq!(code("a|b"), "a\\|b");
        assert_eq!(code("<b>"), "`<b>`");
        assert_eq!(code(""), "");
    }

    #[test]
    fn a_fence_is_longer_than_any_inside() {
        assert_eq!(fenced("sh", "a ``` b\n```"), "````sh\na ``` b\\u{a}```\n````\n\n");
    }

    #[test]
    fn a_share_is_never_rounded_up_to_all() {
        assert_eq!(share(999, 1000), "999/1000 (99 %)");
        assert_eq!(share(5, 5), "5/5 (100 %)");
        assert_eq!(share(0, 0), "0/0");
    }
}
