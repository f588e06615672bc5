//! Takes the place of the build helper of `cust`, which panics where no CUDA is installed and links `libcuda` where one is.
//!
//! This workspace needs neither: `cuda-driver` defines the driver's symbols and opens the library when the program runs.
#![forbid(unsafe_code)]

/// Does nothing: the build scripts of `cust` and `cust_raw` call it, and nothing is to be found or linked.
pub fn include_cuda() {}

#[cfg(test)]
#[allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]
mod tests {
    #[test]
    fn the_build_scripts_of_cust_use_this_crate_and_not_the_published_one() {
        let lock = include_str!("../../../Cargo.lock");
        let entry = lock.split("[[package]]").find(|entry| entry.contains("name = \"find_cuda_helper\"")).unwrap();
        assert!(!entry.contains("source ="), "{entry}");
        assert!(lock.contains("name = \"cust_raw\""), "nothing calls this crate any more");
    }
}
