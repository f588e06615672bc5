//! Host memory that plays the part of one device allocation.

use std::ops::Range;

/// What fresh memory holds: not zeros, since a driver clears nothing for the next owner.
static FRESH: [u8; 4096] = [0xA5; 4096];

/// The bytes of one allocation. They are wiped when it is dropped.
pub(crate) struct Pages(Vec<u8>);

impl Pages {
    /// `None` when the host has not that much memory.
    pub(crate) fn fresh(bytes: u64) -> Option<Self> {
        let bytes = usize::try_from(bytes).ok()?;
        let mut pages = Vec::new();
        pages.try_reserve_exact(bytes).ok()?;
        // By slices: without optimisation `resize` goes byte by byte, which takes seconds for a model.
        let mut missing = bytes;
        while missing > 0 {
            let part = FRESH.get(..missing).unwrap_or(&FRESH);
            pages.extend_from_slice(part);
            missing = missing.saturating_sub(part.len());
        }
        Some(Self(pages))
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The `len` bytes from `offset`; `None` when their end overflows or lies past the allocation's.
    pub(crate) fn range(&self, offset: u64, len: usize) -> Option<&[u8]> {
        self.0.get(checked_range(offset, len)?)
    }

    /// As [`Pages::range`], to write to.
    pub(crate) fn range_mut(&mut self, offset: u64, len: usize) -> Option<&mut [u8]> {
        self.0.get_mut(checked_range(offset, len)?)
    }

    /// Zeros, over the whole allocation.
    pub(crate) fn overwrite(&mut self) {
        self.0.fill(0);
        // Without it the compiler may leave out stores that nothing reads.
        zeroize::optimization_barrier(self.0.as_slice());
    }
}

fn checked_range(offset: u64, len: usize) -> Option<Range<usize>> {
    let start = usize::try_from(offset).ok()?;
    Some(start..start.checked_add(len)?)
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.overwrite();
    }
}
