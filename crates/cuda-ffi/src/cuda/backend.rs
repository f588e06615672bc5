//! The device's operations through the driver.

use std::sync::{Mutex, MutexGuard, PoisonError};

use content_digest::{Tree, TreeDigest};
use cust::context::CurrentContext;
use cust::memory::mem_get_info;
use facts::{AllocationFacts, Capacity, DeviceFacts, ProbeFacts};

use super::call::through_cust;
use super::facts::{as_u64, of_allocation, of_device};
use super::{CudaDevice, memory};
use crate::{Device, DeviceAddress, DriverError, MemoryId, Operation};

impl Device for CudaDevice {
    fn facts(&self) -> Result<DeviceFacts, DriverError> {
        of_device(self.index, self.device, true)
    }

    fn judged_facts(&self) -> Result<DeviceFacts, DriverError> {
        of_device(self.index, self.device, false)
    }

    fn capacity(&self) -> Result<Capacity, DriverError> {
        let _current = self.context.enter(Operation::Capacity)?;
        let (free, total) = through_cust(Operation::Capacity, mem_get_info())?;
        Ok(Capacity { total_bytes: as_u64(total), free_bytes: as_u64(free) })
    }

    fn allocate(&self, bytes: u64) -> Result<MemoryId, DriverError> {
        if bytes == 0 {
            return Err(DriverError::new(Operation::Allocate, DriverError::INVALID_VALUE));
        }
        let _current = self.context.enter(Operation::Allocate)?;
        let start = memory::allocate(Operation::Allocate, bytes)?;
        Ok(self.books.enter(start, bytes))
    }

    fn allocation_facts(&self, memory: MemoryId) -> Result<AllocationFacts, DriverError> {
        const OPERATION: Operation = Operation::AllocationFacts;
        let allocation = self.books.find(OPERATION, memory)?;
        let held = allocation.share(OPERATION)?;
        let _current = self.context.enter(OPERATION)?;
        // SAFETY: the context is current.
        unsafe { of_allocation(held.start, held.bytes) }
    }

    fn write(&self, memory: MemoryId, offset: u64, bytes: &[u8]) -> Result<(), DriverError> {
        const OPERATION: Operation = Operation::Write;
        let allocation = self.books.find(OPERATION, memory)?;
        let held = allocation.alone(OPERATION)?;
        let to = held.range(OPERATION, offset, bytes.len())?;
        let _current = self.context.enter(OPERATION)?;
        // SAFETY: the context is current; the range lies in the allocation, which stays as long as `held`.
        unsafe { locked(&self.staging).write(to, bytes) }
    }

    fn read(&self, memory: MemoryId, offset: u64, bytes: &mut [u8]) -> Result<(), DriverError> {
        const OPERATION: Operation = Operation::Read;
        let allocation = self.books.find(OPERATION, memory)?;
        let held = allocation.share(OPERATION)?;
        let from = held.range(OPERATION, offset, bytes.len())?;
        let _current = self.context.enter(OPERATION)?;
        // SAFETY: the context is current; the range lies in the allocation, which stays as long as `held`.
        unsafe { locked(&self.staging).read(from, bytes) }
    }

    fn overwrite(&self, memory: MemoryId) -> Result<(), DriverError> {
        const OPERATION: Operation = Operation::Overwrite;
        let allocation = self.books.find(OPERATION, memory)?;
        let held = allocation.alone(OPERATION)?;
        let _current = self.context.enter(OPERATION)?;
        // SAFETY: the context is current; nobody else has the allocation, which stays as long as `held`.
        unsafe { locked(&self.compute).overwrite(held.start, held.bytes) }
    }

    fn free(&self, memory: MemoryId) -> Result<(), DriverError> {
        const OPERATION: Operation = Operation::Free;
        let allocation = self.books.find(OPERATION, memory)?;
        let held = allocation.alone(OPERATION)?;
        let _current = self.context.enter(OPERATION)?;
        // SAFETY: nobody else has the allocation, and it is struck from the books before anyone can have it.
        unsafe { memory::free(held.start)? };
        held.freed();
        self.books.strike(memory);
        Ok(())
    }

    fn tree(&self, memory: MemoryId) -> Result<Tree, DriverError> {
        const OPERATION: Operation = Operation::TreeDigest;
        let allocation = self.books.find(OPERATION, memory)?;
        let held = allocation.share(OPERATION)?;
        let _current = self.context.enter(OPERATION)?;
        // SAFETY: the context is current; the allocation stays, and nobody writes to it, as long as `held`.
        unsafe { locked(&self.compute).tree(held.start, held.bytes) }
    }

    fn tree_digest(&self, memory: MemoryId) -> Result<TreeDigest, DriverError> {
        const OPERATION: Operation = Operation::TreeDigest;
        let allocation = self.books.find(OPERATION, memory)?;
        let held = allocation.share(OPERATION)?;
        let _current = self.context.enter(OPERATION)?;
        // SAFETY: the context is current; the allocation stays, and nobody writes to it, as long as `held`.
        unsafe { locked(&self.compute).tree_digest(held.start, held.bytes) }
    }

    fn probe(&self, memory: MemoryId) -> Result<ProbeFacts, DriverError> {
        const OPERATION: Operation = Operation::Probe;
        let allocation = self.books.find(OPERATION, memory)?;
        let held = allocation.share(OPERATION)?;
        let _current = self.context.enter(OPERATION)?;
        // SAFETY: the context is current; the allocation stays, and nobody writes to it, as long as `held`.
        unsafe { locked(&self.compute).probe(held.start, held.bytes) }
    }

    fn address(&self, memory: MemoryId) -> Result<DeviceAddress, DriverError> {
        const OPERATION: Operation = Operation::Address;
        let allocation = self.books.find(OPERATION, memory)?;
        Ok(DeviceAddress::new(allocation.share(OPERATION)?.start))
    }

    fn synchronize(&self) -> Result<(), DriverError> {
        let _current = self.context.enter(Operation::Synchronize)?;
        through_cust(Operation::Synchronize, CurrentContext::synchronize())
    }
}

/// What a panic left of these holds is set up anew by every use, so a poisoned lock tells nothing.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
