//! Seal model shards in GPU memory, verify them in place before every execution, and refuse what fails.
//!
//! The way of the data: bytes are validated, become resident in device memory, are sealed (SHA-256, fs-verity tree,
//! HMAC-SHA256 under a key derived from the worker's token), are verified where they lie, and only then lent.
//!
//! ```
//! use vram_residency::{VramConfig, VramManager};
//!
//! # fn main() -> Result<(), vram_residency::VramError> {
//! let manager = VramManager::simulated(VramConfig::default())?;
//! let shard = manager.seal_model(b"weights", 0)?;
//!
//! let stream = manager.stream(0)?;
//! let guard = manager.verify_for_execute(&shard)?;
//! // Launch kernels over `weights.address()` here, and wait for them before the guard is dropped.
//! let bytes = guard.launch(&stream, |weights| weights.bytes())?;
//! assert_eq!(bytes, 7);
//! drop(guard);
//!
//! manager.release(&shard)?;
//! # Ok(()) }
//! ```
//!
//! A simulated device never passes for a real one: [`VramManager::device_class`] says which it is, every decision, every
//! attestation and the audit log's event `started` carry it, and [`VramManager::is_vram_only`] is false on it. Production
//! workers start with [`VramManager::require_gpu`], which refuses without a GPU.
//!
//! Real GPUs need the feature `cuda`; the README says what that asks of the workspace that builds. The driver is opened when
//! it is first needed, so the same program starts on any machine. Where the feature, the driver or a device is missing,
//! `require_gpu` refuses and says which.
//!
//! # Odd cases
//!
//! | case | what happens |
//! | --- | --- |
//! | sealing under an id in use | [`VramError::ShardIdInUse`]; the live shard stays as it is |
//! | input shorter, longer or unlike its expected digest | [`VramError::InputTooShort`], [`VramError::InputTooLong`], [`VramError::DigestNotExpected`]; nothing stays in device memory |
//! | a shard for another tensor-parallel rank | [`VramError::WrongTensorParallel`] before memory is taken |
//! | an edited handle, a forged or zeroed signature | [`VramError::SealForged`] |
//! | a removed signature | [`VramError::NotSealed`] |
//! | an older handle of an id that was sealed again | [`VramError::SealForged`] |
//! | a deserialised handle | works while another handle keeps the memory, then [`VramError::UnknownShard`] |
//! | a shard of another manager | [`VramError::ForeignShard`], also under the same token |
//! | verification or a second release after release | [`VramError::Released`] |
//! | a second launch with one guard | [`VramError::AlreadyLaunched`]; verify again for another execution |
//! | release while a guard lives | [`VramError::InUse`]; nothing is released |
//! | every handle dropped while a guard lives | the guard keeps the memory until it is dropped |
//! | a guard that is forgotten (`std::mem::forget`) | the shard stays in use, and its memory is neither overwritten nor freed |
//! | a handle dropped after its manager | its memory is overwritten and freed all the same |
//! | memory that cannot be overwritten or freed | [`VramError::Quarantined`], a critical event, the device is stopped |
//! | a device that its driver loses | [`VramError::Driver`], a critical event, the device is stopped |
//! | a broken policy rule | [`VramError::PolicyViolated`], a critical event, the manager is stopped |
//! | sealing, verifying, launching, enforcing, attesting, or asking for facts, memory or a stream on a stopped manager | [`VramError::Stopped`] with the cause; `release`, `used_vram` and `verify_attestation` still work |
//! | an event that cannot be kept | [`VramError::Audit`]; sealing is rolled back, nothing is lent, released memory stays released |
//!
//! # What is not claimed
//! A window remains from the verification to the end of the execution; a process killed by SIGKILL leaves its device memory
//! to the driver; root on the host can subvert all of it. The project's SECURITY document has the whole list.
#![forbid(unsafe_code)]

mod attestation;
mod clipped;
mod config;
mod device_slot;
mod discovery;
mod error;
mod filling;
mod guard;
mod lease;
mod manager;
mod registry;
mod residency;
mod sealed;
mod sealing;
mod shard;
#[cfg(feature = "test-hooks")]
mod test_hooks;
mod verifying;

pub use attestation::{DeviceAttestation, ResidencyAttestation, ShardAttestation};
pub use config::{SealOptions, VramConfig};
pub use discovery::{HostGpus, discover};
pub use error::VramError;
pub use guard::{DeviceWeights, ExecuteGuard, Stream};
pub use manager::VramManager;
pub use shard::{SealedShard, Signature};
#[cfg(feature = "test-hooks")]
pub use test_hooks::TestHooks;

pub use allocator::{AllocatorError, ReleaseError};
pub use audit::{
    AuditError, AuditSink, ChainKey, Event, LogSummary, MemorySink, NdjsonSink, StartedDevice, TracingSink, verify_log,
};
#[cfg(feature = "test-hooks")]
pub use cuda_ffi::{AllocationOverride, Fault, SimulatedDevice};
pub use cuda_ffi::{DeviceAddress, DriverError, Operation, SimulatedConfig};
pub use facts::{
    AllocationFacts, Capacity, DeviceClass, DeviceFacts, DeviceUuid, DriverModel, EccErrors, EccMode, FactsError,
    MemoryType, ProbeFacts,
};
pub use policy::{Decision, FactRead, Finding, Outcome, PolicyRecord, Rule, Verdict};
pub use seal::{AuditKey, MAX_TOKEN_BYTES, MIN_TOKEN_BYTES, SealError, SecretToken};
pub use validation::{DEFAULT_MAX_MODEL_BYTES, DigestHex, ShardId, TensorParallel, ValidationError};
