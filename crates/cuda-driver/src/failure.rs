//! What the driver last refused, by thread.

use std::cell::Cell;

/// `CUDA_SUCCESS`.
const SUCCESS: u32 = 0;
/// `CUDA_ERROR_UNKNOWN`.
const UNKNOWN: u32 = 999;

/// A driver call that did not return `CUDA_SUCCESS`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// The driver's function, as the CUDA driver API names it.
    pub function: &'static str,
    /// The driver's own code (`CUresult`), also one that `cust` does not know.
    pub code: u32,
}

thread_local! {
    static LAST: Cell<Option<Failure>> = const { Cell::new(None) };
}

/// The last failure of this thread, which is forgotten by asking. A later success does not remove it, so ask right after a
/// call has failed. `cuGetErrorString`, which is asked about failures, leaves none.
pub fn take_last_failure() -> Option<Failure> {
    LAST.take()
}

/// Keeps the failure and returns the code as `cust` may see it.
pub(crate) fn report(function: &'static str, code: u32) -> u32 {
    if code != SUCCESS {
        LAST.set(Some(Failure { function, code }));
    }
    as_cust_knows(code)
}

/// The code, or 999 when it is not in the enum of `cust_raw` 0.11 (CUDA 11.4), in which it would be undefined behaviour.
pub(crate) fn as_cust_knows(code: u32) -> u32 {
    match code {
        SUCCESS..=8 | 34 | 100..=102 | 200..=202 | 205..=224 | 300..=304 | 400 | 401 | 500 | 600 => code,
        700..=705 | 708..=720 | 800..=809 | 900..=911 => code,
        _ => UNKNOWN,
    }
}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
mod tests {
    use super::*;

    #[test]
    fn a_code_that_cust_does_not_know_becomes_999_and_is_kept_as_it_was() {
        for code in
            [9, 35, 36, 46, 103, 199, 203, 204, 225, 226, 305, 402, 706, 721, 810, 812, 912, 916, 1000, u32::MAX]
        {
            assert_eq!(report("cuMemAlloc_v2", code), 999, "{code}");
            assert_eq!(take_last_failure(), Some(Failure { function: "cuMemAlloc_v2", code }));
        }
    }

    #[test]
    fn a_code_that_cust_knows_stays_as_it_is() {
        use cust::sys::cudaError_enum as C;
        for known in [
            C::CUDA_ERROR_INVALID_VALUE,
            C::CUDA_ERROR_PROFILER_ALREADY_STOPPED,
            C::CUDA_ERROR_STUB_LIBRARY,
            C::CUDA_ERROR_NO_DEVICE,
            C::CUDA_ERROR_DEVICE_NOT_LICENSED,
            C::CUDA_ERROR_INVALID_IMAGE,
            C::CUDA_ERROR_CONTEXT_ALREADY_CURRENT,
            C::CUDA_ERROR_MAP_FAILED,
            C::CUDA_ERROR_ECC_UNCORRECTABLE,
            C::CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY,
            C::CUDA_ERROR_INVALID_SOURCE,
            C::CUDA_ERROR_OPERATING_SYSTEM,
            C::CUDA_ERROR_INVALID_HANDLE,
            C::CUDA_ERROR_ILLEGAL_STATE,
            C::CUDA_ERROR_NOT_FOUND,
            C::CUDA_ERROR_NOT_READY,
            C::CUDA_ERROR_ILLEGAL_ADDRESS,
            C::CUDA_ERROR_PEER_ACCESS_NOT_ENABLED,
            C::CUDA_ERROR_PRIMARY_CONTEXT_ACTIVE,
            C::CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE,
            C::CUDA_ERROR_NOT_PERMITTED,
            C::CUDA_ERROR_MPS_MAX_CONNECTIONS_REACHED,
            C::CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
            C::CUDA_ERROR_EXTERNAL_DEVICE,
            C::CUDA_ERROR_UNKNOWN,
        ] {
            assert_eq!(report("cuInit", known as u32), known as u32);
        }
    }

    #[test]
    fn a_success_leaves_no_failure_and_removes_none_and_threads_have_their_own() {
        assert_eq!(report("cuInit", 0), 0);
        assert_eq!(take_last_failure(), None);
        report("cuMemFree_v2", 1);
        report("cuInit", 0);
        std::thread::spawn(|| assert_eq!(take_last_failure(), None)).join().unwrap();
        assert_eq!(take_last_failure(), Some(Failure { function: "cuMemFree_v2", code: 1 }));
        assert_eq!(take_last_failure(), None);
    }
}
