//! Fetches a file over the network, stores it on a disk, and checks that it is there.
//!
//! | boot argument | what it says |
//! | --- | --- |
//! | `fetch.url=` | where the file is: `http://HOST[:PORT]/PATH` |
//! | `fetch.hash=` | bytes that all processors but the first hash meanwhile, each its share: none without it |
//! | `fetch.deadline=` | seconds that all of it may take; 45 without it |
//! | `fetch.trust=` | `sha256:…`: the disk is asked what it is, and trusted if it is that; `ask`: it is asked, shown, and not trusted |
//!
//! The server announces the SHA-256 of the file in a field `X-Content-Sha256`. The digest of what
//! came, and of what the disk gives back, must be the same.
#![no_std]
#![no_main]

extern crate alloc;

mod crowd;
mod digest;
mod error;
mod store;
mod time;
mod trust;
mod url;

use alloc::boxed::Box;
use core::net::SocketAddr;
use core::time::Duration;

use airlock::{Disk, Network, NetworkError, Realm, TcpBuffers, TcpSocket, parse_size, println};
use http::{Request, Response};

use crate::crowd::Crowd;
use crate::digest::Digest;
use crate::error::{Error, Mismatch};
use crate::time::millis;
use crate::url::Url;

/// How long a server of addresses may take.
const LEASE_PATIENCE: Duration = Duration::from_secs(10);
const PING_PATIENCE: Duration = Duration::from_secs(2);
const NAME_PATIENCE: Duration = Duration::from_secs(5);
const DEADLINE_SECONDS: u64 = 45;
const DIGEST_FIELD: &str = "X-Content-Sha256";

#[airlock::main]
async fn main(realm: Realm) -> Result<(), Error> {
    let seconds = match realm.args().get("fetch.deadline") {
        Some(text) => text.parse().map_err(|_| Error::Deadline)?,
        None => DEADLINE_SECONDS,
    };
    let network = realm.network()?;
    println!("fetch: {}; gives up after {seconds} s", realm.facts());
    let job = job(&realm, &network);
    let done = network.within(Duration::from_secs(seconds), job).await;
    print_boundary(&realm);
    done.map_err(|_| Error::TooLate { seconds })?
}

async fn job(realm: &Realm, network: &Network) -> Result<(), Error> {
    let url = realm.args().get("fetch.url").ok_or(Error::NoUrl)?;
    let url = Url::parse(url).ok_or(Error::BadUrl)?;
    let disk = realm.disk()?;
    if let Some(wanted) = realm.args().get("fetch.trust") {
        trust::decide(&disk, wanted).await?;
    }
    if let Some(gateway) = configure(realm, network).await? {
        // A courtesy, no condition: what decides is whether the server can be reached.
        match network.reach(gateway, PING_PATIENCE).await {
            Ok(reach) => println!("fetch: gateway {gateway} {reach}"),
            Err(error) => println!("fetch: gateway {gateway}: {error}"),
        }
    }
    let crowd = realm.args().get("fetch.hash").map(parse_size).transpose();
    let crowd = crowd
        .map_err(|_| Error::Hash)?
        .map(|bytes| Crowd::start(realm, bytes));
    let began = realm.now();
    let mut response = get(network, &url).await?;
    let announced = announced(&response)?;
    let (len, received) = store::receive(&mut response, &disk).await?;
    let time = millis(realm.now().since(began));
    println!("fetch: {len} bytes from {url} to the disk in {time} ms");
    compare(&disk, len, announced, received).await?;
    if let Some(crowd) = crowd {
        crowd.finish().await;
    }
    Ok(())
}

/// Checks that what came, and what the disk gives back, is what the server announced.
async fn compare(disk: &Disk, len: u64, announced: Digest, received: Digest) -> Result<(), Error> {
    let mismatch = |found| Box::new(Mismatch { announced, found });
    if received != announced {
        return Err(Error::WrongDigest(mismatch(received)));
    }
    println!("fetch: sha256 {received} is what the server announced");
    let stored = store::read_back(disk, len).await?;
    if stored != announced {
        return Err(Error::WrongOnDisk(mismatch(stored)));
    }
    println!("fetch: the disk gives back the same {len} bytes");
    Ok(())
}

/// Waits for an address; gives the router.
async fn configure(realm: &Realm, network: &Network) -> Result<Option<core::net::IpAddr>, Error> {
    let lease = network.wait_configured(LEASE_PATIENCE).await?;
    let time = realm.now().since(realm.entered());
    println!("fetch: address {lease}, {} ms after entry", millis(time));
    Ok(lease.router)
}

/// Connects with a window that leaves memory for the rest in a machine of 5 MiB. The request is short.
async fn connect(network: &Network, server: SocketAddr) -> Result<TcpSocket, NetworkError> {
    let mut socket = network.tcp_socket(TcpBuffers {
        receive: 64 * 1024,
        send: 2 * 1024,
    })?;
    socket.connect(server).await?;
    Ok(socket)
}

async fn get(network: &Network, url: &Url<'_>) -> Result<Response<TcpSocket>, Error> {
    let addresses = network.resolve(url.host, NAME_PATIENCE).await?;
    let address = addresses.first().ok_or(Error::BadUrl)?;
    let server = SocketAddr::new(address, url.port);
    let connected = connect(network, server).await;
    let socket = connected.map_err(|error| Error::Connect { server, error })?;
    let request = Request::get(url.authority, url.path);
    let response = http::send(socket, &request).await?;
    match response.status() {
        200 => Ok(response),
        status => Err(Error::Status { status }),
    }
}

/// The digest that the server announces.
fn announced<S: embedded_io_async::Read>(response: &Response<S>) -> Result<Digest, Error> {
    let field = response.field(DIGEST_FIELD).ok_or(Error::NoDigest)?;
    Digest::parse(field).ok_or(Error::NoDigest)
}

/// Prints what crossed the boundary.
fn print_boundary(realm: &Realm) {
    let counters = realm.counters();
    for device in &counters.devices {
        println!("boundary: {device}");
    }
    let totals = &counters;
    println!(
        "boundary: exits {} ({} register reads, {} writes), interrupts {} ({}), shared {} KiB",
        totals.accesses.reads + totals.accesses.writes,
        totals.accesses.reads,
        totals.accesses.writes,
        totals.interrupts.devices,
        totals.means,
        totals.shared >> 10
    );
}
