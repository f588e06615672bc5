//! The books of a device's allocations: where each begins, how long it is, and whether it is still there.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::{DriverError, MemoryId, Operation};

/// All allocations that are not freed.
#[derive(Default)]
pub(super) struct Books(Mutex<BTreeMap<MemoryId, Arc<Allocation>>>);

impl Books {
    pub(super) fn enter(&self, start: u64, bytes: u64) -> MemoryId {
        let id = MemoryId::next();
        self.lock().insert(id, Arc::new(Allocation { start, bytes, live: RwLock::new(true) }));
        id
    }

    pub(super) fn find(&self, operation: Operation, id: MemoryId) -> Result<Arc<Allocation>, DriverError> {
        self.lock().get(&id).cloned().ok_or(unknown(operation))
    }

    pub(super) fn strike(&self, id: MemoryId) {
        self.lock().remove(&id);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Nothing that is done while the books are held can panic half-way, so a poisoned lock tells nothing.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<MemoryId, Arc<Allocation>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unknown(operation: Operation) -> DriverError {
    DriverError::new(operation, DriverError::INVALID_VALUE)
}

/// One allocation. It has no `Debug`: it holds a device address.
pub(super) struct Allocation {
    start: u64,
    bytes: u64,
    /// False once freed: an operation that took hold of the allocation before that finds it gone.
    live: RwLock<bool>,
}

impl Allocation {
    /// Holds the memory together with others who look at it: nobody frees or changes it meanwhile.
    pub(super) fn share(&self, operation: Operation) -> Result<Held<RwLockReadGuard<'_, bool>>, DriverError> {
        let live = self.live.read().unwrap_or_else(PoisonError::into_inner);
        if *live { Ok(Held { start: self.start, bytes: self.bytes, live }) } else { Err(unknown(operation)) }
    }

    /// Holds the memory alone.
    pub(super) fn alone(&self, operation: Operation) -> Result<Held<RwLockWriteGuard<'_, bool>>, DriverError> {
        let live = self.live.write().unwrap_or_else(PoisonError::into_inner);
        if *live { Ok(Held { start: self.start, bytes: self.bytes, live }) } else { Err(unknown(operation)) }
    }
}

/// Memory that stays allocated as long as this lives.
pub(super) struct Held<G> {
    /// Where it begins (`CUdeviceptr`).
    pub(super) start: u64,
    pub(super) bytes: u64,
    live: G,
}

impl<G> Held<G> {
    /// The address of the byte at `offset`, when `len` bytes from there lie in the allocation.
    pub(super) fn range(&self, operation: Operation, offset: u64, len: usize) -> Result<u64, DriverError> {
        let end = u64::try_from(len).ok().and_then(|len| offset.checked_add(len));
        match end {
            Some(end) if end <= self.bytes => self.start.checked_add(offset).ok_or(unknown(operation)),
            _ => Err(unknown(operation)),
        }
    }
}

impl Held<RwLockWriteGuard<'_, bool>> {
    /// The memory was given back to the driver.
    pub(super) fn freed(mut self) {
        *self.live = false;
    }
}
