//! The fake driver of the crate `fake-cuda`, as tests control it (feature `fake-driver`).
//!
//! Devices go by their ordinal, functions by the name that the CUDA driver API gives them, codes are those of `CUresult`, and
//! allocations have a number, so that a test needs no address. The driver is one for the whole process: a test holds a
//! [`FakeDriver`] as long as it uses a device, and the next one waits for it.

use std::ops::Range;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use cuda_driver::OtherLibraryError;

use self::symbols::Symbols;

mod symbols;

/// The library, which cargo builds for a crate that has `fake-cuda` among its dev-dependencies.
const LIBRARY: &str = "libfake_cuda.so";

/// Why a test cannot have the fake driver, or have it do something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FakeDriverError {
    /// The library is not beside the program.
    #[error("there is no libfake_cuda.so beside this program or in deps: make fake-cuda a dev-dependency of the crate")]
    NotBuilt,
    /// The library is there and not in use.
    #[error("the fake driver is not in use: {0}")]
    NotInUse(#[from] OtherLibraryError),
    /// The library lacks a control function.
    #[error("the fake driver has no function {0}: build fake-cuda again")]
    Lacking(&'static str),
    /// The fake driver has no such device or allocation, or the range is not within it.
    #[error("the fake driver refused to {0}: there is no such device, allocation, range or plan")]
    Refused(&'static str),
}

/// A device attribute that policy looks at, by its number in `CUdevice_attribute`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
#[allow(missing_docs, reason = "the names are the driver's, and `facts::DeviceFacts` says what they mean")]
pub enum FakeAttribute {
    Integrated = 18,
    CanMapHostMemory = 19,
    EccEnabled = 32,
    TccDriver = 35,
    UnifiedAddressing = 41,
    ComputeCapabilityMajor = 75,
    ComputeCapabilityMinor = 76,
    ManagedMemory = 83,
    PageableMemoryAccess = 88,
    ConcurrentManagedAccess = 89,
    PageableMemoryAccessUsesHostPageTables = 100,
}

/// An attribute of an allocation, by its number in `CUpointer_attribute`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum FakePointer {
    /// `CUmemorytype`: 1 is host, 2 device, 3 array, 4 unified.
    MemoryType = 2,
    /// Any value means that the allocation has a host pointer.
    HostPointer = 4,
    /// 0 or 1.
    IsManaged = 8,
    /// The ordinal of a device.
    DeviceOrdinal = 9,
    /// How many bytes before the allocation its range begins.
    RangeStart = 11,
    /// In bytes.
    RangeSize = 12,
}

/// A fault of the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DriverFault<'a> {
    /// The function that fails; `None` for any.
    pub function: Option<&'a str>,
    /// At which of its calls from now on; 1 is the next one.
    pub nth: u64,
    /// How many calls in a row fail.
    pub times: u64,
    /// The driver's code. Some leave the device lost for every later call, as the driver API says of them (46, 214, 220, 226,
    /// 700, 702, 710, 714 to 719, 721, 999).
    pub code: u32,
    /// The call succeeds, and its work fails on the device: whoever waits next learns of it. With code 0 nobody does.
    pub later: bool,
}

impl<'a> DriverFault<'a> {
    /// The `nth` call of `function` from now on returns `code` and does nothing.
    pub fn at(function: &'a str, nth: u64, code: u32) -> Self {
        Self { function: Some(function), nth, times: 1, code, later: false }
    }

    /// The `nth` call from now on, of whatever function, returns `code` and does nothing.
    pub fn at_any(nth: u64, code: u32) -> Self {
        Self { function: None, nth, times: 1, code, later: false }
    }
}

/// What was not given back to the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Leaks {
    /// Allocations of device memory.
    pub allocations: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Pieces of page-locked host memory.
    pub pinned: u64,
    /// Streams that a program made.
    pub streams: u64,
    /// Events.
    pub events: u64,
    /// Modules.
    pub modules: u64,
    /// Holds on primary contexts.
    pub contexts: u64,
    /// What went away with a context and could have been given back before.
    pub abandoned: u64,
    /// Pieces of page-locked host memory that were given back with a byte in them that is not zero.
    pub pinned_freed_with_data: u64,
}

