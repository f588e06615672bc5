//! The device boundary: one trait, and two backends: `cuda` on the CUDA driver (feature `cuda`), and the simulated one.
//!
//! Everything above this crate speaks to a device through [`Device`]. Memory is named by a [`MemoryId`], an entry in the
//! backend's own books, never by its address; [`Device::address`] is the one way to an address, which only the closure of a
//! verified guard is given. [`discover`] says which devices this host has and what was looked at to find out.
#![cfg_attr(not(feature = "cuda"), forbid(unsafe_code))]
#![deny(unsafe_code)]

#[cfg(feature = "cuda")]
mod broken;
mod codes;
#[cfg(feature = "cuda")]
#[allow(unsafe_code, reason = "the driver's functions are C")]
mod cuda;
mod device;
mod discovery;
mod error;
#[cfg(feature = "fake-driver")]
#[allow(unsafe_code, reason = "the control functions of the fake driver are C")]
mod fake_driver;
mod pages;
mod simulated;

/// The hash tree and its digest, as [`Device::tree`] and [`Device::tree_digest`] give them.
pub use content_digest::{Tree, TreeDigest};
#[cfg(feature = "cuda")]
pub use cuda::CudaDevice;
pub use device::{Device, DeviceAddress, MemoryId};
pub use discovery::{Discovery, NoGpu, discover, discover_only};
pub use error::{DriverError, Operation};
#[cfg(feature = "fake-driver")]
pub use fake_driver::{DriverFault, FakeAllocation, FakeAttribute, FakeDriver, FakeDriverError, FakePointer, Leaks};
pub use simulated::{AllocationOverride, Fault, PROBE_CHUNK_BYTES, SimulatedConfig, SimulatedDevice};
