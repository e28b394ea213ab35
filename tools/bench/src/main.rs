//! `make bench`: measures Airlock against Linux on the same QEMU, peer and disk.
//!
//! `bench count` is its quick form: one guest, a table of what was counted.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use bench::{all, count};
use clap::{Parser, Subcommand};

/// Measures Airlock against Linux on the same QEMU, peer and disk.
#[derive(Debug, Parser)]
#[command(name = "bench", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measures everything, and writes target/bench/report.{md,json,html}.
    All(all::Options),
    /// Counts one guest's work, and prints it by unit.
    Count(count::Options),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match &arguments.command {
        Command::All(options) => all::all(options),
        Command::Count(options) => count::count(options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
