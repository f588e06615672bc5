//! Newtypes that parse untrusted input: past this crate an invalid value cannot exist.
//!
//! Each type has one way in, `parse`, that returns a [`ValidationError`] saying what was wrong and what is
//! accepted. Deserialising goes through the same check where the check needs nothing but the value itself;
//! [`GpuIndex`] and [`ModelSize`] depend on what only the running process knows, so they are not
//! deserialisable at all.
#![forbid(unsafe_code)]

mod digest_hex;
mod error;
mod gpu_index;
mod model_size;
mod shard_id;
mod tensor_parallel;

pub use digest_hex::DigestHex;
pub use error::ValidationError;
pub use gpu_index::GpuIndex;
pub use model_size::{DEFAULT_MAX_MODEL_BYTES, ModelSize};
pub use shard_id::ShardId;
pub use tensor_parallel::TensorParallel;
