//! Looks for bytes and addresses in text, in the forms in which they leak.

/// How often `secret` stands in `text`: as it is, in hex digits of either case, or as a `Debug` list of numbers.
pub(crate) fn occurrences(text: &str, secret: &[u8]) -> usize {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let list = format!("{secret:?}");
    let list = list.trim_matches(['[', ']']);
    let raw = text.as_bytes().windows(secret.len().max(1)).filter(|window| *window == secret).count();
    [raw, text.to_lowercase().matches(&hex).count(), text.matches(list).count()].into_iter().sum()
}

/// How often `address` stands in `text`: in hex digits of either case, or in decimal digits.
pub(crate) fn address_occurrences(text: &str, address: u64) -> usize {
    let hex = text.to_lowercase().matches(&format!("{address:x}")).count();
    hex.saturating_add(text.matches(&address.to_string()).count())
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
    fn a_secret_is_found_in_every_form() {
        let secret = b"not so secret";
        for text in [
            "token: not so secret!",
            "6e6f7420736f20736563726574",
            "6E6F7420736F20736563726574",
            "Key([110, 111, 116, 32, 115, 111, 32, 115, 101, 99, 114, 101, 116])",
        ] {
            assert_eq!(occurrences(text, secret), 1, "{text}");
        }
        assert_eq!(occurrences("not so secre", secret), 0);
    }

    #[test]
    fn an_address_is_found_in_every_form() {
        for text in ["0x7f00dead0000", "7F00DEAD0000", "139641712607232"] {
            assert_eq!(address_occurrences(text, 0x7f00_dead_0000), 1, "{text}");
        }
        assert_eq!(address_occurrences("0x7f00dead000", 0x7f00_dead_0000), 0);
    }
}
