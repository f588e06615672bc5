//! The driver as a program sees it: functions that are looked up in the library.
// Each test file is a crate of its own and uses a part of this.
#![allow(dead_code)]

use std::ffi::{CString, c_void};
use std::path::PathBuf;
use std::ptr::{null, null_mut};
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use libloading::Library;

static LIBRARY: LazyLock<Library> = LazyLock::new(|| {
    // Cargo puts it beside the test binaries.
    let path: PathBuf = std::env::current_exe().unwrap().with_file_name("libfake_cuda.so");
    // SAFETY: the library has no initialisers.
    unsafe { Library::new(&path) }.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
});

/// Looks a function up and calls it: `call!(cuMemFree_v2(memory: u64) -> u32)`.
macro_rules! call {
    ($name:ident($($argument:expr => $type:ty),* $(,)?) -> $result:ty) => {{
        // SAFETY: the signature is that of `cuda.h` or of `control.rs`, and what is passed lives until the call is over.
        unsafe {
            let function = $crate::support::library()
                .get::<unsafe extern "C" fn($($type),*) -> $result>(stringify!($name).as_bytes())
                .unwrap();
            function($($argument),*)
        }
    }};
}
pub(crate) use call;

pub(crate) fn library() -> &'static Library {
    &LIBRARY
}

