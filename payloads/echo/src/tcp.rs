//! Echo by TCP.
//!
//! Ref: RFC 862.

use alloc::vec;
use core::time::Duration;

use airlock::{Network, NetworkError, TcpBuffers};
use embedded_io_async::{Read, Write};

use crate::error::Error;
use crate::stop::{Lines, Stop};
use crate::{Served, add};

/// How long to wait for somebody before the socket is made anew, and how long a peer may be silent.
const PATIENCE: Duration = Duration::from_secs(300);
const BUFFER: usize = 16 * 1024;

/// Serves one connection after the other.
pub async fn serve(
    network: &Network,
    port: u16,
    served: &Served,
    stop: &Stop,
) -> Result<(), Error> {
    loop {
        let mut socket = network.tcp_socket(TcpBuffers::default())?;
        socket.set_timeout(PATIENCE);
        match socket.accept(port, PATIENCE).await {
            Ok(_) => add(&served.connections, 1),
            // A peer that went away again is no reason to end.
            Err(NetworkError::TimedOut | NetworkError::ConnectionReset) => continue,
            Err(error) => return Err(error.into()),
        }
        // What goes wrong with one peer does not concern the others.
        let stopped = echo(&mut socket, served).await.unwrap_or(false);
        let _ = socket.close().await;
        if stopped {
            stop.said();
        }
    }
}

/// Gives back what comes, to the end of the stream or to the line that says stop; says which.
pub async fn echo<S: Read + Write>(socket: &mut S, served: &Served) -> Result<bool, S::Error> {
    let mut buffer = vec![0; BUFFER];
    let mut lines = Lines::default();
    loop {
        let len = socket.read(&mut buffer).await?;
        let piece = buffer.get(..len).unwrap_or_default();
        if piece.is_empty() {
            return Ok(false);
        }
        socket.write_all(piece).await?;
        add(&served.bytes, len as u64);
        if lines.take(piece) {
            socket.flush().await?;
            return Ok(true);
        }
    }
}
