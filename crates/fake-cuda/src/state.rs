//! All that the driver knows, behind one lock, and the way into it for every driver function.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::code::{Answer, INVALID_CONTEXT, INVALID_DEVICE, INVALID_HANDLE, NOT_INITIALIZED, UNKNOWN};
use crate::device::Device;
use crate::faults::Faults;
use crate::kernels::Kernel;
use crate::memory::Allocation;
use crate::pinned::Pinned;
use crate::pointer::Override;
use crate::stream::Stream;

static STATE: LazyLock<Mutex<State>> = LazyLock::new(|| Mutex::new(State::new()));

thread_local! {
    /// The handle of the context that is current in this thread.
    static CURRENT: Cell<usize> = const { Cell::new(0) };
}

/// An event, and where it was recorded last.
#[derive(Default)]
pub(crate) struct Event {
    pub(crate) device: usize,
    pub(crate) timing: bool,
    /// The stream and how much of its work comes before.
    pub(crate) recorded: Option<(usize, u64)>,
    /// When the device came to it.
    pub(crate) reached: Option<Instant>,
}

/// What tests want of the next allocation that is large enough.
pub(crate) struct Plan {
    pub(crate) at_least: u64,
    pub(crate) tail_in_host: u64,
    pub(crate) overrides: Vec<Override>,
}

/// Which probes from now on are slow, counted from 0, and how many times as long their loads take.
#[derive(Clone, Default)]
pub(crate) struct Busy {
    pub(crate) launches: Range<u64>,
    pub(crate) factor: u64,
    /// How many there were.
    pub(crate) seen: u64,
}

/// All that the driver knows.
pub(crate) struct State {
    pub(crate) initialized: bool,
    pub(crate) devices: Vec<Device>,
    pub(crate) pinned: Pinned,
    /// Contexts by handle, each with its device.
    pub(crate) contexts: BTreeMap<usize, usize>,
    pub(crate) streams: BTreeMap<usize, Stream>,
    pub(crate) events: BTreeMap<usize, Event>,
    /// Modules by handle, each with its device.
    pub(crate) modules: BTreeMap<usize, usize>,
    /// Functions by handle, each with its module.
    pub(crate) functions: BTreeMap<usize, (usize, Kernel)>,
    pub(crate) faults: Faults,
    pub(crate) plan: Option<Plan>,
    pub(crate) busy: Busy,
    /// The code of a fault by which the work of the call at hand is to fail on the device.
    pub(crate) doomed: Option<u32>,
    /// Every call, in order.
    pub(crate) journal: Vec<&'static str>,
    /// How much went away with a context that could have been given back before.
    pub(crate) abandoned: u64,
    /// The last handle and the last number of an allocation; none is given twice.
    last_handle: usize,
    last_number: u64,
}

impl State {
    fn new() -> Self {
        Self {
            initialized: false,
            devices: vec![Device::new(0)],
            pinned: Pinned::default(),
            contexts: BTreeMap::new(),
            streams: BTreeMap::new(),
            events: BTreeMap::new(),
            modules: BTreeMap::new(),
            functions: BTreeMap::new(),
            faults: Faults::default(),
            plan: None,
            busy: Busy::default(),
            doomed: None,
            journal: Vec::new(),
            abandoned: 0,
            // Small numbers are the driver's own streams.
            last_handle: 0x1000,
            last_number: 0,
        }
    }

    /// As when the library was opened, but for what a program does once in its life: `cuInit` stays done, and no handle and
    /// no number is given again, so that what is left over from before names nothing.
    pub(crate) fn reset(&mut self) {
        for device in 0..self.devices.len() {
            self.pinned.free_all_of(device);
        }
        let fresh = Self::new();
        let before = std::mem::replace(self, fresh);
        self.initialized = before.initialized;
        self.last_handle = before.last_handle;
        self.last_number = before.last_number;
    }

    pub(crate) fn new_handle(&mut self) -> usize {
        self.last_handle = self.last_handle.saturating_add(8);
        self.last_handle
    }

