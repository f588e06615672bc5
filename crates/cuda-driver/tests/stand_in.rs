//! A stand-in that a test chose takes the calls, and its codes come back as they were.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cuda_driver::{Failure, OtherLibraryError, is_stand_in, open, symbol, take_last_failure, use_library};
use cust::CudaFlags;
use cust::error::CudaError;

/// The stand-in, for one test at a time.
fn stand_in() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    let guard = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    // Cargo puts it beside the test binaries.
    let path: PathBuf = std::env::current_exe().unwrap().with_file_name("libfake_cuda.so");
    match use_library(&path) {
        Ok(()) | Err(OtherLibraryError::TooLate) => assert!(is_stand_in()),
        Err(error) => panic!("{error}"),
    }
    guard
}

/// Has the next call of a function return a code.
fn plant(function: &str, code: u32) {
    type Plant = unsafe extern "C" fn(*const u8, usize, u64, u64, u32, u32);
    // SAFETY: `fake_plant` of fake-cuda has this signature, and reads the name while it runs.
    unsafe { symbol::<Plant>("fake_plant").unwrap()(function.as_ptr(), function.len(), 1, 1, code, 0) };
}

#[test]
fn cust_speaks_to_the_stand_in() {
    let _one = stand_in();
    assert_eq!(open(), Ok(()));
    assert_eq!(cust::init(CudaFlags::empty()), Ok(()));
    assert_eq!(cust::device::Device::num_devices(), Ok(1));
    assert_eq!(cust::device::Device::get_device(0).unwrap().name().unwrap(), "Fake GPU 0");
    assert_eq!(take_last_failure(), None);
    assert_eq!(cust::device::Device::get_device(1).err(), Some(CudaError::InvalidDevice));
    assert_eq!(take_last_failure(), Some(Failure { function: "cuDeviceGet", code: 101 }));
    assert!(CudaError::EccUncorrectable.to_string().contains("uncorrectable ECC error"));
}

#[test]
fn a_code_that_cust_does_not_know_comes_as_unknown_and_is_kept_with_its_function() {
    let _one = stand_in();
    cust::init(CudaFlags::empty()).unwrap();
    for code in [36, 46, 222, 225, 226, 402, 721, 803, 916] {
        plant("cuDeviceGetCount", code);
        assert_eq!(cust::device::Device::num_devices(), Err(CudaError::UnknownError));
        assert_eq!(take_last_failure(), Some(Failure { function: "cuDeviceGetCount", code }));
    }
}

#[test]
fn the_stand_in_has_every_function_that_is_forwarded_and_gives_no_other_symbol() {
    let _one = stand_in();
    let source = include_str!("../src/forward.rs");
    let names: Vec<&str> = source.split("    fn ").skip(1).filter_map(|rest| rest.split('(').next()).collect();
    let names: Vec<&str> = names.into_iter().filter(|name| name.starts_with("cu")).collect();
    assert!(names.len() > 40, "{names:?}");
    for name in names {
        // SAFETY: nothing is called.
        let function = unsafe { symbol::<unsafe extern "C" fn()>(name) };
        assert!(function.is_some(), "{name}");
    }
    // SAFETY: nothing is called.
    assert!(unsafe { symbol::<unsafe extern "C" fn()>("cuNoSuchFunction") }.is_none());
}
