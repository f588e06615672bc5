//! `cargo xtask keygen`: makes a key that signs bundles.

use std::fs::{File, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use proof_bundle::attest::SigningKey;
use tempfile::NamedTempFile;

use crate::error::XtaskError;
use crate::exit::Exit;
use crate::output;

/// Options of `keygen`.
#[derive(Args, Debug)]
#[command(after_help = format!("\
Examples:
  cargo xtask keygen ../signing.pem                  write ../signing.pem and ../signing.pem.pub
  openssl pkey -in ../signing.pem -text -noout       look at it with OpenSSL
  openssl genpkey -algorithm ED25519 -out other.pem  make one without this command

The key is Ed25519, unencrypted PKCS#8, readable by you alone. Neither file is ever overwritten. Give the public file to
whoever checks your bundles by a way that does not pass through the bundles.

{}", Exit::help()))]
pub(crate) struct KeygenArgs {
    /// Where the private key goes; its public key goes to FILE.pub
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// The subcommand.
pub(crate) fn run(args: &KeygenArgs) -> Result<Exit, XtaskError> {
    output::print(&make(&args.file)?)?;
    Ok(Exit::Proven)
}

/// Makes the pair, and says what it made.
fn make(private: &Path) -> Result<String, XtaskError> {
    let public = public_path(private)?;
    // Asked first, so that no key is made for nothing; the disk is asked again when the files get their names.
    for path in [private, &public] {
        if path.symlink_metadata().is_ok() {
            return Err(taken(path));
        }
    }
    let (key, pem) = SigningKey::generate()?;
    let files = [
        (private, stage(private, pem.as_bytes(), 0o600)?),
        (public.as_path(), stage(&public, key.public_key().to_pem().as_bytes(), 0o644)?),
    ];
    name_both(files).and_then(|()| sync(directory(private)))?;
    Ok(format!(
        "private key {}\npublic key  {}\nkey id      {}\n",
        private.display(),
        public.display(),
        key.public_key().keyid()
    ))
}

/// Gives each file its name: both, or neither.
fn name_both(files: [(&Path, NamedTempFile); 2]) -> Result<(), XtaskError> {
    let mut named: Vec<&Path> = Vec::new();
    for (path, file) in files {
        if let Err(error) = file.persist_noclobber(path) {
            // Half a pair is none. What has its name by now is ours: there was no such file before.
            for path in named {
                let _ = std::fs::remove_file(path);
            }
            return Err(match error.error.kind() {
                std::io::ErrorKind::AlreadyExists => taken(path),
                _ => XtaskError::write(path)(error.error),
            });
        }
        named.push(path);
    }
    Ok(())
}

fn public_path(private: &Path) -> Result<PathBuf, XtaskError> {
    let no_name = || XtaskError::Usage(format!("{} does not name a file to make", private.display()));
    if private.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Err(no_name());
    }
    let mut name = private.file_name().ok_or_else(no_name)?.to_owned();
    name.push(".pub");
    Ok(private.with_file_name(name))
}

fn taken(path: &Path) -> XtaskError {
    XtaskError::Input(format!("{} exists, and a key is never overwritten: choose another name", path.display()))
}

/// The directory that `path` lies in.
fn directory(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// A file with these bytes, whole and on the disk, in the directory where it will get its name; removed unless it does.
fn stage(path: &Path, bytes: &[u8], mode: u32) -> Result<NamedTempFile, XtaskError> {
    let write = || {
        // Readable by its owner alone from the first moment.
        // The error would name the file that has no name yet.
        let mut file = NamedTempFile::new_in(directory(path)).map_err(|error| std::io::Error::from(error.kind()))?;
        file.write_all(bytes)?;
        file.as_file().set_permissions(Permissions::from_mode(mode))?;
        file.as_file().sync_all()?;
        Ok(file)
    };
    write().map_err(XtaskError::write(path))
}

fn sync(directory: &Path) -> Result<(), XtaskError> {
    File::open(directory).and_then(|directory| directory.sync_all()).map_err(XtaskError::write(directory))
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
    use proof_bundle::attest::PublicKey;

    use super::*;
    use crate::key_file;

    fn mode(path: &Path) -> u32 {
        path.metadata().unwrap().permissions().mode() & 0o777
    }

    fn count(directory: &Path) -> usize {
        std::fs::read_dir(directory).unwrap().count()
    }

    #[test]
    fn a_key_is_for_its_owner_alone_and_fits_its_public_half() {
        let dir = tempfile::tempdir().unwrap();
        let (private, public) = (dir.path().join("k.pem"), dir.path().join("k.pem.pub"));
        let said = make(&private).unwrap();
        assert_eq!((mode(&private), mode(&public), count(dir.path())), (0o600, 0o644, 2));
        let key = key_file::read(&private, SigningKey::from_pem).unwrap();
        assert!(said.contains(&key.public_key().keyid()), "{said}");
        let text = std::fs::read_to_string(&public).unwrap();
        assert_eq!(PublicKey::from_pem(&text).unwrap(), key.public_key());
        assert_eq!(text, key.public_key().to_pem());
    }

    #[test]
    fn neither_file_is_ever_overwritten() {
        for (taken, link) in [("k.pem", false), ("k.pem.pub", false), ("k.pem", true), ("k.pem.pub", true)] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join(taken);
            if link {
                std::os::unix::fs::symlink("nowhere", &path).unwrap();
            } else {
                std::fs::write(&path, "precious").unwrap();
            }
            let error = make(&dir.path().join("k.pem")).unwrap_err();
            assert!(error.line().contains(&format!("{taken} exists")), "{}", error.line());
            assert_eq!((error.exit(), count(dir.path())), (Exit::BadInput, 1));
            assert!(link || std::fs::read(&path).unwrap() == b"precious");
        }
    }

    #[test]
    fn when_the_second_file_cannot_get_its_name_the_first_loses_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let (private, public) = (dir.path().join("k"), dir.path().join("k.pub"));
        let files = [(private.as_path(), "1"), (public.as_path(), "2")];
        let files = files.map(|(path, text)| (path, stage(path, text.as_bytes(), 0o600).unwrap()));
        std::fs::write(&public, "precious").unwrap();
        let error = name_both(files).unwrap_err();
        assert!(error.line().contains("k.pub exists"), "{}", error.line());
        assert_eq!((count(dir.path()), std::fs::read(&public).unwrap()), (1, b"precious".to_vec()));
    }

    #[test]
    fn what_names_no_file_or_lies_nowhere_is_refused_in_one_line() {
        for (path, exit) in [("", Exit::Usage), ("..", Exit::Usage), ("a/", Exit::Usage), ("/nowhere/k", Exit::Found)] {
            let error = make(Path::new(path)).unwrap_err();
            assert_eq!(error.exit(), exit, "{path}: {}", error.line());
            assert!(!error.line().contains('\n'));
        }
    }
}
