//! Kernel images, the functions in them, and launches.
#![allow(non_snake_case, reason = "the names are the driver's")]

use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::ptr::without_provenance_mut;

use super::{driver, give, wanted};
use crate::code::{INVALID_HANDLE, INVALID_IMAGE, INVALID_VALUE, NO_BINARY_FOR_GPU, NOT_FOUND};
use crate::kernels::{Kernel, Launch};
use crate::stream::Work;

/// What a fatbin begins with (`FATBIN_MAGIC` of `fatbinary_section.h`, in the bytes of a little-endian host).
const FATBIN: [u8; 4] = 0xBA55_ED50_u32.to_le_bytes();
/// `CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR` and `…_MINOR`, and the lowest that our image is for.
const MAJOR: c_int = 75;
const MINOR: c_int = 76;
const LOWEST: (Option<c_int>, Option<c_int>) = (Some(7), Some(5));
/// `CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK`, and the first number that is no attribute.
const MAX_THREADS_PER_BLOCK: c_int = 0;
const ATTRIBUTES_END: c_int = 16;

driver! {
    fn cuModuleLoadDataEx(
        module: *mut *mut c_void,
        image: *const c_void,
        _count: c_uint,
        _options: *mut c_uint,
        _values: *mut *mut c_void,
    ) with state {
        let index = state.current()?;
        wanted(module)?;
        if image.is_null() {
            return Err(INVALID_VALUE);
        }
        for (offset, expected) in FATBIN.iter().enumerate() {
            // SAFETY: `cuda.h` has the caller pass an image, which has one byte at least; and another only follows after one
            // that is as in the magic number, none of which ends a text.
            let byte = unsafe { image.cast::<u8>().wrapping_add(offset).read() };
            if byte != *expected {
                return Err(INVALID_IMAGE);
            }
        }
        let device = state.of(index)?;
        let capability = (device.attribute(MAJOR), device.attribute(MINOR));
        if capability < LOWEST {
            return Err(NO_BINARY_FOR_GPU);
        }
        let handle = state.new_handle();
        state.modules.insert(handle, index);
        // SAFETY: `cuda.h` has the caller pass a place for the answer, or it is null.
        unsafe { give(module, without_provenance_mut(handle)) }
    }

    fn cuModuleUnload(module: *mut c_void) with state {
        let index = *state.modules.get(&module.addr()).ok_or(INVALID_HANDLE)?;
        state.of(index)?.usable()?;
        state.finish_all(index);
        state.modules.remove(&module.addr());
        state.functions.retain(|_, (of, _)| *of != module.addr());
        Ok(())
    }

    fn cuModuleGetFunction(function: *mut *mut c_void, module: *mut c_void, name: *const c_char) with state {
        let index = *state.modules.get(&module.addr()).ok_or(INVALID_HANDLE)?;
        state.of(index)?.usable()?;
        wanted(function)?;
        if name.is_null() {
            return Err(INVALID_VALUE);
        }
        // SAFETY: `cuda.h` has the caller pass a text that ends with a zero byte.
        let kernel = Kernel::by_name(unsafe { CStr::from_ptr(name) }).ok_or(NOT_FOUND)?;
        let handle = state.new_handle();
        state.functions.insert(handle, (module.addr(), kernel));
        // SAFETY: `cuda.h` has the caller pass a place for the answer, or it is null.
        unsafe { give(function, without_provenance_mut(handle)) }
    }

    fn cuFuncGetAttribute(value: *mut c_int, attribute: c_int, function: *mut c_void) with state {
        let (_, kernel) = *state.functions.get(&function.addr()).ok_or(INVALID_HANDLE)?;
        let answer = match attribute {
            MAX_THREADS_PER_BLOCK => c_int::try_from(kernel.most_threads()).map_err(|_| INVALID_VALUE)?,
            1..ATTRIBUTES_END => 0,
            _ => return Err(INVALID_VALUE),
        };
        // SAFETY: `cuda.h` has the caller pass a place for the answer, or it is null.
        unsafe { give(value, answer) }
    }

    fn cuLaunchKernel(
        function: *mut c_void,
        grid_x: c_uint,
        grid_y: c_uint,
        grid_z: c_uint,
        block_x: c_uint,
        block_y: c_uint,
        block_z: c_uint,
        shared_bytes: c_uint,
        stream: *mut c_void,
        parameters: *mut *mut c_void,
        extra: *mut *mut c_void,
    ) with state {
        let (stream, index) = state.stream(stream.addr())?;
        let (module, kernel) = *state.functions.get(&function.addr()).ok_or(INVALID_HANDLE)?;
        if state.modules.get(&module) != Some(&index) {
            return Err(INVALID_HANDLE);
        }
        if !extra.is_null() {
            return Err(INVALID_VALUE);
        }
        wanted(parameters)?;
        let mut launch = Launch {
            kernel,
            grid: [grid_x, grid_y, grid_z],
            block: [block_x, block_y, block_z],
            parameters: Vec::new(),
        };
        launch.check(shared_bytes)?;
        for (place, bytes) in kernel.parameters().iter().enumerate() {
            // SAFETY: `cuda.h` has the caller pass as many pointers as the kernel has parameters.
            let parameter = unsafe { parameters.wrapping_add(place).read() };
            wanted(parameter)?;
            let value = if *bytes == 4 {
                // SAFETY: `cuda.h` has it point to a value of the parameter's type, which is of four bytes.
                u64::from(unsafe { parameter.cast::<u32>().read_unaligned() })
            } else {
                // SAFETY: the same, of eight bytes.
                unsafe { parameter.cast::<u64>().read_unaligned() }
            };
            launch.parameters.push(value);
        }
        state.give(stream, Work::Launch(launch))
    }
}
