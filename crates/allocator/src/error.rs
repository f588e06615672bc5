//! What went wrong with device memory, and what to do about it.

use cuda_ffi::DriverError;

/// Why memory could not be allocated or used. The ledger is right again when one of these is returned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AllocatorError {
    /// The device has not that much memory left.
    #[error(
        "{needed_bytes} bytes of device memory are needed and {available_bytes} are available: \
         release a shard, or use a device with more memory{}", refused(.cause.as_ref())
    )]
    InsufficientMemory {
        /// How many bytes were asked for.
        needed_bytes: u64,
        /// How many bytes were available then. The driver can refuse fewer: they lie in pieces, or others were quicker.
        available_bytes: u64,
        /// What the driver said, where it was asked.
        cause: Option<DriverError>,
    },
    /// An access would leave the buffer, or its end is past the largest number; nothing was read or written.
    #[error(
        "{len} bytes at offset {offset} leave a buffer of {buffer_bytes} bytes: keep offset + length within the buffer"
    )]
    OutOfBounds {
        /// Where the access begins, in bytes after the buffer's start.
        offset: u64,
        /// How many bytes it has.
        len: u64,
        /// How long the buffer is, in bytes.
        buffer_bytes: u64,
    },
    /// The driver failed.
    #[error(transparent)]
    Driver(#[from] DriverError),
}

/// The driver's refusal, to stand after what to do about it.
fn refused(cause: Option<&DriverError>) -> String {
    cause.map(|cause| format!(" (refused by the driver: {cause})")).unwrap_or_default()
}

/// Why memory was not given back. In each case it stays allocated, out of reach, and its bytes are quarantined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReleaseError {
    /// The memory could not be overwritten, so it was not freed: it may still hold weights.
    #[error("{bytes} bytes of device memory could not be overwritten and are quarantined: {cause}")]
    Quarantined {
        /// How many bytes are quarantined.
        bytes: u64,
        /// What the driver said.
        cause: DriverError,
    },
    /// The memory was overwritten and could not be freed.
    #[error("{bytes} bytes of device memory were overwritten, could not be freed and are quarantined: {cause}")]
    FreeFailed {
        /// How many bytes are quarantined.
        bytes: u64,
        /// What the driver said.
        cause: DriverError,
    },
}
