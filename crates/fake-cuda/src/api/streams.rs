//! Streams.
#![allow(non_snake_case, reason = "the names are the driver's")]

use std::ffi::{c_int, c_uint, c_void};
use std::ptr::without_provenance_mut;

use super::{driver, give, wanted};
use crate::code::{INVALID_HANDLE, INVALID_VALUE};
use crate::stream::{Stream, Work};

/// `CU_STREAM_NON_BLOCKING`.
const NON_BLOCKING: c_uint = 1;

driver! {
    fn cuStreamCreateWithPriority(stream: *mut *mut c_void, flags: c_uint, _priority: c_int) with state {
        let index = state.current()?;
        wanted(stream)?;
        if flags & !NON_BLOCKING != 0 {
            return Err(INVALID_VALUE);
        }
        let handle = state.new_handle();
        state.streams.insert(handle, Stream::new(index, flags & NON_BLOCKING == 0));
        // SAFETY: `cuda.h` has the caller pass a place for the answer, or it is null.
        unsafe { give(stream, without_provenance_mut(handle)) }
    }

    fn cuStreamDestroy_v2(stream: *mut c_void) with state {
        let (handle, index) = state.stream(stream.addr())?;
        if handle == state.of(index)?.default_stream {
            return Err(INVALID_HANDLE);
        }
        // Its work is done all the same.
        state.finish(handle);
        state.streams.remove(&handle);
        Ok(())
    }

    fn cuStreamSynchronize(stream: *mut c_void) with state {
        let (handle, index) = state.stream(stream.addr())?;
        state.finish(handle);
        state.of(index)?.surface()
    }

    fn cuStreamWaitEvent(stream: *mut c_void, event: *mut c_void, flags: c_uint) with state {
        let (handle, _) = state.stream(stream.addr())?;
        if flags != 0 {
            return Err(INVALID_VALUE);
        }
        match state.event(event.addr())?.recorded {
            Some((stream, until)) => state.give(handle, Work::Wait { stream, until }),
            // An event that was never recorded is waited for by nobody.
            None => Ok(()),
        }
    }
}
