//! Gives a folder of the host by HTTP, with ranges; each byte is held against a manifest before it is sent.
//!
//! | boot argument | what it says |
//! | --- | --- |
//! | `share=` | the folder; the first if there are several |
//! | `share.manifest=` | which manifest it must have: `sha256:…`, or `any`, which REM 4 shows |
//! | `serve.port=` | the port; 80 without it |
//! | `serve.requests=` | after how many requests it ends in good order; never without it |
//!
//! What is not in the manifest is not there (404). A file that the host changed is refused (502), and the
//! console says which, and where; if that shows in the middle of an answer, the connection is reset.
#![no_std]
#![no_main]

extern crate alloc;

mod answer;
mod error;

use core::cell::Cell;
use core::time::Duration;

use airlock::{Folder, Network, NetworkError, Realm, TcpBuffers, println};
use embassy_futures::join::join4;
use embassy_futures::select::{Either, select};

use crate::error::Error;

const LEASE_PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait for somebody before the socket is made anew.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long a client may be silent.
const SILENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether all is done.
const GLANCE: Duration = Duration::from_millis(50);
const PORT: u16 = 80;

/// What was given.
#[derive(Default)]
struct Served {
    requests: Cell<u64>,
    bytes: Cell<u64>,
}

/// Adds to a counter.
fn add(counter: &Cell<u64>, more: u64) {
    counter.set(counter.get().saturating_add(more));
}

#[airlock::main]
async fn main(realm: Realm) -> Result<(), Error> {
    let port = number(&realm, "serve.port")?.unwrap_or(PORT);
    let most = number(&realm, "serve.requests")?.map(u64::from);
    let name = realm.share_names().next().ok_or(Error::NoShare)?;
    let folder = realm.folder(&name).await?;
    let network = realm.network()?;
    let lease = network.wait_configured(LEASE_PATIENCE).await?;
    println!(
        "serve: {} files of `{name}` on port {port} of {}",
        folder.manifest().files().count(),
        lease.address
    );
    let served = Served::default();
    let connection = || serve(&network, port, &folder, &served);
    let connections = join4(connection(), connection(), connection(), connection());
    let done = async {
        let Some(most) = most else {
            return core::future::pending().await;
        };
        while served.requests.get() < most {
            network.sleep(GLANCE).await;
        }
    };
    let result = match select(done, connections).await {
        Either::First(()) => Ok(()),
        Either::Second((one, two, three, four)) => one.and(two).and(three).and(four),
    };
    let (requests, bytes) = (served.requests.get(), served.bytes.get());
    println!("serve: {requests} requests, {bytes} bytes");
    println!("{}", realm.counters());
    result
}

/// Serves one connection after the other.
async fn serve(
    network: &Network,
    port: u16,
    folder: &Folder,
    served: &Served,
) -> Result<(), Error> {
    loop {
        let mut socket = network.tcp_socket(TcpBuffers::default())?;
        socket.set_timeout(SILENCE);
        match socket.accept(port, PATIENCE).await {
            Ok(_) => {}
            // A peer that went away again is no reason to end.
            Err(NetworkError::TimedOut | NetworkError::ConnectionReset) => continue,
            Err(error) => return Err(error.into()),
        }
        // What goes wrong with one peer does not concern the others.
        match answer::respond(&mut socket, folder, served).await {
            Ok(()) => {
                let _ = socket.close().await;
            }
            Err(error) => {
                println!("serve: {error}");
                socket.abort();
            }
        }
        add(&served.requests, 1);
    }
}

/// A number of 16 bits from the boot arguments.
fn number(realm: &Realm, key: &'static str) -> Result<Option<u16>, Error> {
    let text = realm.args().get(key);
    let number = text.map(str::parse).transpose();
    number.map_err(|_| Error::Argument { key })
}
