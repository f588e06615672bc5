//! Model files: which format, and whether the header is one.
//!
//! Nothing here holds a file in memory: headers are read through a buffer, and every count that a file claims is compared with
//! the bytes it has before anything is done with it.

mod ggml;
mod gguf;
mod safetensors;

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::error::XtaskError;

/// What a file's header says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "format", rename_all = "snake_case")]
pub(crate) enum Format {
    /// <https://huggingface.co/docs/safetensors>
    Safetensors {
        /// How many tensors the header describes.
        tensors: u64,
        /// The header with its 8-byte length: where the data begins.
        header_bytes: u64,
    },
    /// <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>
    Gguf {
        /// The version of the format.
        version: u32,
        /// How many tensors the header describes.
        tensors: u64,
        /// How many key-value pairs the header holds.
        metadata_entries: u64,
        /// Everything before the tensor data's padding.
        header_bytes: u64,
        /// Tensors of types that are not known here: that they begin within the data was checked, their sizes were not.
        unchecked_tensors: u64,
    },
    /// Any other file: its bytes are sealed, nothing is said of their meaning.
    Opaque,
}

/// A model file that can be read and whose header, if its format is known, is sound.
#[derive(Clone, Debug)]
pub(crate) struct Model {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// Its file name without directories: all that a bundle says of where it was.
    pub(crate) name: String,
    /// Its size in bytes.
    pub(crate) bytes: u64,
    /// What its header says.
    pub(crate) format: Format,
}

impl Model {
    /// Looks at a file that the user named.
    ///
    /// # Errors
    /// [`XtaskError::Input`] when it is missing, not a regular file, empty, unreadable, or has a malformed header.
    pub(crate) fn open(path: &Path) -> Result<Self, XtaskError> {
        let refuse = |why: &str| XtaskError::Input(format!("model {path:?}: {why}"));
        let metadata = std::fs::metadata(path).map_err(|error| refuse(&error.to_string()))?;
        if metadata.is_dir() {
            return Err(refuse("is a directory: name the model's file"));
        }
        if !metadata.is_file() {
            return Err(refuse("is not a regular file: copy the model into one"));
        }
        if metadata.len() == 0 {
            return Err(refuse("is empty: there is nothing to seal"));
        }
        let file = File::open(path).map_err(|error| refuse(&error.to_string()))?;
        let format = format_of(path, file, metadata.len()).map_err(|why| refuse(&why))?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Ok(Self { path: path.to_owned(), name, bytes: metadata.len(), format })
    }

    /// What the header says in a copy of the file's contents.
    pub(crate) fn format_in(&self, contents: impl Read + Seek) -> Result<Format, String> {
        format_of(&self.path, contents, self.bytes)
    }
}

/// The format by the file's name and, for GGUF, by its magic.
fn format_of(path: &Path, file: impl Read + Seek, bytes: u64) -> Result<Format, String> {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase());
    let mut input = Counted::new(file, bytes);
    match extension.as_deref() {
        Some("safetensors") => safetensors::parse(&mut input),
        Some("gguf") => gguf::parse(&mut input),
        _ => {
            if input.take_array::<4>().is_ok_and(|magic| magic == gguf::MAGIC) {
                input.rewind()?;
                return gguf::parse(&mut input);
            }
            Ok(Format::Opaque)
        }
    }
}

/// The most bytes of a name that a message repeats.
const SHOWN: usize = 64;

/// A name of a file's own as a message shows it: quoted, odd characters escaped, the end of a long one left off.
fn clipped(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(name.get(..SHOWN).unwrap_or(name));
    if name.len() > SHOWN { format!("{text:?}…") } else { format!("{text:?}") }
}

/// A reader that knows how many bytes are left, so that no claim of a file is believed beyond them.
struct Counted<R> {
    inner: BufReader<R>,
    bytes: u64,
    position: u64,
}

impl<R: Read + Seek> Counted<R> {
    fn new(inner: R, bytes: u64) -> Self {
        Self { inner: BufReader::new(inner), bytes, position: 0 }
    }

    fn left(&self) -> u64 {
        self.bytes.saturating_sub(self.position)
    }

    fn rewind(&mut self) -> Result<(), String> {
        self.position = 0;
        self.inner.rewind().map_err(|error| error.to_string())
    }

    fn take_array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut array = [0; N];
        self.fill(&mut array)?;
        Ok(array)
    }

    fn fill(&mut self, into: &mut [u8]) -> Result<(), String> {
        let length = u64::try_from(into.len()).unwrap_or(u64::MAX);
        self.need(length)?;
        self.inner.read_exact(into).map_err(|error| error.to_string())?;
        self.position = self.position.saturating_add(length);
        Ok(())
    }

    fn skip(&mut self, length: u64) -> Result<(), String> {
        self.need(length)?;
        // The file has that many bytes, so the distance fits an offset.
        let distance = i64::try_from(length).map_err(|_| "is too large to seek in".to_owned())?;
        self.inner.seek_relative(distance).map_err(|error| error.to_string())?;
        self.position = self.position.saturating_add(length);
        Ok(())
    }

    fn need(&self, length: u64) -> Result<(), String> {
        if length <= self.left() {
            return Ok(());
        }
        Err(format!(
            "is truncated: {length} bytes are needed at byte {}, and {} are left; fetch the file again",
            self.position,
            self.left()
        ))
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
    use crate::exit::Exit;

    #[test]
    fn a_missing_file_a_directory_and_an_empty_file_are_refused_in_one_line() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("empty.gguf"), "").unwrap();
        for (name, words) in [("absent.gguf", "No such file"), ("", "is a directory"), ("empty.gguf", "is empty")] {
            let error = Model::open(&dir.path().join(name)).unwrap_err();
            assert_eq!(error.exit(), Exit::BadInput);
            assert!(error.to_string().contains(words), "{error}");
            assert!(!error.to_string().contains('\n'));
        }
    }

    #[test]
    fn a_name_full_of_markup_is_kept_as_a_basename() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("<script>|.bin");
        std::fs::write(&path, "x").unwrap();
        let model = Model::open(&path).unwrap();
        assert_eq!((model.name.as_str(), model.bytes, model.format), ("<script>|.bin", 1, Format::Opaque));
    }

    #[test]
    fn an_unknown_extension_with_the_magic_of_gguf_is_read_as_gguf() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("model.bin");
        std::fs::write(&path, [b"GGUF".as_slice(), &3_u32.to_le_bytes(), &[0; 16]].concat()).unwrap();
        assert!(matches!(Model::open(&path).unwrap().format, Format::Gguf { version: 3, .. }));
    }
}
