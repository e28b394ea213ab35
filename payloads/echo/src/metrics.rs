//! The counters over HTTP, for Prometheus.
//!
//! Ref: RFC 9112, 3 and 6.

use alloc::format;
use alloc::string::{String, ToString};
use core::time::Duration;

use airlock::{Network, NetworkError, Realm, TcpBuffers, TcpSocket};
use embedded_io_async::{Read, Write};

use crate::error::Error;
use crate::number;
use crate::stop::Stop;

/// How long to wait for somebody before the socket is made anew.
const WAIT: Duration = Duration::from_secs(300);
/// How long a client may be silent.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest head of a request that is read.
const LONGEST: usize = 4096;

/// Answers one request after the other on the port of `echo.metrics=`, if there is one.
pub async fn serve(realm: &Realm, network: &Network, stop: &Stop) {
    let ended = match number(realm, "echo.metrics") {
        Ok(Some(port)) => respond_all(realm, network, port).await,
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    stop.fail(ended);
}

async fn respond_all(realm: &Realm, network: &Network, port: u16) -> Result<(), Error> {
    loop {
        let mut socket = network.tcp_socket(TcpBuffers::default())?;
        socket.set_timeout(WAIT);
        match socket.accept(port, WAIT).await {
            Ok(_) => socket.set_timeout(PATIENCE),
            // A client that went away again is no reason to end.
            Err(NetworkError::TimedOut | NetworkError::ConnectionReset) => continue,
            Err(error) => return Err(error.into()),
        }
        // What goes wrong with one client does not concern the others.
        let _ = respond(realm, &mut socket).await;
        let _ = socket.close().await;
    }
}

async fn respond(realm: &Realm, socket: &mut TcpSocket) -> Result<(), NetworkError> {
    let mut head = [0; LONGEST];
    let mut len = 0;
    while !head
        .get(..len)
        .is_some_and(|head| head.ends_with(b"\r\n\r\n"))
    {
        let room = head.get_mut(len..).unwrap_or_default();
        match socket.read(room).await? {
            // The end of the stream, or more than is read.
            0 => return Ok(()),
            more => len += more,
        }
    }
    let reply = reply(head.get(..len).unwrap_or_default(), || {
        realm.counters().prometheus().to_string()
    });
    socket.write_all(reply.as_bytes()).await?;
    socket.flush().await
}

fn reply(head: &[u8], metrics: impl FnOnce() -> String) -> String {
    let (status, kind, body) = if head.starts_with(b"GET /metrics ") {
        ("200 OK", "text/plain; version=0.0.4", metrics())
    } else {
        (
            "404 Not Found",
            "text/plain",
            String::from("there is /metrics\n"),
        )
    };
    let len = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n{body}"
    )
}
