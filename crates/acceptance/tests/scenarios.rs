//! Every scenario of `specs/features` as a test of its own name.
#![allow(
    clippy::arithmetic_side_effects,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let scenarios = match acceptance::load(&acceptance::features_dir()) {
        Ok(scenarios) => scenarios,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let trials = scenarios
        .into_iter()
        .map(|scenario| {
            Trial::test(scenario.test_name(), move || {
                Ok(acceptance::vocabulary().run(&scenario, &mut acceptance::World::new())?)
            })
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
