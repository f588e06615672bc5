//! The wording of a step definition, and what a step fills into it.

/// The wording of a step: words, and the places `{text}` (in double quotes), `{number}` and `{size}` (a number and its
/// unit: byte, bytes, KiB or MiB).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pattern(pub(crate) &'static str);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Text(String),
    Number(u64),
}

impl Pattern {
    /// What `step` fills into the places; `None` when it is worded otherwise.
    pub(crate) fn arguments(self, step: &str, table: Option<&[Vec<String>]>) -> Option<Arguments> {
        let tokens = tokens(step);
        let mut tokens = tokens.iter().map(String::as_str);
        let mut values = Vec::new();
        for part in self.0.split_whitespace() {
            let token = tokens.next()?;
            match part {
                "{text}" => values.push(Value::Text(token.strip_prefix('"')?.strip_suffix('"')?.to_owned())),
                "{number}" => values.push(Value::Number(token.parse().ok()?)),
                "{size}" => values.push(Value::Number(token.parse::<u64>().ok()?.checked_mul(unit(tokens.next()?)?)?)),
                word if word == token => {}
                _ => return None,
            }
        }
        let rows = table.map(|rows| rows.iter().skip(1).cloned().collect()).unwrap_or_default();
        tokens.next().is_none().then_some(Arguments { values, rows })
    }

    /// Whether the step has a table: its wording ends with a colon.
    pub(crate) fn has_table(self) -> bool {
        self.0.ends_with(':')
    }
}

fn unit(unit: &str) -> Option<u64> {
    match unit {
        "byte" | "bytes" => Some(1),
        "KiB" => Some(1024),
        "MiB" => Some(1024 * 1024),
        _ => None,
    }
}

/// Splits at spaces outside double quotes; the quotes stay.
fn tokens(step: &str) -> Vec<String> {
    let mut tokens = vec![String::new()];
    let mut quoted = false;
    for character in step.chars() {
        if character == '"' {
            quoted = !quoted;
        }
        if character.is_whitespace() && !quoted {
            tokens.push(String::new());
        } else if let Some(token) = tokens.last_mut() {
            token.push(character);
        }
    }
    tokens.retain(|token| !token.is_empty());
    tokens
}

/// What a step filled into its definition's places, and the rows of its table.
#[derive(Clone, Debug)]
pub struct Arguments {
    values: Vec<Value>,
    rows: Vec<Vec<String>>,
}

impl Arguments {
    /// The text at place `place`, counted from 0 over all places.
    ///
    /// # Errors
    ///
    /// When the pattern has no text there.
    pub fn text(&self, place: usize) -> Result<&str, String> {
        match self.values.get(place) {
            Some(Value::Text(text)) => Ok(text),
            _ => Err(format!("place {place} of the step's pattern is no text")),
        }
    }

    /// The number at place `place`, or the bytes of a size.
    ///
    /// # Errors
    ///
    /// When the pattern has no number there.
    pub fn number(&self, place: usize) -> Result<u64, String> {
        match self.values.get(place) {
            Some(Value::Number(number)) => Ok(*number),
            _ => Err(format!("place {place} of the step's pattern is no number")),
        }
    }

    /// A device index at place `place`.
    ///
    /// # Errors
    ///
    /// When the pattern has no number there or it does not fit.
    pub fn device(&self, place: usize) -> Result<u32, String> {
        u32::try_from(self.number(place)?).map_err(|error| format!("place {place} is no device index: {error}"))
    }

    /// The rows of the step's table below its headings; none when it has no table.
    #[must_use]
    pub fn rows(&self) -> &[Vec<String>] {
        &self.rows
    }

    /// The first column of the table below its heading.
    ///
    /// # Errors
    ///
    /// When the table has no rows.
    pub fn column(&self) -> Result<Vec<&str>, String> {
        if self.rows.is_empty() {
            return Err("the table has no rows".to_owned());
        }
        Ok(self.rows.iter().filter_map(|row| row.first().map(String::as_str)).collect())
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
    fn places_take_quoted_text_numbers_and_sizes() {
        let pattern = Pattern("I seal a model of {size} as {text} on device {number}");
        let arguments = pattern.arguments(r#"I seal a model of 3 KiB as "a b" on device 1"#, None).unwrap();
        assert_eq!(arguments.number(0), Ok(3072));
        assert_eq!(arguments.text(1), Ok("a b"));
        assert_eq!(arguments.device(2), Ok(1));
        assert!(arguments.text(0).is_err() && arguments.number(1).is_err() && arguments.number(3).is_err());
    }

    #[test]
    fn a_step_worded_otherwise_does_not_match() {
        let pattern = Pattern("device {number} has {size} used");
        for step in [
            "device 0 has 1 MiB",
            "device 0 has 1 MiB used up",
            "device zero has 1 MiB used",
            "device 0 has 1 MB used",
            "Device 0 has 1 MiB used",
            "device 0 has 99999999999999999 MiB used",
            "",
        ] {
            assert!(pattern.arguments(step, None).is_none(), "{step}");
        }
    }
}