/// An allocation of device memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FakeAllocation {
    /// What the fake driver calls it; given once.
    pub number: u64,
    /// The ordinal of its device.
    pub device: u32,
    /// Its length.
    pub bytes: u64,
}

/// The fake driver, for whoever holds it.
pub struct FakeDriver {
    symbols: &'static Symbols,
    _one: MutexGuard<'static, ()>,
}

impl FakeDriver {
    /// Stands for the next allocation that is large enough, after [`next_allocation`](Self::next_allocation).
    pub const NEXT: u64 = 0;

    /// Puts the fake driver in the driver's place, waits for other tests that hold it, and begins anew: `devices` devices with
    /// 1 GiB each, no faults. What a program holds of before names nothing any more.
    ///
    /// # Errors
    /// When the library is not there, or the system's driver is in use already.
    pub fn start(devices: u32) -> Result<Self, FakeDriverError> {
        static ONE: Mutex<()> = Mutex::new(());
        static SYMBOLS: OnceLock<Result<Symbols, FakeDriverError>> = OnceLock::new();
        let one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
        let symbols = SYMBOLS.get_or_init(|| {
            cuda_driver::use_library(&library()?)?;
            Symbols::look_up()
        });
        let driver = Self { symbols: symbols.as_ref().map_err(Clone::clone)?, _one: one };
        driver.symbols.reset(u64::from(devices));
        Ok(driver)
    }

    /// Sets a device attribute.
    ///
    /// # Errors
    /// When there is no such device.
    pub fn set_attribute(&self, device: u32, attribute: FakeAttribute, value: i32) -> Result<(), FakeDriverError> {
        did("set an attribute", self.symbols.set_attribute(device, attribute as i32, value))
    }

    /// Sets how many bytes a device has, and how many of them other processes use.
    ///
    /// # Errors
    /// When there is no such device.
    pub fn set_capacity(&self, device: u32, total: u64, used_elsewhere: u64) -> Result<(), FakeDriverError> {
        did("set a capacity", self.symbols.set_capacity(device, total, used_elsewhere))
    }

    /// Sets a device's name.
    ///
    /// # Errors
    /// When there is no such device.
    pub fn set_name(&self, device: u32, name: &str) -> Result<(), FakeDriverError> {
        did("set a name", self.symbols.set_name(device, name))
    }

    /// Sets a device's uuid.
    ///
    /// # Errors
    /// When there is no such device.
    pub fn set_uuid(&self, device: u32, uuid: [u8; 16]) -> Result<(), FakeDriverError> {
        did("set a uuid", self.symbols.set_uuid(device, &uuid))
    }

    /// Makes a device fail by itself: whoever waits for it next gets `code`. 214 is an ECC error that cannot be corrected.
    ///
    /// # Errors
    /// When there is no such device.
    pub fn fail_device(&self, device: u32, code: u32) -> Result<(), FakeDriverError> {
        did("fail a device", self.symbols.fail_device(device, code))
    }

    /// Whether a device is lost: every call that needs it fails, and what lies in it can no more be given back.
    pub fn is_lost(&self, device: u32) -> bool {
        self.symbols.is_lost(device)
    }

    /// Whether `needle` stands anywhere in a device's memory, also in what was freed. Waits for nothing.
    pub fn memory_holds(&self, device: u32, needle: &[u8]) -> bool {
        self.symbols.memory_holds(device, needle)
    }

    /// Whether page-locked memory that was not given back holds a byte that is not zero. Waits for nothing.
    pub fn pinned_holds_data(&self) -> bool {
        self.symbols.pinned_holds_data()
    }

    /// Plants a fault beside those that are planted.
    pub fn plant(&self, fault: DriverFault<'_>) {
        self.symbols.plant(&fault);
    }

    /// How often a planted fault struck since the start.
    pub fn faults_struck(&self) -> u64 {
        self.symbols.struck()
    }

