//! The CUDA driver, opened when it is first needed.
//!
//! `cust` expects the driver's C symbols at link time; a program linked that way cannot start where there is no driver. This
//! crate defines those symbols and forwards each to `libcuda.so.1`, so one program starts anywhere. A call without a driver
//! returns `CUDA_ERROR_NO_DEVICE` and [`open`] says why; one that the driver lacks returns `CUDA_ERROR_NOT_FOUND`. The dynamic
//! linker looks for the library as it does for any program's (`LD_LIBRARY_PATH`): whoever sets that chooses the driver.
//!
//! `cust` keeps the driver's codes in an enum that ends with CUDA 11.4. A code that is not in it would be undefined behaviour
//! and becomes `CUDA_ERROR_UNKNOWN` (999) on the way; [`take_last_failure`] has the code as the driver gave it.

mod failure;
mod forward;
mod library;

pub use failure::{Failure, take_last_failure};
pub use library::{DriverMissing, is_stand_in, open};
#[cfg(feature = "other-library")]
pub use library::{OtherLibraryError, symbol, use_library};
