//! `keybroker`: serves keys to realms, and looks at tokens. `keybroker --help` explains it.
#![forbid(unsafe_code)]

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use keybroker::command::{Arguments, Command, ServeOptions, inspect};
use log::{LevelFilter, Log, Metadata, Record};

const ACCEPTED: u8 = 0;
const REFUSED: u8 = 1;
const FAILED: u8 = 2;

/// Writes the log to standard error.
struct StandardError;

impl Log for StandardError {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("keybroker")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            let level = record.level().as_str().to_lowercase();
            // There is nowhere to say that standard error is gone.
            let _gone = writeln!(std::io::stderr(), "keybroker: {level}: {}", record.args());
        }
    }

    fn flush(&self) {}
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        None => serve(&arguments.serve),
        Some(Command::Serve(options)) => serve(&options),
        Some(Command::Verify(options)) => {
            start_log(LevelFilter::Info);
            let accepted = options.verify();
            accepted.map(|accepted| if accepted { ACCEPTED } else { REFUSED })
        }
        Some(Command::Inspect { token }) => inspect(&token).map(|()| ACCEPTED),
    };
    ExitCode::from(done.unwrap_or_else(|error| {
        eprintln!("keybroker: {error:#}");
        FAILED
    }))
}

fn serve(options: &ServeOptions) -> Result<u8> {
    start_log(match (options.verbose, options.quiet) {
        (true, _) => LevelFilter::Debug,
        (_, true) => LevelFilter::Warn,
        _ => LevelFilter::Info,
    });
    let server = options.start()?;
    println!("keybroker: listening on http://{}", server.address());
    server.wait();
    Ok(ACCEPTED)
}

fn start_log(level: LevelFilter) {
    // It fails only if there is a log already, and this is the only place that makes one.
    if log::set_logger(&StandardError).is_ok() {
        log::set_max_level(level);
    }
}
