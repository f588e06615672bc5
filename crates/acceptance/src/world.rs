//! The state that the steps of one scenario share.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use vram_residency::{
    AuditKey, Decision, ExecuteGuard, ResidencyAttestation, SealedShard, SecretToken, SimulatedConfig, SimulatedDevice,
    TensorParallel, VramConfig, VramError, VramManager,
};

use crate::logs::Logs;
use crate::trail::Trail;

/// The worker's token, readable so that a leak of it is found as it is.
const TOKEN: &[u8] = b"the acceptance worker's own token, 48 bytes long";
/// The token of another worker.
const OTHER_TOKEN: &[u8] = b"the token of a worker that is not to be believed";

/// One scenario's worker, models, handles and results.
pub struct World {
    pub(crate) logs: Logs,
    pub(crate) trail: Arc<Trail>,
    pub(crate) configuration: VramConfig,
    worker: Option<VramManager>,
    models: BTreeMap<String, Vec<u8>>,
    handles: BTreeMap<String, Handle>,
    pub(crate) guards: BTreeMap<String, ExecuteGuard>,
    /// Addresses that executions were given.
    pub(crate) addresses: BTreeMap<String, u64>,
    /// How many bytes of weights executions were given.
    pub(crate) lent_bytes: BTreeMap<String, u64>,
    /// What the last action gave, or each of its attempts.
    pub(crate) attempts: Vec<Result<(), VramError>>,
    /// Every error so far, as its `Display` and its `Debug` show it.
    pub(crate) errors: Vec<String>,
    /// Every handle and guard so far, as its `Debug` and its JSON show it.
    pub(crate) shown: Shown,
    pub(crate) decisions: Vec<Decision>,
    pub(crate) attestation: Option<ResidencyAttestation>,
    models_made: usize,
}

/// Text that the worker gave out.
#[derive(Default)]
pub(crate) struct Shown {
    pub(crate) handles: Vec<String>,
    pub(crate) handles_json: Vec<String>,
    pub(crate) guards: Vec<String>,
}

/// A handle, which steps may edit, beside what sealing returned.
struct Handle {
    sealed: SealedShard,
    edited: SealedShard,
}

impl World {
    /// A world without a worker, which captures what this thread logs.
    #[must_use]
    pub fn new() -> Self {
        Self {
            logs: Logs::capture(),
            trail: Arc::default(),
            configuration: VramConfig::default(),
            worker: None,
            models: BTreeMap::new(),
            handles: BTreeMap::new(),
            guards: BTreeMap::new(),
            addresses: BTreeMap::new(),
            lent_bytes: BTreeMap::new(),
            attempts: Vec::new(),
            errors: Vec::new(),
            shown: Shown::default(),
            decisions: Vec::new(),
            attestation: None,
            models_made: 0,
        }
    }

    /// Starts the worker on simulated devices.
    pub(crate) fn start(
        &mut self,
        devices: u64,
        bytes: u64,
        max_model_bytes: Option<u64>,
    ) -> Result<(), Box<dyn Error>> {
        let devices =
            (0..u32::try_from(devices)?).map(|index| SimulatedConfig::for_index(index).capacity(bytes)).collect();
        // One part of several, so that steps can edit a handle's index and count each by itself.
        let configuration = VramConfig::default()
            .token(token()?)
            .tensor_parallel(TensorParallel::parse(1, 4)?)
            .audit(Arc::clone(&self.trail) as Arc<_>)
            .simulated_devices(devices);
        self.configuration = match max_model_bytes {
            Some(bytes) => configuration.max_model_bytes(bytes),
            None => configuration,
        };
        self.worker = Some(VramManager::simulated(self.configuration.clone())?);
        Ok(())
    }

    /// A worker like this one with a token of its own.
    pub(crate) fn other_worker(&self) -> Result<VramManager, VramError> {
        let token = SecretToken::from_bytes(OTHER_TOKEN.to_vec())?;
        VramManager::simulated(self.configuration.clone().token(token).audit(Arc::new(Trail::default())))
    }

    pub(crate) fn worker(&self) -> Result<&VramManager, String> {
        self.worker.as_ref().ok_or_else(|| "the scenario has no worker yet".to_owned())
    }

    pub(crate) fn device(&self, index: u32) -> Result<Arc<SimulatedDevice>, String> {
        self.worker()?.test_hooks().simulated(index).ok_or_else(|| format!("the worker has no device {index}"))
    }

