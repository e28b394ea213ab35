//! The guest's side of `make bench`: transfers, round trips and reads between marks.
//!
//! Boot arguments: those of [`workload::amounts`]. It needs the peer of `tools/bench`, so it is run by
//! `make bench`, or by `cargo run -p bench -- count`.
#![no_std]
#![no_main]

extern crate alloc;

mod disk;
mod error;
mod network;

use core::net::SocketAddr;
use core::time::Duration;

use airlock::{Realm, println};
use workload::amounts::Amounts;
use workload::mark::mark;
use workload::phase::Phase;

use crate::error::Error;

const LEASE_PATIENCE: Duration = Duration::from_secs(10);

#[airlock::main]
async fn main(realm: Realm) -> Result<(), Error> {
    mark(Phase::Other);
    let amounts = Amounts::read(|key| realm.args().get(key))?;
    for phase in Phase::jobs().filter(|phase| amounts.wants(*phase)) {
        match phase {
            Phase::Read128K => disk::in_order(&realm, &amounts).await?,
            Phase::Read4KDepth1 | Phase::Read4KDepth4 | Phase::Read4KDepth32 => {
                disk::anywhere(&realm, &amounts, phase).await?;
            }
            _ => transfer(&realm, &amounts, phase).await?,
        }
        println!("bench: {} done", phase.name());
    }
    println!("{}", realm.counters());
    Ok(())
}

/// One of the jobs that need a peer.
async fn transfer(realm: &Realm, amounts: &Amounts, phase: Phase) -> Result<(), Error> {
    let peer: SocketAddr = match realm.args().get("bench.peer").map(str::parse) {
        Some(Ok(peer)) => peer,
        _ => return Err(Error::Argument("bench.peer")),
    };
    let network = realm.network()?;
    network.wait_configured(LEASE_PATIENCE).await?;
    match phase {
        Phase::Send => network::send(&network, peer, amounts).await,
        Phase::Receive => network::receive(&network, peer, amounts).await,
        Phase::RoundTrip => network::round_trips(&network, peer, amounts).await,
        Phase::SendMany | Phase::ReceiveMany => network::many(&network, peer, amounts, phase).await,
        _ => network::connections(&network, peer, amounts).await,
    }
}
