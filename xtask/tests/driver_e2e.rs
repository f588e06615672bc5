//! `cargo xtask proof` on a host with a driver, the fake one, from end to end: what a GPU node does and CI has no GPU for.
//!
//! Not part of `cargo test`, and so not of the suite that a proof runs: `cargo test -p xtask --test driver_e2e`.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

#[allow(dead_code, reason = "each test binary uses a part of it")]
mod support;

use std::path::Path;

use support::{Case, finish, keygen, xtask};

#[test]
fn a_run_behind_a_driver_is_verified_as_one_and_signed() {
    let case = Case::new();
    let built = Path::new(env!("CARGO_BIN_EXE_xtask")).with_file_name("deps").join("libfake_cuda.so");
    let place = tempfile::tempdir().unwrap();
    let driver = place.path().join("driver");
    std::fs::create_dir(&driver).unwrap();
    std::os::unix::fs::symlink(built, driver.join("libcuda.so.1")).unwrap();
    let key = keygen(place.path());
    let model = place.path().join("model");
    std::fs::write(&model, [7; 5000]).unwrap();
    let [key, model] = [&key, &model].map(|path| path.to_str().unwrap());
    // One model twice is one model.
    let arguments = ["--key", key, "--model", model, "--model", model];
    let mut command = case.proof_command_on("cuda", &arguments);
    command.env("LD_LIBRARY_PATH", &driver);
    let run = finish(command).ends(0, &["fake-driver", "2 of 2 proven", "records hold"]);
    let mut verify = xtask();
    verify.arg("verify").arg(run.bundle()).arg("--public-key").arg(format!("{key}.pub"));
    finish(verify).ends(0, &["VERIFIED: ", "NO GPU", "fake-driver"]);
}
