//! The archive: what plain `tar -xzf` unpacks, and the same bytes for the same files.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::XtaskError;
use crate::process;

/// Checks that what [`write`] and the kit's manifest need is there.
///
/// # Errors
/// [`XtaskError::Start`] or [`XtaskError::Input`] that names the program.
pub(super) fn check_tools() -> Result<(), XtaskError> {
    for program in ["tar", "gzip", "readelf", "strip"] {
        let output = Command::new(program).arg("--version").stdin(Stdio::null()).output();
        let output = output.map_err(|source| XtaskError::Start { program: program.to_owned(), source })?;
        if program == "tar" && !String::from_utf8_lossy(&output.stdout).contains("GNU tar") {
            return Err(XtaskError::Input("pack needs GNU tar: this tar is another".to_owned()));
        }
    }
    Ok(())
}

/// Writes the directory `name` in `scratch` as an archive beside it. Names are sorted; owners and times say nothing.
pub(super) fn write(scratch: &Path, name: &str) -> Result<PathBuf, XtaskError> {
    let archive = scratch.join("kit.tar.gz");
    let mut command = Command::new("tar");
    command
        .args(["--create", "--format=ustar", "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"])
        .args(["--mode=u=rwX,go=rX", "--use-compress-program=gzip -9 -n", "--file"])
        .arg(&archive)
        .arg("--directory")
        .args([scratch.as_os_str(), name.as_ref()])
        // Options of the user's own would change the bytes.
        .env_remove("TAR_OPTIONS")
        .env_remove("GZIP")
        .stdin(Stdio::null());
    let ended = process::run(&mut command, None)?;
    if ended.is_success() {
        return Ok(archive);
    }
    Err(XtaskError::Input(format!("tar cannot write the archive ({ended}): see what it said above")))
}