    /// An allocation with a number of its own, after the plan if there is one for it.
    pub(crate) fn new_allocation(&mut self, bytes: u64) -> Allocation {
        self.last_number = self.last_number.saturating_add(1);
        let plan = self.plan.take_if(|plan| bytes >= plan.at_least);
        let (tail_in_host, overrides) = plan.map(|plan| (plan.tail_in_host, plan.overrides)).unwrap_or_default();
        Allocation { number: self.last_number, bytes, tail_in_host: tail_in_host.min(bytes), overrides }
    }

    pub(crate) fn device(&mut self, ordinal: i32) -> Answer<&mut Device> {
        let index = usize::try_from(ordinal).map_err(|_| INVALID_DEVICE)?;
        self.devices.get_mut(index).ok_or(INVALID_DEVICE)
    }

    /// The device of the context that is current in this thread, whatever became of it.
    pub(crate) fn current_index(&self) -> Answer<usize> {
        self.contexts.get(&CURRENT.get()).copied().ok_or(INVALID_CONTEXT)
    }

    /// The device of the context that is current in this thread, if it can be used.
    pub(crate) fn current(&mut self) -> Answer<usize> {
        let index = self.current_index()?;
        self.of(index)?.usable()?;
        Ok(index)
    }

    /// A device by its place, which came from the books.
    pub(crate) fn of(&mut self, index: usize) -> Answer<&mut Device> {
        self.devices.get_mut(index).ok_or(UNKNOWN)
    }

    pub(crate) fn event(&mut self, handle: usize) -> Answer<&mut Event> {
        self.events.get_mut(&handle).ok_or(INVALID_HANDLE)
    }

    /// Takes everything away that belongs to a device's context, which nobody holds any more.
    pub(crate) fn end_context(&mut self, index: usize) -> Answer {
        let pinned = self.pinned.free_all_of(index);
        let count = |before: usize, after: usize| u64::try_from(before.saturating_sub(after)).unwrap_or(u64::MAX);
        let before = self.streams.len().saturating_add(self.events.len()).saturating_add(self.modules.len());
        self.streams.retain(|_, stream| stream.device != index);
        self.events.retain(|_, event| event.device != index);
        self.modules.retain(|_, device| *device != index);
        let after = self.streams.len().saturating_add(self.events.len()).saturating_add(self.modules.len());
        let modules = &self.modules;
        self.functions.retain(|_, (module, _)| modules.contains_key(module));
        let device = self.of(index)?;
        let context = std::mem::take(&mut device.context);
        device.default_stream = 0;
        let left = device.memory.free_all().saturating_add(pinned);
        // The default stream is the context's own; and in a device that is lost nothing can be given back.
        if !device.is_lost() {
            let left = left.saturating_add(count(before, after)).saturating_sub(1);
            self.abandoned = self.abandoned.saturating_add(left);
        }
        self.contexts.remove(&context);
        Ok(())
    }
}

/// The context that is current in this thread, by its handle; 0 for none.
pub(crate) fn current_handle() -> usize {
    CURRENT.get()
}

pub(crate) fn set_current_handle(handle: usize) {
    CURRENT.set(handle);
}

/// The state. What a panic left behind is still the state.
pub(crate) fn lock() -> MutexGuard<'static, State> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs a driver function: counts the call, lets a planted fault strike, and lets no panic out.
pub(crate) fn enter(function: &'static str, body: impl FnOnce(&mut State) -> Answer) -> u32 {
    let run = AssertUnwindSafe(|| {
        let mut state = lock();
        state.journal.push(function);
        if !state.initialized && function != "cuInit" && function != "cuDriverGetVersion" {
            return Err(NOT_INITIALIZED);
        }
        if let Some(strike) = state.faults.on_call(function) {
            if !strike.later {
                if let Ok(index) = state.current_index() {
                    state.of(index)?.failed(strike.code);
                }
                return Err(strike.code);
            }
            state.doomed = Some(strike.code);
        }
        let answer = body(&mut state);
        // The call gave the device no work that could fail, so the device does.
        if let Some(code) = state.doomed.take().filter(|code| *code != 0)
            && let Ok(index) = state.current_index()
        {
            state.of(index)?.fail_later(code);
        }
        answer
    });
    match catch_unwind(run) {
        Ok(Ok(())) => 0,
        Ok(Err(code)) => code,
        Err(_) => UNKNOWN,
    }
}
