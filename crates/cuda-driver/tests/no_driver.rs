//! Without a driver every call is refused and nothing panics. The library is one that is not there, so this holds on a
//! host with a driver as well.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::path::Path;
use std::ptr::{null, null_mut};
use std::sync::OnceLock;

use cuda_driver::{Failure, OtherLibraryError, open, take_last_failure, use_library};
use cust::error::CudaError;
use cust::sys::*;

const NOWHERE: &str = "/nonexistent/libcuda.so.1";

/// What choosing a library that is not there said, the one time that it can be done in a process.
fn without_driver() -> &'static Result<(), OtherLibraryError> {
    static ANSWER: OnceLock<Result<(), OtherLibraryError>> = OnceLock::new();
    ANSWER.get_or_init(|| use_library(Path::new(NOWHERE)))
}

#[test]
fn the_reason_for_no_driver_is_that_of_the_dynamic_linker_and_is_remembered() {
    let reason = format!("{NOWHERE}: cannot open shared object file: No such file or directory");
    assert_eq!(without_driver().as_ref().unwrap_err().to_string(), reason);
    for _ in 0..2 {
        assert_eq!(open().unwrap_err().to_string(), reason);
    }
    assert_eq!(use_library(Path::new(NOWHERE)), Err(OtherLibraryError::TooLate));
}

#[test]
fn cust_says_no_device() {
    without_driver().as_ref().unwrap_err();
    assert_eq!(cust::init(cust::CudaFlags::empty()), Err(CudaError::NoDevice));
    assert_eq!(take_last_failure(), Some(Failure { function: "cuInit", code: 100 }));
    assert_eq!(cust::device::Device::num_devices(), Err(CudaError::NoDevice));
    // `Display` of the error asks the driver for a text, and there is none to ask.
    let mut text = String::new();
    assert!(std::fmt::write(&mut text, format_args!("{}", CudaError::NoDevice)).is_err());
    assert_eq!(take_last_failure(), Some(Failure { function: "cuDeviceGetCount", code: 100 }));
}

/// Calls each function; the name beside what came back.
macro_rules! calls {
    ($($name:ident($($argument:expr),*);)*) => {
        // SAFETY: no library is open, so nothing looks at the arguments.
        [$((stringify!($name), unsafe { $name($($argument),*) }, take_last_failure())),*]
    };
}

#[test]
fn every_function_returns_no_device_and_leaves_its_name() {
    without_driver().as_ref().unwrap_err();
    let (n, m) = (null(), null_mut());
    let memory_type = CUpointer_attribute_enum::CU_POINTER_ATTRIBUTE_MEMORY_TYPE;
    let ecc = CUdevice_attribute_enum::CU_DEVICE_ATTRIBUTE_ECC_ENABLED;
    let registers = CUfunction_attribute_enum::CU_FUNC_ATTRIBUTE_NUM_REGS;
    let called = calls! {
        cuInit(0);
        cuDriverGetVersion(null_mut());
        cuDeviceGet(null_mut(), 0);
        cuDeviceGetCount(null_mut());
        cuDeviceGetName(null_mut(), 0, 0);
        cuDeviceGetUuid_v2(null_mut(), 0);
        cuDeviceTotalMem_v2(null_mut(), 0);
        cuDeviceGetAttribute(null_mut(), ecc, 0);
        cuDevicePrimaryCtxRetain(null_mut(), 0);
        cuDevicePrimaryCtxRelease_v2(0);
        cuCtxGetCurrent(null_mut());
        cuCtxSetCurrent(null_mut());
        cuCtxGetDevice(null_mut());
        cuCtxSynchronize();
        cuMemGetInfo_v2(null_mut(), null_mut());
        cuMemAlloc_v2(null_mut(), 1);
        cuMemFree_v2(0);
        cuMemAllocHost_v2(null_mut(), 1);
        cuMemHostGetDevicePointer_v2(null_mut(), m, 0);
        cuMemFreeHost(m);
        cuPointerGetAttribute(m, memory_type, 0);
        cuMemcpyHtoD_v2(0, n, 1);
        cuMemcpyDtoH_v2(m, 0, 1);
        cuMemcpyDtoD_v2(0, 0, 1);
        cuMemcpyHtoDAsync_v2(0, n, 1, null_mut());
        cuMemcpyDtoHAsync_v2(m, 0, 1, null_mut());
        cuMemcpyDtoDAsync_v2(0, 0, 1, null_mut());
        cuMemsetD8_v2(0, 0, 1);
        cuMemsetD8Async(0, 0, 1, null_mut());
        cuModuleLoadDataEx(null_mut(), n, 0, null_mut(), null_mut());
        cuModuleUnload(null_mut());
        cuModuleGetFunction(null_mut(), null_mut(), null());
        cuFuncGetAttribute(null_mut(), registers, null_mut());
        cuLaunchKernel(null_mut(), 1, 1, 1, 1, 1, 1, 0, null_mut(), null_mut(), null_mut());
        cuStreamCreateWithPriority(null_mut(), 0, 0);
        cuStreamDestroy_v2(null_mut());
        cuStreamSynchronize(null_mut());
        cuStreamWaitEvent(null_mut(), null_mut(), 0);
        cuEventCreate(null_mut(), 0);
        cuEventDestroy_v2(null_mut());
        cuEventElapsedTime(null_mut(), null_mut(), null_mut());
        cuEventQuery(null_mut());
        cuEventRecord(null_mut(), null_mut());
        cuEventSynchronize(null_mut());
    };
    for (function, code, failure) in called {
        assert_eq!(code, CUresult::CUDA_ERROR_NO_DEVICE, "{function}");
        assert_eq!(failure, Some(Failure { function, code: 100 }));
    }
    let texts = calls! {
        cuGetErrorString(CUresult::CUDA_ERROR_NO_DEVICE, null_mut());
    };
    for (function, code, failure) in texts {
        assert_eq!((code, failure), (CUresult::CUDA_ERROR_NO_DEVICE, None), "{function}");
    }
    let forwarded = include_str!("../src/forward.rs").matches("    fn cu").count();
    assert_eq!(called.len() + texts.len(), forwarded, "a forwarded function is not called here");
}
