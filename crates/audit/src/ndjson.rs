//! Events appended to a file: one authenticated, chained JSON line each.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{BufReader, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use time::OffsetDateTime;

use crate::chain::{Chain, walk};
use crate::{AuditError, AuditSink, ChainKey, Event};

/// Appends events to a file, each line chained to the one before and authenticated under a key.
///
/// Critical events are synced to the disk before [`AuditSink::record`] returns. A write that fails is undone by cutting
/// the file back to its last whole line; where that fails too the sink refuses everything after it.
pub struct NdjsonSink {
    key: ChainKey,
    log: Mutex<Log>,
}

/// What the sink needs of a file; a test puts a failing disk in its place.
trait Storage: Write + Send {
    fn sync(&mut self) -> std::io::Result<()>;
    fn cut_to(&mut self, bytes: u64) -> std::io::Result<()>;
}

impl Storage for File {
    fn sync(&mut self) -> std::io::Result<()> {
        self.sync_data()
    }
    fn cut_to(&mut self, bytes: u64) -> std::io::Result<()> {
        self.set_len(bytes)
    }
}

struct Log {
    storage: Box<dyn Storage>,
    chain: Chain,
    whole_bytes: u64,
    damaged: bool,
}

impl NdjsonSink {
    /// Opens the log at `path`, creating it with mode 0600 when it does not exist. An existing log is checked from its
    /// first line and continued.
    ///
    /// # Errors
    /// [`AuditError::Broken`] when an existing log does not verify under `key`, [`AuditError::InUse`] when another sink
    /// has it open, [`AuditError::NotAFile`], [`AuditError::Io`].
    pub fn open(path: &Path, key: ChainKey) -> Result<Self, AuditError> {
        if path.exists() && !path.is_file() {
            return Err(AuditError::NotAFile);
        }
        let opened = |source| AuditError::Io { action: "open", source };
        let mut options = OpenOptions::new();
        options.create(true).append(true).read(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(opened)?;
        // Held until the sink is dropped: two writers would break each other's chain.
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => AuditError::InUse,
            TryLockError::Error(source) => opened(source),
        })?;
        let whole_bytes = file.metadata().map_err(opened)?.len();
        if whole_bytes == 0 && cfg!(unix) {
            sync_name(path).map_err(|source| AuditError::Io { action: "sync", source })?;
        }
        let (_, chain) = walk(BufReader::new(&file), &key)?;
        Ok(Self { key, log: Mutex::new(Log { storage: Box::new(file), chain, whole_bytes, damaged: false }) })
    }
}

/// Puts the name of a new file on stable storage. What is synced in a file without a name is lost with the power.
fn sync_name(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(directory) if directory.as_os_str().is_empty() => File::open(".")?.sync_all(),
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

impl std::fmt::Debug for NdjsonSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NdjsonSink(..)")
    }
}

impl AuditSink for NdjsonSink {
    fn record(&self, event: &Event) -> Result<(), AuditError> {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.damaged {
            return Err(AuditError::Damaged);
        }
        let (mut text, after) = log.chain.seal(&self.key, OffsetDateTime::now_utc(), event)?;
        text.push('\n');
        match log.append(&text, event.is_critical()) {
            Ok(()) => {
                log.chain = after;
                log.whole_bytes = log.whole_bytes.saturating_add(text.len() as u64);
                Ok(())
            }
            Err(error) => {
                let whole_bytes = log.whole_bytes;
                log.damaged = log.storage.cut_to(whole_bytes).is_err();
                Err(error)
            }
        }
    }
}

