//! The codes that the driver answers with (`CUresult`), their names, and which of them are for good.

use std::ffi::CStr;

/// What a driver function comes to: nothing, or a code that is not zero.
pub(crate) type Answer<T = ()> = Result<T, u32>;

pub(crate) const INVALID_VALUE: u32 = 1;
pub(crate) const OUT_OF_MEMORY: u32 = 2;
pub(crate) const NOT_INITIALIZED: u32 = 3;
pub(crate) const INVALID_DEVICE: u32 = 101;
pub(crate) const NO_DEVICE: u32 = 100;
pub(crate) const INVALID_IMAGE: u32 = 200;
pub(crate) const INVALID_CONTEXT: u32 = 201;
pub(crate) const NO_BINARY_FOR_GPU: u32 = 209;
pub(crate) const INVALID_HANDLE: u32 = 400;
pub(crate) const NOT_FOUND: u32 = 500;
pub(crate) const NOT_READY: u32 = 600;
pub(crate) const ILLEGAL_ADDRESS: u32 = 700;
pub(crate) const LAUNCH_OUT_OF_RESOURCES: u32 = 701;
pub(crate) const MISALIGNED_ADDRESS: u32 = 716;
pub(crate) const UNKNOWN: u32 = 999;

/// Whether the code leaves the device unusable for the rest of the process: as `cuda.h` says of it, and 46, after which this
/// device does not come back.
pub(crate) fn is_for_good(code: u32) -> bool {
    matches!(code, 46 | 214 | 220 | 226 | 700 | 702 | 710 | 714..=719 | 721 | 999)
}

/// The text of a code; `None` for one that the driver does not know.
pub(crate) fn text(code: u32) -> Option<&'static CStr> {
    Some(match code {
        0 => c"no error",
        INVALID_VALUE => c"invalid argument",
        OUT_OF_MEMORY => c"out of memory",
        NOT_INITIALIZED => c"initialization error",
        46 => c"CUDA-capable device(s) is/are busy or unavailable",
        NO_DEVICE => c"no CUDA-capable device is detected",
        INVALID_DEVICE => c"invalid device ordinal",
        INVALID_IMAGE => c"device kernel image is invalid",
        INVALID_CONTEXT => c"invalid device context",
        NO_BINARY_FOR_GPU => c"no kernel image is available for execution on the device",
        214 => c"uncorrectable ECC error encountered",
        226 => c"Invalid resource handle",
        INVALID_HANDLE => c"invalid resource handle",
        NOT_FOUND => c"named symbol not found",
        NOT_READY => c"device not ready",
        ILLEGAL_ADDRESS => c"an illegal memory access was encountered",
        LAUNCH_OUT_OF_RESOURCES => c"too many resources requested for launch",
        MISALIGNED_ADDRESS => c"misaligned address",
        719 => c"unspecified launch failure",
        UNKNOWN => c"unknown error",
        _ => return None,
    })
}
