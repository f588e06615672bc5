//! The one error type of the facade: what was refused, and what to do about it.

use allocator::{AllocatorError, ReleaseError};
use audit::AuditError;
use cuda_ffi::DriverError;
use seal::SealError;
use validation::{ShardId, TensorParallel, ValidationError};

/// Why an operation was refused. No variant carries a key, an address or weights.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VramError {
    /// An argument is outside what is accepted.
    #[error(transparent)]
    InvalidInput(#[from] ValidationError),
    /// A live shard has this id already.
    #[error("shard id {shard_id:?} is in use: release that shard first or choose another id")]
    ShardIdInUse {
        /// The id.
        shard_id: String,
    },
    /// The device has too little free memory for the shard.
    #[error(
        "device {gpu_device} has {available_bytes} of {capacity_bytes} bytes of device memory available and {needed_bytes} are \
         needed: release a shard, use another device or a smaller shard{}", refused(.cause.as_ref())
    )]
    InsufficientVram {
        /// The device's index.
        gpu_device: u32,
        /// Bytes that the shard needs.
        needed_bytes: u64,
        /// Bytes that are available. The driver can refuse fewer: they lie in pieces, or others were quicker.
        available_bytes: u64,
        /// Bytes that the manager may use there, whatever is in use now. A shard that needs more never fits.
        capacity_bytes: u64,
        /// What the driver said, where it was asked to allocate.
        cause: Option<DriverError>,
    },
    /// The handle carries no signature.
    #[error("shard {shard_id:?} is not sealed: its handle has no signature; seal the model again")]
    NotSealed {
        /// The id that the handle claims.
        shard_id: String,
    },
    /// The handle's fields or its signature are not those that were sealed.
    #[error(
        "shard {shard_id:?} does not verify: {reason}; do not run it, and seal the model again from a trusted file"
    )]
    SealForged {
        /// The id that the handle claims.
        shard_id: String,
        /// What did not match.
        reason: &'static str,
    },
    /// The device under this index is another than the one that the shard was sealed on.
    #[error(
        "shard {shard_id:?} was sealed on another device: do not run it; restart the worker on the device it was made for"
    )]
    OtherDevice {
        /// The shard.
        shard_id: String,
    },
    /// The bytes in device memory are not those that were sealed.
    #[error(
        "shard {shard_id:?} has changed in device memory in {}: do not run it; release it and load it again",
        describe_blocks(.blocks, *.block_count)
    )]
    ContentsChanged {
        /// The shard.
        shard_id: String,
        /// Numbers of the 4096-byte blocks that differ, from 0, the first 1,000 of them; empty when they could not be located.
        blocks: Vec<u64>,
        /// How many blocks differ.
        block_count: usize,
    },
    /// No live shard has this id in this manager.
    #[error(
        "no live shard {shard_id:?} in this manager: it was never sealed here or its memory is freed; seal it again"
    )]
    UnknownShard {
        /// The id that the handle claims.
        shard_id: String,
    },
    /// The shard was released and its memory is gone.
    #[error("shard {shard_id:?} was released: seal the model again to use it")]
    Released {
        /// The shard.
        shard_id: String,
    },
    /// The handle belongs to another manager.
    #[error("shard {shard_id:?} belongs to another manager: use the manager that sealed it")]
    ForeignShard {
        /// The id that the handle claims.
        shard_id: String,
    },
    /// The shard is lent for execution.
    #[error("shard {shard_id:?} is lent for execution ({guards} guards): drop the guards, then release it")]
    InUse {
        /// The shard.
        shard_id: String,
        /// Guards that live.
        guards: usize,
    },
    /// The input is not the one that was announced.
    #[error("the model's {kind} digest is {observed}, expected {expected}: fetch the file again from its publisher")]
    DigestNotExpected {
        /// `SHA-256` or `fs-verity`.
        kind: &'static str,
        /// Hex digits that the caller gave.
        expected: String,
        /// Hex digits of what was read.
        observed: String,
    },
    /// The shard is for another worker of the group.
    #[error(
        "the shard is for tensor-parallel rank {} of {}, this worker is rank {} of {}: load this worker's shard",
        .shard.index(), .shard.count(), .worker.index(), .worker.count()
    )]
    WrongTensorParallel {
        /// The shard's place.
        shard: TensorParallel,
        /// The worker's place.
        worker: TensorParallel,
    },
    /// The input ended before its announced length.
    #[error("the model ended after {read_bytes} of {expected_bytes} bytes: give its true length")]
    InputTooShort {
        /// Bytes announced.
        expected_bytes: u64,
        /// Bytes read.
        read_bytes: u64,
    },
    /// The input goes on after its announced length.
    #[error(
        "the model is longer than the announced {expected_bytes} bytes: give its true length, or no more of the stream than that"
    )]
    InputTooLong {
        /// Bytes announced.
        expected_bytes: u64,
    },
    /// The input could not be read.
    #[error("the model cannot be read: {0}; nothing was sealed, seal it again once its source can be read")]
    Read(#[source] std::io::Error),
    /// The device or an allocation does not meet the VRAM-only policy. The manager is stopped.
    #[error(
        "device {gpu_device} breaks the VRAM-only policy ({}): use a discrete GPU whose memory the driver reports as \
         device memory",
        .findings.join("; ")
    )]
    PolicyViolated {
        /// The device's index.
        gpu_device: u32,
        /// The broken rules, such as `VP-002`.
        rules: Vec<String>,
        /// What each of them found, such as `VP-002: the memory type is host`.
        findings: Vec<String>,
    },
    /// The manager or the device was stopped by an earlier failure.
    #[error("stopped: {cause}; release the shards and start a new worker once the cause is mended")]
    Stopped {
        /// What stopped it.
        cause: String,
    },
    /// Two simulated devices have one index.
    #[error("two simulated devices have index {gpu_device}: make each with SimulatedConfig::for_index")]
    SimulatedTwice {
        /// The index.
        gpu_device: u32,
    },
    /// There is no GPU, and a GPU was required.
    #[error("no GPU: {reason}; to simulate one, use VramManager::simulated")]
    NoGpu {
        /// What was looked for and not found.
        reason: String,
    },
    /// The guard ran an execution already.
    #[error("the guard of shard {shard_id:?} has launched already: verify the shard again for another execution")]
    AlreadyLaunched {
        /// The shard.
        shard_id: String,
    },
    /// A stream of another device or manager was given.
    #[error(
        "the stream is of device {stream_device} and the shard on device {gpu_device}, or they are of two managers: take a \
         stream of that device from the shard's manager"
    )]
    WrongStream {
        /// The stream's device.
        stream_device: u32,
        /// The shard's device.
        gpu_device: u32,
    },
    /// The driver refused an operation.
    #[error("device {gpu_device}: {cause}")]
    Driver {
        /// The device's index.
        gpu_device: u32,
        /// What the driver said.
        cause: DriverError,
    },
    /// An access outside a shard's device memory.
    #[error(transparent)]
    DeviceMemory(AllocatorError),
    /// Device memory could not be overwritten or freed; it is kept out of use and the device is stopped.
    #[error("device {gpu_device}: {release}{}", undoing(.undone.as_deref()))]
    Quarantined {
        /// The device's index.
        gpu_device: u32,
        /// What could not be done.
        release: ReleaseError,
        /// What a seal had failed with before, where it was its memory that was to be given back.
        undone: Option<Box<VramError>>,
    },
    /// The event of the operation could not be kept, so the operation does not count as done.
    #[error("the audit log refused the event of this operation, so it does not count as done: {0}")]
    Audit(#[from] AuditError),
    /// The token or the key cannot be used.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// An attestation is not the one that this manager's key signed.
    #[error(
        "the attestation does not verify under this worker's token: do not rely on it; give both workers one token and have \
         residency attested again"
    )]
    AttestationForged,
}

