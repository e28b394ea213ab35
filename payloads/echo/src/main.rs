//! Gives back what it gets, by TCP, by UDP, by vsock and by a port of the console device, until it is told to stop.
//!
//! | boot argument | what it says |
//! | --- | --- |
//! | `echo.port=` | the port, of TCP and of UDP; 7 without it |
//! | `echo.stream=` | a named port of the console device, instead of a network card or beside it |
//! | `echo.vsock=` | a port of vsock, instead of a network card or beside it |
//! | `echo.dial=` | a port of the host, which is called by vsock, and gets back what it says |
//! | `echo.metrics=` | a port of TCP on which `GET /metrics` gives the counters as Prometheus reads them; none without it |
//! | `echo.deadline=` | seconds after which it stops by itself; never without it |
//!
//! A line `stop` by a stream, or a datagram `stop`, ends it in good order, after the answer.
#![no_std]
#![no_main]

extern crate alloc;

mod error;
mod metrics;
mod stop;
mod stream;
mod tcp;
mod udp;
mod vsock;

use core::cell::Cell;
use core::time::Duration;

use airlock::{Network, Realm, println};
use embassy_futures::join::{join, join3, join4};
use embassy_futures::select::{Either, select};

use crate::error::Error;
use crate::stop::Stop;

const LEASE_PATIENCE: Duration = Duration::from_secs(10);
const PORT: u16 = 7;

/// What was given back.
#[derive(Default)]
struct Served {
    connections: Cell<u64>,
    datagrams: Cell<u64>,
    bytes: Cell<u64>,
}

/// Adds to a counter.
fn add(counter: &Cell<u64>, more: u64) {
    counter.set(counter.get().saturating_add(more));
}

#[airlock::main]
async fn main(realm: Realm) -> Result<(), Error> {
    let port = number(&realm, "echo.port")?.unwrap_or(PORT);
    let deadline =
        number(&realm, "echo.deadline")?.map(|seconds| Duration::from_secs(seconds.into()));
    let served = Served::default();
    let serving = serve(&realm, port, &served);
    let done = match deadline {
        Some(deadline) => match select(serving, realm.sleep(deadline)).await {
            Either::First(done) => done,
            Either::Second(()) => Ok(()),
        },
        None => serving.await,
    };
    println!(
        "echo: {} connections, {} datagrams, {} bytes",
        served.connections.get(),
        served.datagrams.get(),
        served.bytes.get()
    );
    println!("{}", realm.counters());
    done
}

/// A number of 16 bits from the boot arguments.
fn number(realm: &Realm, key: &'static str) -> Result<Option<u16>, Error> {
    let text = realm.args().get(key);
    text.map(str::parse)
        .transpose()
        .map_err(|_| Error::Argument { key })
}

/// Serves the network, the stream and vsock, until told to stop or one of them fails.
async fn serve(realm: &Realm, port: u16, served: &Served) -> Result<(), Error> {
    let stop = Stop::new();
    let stream = realm.args().get("echo.stream");
    let vsock = number(realm, "echo.vsock")?;
    let dial = number(realm, "echo.dial")?;
    let elsewhere = stream.is_some() || vsock.is_some() || dial.is_some();
    let network = match realm.network() {
        Err(_) if elsewhere => None,
        network => Some(network?),
    };
    let by_network = async {
        if let Some(network) = &network {
            let echo = async {
                let ended = serve_network(network, port, served, &stop).await;
                stop.fail(ended);
            };
            join(echo, metrics::serve(realm, network, &stop)).await;
        }
    };
    let by_stream = async {
        if let Some(name) = stream {
            println!("echo: what is written to port {name} comes back");
            let ended = stream::serve(realm, name, served, &stop).await;
            stop.fail(ended);
        }
    };
    let by_vsock = async {
        if let Some(port) = vsock {
            let ended = vsock::serve(realm, port, served, &stop).await;
            stop.fail(ended);
        }
        if let Some(port) = dial {
            let ended = vsock::dial(realm, port, served, &stop).await;
            stop.fail(ended);
        }
    };
    match select(stop.wait(), join3(by_network, by_stream, by_vsock)).await {
        Either::First(result) => result,
        Either::Second(_) => Ok(()),
    }
}

/// Serves four connections and the datagrams at once.
async fn serve_network(
    network: &Network,
    port: u16,
    served: &Served,
    stop: &Stop,
) -> Result<(), Error> {
    let lease = network.wait_configured(LEASE_PATIENCE).await?;
    println!("echo: TCP and UDP on port {port} of {}", lease.address);
    let connection = || async {
        let ended = tcp::serve(network, port, served, stop).await;
        stop.fail(ended);
    };
    let datagrams = async {
        let ended = udp::serve(network, port, served, stop).await;
        stop.fail(ended);
    };
    let connections = join4(connection(), connection(), connection(), connection());
    join(connections, datagrams).await;
    Ok(())
}