    /// The functions that were called, in order; but for `cuGetErrorString`, which neither counts nor fails.
    pub fn calls(&self) -> Vec<String> {
        self.symbols.journal().lines().map(str::to_owned).collect()
    }

    /// How often a function was called.
    pub fn count(&self, function: &str) -> usize {
        self.symbols.journal().lines().filter(|called| *called == function).count()
    }

    /// Forgets the calls so far. Faults count on from where they were.
    pub fn clear_calls(&self) {
        self.symbols.clear_journal();
    }

    /// What is not given back now.
    pub fn leaks(&self) -> Leaks {
        let [allocations, bytes, pinned, streams, events, modules, contexts, abandoned, pinned_freed_with_data] =
            self.symbols.leaks();
        Leaks { allocations, bytes, pinned, streams, events, modules, contexts, abandoned, pinned_freed_with_data }
    }

    /// Every allocation of device memory, the oldest first.
    pub fn allocations(&self) -> Vec<FakeAllocation> {
        let all = self.symbols.allocations().into_iter();
        all.map(|[number, device, bytes]| FakeAllocation {
            number,
            device: u32::try_from(device).unwrap_or(u32::MAX),
            bytes,
        })
        .collect()
    }

    /// Begins a plan for the next allocation of at least so many bytes, in the place of an earlier plan.
    pub fn next_allocation(&self, at_least: u64) {
        self.symbols.plan(at_least);
    }

    /// Moves the last `bytes` bytes of an allocation to host memory, in secret: its attributes stay, only a probe can tell.
    ///
    /// # Errors
    /// When there is no such allocation, or no plan for [`NEXT`](Self::NEXT).
    pub fn tail_in_host(&self, number: u64, bytes: u64) -> Result<(), FakeDriverError> {
        did("move a tail", self.symbols.set_tail(number, bytes))
    }

    /// Has the driver say `value` of an allocation, when it is asked about its byte `from` or a later one.
    ///
    /// # Errors
    /// As [`tail_in_host`](Self::tail_in_host).
    pub fn pretend(&self, number: u64, from: u64, what: FakePointer, value: u64) -> Result<(), FakeDriverError> {
        did("pretend", self.symbols.pretend(number, from, what as u32, value))
    }

    /// Has these launches of the probe's kernel, counted from 0 on from now, find loads that take `factor` times as long, as on a
    /// device that is busy with something else, or whose clock has risen. Takes the place of an earlier call.
    pub fn busy(&self, launches: Range<u64>, factor: u64) {
        self.symbols.busy(launches, factor);
    }

    /// Flips one bit, 0 to 7, of the byte at `offset`.
    ///
    /// # Errors
    /// When there is no such allocation, byte or bit.
    pub fn flip_bit(&self, number: u64, offset: u64, bit: u32) -> Result<(), FakeDriverError> {
        did("flip a bit", self.symbols.flip_bit(number, offset, bit))
    }

    /// What an allocation holds now. Waits for nothing: work that nobody has waited for is not done.
    ///
    /// # Errors
    /// When there is no such allocation or range.
    pub fn read(&self, number: u64, offset: u64, bytes: usize) -> Result<Vec<u8>, FakeDriverError> {
        self.symbols.read(number, offset, bytes).ok_or(FakeDriverError::Refused("read"))
    }
}

fn did(what: &'static str, done: bool) -> Result<(), FakeDriverError> {
    if done { Ok(()) } else { Err(FakeDriverError::Refused(what)) }
}

/// Where the library is: beside a test binary, or in cargo's `deps` beside or above another program.
fn library() -> Result<PathBuf, FakeDriverError> {
    let program = std::env::current_exe().map_err(|_| FakeDriverError::NotBuilt)?;
    let folder = program.parent().ok_or(FakeDriverError::NotBuilt)?;
    let mut places = vec![folder.to_owned(), folder.join("deps")];
    places.extend(folder.parent().map(|above| above.join("deps")));
    places.into_iter().map(|place| place.join(LIBRARY)).find(|path| path.is_file()).ok_or(FakeDriverError::NotBuilt)
}