impl VramError {
    /// The bytes in device memory differ from what was sealed in these blocks.
    pub(crate) fn contents_changed(shard_id: &ShardId, mut blocks: Vec<u64>) -> Self {
        /// A lost GPU changes every block of a model: millions of numbers, of which no reader needs more.
        const MOST_BLOCKS: usize = 1000;
        let block_count = blocks.len();
        blocks.truncate(MOST_BLOCKS);
        Self::ContentsChanged { shard_id: shard_id.as_str().to_owned(), blocks, block_count }
    }

    /// Whether the same call can succeed later without a repair: when memory was freed, guards were dropped or the
    /// input could be read. A shard that needs more than the manager may ever use of the device is not retriable. Everything
    /// else is fatal for that shard or that manager.
    #[must_use]
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::InUse { .. } | Self::ShardIdInUse { .. } | Self::Read(_) => true,
            Self::InsufficientVram { needed_bytes, capacity_bytes, .. } => needed_bytes <= capacity_bytes,
            Self::Driver { cause, .. } => cause.is_out_of_memory(),
            _ => false,
        }
    }

    /// Bytes that were needed, where memory was short.
    #[must_use]
    pub const fn needed_bytes(&self) -> Option<u64> {
        match self {
            Self::InsufficientVram { needed_bytes, .. } => Some(*needed_bytes),
            _ => None,
        }
    }

    /// Bytes that were available, where memory was short.
    #[must_use]
    pub const fn available_bytes(&self) -> Option<u64> {
        match self {
            Self::InsufficientVram { available_bytes, .. } => Some(*available_bytes),
            _ => None,
        }
    }
}

/// The driver's refusal, to stand after what to do about it.
fn refused(cause: Option<&DriverError>) -> String {
    cause.map(|cause| format!(" (refused by the driver: {cause})")).unwrap_or_default()
}

/// Why memory was being given back, to stand after how that failed.
fn undoing(error: Option<&VramError>) -> String {
    error.map(|error| format!("; the seal had failed before: {error}")).unwrap_or_default()
}

/// `block 3`, `blocks 3, 4 and 7 others`, or that they could not be located.
fn describe_blocks(blocks: &[u64], count: usize) -> String {
    const NAMED: usize = 8;
    let named: Vec<String> = blocks.iter().take(NAMED).map(u64::to_string).collect();
    match count {
        0 => "a place that could not be located".to_owned(),
        1 => format!("block {}", named.join("")),
        count if count <= NAMED => format!("blocks {}", named.join(", ")),
        count => format!("blocks {} and {} others", named.join(", "), count.saturating_sub(NAMED)),
    }
}
