//! The JSON files of a bundle, read and written.

use std::fs;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Error;

/// The one form that a JSON file of a bundle has.
pub(crate) fn json_text(value: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(value)?;
    text.push(b'\n');
    Ok(text)
}

/// Reads a JSON file of a bundle.
pub(crate) fn read_json<T: DeserializeOwned>(directory: &Path, file: &str) -> Result<T, Error> {
    let path = directory.join(file);
    let text = fs::read(&path).map_err(Error::io("read", &path))?;
    serde_json::from_slice(&text).map_err(Error::json(file))
}
