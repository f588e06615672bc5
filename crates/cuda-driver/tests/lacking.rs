//! A driver that lacks functions: here the C library, which lacks all of them.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::path::Path;

use cuda_driver::{Failure, open, take_last_failure, use_library};
use cust::CudaFlags;
use cust::error::CudaError;

#[test]
fn a_function_that_the_driver_lacks_is_not_found_and_named() {
    use_library(Path::new("libc.so.6")).unwrap();
    assert_eq!(open(), Ok(()));
    assert_eq!(cust::init(CudaFlags::empty()), Err(CudaError::NotFound));
    assert_eq!(take_last_failure(), Some(Failure { function: "cuInit", code: 500 }));
}