impl Log {
    fn append(&mut self, text: &str, critical: bool) -> Result<(), AuditError> {
        self.storage
            .write_all(text.as_bytes())
            .and_then(|()| self.storage.flush())
            .map_err(|source| AuditError::Io { action: "write", source })?;
        if critical {
            self.storage.sync().map_err(|source| AuditError::Io { action: "sync", source })?;
        }
        Ok(())
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
    use std::io::{Error, ErrorKind};
    use std::sync::Arc;

    use super::*;
    use crate::verify_log;

    /// A disk in memory that can run full after some bytes, fail to sync, and fail to cut back.
    #[derive(Default)]
    struct Disk {
        bytes: Vec<u8>,
        room: usize,
        syncs: usize,
        sync_fails: bool,
        cut_fails: bool,
    }

    #[derive(Clone)]
    struct Shared(Arc<Mutex<Disk>>);

    impl Write for Shared {
        fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
            let mut disk = self.0.lock().unwrap();
            let taken = buffer.len().min(disk.room - disk.bytes.len());
            if taken == 0 {
                return Err(Error::from(ErrorKind::StorageFull));
            }
            disk.bytes.extend_from_slice(&buffer[..taken]);
            Ok(taken)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl Storage for Shared {
        fn sync(&mut self) -> std::io::Result<()> {
            let mut disk = self.0.lock().unwrap();
            disk.syncs += 1;
            if disk.sync_fails { Err(Error::other("disk gone")) } else { Ok(()) }
        }
        fn cut_to(&mut self, bytes: u64) -> std::io::Result<()> {
            let mut disk = self.0.lock().unwrap();
            if disk.cut_fails {
                return Err(Error::other("disk gone"));
            }
            disk.bytes.truncate(usize::try_from(bytes).unwrap());
            Ok(())
        }
    }

    fn sink(disk: &Shared) -> NdjsonSink {
        let log = Log { storage: Box::new(disk.clone()), chain: Chain::new(), whole_bytes: 0, damaged: false };
        NdjsonSink { key: ChainKey::new(&[7; 32]), log: Mutex::new(log) }
    }

    fn disk(room: usize) -> Shared {
        Shared(Arc::new(Mutex::new(Disk { room, ..Disk::default() })))
    }

    fn ordinary() -> Event {
        Event::AllocationFailed { gpu_device: 0, needed_bytes: 2, available_bytes: 1, reason: "too large".to_owned() }
    }

    fn critical() -> Event {
        Event::PolicyViolation {
            gpu_device: 0,
            rules: vec!["VP-002".to_owned()],
            findings: vec!["VP-002: host memory".to_owned()],
        }
    }

    #[test]
    fn critical_events_are_synced_before_the_call_returns_and_others_are_not() {
        let disk = disk(10_000);
        let sink = sink(&disk);
        sink.record(&ordinary()).unwrap();
        assert_eq!(disk.0.lock().unwrap().syncs, 0);
        sink.record(&critical()).unwrap();
        assert_eq!(disk.0.lock().unwrap().syncs, 1);
    }

    #[test]
    fn syncing_a_file_asks_the_system_for_it() {
        // The system refuses to sync a device that has no disk behind it.
        let mut device = File::options().append(true).open("/dev/null").unwrap();
        assert!(Storage::sync(&mut device).is_err());
        assert!(Storage::sync(&mut tempfile::tempfile().unwrap()).is_ok());
    }

    #[test]
    fn a_full_disk_errs_and_leaves_only_whole_lines_that_can_be_continued() {
        let disk = disk(10_000);
        let sink = sink(&disk);
        sink.record(&ordinary()).unwrap();
        let whole = disk.0.lock().unwrap().bytes.len();
        disk.0.lock().unwrap().room = whole + 20;
        assert!(matches!(sink.record(&critical()), Err(AuditError::Io { action: "write", .. })));
        assert_eq!(disk.0.lock().unwrap().bytes.len(), whole);
        disk.0.lock().unwrap().room = 10_000;
        sink.record(&critical()).unwrap();
        let summary = verify_log(&disk.0.lock().unwrap().bytes[..], &ChainKey::new(&[7; 32])).unwrap();
        assert_eq!((summary.lines, summary.critical), (2, 1));
    }

    #[test]
    fn a_failed_sync_errs_and_takes_the_line_back() {
        let disk = disk(10_000);
        let sink = sink(&disk);
        disk.0.lock().unwrap().sync_fails = true;
        assert!(matches!(sink.record(&critical()), Err(AuditError::Io { action: "sync", .. })));
        assert!(disk.0.lock().unwrap().bytes.is_empty());
    }

    #[test]
    fn a_write_that_cannot_be_undone_closes_the_log() {
        let disk = disk(10);
        let sink = sink(&disk);
        disk.0.lock().unwrap().cut_fails = true;
        assert!(sink.record(&ordinary()).is_err());
        disk.0.lock().unwrap().room = 10_000;
        assert!(matches!(sink.record(&ordinary()), Err(AuditError::Damaged)));
    }
}
