//! Events.
#![allow(non_snake_case, reason = "the names are the driver's")]

use std::ffi::{c_uint, c_void};
use std::ptr::without_provenance_mut;

use super::{driver, give, wanted};
use crate::code::{INVALID_HANDLE, INVALID_VALUE, NOT_READY};
use crate::state::Event;
use crate::stream::{Stream, Work};

/// `CU_EVENT_DISABLE_TIMING`, and every flag that there is.
const DISABLE_TIMING: c_uint = 2;
const FLAGS: c_uint = 7;

driver! {
    fn cuEventCreate(event: *mut *mut c_void, flags: c_uint) with state {
        let device = state.current()?;
        wanted(event)?;
        if flags & !FLAGS != 0 {
            return Err(INVALID_VALUE);
        }
        let handle = state.new_handle();
        let timing = flags & DISABLE_TIMING == 0;
        state.events.insert(handle, Event { device, timing, recorded: None, reached: None });
        // SAFETY: `cuda.h` has the caller pass a place for the answer, or it is null.
        unsafe { give(event, without_provenance_mut(handle)) }
    }

    fn cuEventDestroy_v2(event: *mut c_void) with state {
        let index = state.event(event.addr())?.device;
        state.of(index)?.usable()?;
        state.events.remove(&event.addr());
        Ok(())
    }

    fn cuEventRecord(event: *mut c_void, stream: *mut c_void) with state {
        let (handle, index) = state.stream(stream.addr())?;
        if state.event(event.addr())?.device != index {
            return Err(INVALID_HANDLE);
        }
        state.give(handle, Work::Record { event: event.addr() })?;
        let until = state.streams.get(&handle).map_or(0, Stream::given);
        let event = state.event(event.addr())?;
        event.recorded = Some((handle, until));
        event.reached = None;
        Ok(())
    }

    fn cuEventSynchronize(event: *mut c_void) with state {
        let event = state.event(event.addr())?;
        let (index, recorded) = (event.device, event.recorded);
        if let Some((stream, until)) = recorded {
            state.finish_until(stream, until);
        }
        state.of(index)?.surface()
    }

    fn cuEventQuery(event: *mut c_void) with state {
        let event = state.event(event.addr())?;
        let (index, recorded, reached) = (event.device, event.recorded, event.reached.is_some());
        // The device is a little slower than whoever asks.
        if let Some((stream, until)) = recorded {
            state.finish_until(stream, until);
        }
        state.of(index)?.surface()?;
        if reached || recorded.is_none() { Ok(()) } else { Err(NOT_READY) }
    }

    fn cuEventElapsedTime(milliseconds: *mut f32, start: *mut c_void, end: *mut c_void) with state {
        let mut times = [None, None];
        for (time, handle) in times.iter_mut().zip([start, end]) {
            let event = state.event(handle.addr())?;
            if !event.timing || event.recorded.is_none() {
                return Err(INVALID_HANDLE);
            }
            *time = Some(event.reached.ok_or(NOT_READY)?);
        }
        let [Some(start), Some(end)] = times else { return Err(NOT_READY) };
        let seconds = end.saturating_duration_since(start).as_secs_f32();
        // SAFETY: `cuda.h` has the caller pass a place for the answer, or it is null.
        unsafe { give(milliseconds, seconds * 1000.0) }
    }
}
