//! The project's own commands, one module each: `cargo xtask --help` lists them.
#![forbid(unsafe_code)]
// They panic when nobody reads on: see `output`.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod bundles;
mod cli;
mod code_coverage;
mod coverage;
mod device;
mod diff;
mod env;
mod error;
mod explain;
mod git;
mod gpu;
mod kernels;
mod key_file;
mod keygen;
mod kit;
mod live;
mod merge;
mod model;
mod mutants;
mod output;
mod pack;
mod process;
mod progress;
mod proof;
mod shell;
mod sign;
mod sources;
mod suite;
mod table;
mod tidy;
mod verify;
mod watch;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
use error::XtaskError;
use proof_bundle::exit::{self, Exit};

fn main() -> ExitCode {
    // What the library warns of is worth seeing; the proof's own words go to stderr as well.
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .with_writer(std::io::stderr)
        // It would be reported where it failed.
        .log_internal_errors(false)
        .init();
    match dispatch(&Cli::parse().command) {
        Ok(exit) => exit.into(),
        Err(error) => {
            output::say(&format!("error: {}", error.line()));
            error.exit().into()
        }
    }
}

fn dispatch(command: &Command) -> Result<Exit, XtaskError> {
    match command {
        Command::Proof(args) => proof::run(args),
        Command::Pack(args) => pack::run(args),
        Command::Inflate => kit::inflate::run(),
        Command::Mutants(args) => mutants::run(args),
        Command::Coverage(args) => coverage::run(args),
        Command::CodeCoverage(args) => code_coverage::run(args),
        Command::Gpu(args) => gpu::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Tidy(_) => tidy::run(&workspace::find_root()?),
        Command::BundleDiff(args) => diff::run(args),
        Command::Kernels(args) => kernels::run(args),
        Command::Keygen(args) => keygen::run(args),
        Command::Sign(args) => sign::run(args),
        Command::Merge(args) => merge::run(args),
        Command::Verify(args) => verify::run(args),
    }
}
