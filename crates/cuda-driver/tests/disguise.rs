//! The fake driver under the driver's name, where the dynamic linker finds it first.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::process::Command;

use cuda_driver::{is_stand_in, open};

#[test]
fn the_fake_driver_passes_for_no_gpus_driver_whatever_its_file_is_called() {
    const CHILD: &str = "DISGUISE_IN_THIS_PROCESS";
    if std::env::var_os(CHILD).is_some() {
        assert_eq!(open(), Ok(()));
        assert!(is_stand_in());
        return;
    }
    // The linker looks at the variable when a process starts.
    let program = std::env::current_exe().unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(program.with_file_name("libfake_cuda.so"), folder.path().join("libcuda.so.1")).unwrap();
    let child = Command::new(program)
        .args(["--exact", "the_fake_driver_passes_for_no_gpus_driver_whatever_its_file_is_called"])
        .env(CHILD, "1")
        .env("LD_LIBRARY_PATH", folder.path())
        .env_remove("PROOF_SPOOL")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
}
