//! What a command says: its results on stdout, everything else on stderr. The `print` macros of the standard library panic
//! when nobody reads on.

use std::io::{self, ErrorKind, Write};
use std::path::Path;

use proof_bundle::verify::plain_json;
use serde::Serialize;

use crate::error::XtaskError;

/// Writes `text` to stdout. A reader who has seen enough, as in `| head`, is no error.
///
/// # Errors
/// [`XtaskError::Write`] when stdout is a file that cannot take it.
pub(crate) fn print(text: &str) -> Result<(), XtaskError> {
    print_to(&mut io::stdout().lock(), text)
}

/// A value as JSON, its members in the order of their declaration, with a newline at the end.
///
/// # Errors
/// [`XtaskError::Input`] when it has no JSON form.
pub(crate) fn json(value: &impl Serialize) -> Result<String, XtaskError> {
    let text = serde_json::to_string_pretty(value);
    text.map(|text| plain_json(&text) + "\n")
        .map_err(|error| XtaskError::Input(format!("a result has no JSON form: {error}")))
}

fn print_to(out: &mut impl Write, text: &str) -> Result<(), XtaskError> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(XtaskError::write(Path::new("stdout"))(error)),
        _ => Ok(()),
    }
}

/// Writes a line to stderr, if anybody can read it: the exit code says the same.
pub(crate) fn say(line: &str) {
    let _ = io::stderr().lock().write_all(format!("{line}\n").as_bytes());
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
    use crate::exit::Exit;

    /// Takes everything at once and fails when flushed.
    struct Fails(ErrorKind);

    impl Write for Fails {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn a_reader_who_left_is_no_error_and_a_full_disk_is() {
        assert!(print_to(&mut Fails(ErrorKind::BrokenPipe), "x\n").is_ok());
        let error = print_to(&mut Fails(ErrorKind::StorageFull), "x\n").unwrap_err();
        assert_eq!(error.exit(), Exit::Found);
        assert!(error.line().starts_with("cannot write stdout: "), "{}", error.line());
    }
}
