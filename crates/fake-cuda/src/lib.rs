//! A CUDA driver over host memory, for tests: `libfake_cuda.so` defines the driver's functions (`cu…`) and the functions by
//! which a test controls it (`fake_…`).
//!
//! It behaves as a driver does where that matters to a program. Memory that was freed is not cleared for its next owner. Work
//! in a stream is done when somebody waits for it and not before, so whoever forgets to wait sees old bytes. What fails
//! there is reported by a later call that waits. A device that failed for good answers every later call with the same code.
//! The three kernels of this project are known by name and computed on the host.
//!
//! It is reached through looked-up symbols only: a program that linked the Rust library would have the driver's functions
//! twice, and its state would be another copy's.

mod api;
mod code;
mod control;
mod device;
mod faults;
mod kernels;
mod memory;
mod pinned;
mod pointer;
mod state;
mod stream;
mod work;
