//! The library, devices and primary contexts.
#![allow(non_snake_case, reason = "the names are the driver's")]

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr::without_provenance_mut;

use super::{driver, give, wanted};
use crate::code::{INVALID_CONTEXT, INVALID_VALUE, NO_DEVICE, text};
use crate::state::{current_handle, set_current_handle};
use crate::stream::Stream;

/// CUDA 13.0.
const VERSION: c_int = 13_000;

driver! {
    fn cuInit(flags: c_uint) with state {
        if flags != 0 {
            return Err(INVALID_VALUE);
        }
        if state.devices.is_empty() {
            return Err(NO_DEVICE);
        }
        state.initialized = true;
        Ok(())
    }

    fn cuDriverGetVersion(version: *mut c_int) with _state {
        // SAFETY: `cuda.h` has the caller pass a place for the answer, or it is null.
        unsafe { give(version, VERSION) }
    }

    fn cuDeviceGetCount(count: *mut c_int) with state {
        let devices = c_int::try_from(state.devices.len()).map_err(|_| INVALID_VALUE)?;
        // SAFETY: `cuda.h` has the caller pass a place for the answer, or it is null.
        unsafe { give(count, devices) }
    }

    fn cuDeviceGet(device: *mut c_int, ordinal: c_int) with state {
        state.device(ordinal)?;
        // SAFETY: `cuda.h` has the caller pass a place for the answer, or it is null.
        unsafe { give(device, ordinal) }
    }

    fn cuDeviceGetName(name: *mut c_char, length: c_int, device: c_int) with state {
        let room = usize::try_from(length).ok().and_then(|length| length.checked_sub(1)).ok_or(INVALID_VALUE)?;
        wanted(name)?;
        let text = state.device(device)?.name.clone();
        for (index, byte) in text.iter().take(room).chain([&0]).enumerate() {
            // SAFETY: `cuda.h` has the caller pass `length` bytes; at most `room` and one more are written, which is that.
            unsafe { name.wrapping_add(index).write(c_char::from_ne_bytes([*byte])) };
        }
        Ok(())
    }

    fn cuDeviceGetUuid_v2(uuid: *mut [u8; 16], device: c_int) with state {
        let bytes = state.device(device)?.uuid;
        // SAFETY: `cuda.h` has the caller pass a place for 16 bytes, or it is null.
        unsafe { give(uuid, bytes) }
    }

    fn cuDeviceTotalMem_v2(bytes: *mut usize, device: c_int) with state {
        let total = usize::try_from(state.device(device)?.total_bytes).map_err(|_| INVALID_VALUE)?;
        // SAFETY: `cuda.h` has the caller pass a place for the answer, or it is null.
        unsafe { give(bytes, total) }
    }

    fn cuDeviceGetAttribute(value: *mut c_int, attribute: c_int, device: c_int) with state {
        let answer = state.device(device)?.attribute(attribute).ok_or(INVALID_VALUE)?;
        // SAFETY: `cuda.h` has the caller pass a place for the answer, or it is null.
        unsafe { give(value, answer) }
    }

    fn cuDevicePrimaryCtxRetain(context: *mut *mut c_void, device: c_int) with state {
        wanted(context)?;
        state.device(device)?.usable()?;
        let index = usize::try_from(device).map_err(|_| INVALID_VALUE)?;
        if state.of(index)?.retained == 0 {
            let (handle, default) = (state.new_handle(), state.new_handle());
            state.contexts.insert(handle, index);
            state.streams.insert(default, Stream::new(index, true));
            let device = state.of(index)?;
            device.context = handle;
            device.default_stream = default;
        }
        let device = state.of(index)?;
        device.retained = device.retained.saturating_add(1);
        let handle = device.context;
        // SAFETY: `cuda.h` has the caller pass a place for the answer, or it is null.
        unsafe { give(context, without_provenance_mut(handle)) }
    }

    fn cuDevicePrimaryCtxRelease_v2(device: c_int) with state {
        let held = state.device(device)?;
        held.retained = held.retained.checked_sub(1).ok_or(INVALID_CONTEXT)?;
        if held.retained > 0 {
            return Ok(());
        }
        let index = usize::try_from(device).map_err(|_| INVALID_VALUE)?;
        state.finish_all(index);
        state.end_context(index)
    }

    fn cuCtxGetCurrent(context: *mut *mut c_void) with _state {
        // SAFETY: `cuda.h` has the caller pass a place for the answer, or it is null.
        unsafe { give(context, without_provenance_mut(current_handle())) }
    }

    fn cuCtxSetCurrent(context: *mut c_void) with state {
        let handle = context.addr();
        if handle != 0 {
            // Also of a device that is lost: it is what is done in the context that fails.
            state.contexts.get(&handle).ok_or(INVALID_CONTEXT)?;
        }
        set_current_handle(handle);
        Ok(())
    }

    fn cuCtxGetDevice(device: *mut c_int) with state {
        let index = c_int::try_from(state.current_index()?).map_err(|_| INVALID_VALUE)?;
        // SAFETY: `cuda.h` has the caller pass a place for the answer, or it is null.
        unsafe { give(device, index) }
    }

    fn cuCtxSynchronize() with state {
        let index = state.current()?;
        state.finish_all(index);
        state.of(index)?.surface()
    }
}

/// Asking for the text of a code is no call of a program to its device: it is not counted, and no fault strikes it.
#[unsafe(no_mangle)]
unsafe extern "C" fn cuGetErrorString(error: c_uint, to: *mut *const c_char) -> c_uint {
    let text = text(error).map(CStr::as_ptr);
    // SAFETY: `cuda.h` has the caller pass a place for the answer, or it is null.
    match unsafe { give(to, text.unwrap_or(std::ptr::null())) } {
        Ok(()) if text.is_some() => 0,
        _ => INVALID_VALUE,
    }
}
