//! `airlock`: the host command. `airlock --help` explains it.
#![forbid(unsafe_code)]

use airlock_cli::cli::{Arguments, Command};
use airlock_cli::verdict::{Verdict, WrongArguments};
use airlock_cli::{attack, dist, manifest, measure, new, profile, qemu, run, trace, workspace};
use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Command::Run(options) if options.attack.is_some() => {
            attack::run(&options).map(|outcome| outcome.verdict)
        }
        Command::Run(options) => run::run(&options).map(|outcome| outcome.verdict),
        Command::Image(options) => workspace::write_images(&options).map(|()| Verdict::Ok),
        Command::Profile(options) => profile::profile(&options),
        Command::Dist(options) => dist::dist(&options).map(|()| Verdict::Ok),
        Command::New(options) => new::new(&options).map(|()| Verdict::Ok),
        Command::Manifest(options) => manifest::write(&options).map(|digest| {
            println!("share.manifest={digest}");
            Verdict::Ok
        }),
        Command::Trace(options) => trace::trace(&options),
        Command::Measure(options) => measure::measure(&options).map(|()| Verdict::Ok),
    };
    let verdict = done.unwrap_or_else(|error| {
        eprintln!("airlock: {error:#}");
        match error.is::<WrongArguments>() {
            true => Verdict::WrongArguments,
            false if qemu::interrupted() => Verdict::Interrupted,
            false => Verdict::SetUp,
        }
    });
    ExitCode::from(verdict.exit_code())
}
