//! Figures as text: shares and columns.

/// A share with its denominator; rounded down, so that 100 % means all.
pub(crate) fn share(part: usize, whole: usize) -> String {
    match part.saturating_mul(100).checked_div(whole) {
        Some(percent) => format!("{part}/{whole} ({percent} %)"),
        None => format!("{part}/{whole}"),
    }
}

/// Rows under one another, each column as wide as its widest cell.
pub(crate) fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut text = String::new();
    for row in rows {
        let line: String = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}  ")).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
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
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [["a", "§§§"], ["bb", "c"]].map(|row| row.map(str::to_owned));
        assert_eq!(columns(&rows), "a   §§§\nbb  c\n");
    }

    #[test]
    fn a_share_is_never_rounded_up_to_all() {
        assert_eq!(share(999, 1000), "999/1000 (99 %)");
        assert_eq!(share(0, 0), "0/0");
    }
}
