//! A device that is present and cannot be used.

use content_digest::Tree;
use facts::{AllocationFacts, Capacity, DeviceFacts, ProbeFacts};

use crate::{Device, DeviceAddress, DriverError, MemoryId};

/// Stands in the list of devices for one that could not be opened. Every operation gives the cause, so whoever starts on it
/// stops with that cause, and nobody takes the host for one without a GPU.
pub(crate) struct BrokenDevice(pub(crate) DriverError);

impl BrokenDevice {
    fn cause<T>(&self) -> Result<T, DriverError> {
        Err(self.0.clone())
    }
}

impl Device for BrokenDevice {
    fn facts(&self) -> Result<DeviceFacts, DriverError> {
        self.cause()
    }

    fn capacity(&self) -> Result<Capacity, DriverError> {
        self.cause()
    }

    fn allocate(&self, _: u64) -> Result<MemoryId, DriverError> {
        self.cause()
    }

    fn allocation_facts(&self, _: MemoryId) -> Result<AllocationFacts, DriverError> {
        self.cause()
    }

    fn write(&self, _: MemoryId, _: u64, _: &[u8]) -> Result<(), DriverError> {
        self.cause()
    }

    fn read(&self, _: MemoryId, _: u64, _: &mut [u8]) -> Result<(), DriverError> {
        self.cause()
    }

    fn overwrite(&self, _: MemoryId) -> Result<(), DriverError> {
        self.cause()
    }

    fn free(&self, _: MemoryId) -> Result<(), DriverError> {
        self.cause()
    }

    fn tree(&self, _: MemoryId) -> Result<Tree, DriverError> {
        self.cause()
    }

    fn probe(&self, _: MemoryId) -> Result<ProbeFacts, DriverError> {
        self.cause()
    }

    fn address(&self, _: MemoryId) -> Result<DeviceAddress, DriverError> {
        self.cause()
    }

    fn synchronize(&self) -> Result<(), DriverError> {
        self.cause()
    }
}
