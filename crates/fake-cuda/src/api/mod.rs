//! The driver's functions, under the names that `cuda.h` gives them. What each does is said there.

mod copies;
mod devices;
mod events;
mod memory;
mod modules;
mod streams;

use crate::code::{Answer, INVALID_VALUE};

/// Defines driver functions. The body of each runs in [`enter`](crate::state::enter), with the state.
macro_rules! driver {
    ($(fn $name:ident($($argument:ident: $type:ty),* $(,)?) with $state:ident $body:block)*) => {$(
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($argument: $type),*) -> std::ffi::c_uint {
            crate::state::enter(stringify!($name), |$state| $body)
        }
    )*};
}
use driver;

/// Writes an answer to where the program wants it.
///
/// # Errors
/// `CUDA_ERROR_INVALID_VALUE` when that is nowhere.
///
/// # Safety
/// `to` is null or may be written to.
unsafe fn give<T>(to: *mut T, value: T) -> Answer {
    wanted(to)?;
    // SAFETY: it is not null, so the caller vouches for it.
    unsafe { to.write_unaligned(value) };
    Ok(())
}

/// Whether there is a place for an answer.
fn wanted<T>(to: *mut T) -> Answer {
    if to.is_null() { Err(INVALID_VALUE) } else { Ok(()) }
}
