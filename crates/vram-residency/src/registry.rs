//! Which ids are in use: shards being sealed, and live shards by their leases.
//!
//! Nothing here looks into a lease or keeps one alive while the registry is locked: the last owner of a lease overwrites
//! memory and writes an event when it lets go, and must not do that under this lock.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use validation::ShardId;

use crate::VramError;
use crate::lease::Lease;

#[derive(Default)]
pub(crate) struct Registry {
    entries: Mutex<BTreeMap<ShardId, Entry>>,
}

enum Entry {
    Sealing,
    Live { lease: Weak<Lease>, gone: Arc<AtomicBool> },
}

impl Entry {
    fn is_free(&self) -> bool {
        match self {
            Self::Sealing => false,
            Self::Live { gone, .. } => gone.load(Ordering::SeqCst),
        }
    }

    fn live(&self) -> Option<Weak<Lease>> {
        match self {
            Self::Live { lease, .. } if !self.is_free() => Some(Weak::clone(lease)),
            _ => None,
        }
    }
}

impl Registry {
    /// Takes an id for a shard that is about to be sealed; dropping the claim gives the id back.
    pub(crate) fn claim(&self, shard_id: &ShardId) -> Result<Claim<'_>, VramError> {
        let mut entries = self.lock();
        entries.retain(|_, entry| !entry.is_free());
        if entries.contains_key(shard_id) {
            return Err(VramError::ShardIdInUse { shard_id: shard_id.as_str().to_owned() });
        }
        entries.insert(shard_id.clone(), Entry::Sealing);
        Ok(Claim { registry: self, shard_id: shard_id.clone() })
    }

    /// The live lease under this id.
    pub(crate) fn find(&self, shard_id: &str) -> Option<Arc<Lease>> {
        let shard_id = ShardId::parse(shard_id).ok()?;
        let lease = self.lock().get(&shard_id)?.live()?;
        lease.upgrade()
    }

    /// Every live lease, in order of the ids.
    pub(crate) fn live(&self) -> Vec<Arc<Lease>> {
        let leases: Vec<Weak<Lease>> = self.lock().values().filter_map(Entry::live).collect();
        leases.iter().filter_map(Weak::upgrade).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ShardId, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An id taken for a shard that is being sealed.
pub(crate) struct Claim<'a> {
    registry: &'a Registry,
    pub(crate) shard_id: ShardId,
}

impl Claim<'_> {
    /// From now on the id names this lease.
    pub(crate) fn fulfil(self, lease: &Arc<Lease>) {
        let entry = Entry::Live { lease: Arc::downgrade(lease), gone: Arc::clone(&lease.gone) };
        self.registry.lock().insert(self.shard_id.clone(), entry);
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut entries = self.registry.lock();
        if matches!(entries.get(&self.shard_id), Some(Entry::Sealing)) {
            entries.remove(&self.shard_id);
        }
    }
}
