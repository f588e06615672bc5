//! The one comparison of digests and tags.

#[cfg(not(test))]
use constant_time_eq::constant_time_eq;

#[cfg(test)]
use self::counted::constant_time_eq;

/// Whether `a` and `b` are equal, in a time that depends on their lengths only, never on where they differ.
///
/// Lengths are no secret here: slices of different lengths are unequal at once.
#[must_use]
pub fn digests_equal(a: &[u8], b: &[u8]) -> bool {
    constant_time_eq(a, b)
}

/// The comparison with a note of each call, so that tests can see that it, and nothing else, was asked.
#[cfg(test)]
pub(crate) mod counted {
    use std::cell::RefCell;

    thread_local! {
        static CALLS: RefCell<Vec<(usize, usize)>> = const { RefCell::new(Vec::new()) };
    }

    pub(super) fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
        CALLS.with_borrow_mut(|calls| calls.push((a.len(), b.len())));
        constant_time_eq::constant_time_eq(a, b)
    }

    /// The lengths compared on this thread since the last call of this function.
    pub(crate) fn take() -> Vec<(usize, usize)> {
        CALLS.take()
    }
}
