//! `verify-bundle`: checks a proof bundle without the network, without CUDA, and without the library that it is about.
#![forbid(unsafe_code)]

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use clap::Parser;
use proof_bundle::exit::Exit;
use proof_bundle::verify::command::{VerifyArgs, run};

/// Check a proof bundle: recompute everything in it, trust nothing
#[derive(Parser)]
#[command(name = "verify-bundle", version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    args: VerifyArgs,
}

fn main() -> ExitCode {
    match run(&Cli::parse().args) {
        Ok((text, exit)) => print(&text, exit).into(),
        Err(problem) => {
            say(&format!("error: {problem}\n"));
            Exit::BadInput.into()
        }
    }
}

/// Prints to stdout. A reader who has seen enough is no error; a disk that is full is one.
fn print(text: &str, exit: Exit) -> Exit {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            say(&format!("error: cannot write stdout: {error}\n"));
            Exit::Found
        }
        _ => exit,
    }
}

fn say(text: &str) {
    // The exit code says the same.
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
