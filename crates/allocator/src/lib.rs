//! A capacity ledger and owned, bounds-checked device buffers that are overwritten before they are freed.
//!
//! Every byte of a device's capacity is available, used or quarantined, and the three always add up to the capacity:
//! - [`Ledger::reserve`] moves bytes from available to used, and dropping the [`Reservation`] moves them back;
//! - a [`DeviceBuffer`] holds the reservation of its memory. Releasing or dropping it overwrites the memory, frees it, and
//!   gives the bytes back;
//! - when overwriting or freeing fails, the memory is kept and its bytes are quarantined: it may still hold weights, so it
//!   goes to no one else.
#![forbid(unsafe_code)]

mod buffer;
mod error;
mod ledger;

pub use buffer::{DeviceAllocator, DeviceBuffer};
pub use error::{AllocatorError, ReleaseError};
pub use ledger::{Books, Ledger, Reservation};