/// The driver, for one test at a time. In it, every method that is named after a driver function returns its code.
pub(crate) struct Driver(MutexGuard<'static, ()>);

impl Driver {
    /// A driver with so many devices that nobody has used, initialised.
    pub(crate) fn with_devices(count: u64) -> Self {
        static ONE: Mutex<()> = Mutex::new(());
        let driver = Self(ONE.lock().unwrap_or_else(PoisonError::into_inner));
        call!(fake_reset(count => u64) -> ());
        if count > 0 {
            assert_eq!(call!(cuInit(0 => u32) -> u32), 0);
        }
        driver
    }

    /// The same with the context of device 0 current in this thread.
    pub(crate) fn started() -> Self {
        let driver = Self::with_devices(1);
        let context = driver.retain(0).unwrap();
        assert_eq!(driver.set_current(context), 0);
        driver
    }

    pub(crate) fn retain(&self, device: i32) -> Result<usize, u32> {
        let mut context = 0_usize;
        let code = call!(cuDevicePrimaryCtxRetain(&raw mut context => *mut usize, device => i32) -> u32);
        ok(code, context)
    }

    pub(crate) fn release(&self, device: i32) -> u32 {
        call!(cuDevicePrimaryCtxRelease_v2(device => i32) -> u32)
    }

    pub(crate) fn set_current(&self, context: usize) -> u32 {
        call!(cuCtxSetCurrent(context => usize) -> u32)
    }

    pub(crate) fn synchronize(&self) -> u32 {
        call!(cuCtxSynchronize() -> u32)
    }

    pub(crate) fn allocate(&self, bytes: usize) -> Result<u64, u32> {
        let mut memory = 0_u64;
        let code = call!(cuMemAlloc_v2(&raw mut memory => *mut u64, bytes => usize) -> u32);
        ok(code, memory)
    }

    pub(crate) fn free(&self, memory: u64) -> u32 {
        call!(cuMemFree_v2(memory => u64) -> u32)
    }

    /// Free bytes and all bytes.
    pub(crate) fn capacity(&self) -> (usize, usize) {
        let (mut free, mut total) = (0_usize, 0_usize);
        let code = call!(cuMemGetInfo_v2(&raw mut free => *mut usize, &raw mut total => *mut usize) -> u32);
        assert_eq!(code, 0);
        (free, total)
    }

    pub(crate) fn write(&self, to: u64, bytes: &[u8]) -> u32 {
        call!(cuMemcpyHtoD_v2(to => u64, bytes.as_ptr() => *const u8, bytes.len() => usize) -> u32)
    }

    pub(crate) fn read(&self, from: u64, bytes: usize) -> Result<Vec<u8>, u32> {
        let mut into = vec![0; bytes];
        let code = call!(cuMemcpyDtoH_v2(into.as_mut_ptr() => *mut u8, from => u64, bytes => usize) -> u32);
        ok(code, into)
    }

    pub(crate) fn fill(&self, to: u64, value: u8, bytes: usize) -> u32 {
        call!(cuMemsetD8_v2(to => u64, value => u8, bytes => usize) -> u32)
    }

    pub(crate) fn allocate_host(&self, bytes: usize) -> Result<*mut u8, u32> {
        let mut memory = null_mut();
        let code = call!(cuMemAllocHost_v2(&raw mut memory => *mut *mut u8, bytes => usize) -> u32);
        ok(code, memory)
    }

    pub(crate) fn free_host(&self, memory: *mut u8) -> u32 {
        call!(cuMemFreeHost(memory => *mut u8) -> u32)
    }

    /// From page-locked or pageable memory, in a stream.
    pub(crate) fn write_async(&self, to: u64, from: *const u8, bytes: usize, stream: usize) -> u32 {
        call!(cuMemcpyHtoDAsync_v2(to => u64, from => *const u8, bytes => usize, stream => usize) -> u32)
    }

    pub(crate) fn stream(&self) -> usize {
        let mut stream = 0_usize;
        assert_eq!(call!(cuStreamCreateWithPriority(&raw mut stream => *mut usize, 1 => u32, 0 => i32) -> u32), 0);
        stream
    }

    pub(crate) fn synchronize_stream(&self, stream: usize) -> u32 {
        call!(cuStreamSynchronize(stream => usize) -> u32)
    }

    pub(crate) fn event(&self) -> usize {
        let mut event = 0_usize;
        assert_eq!(call!(cuEventCreate(&raw mut event => *mut usize, 0 => u32) -> u32), 0);
        event
    }

    /// One attribute of a pointer. The driver writes four bytes or eight.
    pub(crate) fn pointer(&self, attribute: u32, memory: u64) -> Result<u64, u32> {
        let mut value = 0_u64;
        let code = call!(cuPointerGetAttribute(&raw mut value => *mut u64, attribute => u32, memory => u64) -> u32);
        ok(code, value)
    }

    pub(crate) fn load(&self, image: &[u8]) -> Result<usize, u32> {
        let mut module = 0_usize;
        let code = call!(cuModuleLoadDataEx(
            &raw mut module => *mut usize,
            image.as_ptr() => *const u8,
            0 => u32,
            null_mut() => *mut c_void,
            null_mut() => *mut c_void,
        ) -> u32);
        ok(code, module)
    }

    pub(crate) fn function(&self, module: usize, name: &str) -> Result<usize, u32> {
        let mut function = 0_usize;
        let name = CString::new(name).unwrap();
        let code = call!(cuModuleGetFunction(
            &raw mut function => *mut usize, module => usize, name.as_ptr() => *const i8) -> u32);
        ok(code, function)
    }

    /// A kernel of an image that loads.
    pub(crate) fn kernel(&self, name: &str) -> usize {
        let module = self.load(&IMAGE).unwrap();
        self.function(module, name).unwrap()
    }

    /// Launches in a stream, with a flat grid.
    pub(crate) fn launch(&self, kernel: usize, grid: u32, block: u32, parameters: &[u64], stream: usize) -> u32 {
        let mut pointers: Vec<*const u64> = parameters.iter().map(|value| &raw const *value).collect();
        call!(cuLaunchKernel(
            kernel => usize,
            grid => u32, 1 => u32, 1 => u32,
            block => u32, 1 => u32, 1 => u32,
            0 => u32,
            stream => usize,
            pointers.as_mut_ptr() => *mut *const u64,
            null() => *const c_void,
        ) -> u32)
    }

    /// Plants a fault of `function` (any, when empty) at its `nth` call from now on.
    pub(crate) fn plant(&self, function: &str, nth: u64, code: u32, later: bool) {
        call!(fake_plant(
            function.as_ptr() => *const u8,
            function.len() => usize,
            nth => u64,
            1 => u64,
            code => u32,
            u32::from(later) => u32,
        ) -> ());
    }

    /// What `control.rs` says of leaks, in its order.
    pub(crate) fn leaks(&self) -> [u64; 9] {
        let mut leaks = [0; 9];
        call!(fake_leaks(leaks.as_mut_ptr() => *mut u64) -> ());
        leaks
    }
}

/// What a fatbin begins with.
pub(crate) const IMAGE: [u8; 8] = [0x50, 0xED, 0x55, 0xBA, 1, 0, 16, 0];

pub(crate) fn ok<T>(code: u32, value: T) -> Result<T, u32> {
    if code == 0 { Ok(value) } else { Err(code) }
}
