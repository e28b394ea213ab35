//! Gives memory to the host, and takes it back.
//!
//! Boot arguments: `balloon=SIZE`, the runtime's, says how much at most. `back=need`, the default: waits until the
//! host has all that it may have, then needs it, and takes it back whatever the host wants. `back=host`: waits until
//! the host gives it back. `back=never`: ends while the host has it. What comes back is written and read.
#![no_std]
#![no_main]

extern crate alloc;

mod error;

use alloc::vec::Vec;
use core::time::Duration;

use airlock::{BalloonCounters, Realm, println};

use crate::error::Error;

/// How long the host may take.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(10);
/// Bytes of a piece of memory.
const PIECE: usize = 1 << 20;

#[airlock::main]
async fn main(realm: Realm) -> Result<(), Error> {
    let counters = realm.balloon().ok_or(Error::NoBalloon)?;
    println!("balloon: the host may have {} MiB", counters.most >> 20);
    let full = |now: &BalloonCounters| now.most != 0 && now.out == now.most;
    let given = until(&realm, "asks for all that it may have", full).await?;
    println!("balloon: the host has {} MiB", given.out >> 20);
    match realm.args().get("back") {
        Some("never") => return Ok(()),
        Some("host") => {
            let back = until(&realm, "gives it back", |now| now.out == 0).await?;
            println!("balloon: the host gave {} MiB back", back.regained >> 20);
        }
        _ => {}
    }
    let written = fill(&realm, &given)?;
    let after = realm.balloon().ok_or(Error::NoBalloon)?;
    println!(
        "balloon: {written} MiB written and read; {} blocks came back because memory was short",
        after.relieved
    );
    Ok(())
}

/// Waits until `holds`.
async fn until(
    realm: &Realm,
    what: &'static str,
    holds: impl Fn(&BalloonCounters) -> bool,
) -> Result<BalloonCounters, Error> {
    let deadline = realm.now().after(PATIENCE);
    loop {
        let now = realm.balloon().ok_or(Error::NoBalloon)?;
        if holds(&now) {
            return Ok(now);
        }
        if realm.now() > deadline {
            return Err(Error::Late { what });
        }
        realm.sleep(LOOK).await;
    }
}

/// Uses more memory than there is without what was `given`; says how many MiB.
fn fill(realm: &Realm, given: &BalloonCounters) -> Result<usize, Error> {
    let mut pieces: Vec<Vec<u8>> = Vec::new();
    let is_back = || realm.balloon().is_some_and(|now| now.out == 0);
    // All of it is back, and as much as was given is in use.
    while !is_back() || ((pieces.len() * PIECE) as u64) < given.out {
        let mut piece = Vec::new();
        piece
            .try_reserve_exact(PIECE)
            .map_err(|_| Error::NoMemory { mib: pieces.len() })?;
        piece.resize(PIECE, pattern(pieces.len()));
        pieces.push(piece);
    }
    for (number, piece) in pieces.iter().enumerate() {
        if piece.iter().any(|byte| *byte != pattern(number)) {
            return Err(Error::Changed { mib: number });
        }
    }
    Ok(pieces.len())
}

/// What piece `number` is full of.
fn pattern(number: usize) -> u8 {
    number.to_le_bytes()[0] | 1
}
