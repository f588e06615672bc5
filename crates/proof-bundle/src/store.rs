//! The one place that writes into a bundle: a seam, so that a test can run out of disk space.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Writes files.
pub(crate) trait Store: Send + Sync {
    /// Creates a new file; fails when it exists.
    fn create(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Appends to a file, creating it first when there is none.
    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
}

/// The file system.
pub(crate) struct Disk;

impl Store for Disk {
    fn create(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        File::create_new(path)?.write_all(bytes)
    }

    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        OpenOptions::new().append(true).create(true).open(path)?.write_all(bytes)
    }
}
