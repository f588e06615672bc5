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

    /// The numbers of `cudaError_enum` in `cust_raw` 0.11.
    const OF_CUST: [u32; 87] = [
        0, 1, 2, 3, 4, 5, 6, 7, 8, 34, 100, 101, 102, 200, 201, 202, 205, 206, 207, 208, 209, 210, 211, 212, 213, 214,
        215, 216, 217, 218, 219, 220, 221, 222, 223, 224, 300, 301, 302, 303, 304, 400, 401, 500, 600, 700, 701, 702,
        703, 704, 705, 708, 709, 710, 711, 712, 713, 714, 715, 716, 717, 718, 719, 720, 800, 801, 802, 803, 804, 805,
        806, 807, 808, 809, 900, 901, 902, 903, 904, 905, 906, 907, 908, 909, 910, 911, 999,
    ];

    #[test]
    fn a_code_that_cust_does_not_know_becomes_999_and_every_one_is_kept_as_it_was() {
        for code in (0..=1100).chain([1 << 16, u32::MAX]) {
            let known = if OF_CUST.contains(&code) { code } else { 999 };
            assert_eq!(report("cuMemAlloc_v2", code), known, "{code}");
            let kept = (code != 0).then_some(Failure { function: "cuMemAlloc_v2", code });
            assert_eq!(take_last_failure(), kept, "{code}");
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
