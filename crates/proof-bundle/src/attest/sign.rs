//! Signing a bundle: the last thing that is done to it.

use std::fs;
use std::path::{Path, PathBuf};

use super::{DIRECTORY, Envelope, SigningKey, statements};
use crate::coverage::inputs::read_json;
use crate::coverage::{Coverage, Inputs, derive};
use crate::hash::sha256_file;
use crate::report::render_all;
use crate::store::{Disk, Store};
use crate::{Error, sums};

/// Signs the bundle at `bundle` with `key`: it gets the directory [`DIRECTORY`] with both envelopes at once, or nothing.
///
/// # Errors
///
/// [`Error::Unsignable`] when the bundle is signed already, is not what its `SHA256SUMS` lists, or holds statuses or reports
/// that do not follow from its evidence; [`Error::Io`] when the disk refuses.
pub fn sign(bundle: &Path, key: &SigningKey) -> Result<(), Error> {
    sign_with(&Disk, bundle, key)
}

fn sign_with(store: &dyn Store, bundle: &Path, key: &SigningKey) -> Result<(), Error> {
    // So that it has a name and a parent, whatever the path looks like.
    let bundle = &fs::canonicalize(bundle).map_err(Error::io("open", bundle))?;
    let target = bundle.join(DIRECTORY);
    if target.symlink_metadata().is_ok() {
        let problem = format!("it has a directory `{DIRECTORY}` already, and what is signed stays as it is");
        return Err(Error::Unsignable { bundle: bundle.clone(), problem });
    }
    check(bundle).map_err(|problem| Error::Unsignable { bundle: bundle.clone(), problem })?;
    let envelopes = statements(bundle)?
        .into_iter()
        .map(|(name, statement)| Ok((name, Envelope::sign(statement, key)?)))
        .collect::<Result<Vec<_>, Error>>()?;

    // Beside the bundle, which stays as it is until everything is on the disk.
    let partial = Partial::create(bundle)?;
    let write = |path: &Path, bytes: Option<&[u8]>| {
        bytes.map_or(Ok(()), |bytes| store.create(path, bytes)).and_then(|()| store.sync(path))
    };
    for (name, envelope) in &envelopes {
        let path = partial.0.join(name);
        write(&path, Some(&envelope.to_bytes())).map_err(Error::io("write", &path))?;
    }
    write(&partial.0, None).map_err(Error::io("write", &partial.0))?;
    // Fails when there is such a directory by now, unless it is empty.
    store.rename(&partial.0, &target).map_err(Error::io("create", &target))?;
    store.sync(bundle).map_err(Error::io("write", bundle))
}

/// Checks that the bundle is complete and unchanged, and that what it concludes follows from what it holds.
fn check(bundle: &Path) -> Result<(), String> {
    let say = |error: Error| error.to_string();
    let list = fs::read_to_string(bundle.join(sums::FILE))
        .map_err(|error| format!("its SHA256SUMS cannot be read: {error}"))?;
    let mut digests = sums::parse(&list).ok_or("its SHA256SUMS is no list of digests and names")?;
    digests.insert(sums::FILE.to_owned(), sha256_file(&bundle.join(sums::FILE)).map_err(say)?);
    sums::check(bundle, &digests).map_err(say)?;
    let coverage: Coverage = read_json(bundle, "coverage.json").map_err(say)?;
    if derive(&Inputs::read(bundle).map_err(say)?) != coverage {
        return Err("its coverage.json does not follow from its evidence".to_owned());
    }
    for (name, text) in render_all(bundle).map_err(say)? {
        if fs::read(bundle.join(&name)).ok().as_deref() != Some(text.as_bytes()) {
            return Err(format!("its {name} is not what its files render to"));
        }
    }
    Ok(())
}

/// A hidden directory beside the bundle; removed unless it was given its name.
struct Partial(PathBuf);

impl Partial {
    fn create(bundle: &Path) -> Result<Self, Error> {
        let name = bundle.file_name().unwrap_or_default().to_string_lossy();
        // Nobody else uses this process's id now; a directory of this name is what an earlier process left.
        let path = bundle.with_file_name(format!(".{name}.{DIRECTORY}.{}.partial", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir(&path).map_err(Error::io("create", &path))?;
        Ok(Self(path))
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Gone already when it was given its name.
        let _ = fs::remove_dir_all(&self.0);
    }
}
