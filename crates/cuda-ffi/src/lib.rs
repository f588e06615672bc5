//! The device boundary: one trait, and the simulated backend.
//!
//! Everything above this crate speaks to a device through [`Device`]. Memory is named by a [`MemoryId`], an entry in the
//! backend's own books, never by its address; [`Device::address`] is the one way to an address, which only the closure of a
//! verified guard is given. [`discover`] says which devices this host has and what was looked at to find out.
#![forbid(unsafe_code)]

mod device;
mod discovery;
mod error;
mod pages;
mod simulated;

/// The hash tree and its digest, as [`Device::tree`] and [`Device::tree_digest`] give them.
pub use content_digest::{Tree, TreeDigest};
pub use device::{Device, DeviceAddress, MemoryId};
pub use discovery::{Discovery, NoGpu, discover};
pub use error::{DriverError, Operation};
pub use simulated::{AllocationOverride, Fault, PROBE_CHUNK_BYTES, SimulatedConfig, SimulatedDevice};
