//! Copies and fills, with and without a stream.
#![allow(non_snake_case, reason = "the names are the driver's")]

use std::ffi::{c_uchar, c_void};

use super::driver;
use super::memory::as_u64;
use crate::code::{Answer, INVALID_VALUE};
use crate::state::State;
use crate::stream::Work;
use crate::work::pieces;

driver! {
    fn cuMemcpyHtoD_v2(to: u64, from: *const c_void, bytes: usize) with state {
        let length = begin(state, &[to], bytes)?;
        if length == 0 {
            return Ok(());
        }
        if from.is_null() {
            return Err(INVALID_VALUE);
        }
        // SAFETY: `cuda.h` has the caller pass `bytes` bytes that may be read.
        unsafe { upload(state, to, from, length) }
    }

    fn cuMemcpyDtoH_v2(to: *mut c_void, from: u64, bytes: usize) with state {
        let length = begin(state, &[from], bytes)?;
        if length == 0 {
            return Ok(());
        }
        if to.is_null() {
            return Err(INVALID_VALUE);
        }
        // SAFETY: `cuda.h` has the caller pass `bytes` bytes that may be written to.
        unsafe { download(state, to, from, length) }
    }

    fn cuMemcpyDtoD_v2(to: u64, from: u64, bytes: usize) with state {
        let bytes = begin(state, &[to, from], bytes)?;
        // Between two places of a device the call does not wait for the copy.
        let (stream, _) = state.stream(0)?;
        if bytes == 0 { Ok(()) } else { state.give(stream, Work::Copy { to, from, bytes }) }
    }

    fn cuMemsetD8_v2(to: u64, value: c_uchar, bytes: usize) with state {
        let (stream, _) = state.stream(0)?;
        let bytes = in_bounds(state, &[to], bytes)?;
        // The call does not wait for the device.
        if bytes == 0 { Ok(()) } else { state.give(stream, Work::Fill { to, value, bytes }) }
    }

    fn cuMemcpyHtoDAsync_v2(to: u64, from: *const c_void, bytes: usize, stream: *mut c_void) with state {
        let (stream, _) = state.stream(stream.addr())?;
        let length = in_bounds(state, &[to], bytes)?;
        if length == 0 {
            return Ok(());
        }
        let address = as_u64(from)?;
        if state.pinned.holds(address, length) {
            return state.give(stream, Work::Copy { to, from: address, bytes: length });
        }
        if from.is_null() {
            return Err(INVALID_VALUE);
        }
        // Pageable memory is staged before the call returns.
        // SAFETY: `cuda.h` has the caller pass `bytes` bytes that may be read.
        let staged = unsafe { std::slice::from_raw_parts(from.cast::<u8>(), bytes) }.to_vec();
        state.give(stream, Work::Write { to, bytes: staged })
    }

    fn cuMemcpyDtoHAsync_v2(to: *mut c_void, from: u64, bytes: usize, stream: *mut c_void) with state {
        let (stream, index) = state.stream(stream.addr())?;
        let length = in_bounds(state, &[from], bytes)?;
        if length == 0 {
            return Ok(());
        }
        let address = as_u64(to)?;
        if state.pinned.holds(address, length) {
            return state.give(stream, Work::Copy { to: address, from, bytes: length });
        }
        if to.is_null() {
            return Err(INVALID_VALUE);
        }
        // To pageable memory the call returns when the copy is done.
        state.finish(stream);
        state.of(index)?.surface()?;
        // SAFETY: `cuda.h` has the caller pass `bytes` bytes that may be written to.
        unsafe { download(state, to, from, length) }
    }

    fn cuMemcpyDtoDAsync_v2(to: u64, from: u64, bytes: usize, stream: *mut c_void) with state {
        let (stream, _) = state.stream(stream.addr())?;
        let bytes = in_bounds(state, &[to, from], bytes)?;
        if bytes == 0 { Ok(()) } else { state.give(stream, Work::Copy { to, from, bytes }) }
    }

    fn cuMemsetD8Async(to: u64, value: c_uchar, bytes: usize, stream: *mut c_void) with state {
        let (stream, _) = state.stream(stream.addr())?;
        let bytes = in_bounds(state, &[to], bytes)?;
        if bytes == 0 { Ok(()) } else { state.give(stream, Work::Fill { to, value, bytes }) }
    }
}

/// What every copy without a stream begins with: it is in bounds, and what was given to the device before is done.
fn begin(state: &mut State, addresses: &[u64], bytes: usize) -> Answer<u64> {
    let index = state.current()?;
    let bytes = in_bounds(state, addresses, bytes)?;
    state.finish_blocking(index);
    state.of(index)?.surface()?;
    Ok(bytes)
}

/// The length, if that many bytes from each address on lie in one allocation.
fn in_bounds(state: &State, addresses: &[u64], bytes: usize) -> Answer<u64> {
    let bytes = u64::try_from(bytes).map_err(|_| INVALID_VALUE)?;
    let fits = bytes == 0 || addresses.iter().all(|address| state.holds(*address, bytes));
    if fits { Ok(bytes) } else { Err(INVALID_VALUE) }
}

/// # Safety
/// `from` may be read, `bytes` bytes long.
unsafe fn upload(state: &mut State, to: u64, from: *const c_void, bytes: u64) -> Answer {
    for (offset, length) in pieces(bytes) {
        let at = from.cast::<u8>().wrapping_add(usize::try_from(offset).map_err(|_| INVALID_VALUE)?);
        // SAFETY: the piece lies within what the caller vouches for.
        let piece = unsafe { std::slice::from_raw_parts(at, length) };
        state.store(to.saturating_add(offset), piece)?;
    }
    Ok(())
}

/// # Safety
/// `to` may be written to, `bytes` bytes long.
unsafe fn download(state: &State, to: *mut c_void, from: u64, bytes: u64) -> Answer {
    let mut piece = Vec::new();
    for (offset, length) in pieces(bytes) {
        piece.resize(length, 0);
        state.load(from.saturating_add(offset), &mut piece)?;
        let at = to.cast::<u8>().wrapping_add(usize::try_from(offset).map_err(|_| INVALID_VALUE)?);
        // SAFETY: the piece lies within what the caller vouches for, which may hold anything until now.
        unsafe { std::ptr::copy_nonoverlapping(piece.as_ptr(), at, length) };
    }
    Ok(())
}
