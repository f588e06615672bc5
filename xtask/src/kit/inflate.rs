//! `xtask inflate`, which a kit's `prove` uses: test binaries have most of their code in common, which gzip cannot see and zstd
//! can, and a host that has tar and gzip need not have zstd.

use std::io::{self, ErrorKind, Write as _};
use std::path::Path;

use ruzstd::decoding::StreamingDecoder;

use crate::error::XtaskError;
use crate::exit::Exit;

/// Decompresses zstd from stdin to stdout.
///
/// # Errors
/// [`XtaskError::Input`] for what is not zstd or ends too early, [`XtaskError::Write`] when stdout takes no more.
pub(crate) fn run() -> Result<Exit, XtaskError> {
    let fault = |error: String| XtaskError::Input(format!("stdin cannot be decompressed: {error}"));
    let mut decoder = StreamingDecoder::new(io::stdin().lock()).map_err(|error| fault(error.to_string()))?;
    let mut stdout = io::stdout().lock();
    match io::copy(&mut decoder, &mut stdout).and_then(|_| stdout.flush()) {
        Ok(()) => Ok(Exit::Proven),
        Err(error) if [ErrorKind::BrokenPipe, ErrorKind::StorageFull].contains(&error.kind()) => {
            Err(XtaskError::write(Path::new("stdout"))(error))
        }
        Err(error) => Err(fault(error.to_string())),
    }
}
