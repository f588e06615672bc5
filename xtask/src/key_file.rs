//! Private keys on the disk: read only where nobody else can.

use std::fs::{self, File, Metadata};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use zeroize::Zeroizing;

use crate::error::XtaskError;

/// More bytes than any key file has.
const MOST: u64 = 1 << 16;

/// Reads the private key at `path` with `parse`.
///
/// # Errors
/// [`XtaskError::Read`], or [`XtaskError::Input`] for anything but a file that only its owner can read, and for what `parse`
/// refuses.
pub(crate) fn read<K>(path: &Path, parse: fn(&str) -> Result<K, proof_bundle::Error>) -> Result<K, XtaskError> {
    let fault = |problem: &str| XtaskError::Input(format!("cannot use the key {}: {problem}", path.display()));
    // Looked at before opening, because opening a pipe would wait for its writer.
    refuse(&fs::metadata(path).map_err(XtaskError::read(path))?).map_err(|problem| fault(&problem))?;
    let file = File::open(path).map_err(XtaskError::read(path))?;
    // Asked of the open file, not of the path, which may name another file by now.
    let metadata = file.metadata().map_err(XtaskError::read(path))?;
    refuse(&metadata).map_err(|problem| fault(&problem))?;
    // Room for all of it, so that the buffer never grows and leaves a copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(MOST).unwrap_or_default()));
    file.take(MOST.saturating_sub(1)).read_to_end(&mut bytes).map_err(XtaskError::read(path))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| fault("it is no PEM file"))?;
    parse(text).map_err(|error| fault(&error.to_string()))
}

fn refuse(metadata: &Metadata) -> Result<(), String> {
    let mode = metadata.permissions().mode() & 0o777;
    if !metadata.is_file() {
        return Err("it is not a file".to_owned());
    }
    if mode & 0o077 != 0 {
        return Err(format!("others can read it (mode {mode:04o}): run `chmod 600` on it"));
    }
    Ok(())
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
    use std::fs::Permissions;

    use proof_bundle::attest::SigningKey;

    use super::*;

    fn refusal(path: &Path) -> String {
        let line = read(path, SigningKey::from_pem).unwrap_err().line();
        assert!(!line.contains('\n'), "{line:?}");
        line
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_until_it_is_closed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k");
        std::fs::write(&path, SigningKey::generate().unwrap().1.as_bytes()).unwrap();
        for mode in [0o644, 0o640, 0o602, 0o610] {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let line = refusal(&path);
            assert!(line.contains(&format!("{mode:04o}")) && line.contains("chmod 600"), "{line}");
        }
        for mode in [0o600, 0o400] {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert!(read(&path, SigningKey::from_pem).is_ok());
        }
    }

    #[test]
    fn what_is_no_key_file_is_refused_and_never_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
            path
        };
        let pipe = dir.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(refusal(&pipe).contains("it is not a file"));
        assert!(refusal(dir.path()).contains("it is not a file"));
        assert!(refusal(&dir.path().join("missing")).contains("cannot read"));
        assert!(refusal(&file("empty", b"")).contains("cargo xtask keygen"));
        assert!(refusal(&file("bytes", b"\xff\xfe")).contains("no PEM file"));
        assert!(refusal(&file("long", &vec![b'A'; 1 << 20])).contains("no PEM file"));
    }
}
