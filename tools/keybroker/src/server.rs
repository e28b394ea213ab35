//! The server: connections, deadlines, and a bound on each thing that a stranger can take.
//!
//! hyper and not axum: two paths need no router, and hyper itself has the deadline for request heads
//! and the bound on their size. Not `tiny_http`: a thread waits for each slow client there.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use log::{debug, warn};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::http::{Front, answer};
use crate::{Broker, BrokerConfig};

/// Bounds on what strangers can take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time; more have to wait.
    pub connections: usize,
    /// How long the head of a request may take.
    pub head_time: Duration,
    /// How long the body of a request may take.
    pub body_time: Duration,
    /// How long a connection may last.
    pub connection_time: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 512,
            head_time: Duration::from_secs(5),
            body_time: Duration::from_secs(5),
            connection_time: Duration::from_secs(30),
        }
    }
}

/// Where a server listens, and what for.
#[derive(Debug)]
pub struct ServerConfig {
    /// Where it listens. Port 0 takes any free port.
    pub address: SocketAddr,
    /// The URL that clients reach it by, if not its address. The port is appended if it has none.
    pub endpoint: Option<String>,
    /// What the broker behind it knows.
    pub broker: BrokerConfig,
    /// Bounds on what strangers can take.
    pub limits: Limits,
}

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// The longest head of a request, in bytes.
const MAX_HEAD: usize = 16 << 10;
/// Threads that answer; as many again compute.
const THREADS: usize = 2;

impl Server {
    /// Starts a server. It listens when this returns.
    ///
    /// # Errors
    ///
    /// If the address is taken, or is not ours.
    pub fn start(config: ServerConfig) -> io::Result<Self> {
        let listener = TcpListener::bind(config.address)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let front = Arc::new(Front {
            broker: Broker::new(config.broker),
            endpoint: endpoint(config.endpoint.as_deref(), address),
            body_time: config.limits.body_time,
        });
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .max_blocking_threads(THREADS)
            .enable_all()
            .build()?;
        let listener = runtime.block_on(async { tokio::net::TcpListener::from_std(listener) })?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            runtime.block_on(accept(listener, front, config.limits, stopped));
            runtime.shutdown_background();
        });
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until the server ends, which it does only when it is stopped.
    pub fn wait(mut self) {
        self.join();
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            warn!("the server ended by a panic");
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nobody listens any more if the server has ended by itself.
        self.stop.take().map(|stop| stop.send(()));
        self.join();
    }
}

/// The URL that clients reach us by.
fn endpoint(given: Option<&str>, address: SocketAddr) -> String {
    let Some(url) = given else {
        return format!("http://{address}");
    };
    let url = url.trim_end_matches('/');
    let host = url.split_once("://").map_or(url, |(_, host)| host);
    let port = host.rsplit_once(':').map(|(_, port)| port);
    let has_port = port.is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    match has_port {
        true => url.to_owned(),
        false => format!("{url}:{}", address.port()),
    }
}

/// Accepts connections until told to stop.
async fn accept(
    listener: tokio::net::TcpListener,
    front: Arc<Front>,
    limits: Limits,
    mut stopped: oneshot::Receiver<()>,
) {
    let places = Arc::new(Semaphore::new(limits.connections));
    loop {
        let next = next_connection(&listener, &places);
        let (stream, peer, place) = tokio::select! {
            _ = &mut stopped => return,
            next = next => next,
        };
        tokio::spawn(serve(stream, peer, Arc::clone(&front), limits, place));
    }
}

/// The next connection, once there is a place for it.
async fn next_connection(
    listener: &tokio::net::TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    const PAUSE: Duration = Duration::from_millis(50);
    let place = Arc::clone(places).acquire_owned().await;
    let place = place.expect("nobody closes the semaphore");
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, place),
            Err(error) => {
                // Out of descriptors, most likely: some come back soon.
                warn!("cannot accept a connection: {error}");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Serves one connection, for so long and no longer.
async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    front: Arc<Front>,
    limits: Limits,
    place: OwnedSemaphorePermit,
) {
    let service = service_fn(|request| answer(Arc::clone(&front), peer, request));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_time)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(limits.connection_time, connection).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => debug!("{peer}: connection ended: {error}"),
        Err(_) => debug!("{peer}: connection took too long"),
    }
    drop(place);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_appended_where_the_endpoint_has_none() {
        let address: SocketAddr = "127.0.0.1:8088".parse().unwrap();
        assert_eq!(endpoint(None, address), "http://127.0.0.1:8088");
        let with = |url| endpoint(Some(url), address);
        assert_eq!(with("http://192.168.33.1"), "http://192.168.33.1:8088");
        assert_eq!(with("http://192.168.33.1/"), "http://192.168.33.1:8088");
        assert_eq!(with("http://broker.test:80"), "http://broker.test:80");
    }
}
