//! HTML that text of unknown origin cannot break out of: markup comes from the program's own text alone, and every other
//! text is escaped on its way in.

use std::fmt::Write;

use super::super::markdown::reorders;
use crate::merge::INPUTS;

/// A piece of HTML. Text becomes one by being escaped; there is no other way in but for the program's own literals.
#[derive(Clone, Debug, Default)]
pub(super) struct Html(String);

/// The attributes of an element: names are the program's own, values are escaped.
pub(super) type Attributes<'a> = &'a [(&'static str, &'a str)];

/// Elements that end a line, so that the source can be read and compared line by line.
const BLOCKS: [&str; 26] = [
    "caption",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "h1",
    "h2",
    "h3",
    "h4",
    "header",
    "li",
    "main",
    "nav",
    "p",
    "section",
    "style",
    "summary",
    "svg",
    "table",
    "tr",
    "ul",
];

impl Html {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// Markup of the program's own.
    pub(super) fn literal(markup: &'static str) -> Self {
        Self(markup.to_owned())
    }

    /// The style sheet: made of the program's own text and of numbers, see [`style`](super::style).
    pub(super) fn style(sheet: &super::style::Sheet) -> Self {
        Self(format!("<style>{}</style>\n", sheet.text()))
    }

    pub(super) fn push(&mut self, piece: impl Into<Self>) {
        self.0.push_str(&piece.into().0);
    }

    pub(super) fn into_string(self) -> String {
        self.0
    }
}

/// An element with what it holds.
pub(super) fn tag(name: &'static str, attributes: Attributes<'_>, content: impl Into<Html>) -> Html {
    let mut html = open(name, attributes);
    html.push(content);
    html.0.push_str("</");
    html.0.push_str(name);
    html.0.push('>');
    if BLOCKS.contains(&name) {
        html.0.push('\n');
    }
    html
}

/// An element without attributes.
pub(super) fn plain(name: &'static str, content: impl Into<Html>) -> Html {
    tag(name, &[], content)
}

/// An element of a class.
pub(super) fn class(name: &'static str, class: &str, content: impl Into<Html>) -> Html {
    tag(name, &[("class", class)], content)
}

/// An element that holds nothing and has no end tag.
pub(super) fn open(name: &'static str, attributes: Attributes<'_>) -> Html {
    let mut html = Html(format!("<{name}"));
    for (attribute, value) in attributes {
        html.0.push(' ');
        html.0.push_str(attribute);
        html.0.push_str("=\"");
        escape(value, &mut html.0);
        html.0.push('"');
    }
    html.0.push('>');
    html
}

/// A link to an element of this page.
pub(super) fn link(id: &str, content: impl Into<Html>) -> Html {
    tag("a", &[("href", &format!("#{}", encoded(id)))], content)
}

/// A link to a file of an input of a merged bundle; the file's name is the program's own.
pub(super) fn input_file(run_id: &str, name: &'static str, content: impl Into<Html>) -> Html {
    tag("a", &[("class", "file"), ("href", &format!("{INPUTS}/{}/{name}", encoded(run_id)))], content)
}

/// The text as one component of a URL.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut url, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            url.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(url, "%{byte:02X}");
        }
        url
    })
}

/// A link to a file beside this page, whose name is the program's own.
pub(super) fn file(name: &'static str) -> Html {
    tag("a", &[("class", "file"), ("href", name)], plain("code", name))
}

/// Escapes text so that it shows as it is, in an element or in a quoted attribute. Characters that would show as nothing
/// or reorder the text are written as `\u{…}`; a new line stays one.
fn escape(text: &str, escaped: &mut String) {
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\n' => escaped.push('\n'),
            _ if character.is_control() || reorders(character) => {
                let _ = write!(escaped, "\\u{{{:x}}}", u32::from(character));
            }
            _ => escaped.push(character),
        }
    }
}

impl From<&str> for Html {
    fn from(text: &str) -> Self {
        let mut escaped = String::with_capacity(text.len());
        escape(text, &mut escaped);
        Self(escaped)
    }
}

impl From<String> for Html {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<&String> for Html {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<Vec<Html>> for Html {
    fn from(pieces: Vec<Html>) -> Self {
        pieces.into_iter().collect()
    }
}

impl<const N: usize> From<[Html; N]> for Html {
    fn from(pieces: [Html; N]) -> Self {
        pieces.into_iter().collect()
    }
}

impl FromIterator<Html> for Html {
    fn from_iter<I: IntoIterator<Item = Html>>(pieces: I) -> Self {
        let mut html = Self::new();
        for piece in pieces {
            html.push(piece);
        }
        html
    }
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
    fn text_and_attributes_cannot_break_out() {
        let hostile = "<script>alert('1')</script> \"&amp;";
        let shown = "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &quot;&amp;amp;";
        assert_eq!(Html::from(hostile).into_string(), shown);
        assert_eq!(tag("b", &[("title", hostile)], hostile).into_string(), format!("<b title=\"{shown}\">{shown}</b>"));
    }

    #[test]
    fn what_hides_or_reorders_is_written_out() {
        assert_eq!(Html::from("gpj\u{202e}.exe\u{7}\u{0}\r").into_string(), "gpj\\u{202e}.exe\\u{7}\\u{0}\\u{d}");
        assert_eq!(
            Html::from("a\u{ad}b\u{61c}c\u{200b}d\u{e0041}").into_string(),
            "a\\u{ad}b\\u{61c}c\\u{200b}d\\u{e0041}"
        );
        assert_eq!(Html::from("§2.1 é\nü").into_string(), "§2.1 é\nü");
    }

    #[test]
    fn a_link_leads_nowhere_but_into_the_page() {
        assert_eq!(link("r-00§2.1", "x").into_string(), "<a href=\"#r-00%C2%A72.1\">x</a>");
        assert_eq!(link("javascript:\"", "x").into_string(), "<a href=\"#javascript%3A%22\">x</a>");
        let input = input_file("../x\"", "report.html", "x").into_string();
        assert_eq!(input, "<a class=\"file\" href=\"inputs/..%2Fx%22/report.html\">x</a>");
    }
}
