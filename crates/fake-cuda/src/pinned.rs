//! Page-locked host memory, which a device reaches by the address that the host has for it.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::collections::BTreeMap;
use std::ptr::{self, with_exposed_provenance, with_exposed_provenance_mut};

use crate::code::{Answer, INVALID_VALUE, OUT_OF_MEMORY};

/// Where page-locked memory may begin: at a page of the host.
const ALIGNMENT: usize = 4096;

/// A piece of page-locked memory.
struct Piece {
    layout: Layout,
    device: usize,
}

/// All page-locked memory, by address.
#[derive(Default)]
pub(crate) struct Pinned {
    pieces: BTreeMap<u64, Piece>,
    /// How many pieces were given back with a byte in them that is not zero.
    pub(crate) freed_with_data: u64,
}

impl Pinned {
    pub(crate) fn allocate(&mut self, bytes: usize, device: usize) -> Answer<u64> {
        if bytes == 0 {
            return Err(INVALID_VALUE);
        }
        let layout = Layout::from_size_align(bytes, ALIGNMENT).map_err(|_| OUT_OF_MEMORY)?;
        // SAFETY: the layout is not of size zero.
        let memory = unsafe { alloc_zeroed(layout) };
        if memory.is_null() {
            return Err(OUT_OF_MEMORY);
        }
        let address = u64::try_from(memory.expose_provenance()).map_err(|_| OUT_OF_MEMORY)?;
        self.pieces.insert(address, Piece { layout, device });
        Ok(address)
    }

    /// Gives a piece back by its first address.
    pub(crate) fn free(&mut self, address: u64) -> Answer {
        let with_data = self.has_data(address)?;
        let piece = self.pieces.remove(&address).ok_or(INVALID_VALUE)?;
        if with_data {
            self.freed_with_data = self.freed_with_data.saturating_add(1);
        }
        // SAFETY: `allocate` got this address from the allocator with this layout and exposed it; the entry is gone from the
        // books, so it is freed once.
        unsafe { dealloc(with_exposed_provenance_mut(as_usize(address)), piece.layout) };
        Ok(())
    }

    /// Gives back what belongs to a device and says how many pieces there were.
    pub(crate) fn free_all_of(&mut self, device: usize) -> u64 {
        let of_device = self.pieces.iter().filter(|(_, piece)| piece.device == device);
        let addresses: Vec<u64> = of_device.map(|(address, _)| *address).collect();
        addresses.into_iter().fold(0, |count: u64, address| count.saturating_add(u64::from(self.free(address).is_ok())))
    }

    /// Whether any piece has a byte in it that is not zero.
    pub(crate) fn have_data(&self) -> bool {
        self.pieces.keys().any(|address| self.has_data(*address).unwrap_or(true))
    }

    /// The same of the piece with this first address.
    fn has_data(&self, address: u64) -> Answer<bool> {
        let piece = self.pieces.get(&address).ok_or(INVALID_VALUE)?;
        let mut held = vec![0; piece.layout.size()];
        self.read(address, &mut held)?;
        Ok(held.iter().any(|byte| *byte != 0))
    }

    pub(crate) fn count(&self) -> u64 {
        u64::try_from(self.pieces.len()).unwrap_or(u64::MAX)
    }

    /// The piece that an address lies in: its first address, its length and its device.
    pub(crate) fn containing(&self, address: u64) -> Option<(u64, u64, usize)> {
        let (begin, piece) = self.pieces.range(..=address).next_back()?;
        let bytes = u64::try_from(piece.layout.size()).ok()?;
        (address.checked_sub(*begin)? < bytes).then_some((*begin, bytes, piece.device))
    }

    /// Whether the whole range lies in one piece.
    pub(crate) fn holds(&self, address: u64, bytes: u64) -> bool {
        self.containing(address).is_some_and(|(begin, length, _)| {
            address.checked_add(bytes).is_some_and(|end| end <= begin.saturating_add(length))
        })
    }

    pub(crate) fn read(&self, address: u64, into: &mut [u8]) -> Answer {
        if !self.holds(address, u64::try_from(into.len()).map_err(|_| INVALID_VALUE)?) {
            return Err(INVALID_VALUE);
        }
        // SAFETY: the range lies in a piece that is in the books, so it is allocated; `into` is another memory, since the
        // program has no reference from this library to a piece.
        unsafe { ptr::copy_nonoverlapping(with_exposed_provenance(as_usize(address)), into.as_mut_ptr(), into.len()) };
        Ok(())
    }

    pub(crate) fn write(&mut self, address: u64, bytes: &[u8]) -> Answer {
        if !self.holds(address, u64::try_from(bytes.len()).map_err(|_| INVALID_VALUE)?) {
            return Err(INVALID_VALUE);
        }
        // SAFETY: as in `read`.
        unsafe {
            ptr::copy_nonoverlapping(bytes.as_ptr(), with_exposed_provenance_mut(as_usize(address)), bytes.len())
        };
        Ok(())
    }
}

/// An address of this process as the number that pointers are made of; it came from one, so it fits.
fn as_usize(address: u64) -> usize {
    usize::try_from(address).unwrap_or(0)
}
