//! What can go wrong with an audit log.

/// An event was not kept, or a log is not what its writer wrote.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuditError {
    /// The log's file could not be opened, read, written or synced.
    #[error("audit log cannot {action}: {source}; check the disk and the file's permissions")]
    Io {
        /// What was being done: `open`, `read`, `write` or `sync`.
        action: &'static str,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// An event could not be turned into JSON.
    #[error("audit event cannot be encoded: {0}; this is a defect, report it")]
    Encode(#[from] serde_json::Error),
    /// An event is longer than a line of a log may be.
    #[error("audit event of {bytes} bytes is too long for a log: shorten the texts in it")]
    TooLong {
        /// The length that its line would have.
        bytes: usize,
    },
    /// Another sink, of this process or another, writes to the log.
    #[error("audit log is open in another sink: give each worker a log of its own")]
    InUse,
    /// A line of the log is not the line that was written there.
    #[error("audit log broken at line {line}: {why}; keep the file as evidence and start a new log")]
    Broken {
        /// The line's number, from 1.
        line: u64,
        /// What was found.
        why: String,
    },
    /// An earlier write failed half-way and could not be undone, so nothing may be appended.
    #[error("audit log was left damaged by an earlier write error; keep the file as evidence and start a new log")]
    Damaged,
    /// The path names something that is not a regular file.
    #[error("audit log must be a regular file: give the path of a file, existing or new")]
    NotAFile,
    /// A sink of the caller's own could not keep the event.
    #[error("audit sink refused the event: {0}; mend what it writes to")]
    Refused(String),
}
