//! The simulated device: host memory that plays the part of a GPU.
//!
//! It keeps a device's contract (capacity, bounds, no zeros in fresh memory) and says of itself that it is simulated,
//! whatever facts it is given: nothing that it does is evidence about VRAM.

mod backend;
mod config;
mod controls;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use facts::{DeviceFacts, ProbeFacts};

use crate::pages::Pages;
use crate::{DriverError, MemoryId, Operation};

pub use config::{AllocationOverride, Fault, PROBE_CHUNK_BYTES, SimulatedConfig};

/// A device in host memory, with controls for tests.
///
/// Contents are wiped when they are freed, unless a test asked to keep them.
pub struct SimulatedDevice {
    capacity_bytes: u64,
    state: Mutex<State>,
}

struct State {
    device_facts: DeviceFacts,
    allocation: AllocationOverride,
    probe: Option<ProbeFacts>,
    faults: Vec<Fault>,
    free_bytes: u64,
    live: BTreeMap<MemoryId, Arc<Memory>>,
    keep_freed: bool,
    freed: Vec<Pages>,
}

/// One allocation, apart from the table, so that hashing a large one does not block the others.
struct Memory {
    bytes: u64,
    /// `None` once freed: an operation that took hold of the memory before that finds nothing in it.
    pages: RwLock<Option<Pages>>,
}

impl SimulatedDevice {
    /// A device as `config` describes it. Its class is always `simulated`.
    pub fn new(config: SimulatedConfig) -> Arc<Self> {
        let SimulatedConfig { capacity_bytes, mut device_facts } = config;
        device_facts.total_bytes = capacity_bytes;
        Arc::new(Self {
            capacity_bytes,
            state: Mutex::new(State {
                device_facts,
                allocation: AllocationOverride::default(),
                probe: None,
                faults: Vec::new(),
                free_bytes: capacity_bytes,
                live: BTreeMap::new(),
                keep_freed: false,
                freed: Vec::new(),
            }),
        })
    }

    /// The books. Nothing that is done while they are held can panic half-way, so a poisoned lock tells nothing.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The books, after the faults that tests asked for had their say. Every operation begins here.
    fn begin(&self, operation: Operation) -> Result<MutexGuard<'_, State>, DriverError> {
        let mut state = self.state();
        for fault in state.faults.iter_mut().filter(|fault| fault.operation == operation) {
            fault.nth = fault.nth.saturating_sub(1);
        }
        match state.faults.iter().position(|fault| fault.operation == operation && fault.nth == 0) {
            Some(due) => Err(DriverError::new(operation, state.faults.remove(due).code)),
            None => Ok(state),
        }
    }
}

impl State {
    fn memory(&self, operation: Operation, id: MemoryId) -> Result<Arc<Memory>, DriverError> {
        self.live.get(&id).cloned().ok_or(DriverError::new(operation, DriverError::INVALID_VALUE))
    }
}

impl Memory {
    /// Runs `work` on the contents.
    fn look<R>(&self, operation: Operation, work: impl FnOnce(&Pages) -> Option<R>) -> Result<R, DriverError> {
        let pages = self.pages.read().unwrap_or_else(PoisonError::into_inner);
        pages.as_ref().and_then(work).ok_or(DriverError::new(operation, DriverError::INVALID_VALUE))
    }

    /// Runs `work` on the contents, alone.
    fn change<R>(&self, operation: Operation, work: impl FnOnce(&mut Pages) -> Option<R>) -> Result<R, DriverError> {
        let mut pages = self.pages.write().unwrap_or_else(PoisonError::into_inner);
        pages.as_mut().and_then(work).ok_or(DriverError::new(operation, DriverError::INVALID_VALUE))
    }

    /// Takes the contents out, once nobody is using them.
    fn take(&self) -> Option<Pages> {
        self.pages.write().unwrap_or_else(PoisonError::into_inner).take()
    }
}
