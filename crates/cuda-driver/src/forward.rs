//! The driver's functions, defined here under their own names and forwarded to the library.
//!
//! Signatures are those of `cuda.h`, with every pointer and handle as an untyped pointer, every enum as the number that C
//! passes, and `CUdeviceptr` as 64 bits. A function that is missing here fails at link time by its name: add its line.
#![allow(non_snake_case, reason = "the names are the driver's")]

use std::ffi::{c_char, c_int, c_uchar, c_uint, c_ulonglong, c_void};
use std::sync::OnceLock;

use crate::failure::{as_cust_knows, report};
use crate::library::library;

/// `CUDA_ERROR_NO_DEVICE`: what a call returns where there is no driver.
const NO_DEVICE: c_uint = 100;
/// `CUDA_ERROR_NOT_FOUND`: what a call returns when the driver lacks the function.
const NOT_FOUND: c_uint = 500;

/// A function of the driver, by its C type; or the code to return in its place.
type Found<F> = OnceLock<Result<F, c_uint>>;

/// Looks `name` up.
///
/// # Safety
/// `F` must be the type that the driver's function of this name has.
unsafe fn find<F: Copy>(name: &'static str) -> Result<F, c_uint> {
    let library = library().map_err(|_| NO_DEVICE)?;
    // SAFETY: the caller vouches for the type, and the library is never closed, so the pointer may be copied out.
    let symbol = unsafe { library.get::<F>(name.as_bytes()) };
    symbol.map(|function| *function).map_err(|_| NOT_FOUND)
}

/// Defines each function as a forwarder that ends by giving its name and the driver's code to `$report`.
macro_rules! forward {
    ($report:expr; $(fn $name:ident($($argument:ident: $type:ty),* $(,)?);)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($argument: $type),*) -> c_uint {
            type Function = unsafe extern "C" fn($($type),*) -> c_uint;
            static FOUND: Found<Function> = OnceLock::new();
            // SAFETY: the type is the one that `cuda.h` gives the function of this name.
            let found = FOUND.get_or_init(|| unsafe { find::<Function>(stringify!($name)) });
            let code = match found {
                // SAFETY: the arguments are passed on as they came, so what the driver demands of them is what it demands
                // of this function's caller.
                Ok(function) => unsafe { function($($argument),*) },
                Err(code) => *code,
            };
            $report(stringify!($name), code)
        }
    )*};
}

forward! {
    report;

    fn cuInit(flags: c_uint);
    fn cuDriverGetVersion(version: *mut c_int);

    fn cuDeviceGet(device: *mut c_int, ordinal: c_int);
    fn cuDeviceGetCount(count: *mut c_int);
    fn cuDeviceGetName(name: *mut c_char, length: c_int, device: c_int);
    fn cuDeviceGetUuid_v2(uuid: *mut c_void, device: c_int);
    fn cuDeviceTotalMem_v2(bytes: *mut usize, device: c_int);
    fn cuDeviceGetAttribute(value: *mut c_int, attribute: c_int, device: c_int);
    fn cuDevicePrimaryCtxRetain(context: *mut *mut c_void, device: c_int);
    fn cuDevicePrimaryCtxRelease_v2(device: c_int);

    fn cuCtxGetCurrent(context: *mut *mut c_void);
    fn cuCtxSetCurrent(context: *mut c_void);
    fn cuCtxGetDevice(device: *mut c_int);
    fn cuCtxSynchronize();

    fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize);
    fn cuMemAlloc_v2(memory: *mut c_ulonglong, bytes: usize);
    fn cuMemFree_v2(memory: c_ulonglong);
    fn cuMemAllocHost_v2(memory: *mut *mut c_void, bytes: usize);
    fn cuMemHostGetDevicePointer_v2(memory: *mut c_ulonglong, host: *mut c_void, flags: c_uint);
    fn cuMemFreeHost(memory: *mut c_void);
    fn cuPointerGetAttribute(value: *mut c_void, attribute: c_uint, memory: c_ulonglong);

    fn cuMemcpyHtoD_v2(to: c_ulonglong, from: *const c_void, bytes: usize);
    fn cuMemcpyDtoH_v2(to: *mut c_void, from: c_ulonglong, bytes: usize);
    fn cuMemcpyDtoD_v2(to: c_ulonglong, from: c_ulonglong, bytes: usize);
    fn cuMemcpyHtoDAsync_v2(to: c_ulonglong, from: *const c_void, bytes: usize, stream: *mut c_void);
    fn cuMemcpyDtoHAsync_v2(to: *mut c_void, from: c_ulonglong, bytes: usize, stream: *mut c_void);
    fn cuMemcpyDtoDAsync_v2(to: c_ulonglong, from: c_ulonglong, bytes: usize, stream: *mut c_void);
    fn cuMemsetD8_v2(to: c_ulonglong, value: c_uchar, bytes: usize);
    fn cuMemsetD8Async(to: c_ulonglong, value: c_uchar, bytes: usize, stream: *mut c_void);

    fn cuModuleLoadDataEx(
        module: *mut *mut c_void,
        image: *const c_void,
        count: c_uint,
        options: *mut c_uint,
        values: *mut *mut c_void,
    );
    fn cuModuleUnload(module: *mut c_void);
    fn cuModuleGetFunction(function: *mut *mut c_void, module: *mut c_void, name: *const c_char);
    fn cuFuncGetAttribute(value: *mut c_int, attribute: c_int, function: *mut c_void);
    fn cuLaunchKernel(
        function: *mut c_void,
        grid_x: c_uint,
        grid_y: c_uint,
        grid_z: c_uint,
        block_x: c_uint,
        block_y: c_uint,
        block_z: c_uint,
        shared_bytes: c_uint,
        stream: *mut c_void,
        parameters: *mut *mut c_void,
        extra: *mut *mut c_void,
    );

    fn cuStreamCreateWithPriority(stream: *mut *mut c_void, flags: c_uint, priority: c_int);
    fn cuStreamDestroy_v2(stream: *mut c_void);
    fn cuStreamSynchronize(stream: *mut c_void);
    fn cuStreamWaitEvent(stream: *mut c_void, event: *mut c_void, flags: c_uint);
    fn cuEventCreate(event: *mut *mut c_void, flags: c_uint);
    fn cuEventDestroy_v2(event: *mut c_void);
    fn cuEventElapsedTime(milliseconds: *mut f32, start: *mut c_void, end: *mut c_void);
    fn cuEventQuery(event: *mut c_void);
    fn cuEventRecord(event: *mut c_void, stream: *mut c_void);
    fn cuEventSynchronize(event: *mut c_void);
}

// A text is asked for in order to report a failure, which must not be replaced by that of the question.
forward! {
    |_name, code| as_cust_knows(code);

    fn cuGetErrorString(error: c_uint, text: *mut *const c_char);
}
