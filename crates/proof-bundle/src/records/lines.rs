//! Lines of bounded length from a file of any size.

use std::io::{self, BufRead, BufReader, Read};

/// More than the longest line that a run writes, in bytes. A longer one is refused unread.
pub(crate) const LINE_LIMIT: usize = 1 << 20;

/// How much is read at once, in bytes.
const CHUNK: usize = 1 << 16;

/// The lines of a file, one after another: never more than one is held.
pub(crate) struct Lines<R> {
    input: BufReader<R>,
    line: Vec<u8>,
}

/// A line, or why there is none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<'a> {
    /// A line without its newline.
    Line(&'a [u8]),
    /// The last line, which has no newline.
    Unended(&'a [u8]),
    /// The line is longer than [`LINE_LIMIT`].
    TooLong,
    /// The end of the file.
    End,
}

impl<R: Read> Lines<R> {
    pub(crate) fn new(input: R) -> Self {
        Self { input: BufReader::with_capacity(CHUNK, input), line: Vec::new() }
    }

    /// The next line.
    pub(crate) fn next(&mut self) -> io::Result<Next<'_>> {
        self.line.clear();
        let limit = u64::try_from(LINE_LIMIT).unwrap_or(u64::MAX).saturating_add(1);
        let read = self.input.by_ref().take(limit).read_until(b'\n', &mut self.line)?;
        Ok(match self.line.strip_suffix(b"\n") {
            Some(line) => Next::Line(line),
            None if read == 0 => Next::End,
            None if read > LINE_LIMIT => Next::TooLong,
            None => Next::Unended(&self.line),
        })
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
    fn lines_come_without_their_newline_and_keep_everything_else() {
        let mut lines = Lines::new(b"a\r\n\nb".as_slice());
        assert_eq!(lines.next().unwrap(), Next::Line(b"a\r"));
        assert_eq!(lines.next().unwrap(), Next::Line(b""));
        assert_eq!(lines.next().unwrap(), Next::Unended(b"b"));
        assert_eq!(lines.next().unwrap(), Next::End);
    }

    #[test]
    fn a_line_without_an_end_is_refused_after_the_limit_and_one_of_the_limit_is_read() {
        assert_eq!(Lines::new(io::repeat(b' ')).next().unwrap(), Next::TooLong);
        let mut longest = vec![b'x'; LINE_LIMIT];
        longest.push(b'\n');
        assert_eq!(Lines::new(longest.as_slice()).next().unwrap(), Next::Line(&longest[..LINE_LIMIT]));
    }
}
