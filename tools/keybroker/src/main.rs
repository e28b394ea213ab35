//! `keybroker`: serves keys to realms, and looks at tokens. `keybroker --help` explains it.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use keybroker::command::{Arguments, Command, ServeOptions, inspect};
use keybroker::{log_to_standard_error, show_test_platform};
use log::LevelFilter;

const ACCEPTED: u8 = 0;
const REFUSED: u8 = 1;
const FAILED: u8 = 2;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        None => serve(&arguments.serve),
        Some(Command::Serve(options)) => serve(&options),
        Some(Command::Verify(options)) => {
            log_to_standard_error(LevelFilter::Info);
            let accepted = options.verify();
            accepted.map(|accepted| if accepted { ACCEPTED } else { REFUSED })
        }
        Some(Command::Inspect { token }) => inspect(&token).map(|()| ACCEPTED),
        Some(Command::TestPlatform { form }) => {
            print!("{}", show_test_platform(form));
            Ok(ACCEPTED)
        }
    };
    ExitCode::from(done.unwrap_or_else(|error| {
        eprintln!("keybroker: {error:#}");
        FAILED
    }))
}

fn serve(options: &ServeOptions) -> Result<u8> {
    log_to_standard_error(match (options.verbose, options.quiet) {
        (_, true) => LevelFilter::Warn,
        (0, _) => LevelFilter::Info,
        (1, _) => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    });
    let server = options.start()?;
    println!("keybroker: listening on http://{}", server.address());
    server.wait();
    Ok(ACCEPTED)
}
