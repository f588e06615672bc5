//! Memory of devices, page-locked memory of the host, and what is said of pointers.
#![allow(non_snake_case, reason = "the names are the driver's")]

use std::ffi::{c_uint, c_void};
use std::ptr::{null_mut, with_exposed_provenance_mut};

use super::{driver, give, wanted};
use crate::code::{Answer, INVALID_VALUE, OUT_OF_MEMORY};
use crate::pointer::{attribute, width};

driver! {
    fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize) with state {
        let index = state.current()?;
        let device = state.of(index)?;
        let size = |bytes: u64| usize::try_from(bytes).map_err(|_| INVALID_VALUE);
        let (free_bytes, total_bytes) = (size(device.free_bytes())?, size(device.total_bytes)?);
        // SAFETY: `cuda.h` has the caller pass a place for each answer, or it is null.
        unsafe { give(free, free_bytes) }?;
        // SAFETY: the same.
        unsafe { give(total, total_bytes) }
    }

    fn cuMemAlloc_v2(memory: *mut u64, bytes: usize) with state {
        let index = state.current()?;
        wanted(memory)?;
        let bytes = u64::try_from(bytes).map_err(|_| OUT_OF_MEMORY)?;
        if bytes == 0 {
            return Err(INVALID_VALUE);
        }
        if bytes > state.of(index)?.free_bytes() {
            return Err(OUT_OF_MEMORY);
        }
        let allocation = state.new_allocation(bytes);
        let address = state.of(index)?.memory.allocate(allocation)?;
        // SAFETY: `cuda.h` has the caller pass a place for the answer, or it is null.
        unsafe { give(memory, address) }
    }

    fn cuMemFree_v2(memory: u64) with state {
        let current = state.current()?;
        if memory == 0 {
            return Ok(());
        }
        state.finish_all(current);
        state.of(current)?.surface()?;
        let owner = state.devices.iter_mut().find(|device| device.memory.containing(memory).is_some());
        owner.ok_or(INVALID_VALUE)?.memory.free(memory)
    }

    fn cuMemAllocHost_v2(memory: *mut *mut c_void, bytes: usize) with state {
        let current = state.current()?;
        wanted(memory)?;
        let address = state.pinned.allocate(bytes, current)?;
        let start = usize::try_from(address).map_or(null_mut(), with_exposed_provenance_mut);
        // SAFETY: `cuda.h` has the caller pass a place for the answer, or it is null.
        unsafe { give(memory, start) }
    }

    fn cuMemHostGetDevicePointer_v2(memory: *mut u64, host: *mut c_void, flags: c_uint) with state {
        state.current()?;
        let address = as_u64(host)?;
        if flags != 0 || state.pinned.containing(address).is_none() {
            return Err(INVALID_VALUE);
        }
        // SAFETY: `cuda.h` has the caller pass a place for the answer, or it is null.
        unsafe { give(memory, address) }
    }

    fn cuMemFreeHost(memory: *mut c_void) with state {
        let current = state.current()?;
        state.finish_all(current);
        state.of(current)?.surface()?;
        state.pinned.free(as_u64(memory)?)
    }

    fn cuPointerGetAttribute(value: *mut c_void, which: c_uint, memory: u64) with state {
        if let Ok(current) = state.current_index() {
            state.of(current)?.usable()?;
        }
        let answer = attribute(state, which, memory)?;
        // SAFETY: `cuda.h` has the caller pass a place of the attribute's type, or it is null.
        unsafe { give_attribute(value, which, answer) }
    }
}

/// # Safety
/// `to` is null or may be written to, as many bytes as the attribute has.
unsafe fn give_attribute(to: *mut c_void, which: c_uint, answer: u64) -> Answer {
    if width(which) == 8 {
        // SAFETY: as the caller vouches.
        return unsafe { give(to.cast::<u64>(), answer) };
    }
    let answer = u32::try_from(answer).map_err(|_| INVALID_VALUE)?;
    // SAFETY: as the caller vouches.
    unsafe { give(to.cast::<u32>(), answer) }
}

/// The address of page-locked memory as the books have it.
pub(super) fn as_u64(host: *const c_void) -> Answer<u64> {
    u64::try_from(host.addr()).map_err(|_| INVALID_VALUE)
}
