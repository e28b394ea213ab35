//! `attack`: campaigns of random attacks, and of a sweep over all kinds of them. `make attack EVENTS=N` runs one.
#![forbid(unsafe_code)]

mod campaign;
mod document;
mod html;
mod planted;
mod session;
mod state;
mod table;
#[cfg(test)]
mod threats;

use anyhow::Result;
use clap::Parser;
use std::path::PathBuf;
use std::process::ExitCode;

/// Attacks the payload `victim` with everything that a host controls, until so many lies were told, and so many rounds
/// of the sweep were; goes on where it ended the last time.
#[derive(Clone, Debug, Parser)]
#[command(name = "attack", version)]
pub struct Options {
    /// Lies to be told in all, those of earlier runs included.
    #[arg(long, default_value = "1000000")]
    pub events: u64,
    /// Rounds of the sweep in all, each of which tells a lie or two at a place, a time and with a value that follow
    /// from its number; without it, 2 for each 100 lies.
    #[arg(long, value_name = "ROUNDS")]
    pub sweep: Option<u64>,
    /// Machines at the same time; without it, one for each processor.
    #[arg(long)]
    pub jobs: Option<usize>,
    /// Rounds in each machine.
    #[arg(long, default_value = "40")]
    pub rounds: u32,
    /// First seed of a new campaign.
    #[arg(long, default_value = "1")]
    pub seed: u64,
    /// Where state.json and the reports are; target/airlock/attack without it.
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Begins anew, and forgets what is in the folder.
    #[arg(long)]
    pub fresh: bool,
    /// Boots this image of the payload instead of building one.
    #[arg(long, value_name = "FILE")]
    pub image: Option<PathBuf>,
    /// Boots under this monitor instead of building one.
    #[arg(long, value_name = "FILE")]
    pub monitor_image: Option<PathBuf>,
    /// Ends at the first outcome that must not be.
    #[arg(long)]
    pub stop: bool,
    /// Puts the bugs of tools/attack/planted into a copy of the source, one at a time, and sees that a campaign of
    /// 100000 lies finds each.
    #[arg(long)]
    pub planted: bool,
    /// Keeps what is there in tests/hostile, for docs/hostile-host.md, and attacks nobody.
    #[arg(long)]
    pub keep: bool,
}

impl Options {
    /// Rounds of the sweep in all.
    pub fn swept(&self) -> u64 {
        self.sweep.unwrap_or(self.events / 100 * 2)
    }
}

fn main() -> ExitCode {
    let options = Options::parse();
    let done: Result<bool> = if options.keep {
        document::keep(&options).map(|()| true)
    } else if options.planted {
        planted::run(&options)
    } else {
        campaign::run(&options)
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(9),
        Err(error) => {
            eprintln!("attack: {error:#}");
            ExitCode::from(6)
        }
    }
}
