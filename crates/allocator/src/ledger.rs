//! The books of one device's memory.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::AllocatorError;

/// Where every byte of a device's capacity is, at one moment. Available, used and quarantined add up to the capacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Books {
    /// All of the memory, in bytes.
    pub capacity_bytes: u64,
    /// Bytes that are reserved or allocated.
    pub used_bytes: u64,
    /// Bytes that could not be overwritten or freed, lost until the process ends.
    pub quarantined_bytes: u64,
    /// Bytes that can be reserved.
    pub available_bytes: u64,
}

/// Counts the bytes of one device's memory, so that never more is handed out than the device has.
#[derive(Debug)]
pub struct Ledger {
    books: Mutex<Books>,
}

impl Ledger {
    /// The ledger of a device with `capacity_bytes` bytes, all of them available.
    pub fn new(capacity_bytes: u64) -> Arc<Self> {
        Arc::new(Self {
            books: Mutex::new(Books {
                capacity_bytes,
                used_bytes: 0,
                quarantined_bytes: 0,
                available_bytes: capacity_bytes,
            }),
        })
    }

    /// The books as they are now.
    pub fn books(&self) -> Books {
        *self.lock()
    }

    /// Takes `bytes` bytes out of what is available, until the reservation is dropped.
    ///
    /// # Errors
    /// [`AllocatorError::InsufficientMemory`] when fewer are available; then the books are unchanged.
    pub fn reserve(self: &Arc<Self>, bytes: u64) -> Result<Reservation, AllocatorError> {
        let mut books = self.lock();
        let Books { available_bytes, used_bytes, .. } = &mut *books;
        if !shift(available_bytes, used_bytes, bytes) {
            return Err(AllocatorError::InsufficientMemory {
                needed_bytes: bytes,
                available_bytes: books.available_bytes,
                cause: None,
            });
        }
        Ok(Reservation { ledger: Arc::clone(self), bytes })
    }

    /// The books. Nothing that is done while they are held can panic, so a poisoned lock tells nothing.
    fn lock(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Moves `bytes` from one column to another, or changes nothing and says so when a column would leave its range.
fn shift(from: &mut u64, to: &mut u64, bytes: u64) -> bool {
    let after = from.checked_sub(bytes).zip(to.checked_add(bytes));
    if let Some(after) = after {
        (*from, *to) = after;
    }
    after.is_some()
}

/// Bytes that are taken out of a ledger's available ones. Dropping it gives them back.
#[must_use = "dropping a reservation gives its bytes back"]
pub struct Reservation {
    ledger: Arc<Ledger>,
    bytes: u64,
}

impl Reservation {
    /// How many bytes are reserved.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Takes the bytes out of use for as long as the ledger lives: nobody will be given them.
    pub fn quarantine(mut self) {
        let mut books = self.ledger.lock();
        let Books { used_bytes, quarantined_bytes, .. } = &mut *books;
        shift(used_bytes, quarantined_bytes, self.bytes);
        drop(books);
        // Nothing is left to give back when this is dropped.
        self.bytes = 0;
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut books = self.ledger.lock();
        let Books { used_bytes, available_bytes, .. } = &mut *books;
        // It always can: these bytes were moved to `used` when this was made, and columns never exceed the capacity.
        shift(used_bytes, available_bytes, self.bytes);
    }
}

impl fmt::Debug for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}
