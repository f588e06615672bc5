//! What a worker may set: for the manager as a whole, and for one shard.

use std::collections::BTreeSet;
use std::sync::Arc;

use audit::{AuditSink, TracingSink};
use cuda_ffi::SimulatedConfig;
use seal::SecretToken;
use validation::{DEFAULT_MAX_MODEL_BYTES, TensorParallel};

/// Settings of a [`crate::VramManager`]. Everything has a default.
#[derive(Clone)]
pub struct VramConfig {
    pub(crate) token: Option<Arc<SecretToken>>,
    pub(crate) audit: Arc<dyn AuditSink>,
    pub(crate) max_model_bytes: u64,
    pub(crate) rank: TensorParallel,
    pub(crate) gpus: Option<BTreeSet<u32>>,
    pub(crate) simulated_devices: Vec<SimulatedConfig>,
}

impl Default for VramConfig {
    /// No token (a random key for this process), events to `tracing`, models of up to 100 GiB, rank 0 of 1, every
    /// GPU of the host, and one simulated device where a simulation is asked for.
    fn default() -> Self {
        Self {
            token: None,
            audit: Arc::new(TracingSink),
            max_model_bytes: DEFAULT_MAX_MODEL_BYTES,
            rank: TensorParallel::default(),
            gpus: None,
            simulated_devices: vec![SimulatedConfig::default()],
        }
    }
}

impl VramConfig {
    /// Derives the seal key from the worker's token, so that another manager with the same token accepts the seals.
    /// Without a token the key is random and nothing that leaves the process verifies elsewhere.
    #[must_use]
    pub fn token(mut self, token: SecretToken) -> Self {
        self.token = Some(Arc::new(token));
        self
    }

    /// Where security events go. An operation whose event cannot be kept fails.
    #[must_use]
    pub fn audit(mut self, sink: Arc<dyn AuditSink>) -> Self {
        self.audit = sink;
        self
    }

    /// The largest shard that is accepted, in bytes.
    #[must_use]
    pub const fn max_model_bytes(mut self, bytes: u64) -> Self {
        self.max_model_bytes = bytes;
        self
    }

    /// This worker's place among the workers that share a model. Shards of another place are refused.
    #[must_use]
    pub const fn tensor_parallel(mut self, rank: TensorParallel) -> Self {
        self.rank = rank;
        self
    }

    /// The GPUs to use, by the driver's index: no other is opened, judged or attested. They keep their indices.
    ///
    /// `CUDA_VISIBLE_DEVICES` comes first: what it leaves is numbered from 0. A simulation takes no notice of this.
    #[must_use]
    pub fn gpus(mut self, indices: impl IntoIterator<Item = u32>) -> Self {
        self.gpus = Some(indices.into_iter().collect());
        self
    }

    /// The devices of a simulation, each under the index of its facts ([`SimulatedConfig::for_index`]).
    #[must_use]
    pub fn simulated_devices(mut self, devices: Vec<SimulatedConfig>) -> Self {
        self.simulated_devices = devices;
        self
    }
}

impl std::fmt::Debug for VramConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VramConfig")
            .field("token", &self.token.as_ref().map(|_| "SecretToken(..)"))
            .field("max_model_bytes", &self.max_model_bytes)
            .field("rank", &self.rank)
            .field("gpus", &self.gpus)
            .field("simulated_devices", &self.simulated_devices)
            .finish_non_exhaustive()
    }
}

/// Settings for sealing one shard.
///
/// Give an expected digest whenever the publisher prints one: sealing corrupted input protects nothing.
#[derive(Clone, Debug, Default)]
pub struct SealOptions {
    pub(crate) gpu_device: u32,
    pub(crate) shard_id: Option<String>,
    pub(crate) expect_sha256: Option<String>,
    pub(crate) expect_tree_digest: Option<String>,
    pub(crate) tensor_parallel: Option<TensorParallel>,
}

impl SealOptions {
    /// Seal on the device with this index, under an id that the manager chooses.
    #[must_use]
    pub fn new(gpu_device: u32) -> Self {
        Self { gpu_device, ..Self::default() }
    }

    /// Seal under this id (1 to 256 characters: letters, digits, `-`, `_`).
    #[must_use]
    pub fn shard_id(mut self, id: impl Into<String>) -> Self {
        self.shard_id = Some(id.into());
        self
    }

    /// Refuse input whose plain SHA-256 (FIPS 180-4; what `sha256sum` prints) is another than these 64 hex digits.
    #[must_use]
    pub fn expect_sha256(mut self, digest: impl Into<String>) -> Self {
        self.expect_sha256 = Some(digest.into());
        self
    }

    /// Refuse input whose fs-verity digest (what `fsverity digest` prints) is another than these 64 hex digits.
    #[must_use]
    pub fn expect_tree_digest(mut self, digest: impl Into<String>) -> Self {
        self.expect_tree_digest = Some(digest.into());
        self
    }

    /// The shard's place among the shards of its model; it must be the manager's own.
    #[must_use]
    pub const fn tensor_parallel(mut self, rank: TensorParallel) -> Self {
        self.tensor_parallel = Some(rank);
        self
    }
}
