//! The guest's side of `make bench` under Linux: the same transfers, round trips and reads as
//! `payloads/bench`, by the means that Linux has for them: blocking sockets, a thread for each of many
//! connections, and asynchronous reads past the page cache.
//!
//! Its arguments are those of [`workload::amounts`], as words `KEY=VALUE`.

mod aio;
mod disk;
mod network;

use std::process::ExitCode;

use anyhow::{Context, Result};
use workload::amounts::Amounts;
use workload::mark::mark;
use workload::phase::Phase;

fn main() -> ExitCode {
    match run() {
        Ok(()) => {
            println!("guest: bench ok");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("guest: bench failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    mark(Phase::Other);
    let words: Vec<String> = std::env::args().skip(1).collect();
    let get = |key: &str| {
        let pairs = words.iter().filter_map(|word| word.split_once('='));
        let mut found = pairs.filter(|(name, _)| *name == key);
        found.next_back().map(|(_, value)| value)
    };
    let amounts = Amounts::read(get).map_err(|bad| anyhow::anyhow!("{}= is wrong", bad.0))?;
    for phase in Phase::jobs().filter(|phase| amounts.wants(*phase)) {
        let done = match phase {
            Phase::Read128K => disk::in_order(&amounts),
            Phase::Read4KDepth1 | Phase::Read4KDepth4 | Phase::Read4KDepth32 => {
                disk::anywhere(&amounts, phase)
            }
            _ => {
                let peer = get("bench.peer").context("bench.peer= is missing")?;
                network::transfer(peer.parse()?, &amounts, phase)
            }
        };
        done.with_context(|| phase.name())?;
        println!("guest: {} done", phase.name());
    }
    Ok(())
}
