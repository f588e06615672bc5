//! The one place that writes into a bundle: a seam, so that a test can run out of disk space.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Writes files.
pub(crate) trait Store: Send + Sync {
    /// Creates a new file; fails when it exists.
    fn create(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Appends to a file, creating it first when there is none.
    fn append(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Waits until the disk holds a file, or the names in a directory.
    fn sync(&self, path: &Path) -> io::Result<()>;
    /// Gives a directory another name beside its own.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
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

    fn sync(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }
}
