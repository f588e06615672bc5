//! The archive: what plain `tar -xzf` unpacks, and the same bytes for the same files.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::XtaskError;
use crate::kit::{TESTS, TESTS_ARCHIVE};
use crate::process;

/// Checks that what [`write()`] and the kit's manifest need is there.
///
/// # Errors
/// [`XtaskError::Start`] or [`XtaskError::Input`] that names the program.
pub(super) fn check_tools() -> Result<(), XtaskError> {
    for program in ["tar", "gzip", "zstd", "readelf", "strip"] {
        let output = Command::new(program).arg("--version").stdin(Stdio::null()).output();
        let output = output.map_err(|source| XtaskError::Start { program: program.to_owned(), source })?;
        if program == "tar" && !String::from_utf8_lossy(&output.stdout).contains("GNU tar") {
            return Err(XtaskError::Input("pack needs GNU tar: this tar is another".to_owned()));
        }
    }
    Ok(())
}

/// Writes the kit, the directory `name` in `scratch`, as an archive beside it. Of the kit's own, the tests are an archive in it.
/// Names are sorted; owners and times say nothing.
pub(super) fn write(scratch: &Path, name: &str) -> Result<PathBuf, XtaskError> {
    let kit = scratch.join(name);
    // A window that a cautious decoder grants; one thread, for then the same input gives the same output.
    tar(&kit, TESTS, "zstd -q -12 --long=26 --single-thread", &kit.join(TESTS_ARCHIVE))?;
    let tests = kit.join(TESTS);
    std::fs::remove_dir_all(&tests).map_err(XtaskError::write(&tests))?;
    let archive = scratch.join("kit.tar.gz");
    tar(scratch, name, "gzip -9 -n", &archive)?;
    Ok(archive)
}

/// Archives `directory/name`.
fn tar(directory: &Path, name: &str, compress: &str, archive: &Path) -> Result<(), XtaskError> {
    let mut command = Command::new("tar");
    command
        .args(["--create", "--format=ustar", "--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"])
        .args(["--mode=u=rwX,go=rX", &format!("--use-compress-program={compress}"), "--file"])
        .arg(archive)
        .arg("--directory")
        .args([directory.as_os_str(), name.as_ref()])
        .stdin(Stdio::null());
    // Options of the user's own would change the bytes.
    for options in ["TAR_OPTIONS", "GZIP", "ZSTD_CLEVEL", "ZSTD_NBTHREADS"] {
        command.env_remove(options);
    }
    let ended = process::run(&mut command, None)?;
    if ended.is_success() {
        return Ok(());
    }
    Err(XtaskError::Input(format!("tar cannot write {} ({ended}): see what it said above", archive.display())))
}