    /// A model that no earlier step had. The first of a scenario is the fs-verity test pattern as it is.
    pub(crate) fn new_model(&mut self, bytes: u64) -> Result<Vec<u8>, Box<dyn Error>> {
        let bytes = usize::try_from(bytes)?;
        let made = self.models_made;
        self.models_made = made.saturating_add(1);
        Ok((0..bytes).map(|i| pattern(i, made)).collect())
    }

    pub(crate) fn model(&self, name: &str) -> Result<&[u8], String> {
        self.models.get(name).map(Vec::as_slice).ok_or_else(|| format!("no model was sealed as {name:?}"))
    }

    /// Seals `model` and notes how that went; keeps the handle under `id` when there is one.
    pub(crate) fn seal(&mut self, id: &str, model: Vec<u8>, device: u32) -> Result<(), String> {
        let sealed = self.worker()?.seal_model_as(id, &model, device);
        let result = sealed.map(|shard| {
            self.models.insert(id.to_owned(), model);
            self.keep(id, shard);
        });
        self.attempt(result);
        Ok(())
    }

    /// Keeps a handle under a name.
    pub(crate) fn keep(&mut self, name: &str, shard: SealedShard) {
        self.shown.handles.push(format!("{shard:?}"));
        self.shown.handles_json.push(serde_json::to_string(&shard).unwrap_or_default());
        self.handles.insert(name.to_owned(), Handle { edited: shard.clone(), sealed: shard });
    }

    /// The handle under a name, with the edits made to it.
    pub(crate) fn handle(&self, name: &str) -> Result<&SealedShard, String> {
        self.kept(name).map(|handle| &handle.edited)
    }

    /// The handle as sealing returned it.
    pub(crate) fn sealed_handle(&self, name: &str) -> Result<&SealedShard, String> {
        self.kept(name).map(|handle| &handle.sealed)
    }

    pub(crate) fn edit(&mut self, name: &str, edited: SealedShard) -> Result<(), String> {
        let handle = self.handles.get_mut(name).ok_or_else(|| missing(name))?;
        handle.edited = edited;
        Ok(())
    }

    /// Drops every copy of a handle that this world keeps.
    pub(crate) fn drop_handle(&mut self, name: &str) -> Result<(), String> {
        self.handles.remove(name).map(drop).ok_or_else(|| missing(name))
    }

    fn kept(&self, name: &str) -> Result<&Handle, String> {
        self.handles.get(name).ok_or_else(|| missing(name))
    }

    /// Notes the result of an action as the only one.
    pub(crate) fn attempt(&mut self, result: Result<(), VramError>) {
        self.attempts.clear();
        self.attempt_more(result);
    }

    /// Notes the result of one of several attempts.
    pub(crate) fn attempt_more(&mut self, result: Result<(), VramError>) {
        if let Err(error) = &result {
            self.errors.push(format!("{error} {error:?}"));
        }
        self.attempts.push(result);
    }

    /// The result of the last action, which must have been a single one.
    pub(crate) fn result(&self) -> Result<&Result<(), VramError>, String> {
        match self.attempts.as_slice() {
            [result] => Ok(result),
            attempts => Err(format!("the last action had {} results, not one", attempts.len())),
        }
    }

    /// The error of the last action.
    pub(crate) fn error(&self) -> Result<&VramError, String> {
        self.result()?.as_ref().err().ok_or_else(|| "the last action succeeded".to_owned())
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

pub(crate) fn token() -> Result<SecretToken, VramError> {
    Ok(SecretToken::from_bytes(TOKEN.to_vec())?)
}

/// The secrets that nothing may show: the worker's token and its audit key, with their names.
pub(crate) fn secrets() -> Result<[(&'static str, Vec<u8>); 2], VramError> {
    let key = AuditKey::derive(&token()?)?;
    Ok([("token", TOKEN.to_vec()), ("audit key", key.expose().to_vec())])
}

/// Byte `i` of the fs-verity project's test pattern, moved by `variant`.
fn pattern(i: usize, variant: usize) -> u8 {
    let sum = [i.rem_euclid(11), i.rem_euclid(439), i.rem_euclid(1103), variant].into_iter().sum::<usize>();
    sum.to_le_bytes()[0]
}

fn missing(name: &str) -> String {
    format!("no handle is kept as {name:?}")
}
