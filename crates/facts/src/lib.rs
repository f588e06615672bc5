//! What a driver reports of a device and of an allocation: plain data that a verifier can judge again.
//!
//! A fact says what was read and nothing about whether that is good: the judgement is the `policy` crate's, and it can be
//! repeated by anyone who holds the recorded facts. No type here holds a device address.
//!
//! Attribute names are those of the CUDA driver API, `CUdevice_attribute` and `CUpointer_attribute`.
#![forbid(unsafe_code)]

mod allocation;
mod device;
mod identity;

pub use allocation::{AllocationFacts, Capacity, MemoryType, ProbeFacts};
pub use device::{DeviceFacts, DriverModel, EccErrors, EccMode};
pub use identity::{DeviceClass, DeviceUuid, FactsError};
