//! Transfers, round trips and connections. What is warmed up first is not counted, and its content is checked.

use alloc::vec;
use alloc::vec::Vec;
use core::net::SocketAddr;

use airlock::{Network, TcpSocket};
use embedded_io_async::{Read, ReadExactError, Write};
use workload::amounts::Amounts;
use workload::mark::mark;
use workload::phase::Phase;
use workload::talk::{self, ANSWER, MESSAGE, PERIODIC, Request};
use workload::together::together;

use crate::error::Error;

/// The part of a job that warms up.
const WARM_UP: u64 = 4;

/// Bytes to the peer, by one connection.
pub async fn send(network: &Network, peer: SocketAddr, amounts: &Amounts) -> Result<(), Error> {
    let mut socket = network.connect(peer).await?;
    let content = talk::content(amounts.chunk);
    let piece = (&*content, amounts.chunk);
    give(&mut socket, amounts.bytes / WARM_UP, piece).await?;
    mark(Phase::Send);
    let given = give(&mut socket, amounts.bytes, piece).await;
    mark(Phase::Other);
    given?;
    close(socket).await
}

/// Bytes from the peer, by one connection.
pub async fn receive(network: &Network, peer: SocketAddr, amounts: &Amounts) -> Result<(), Error> {
    let mut socket = network.connect(peer).await?;
    let mut buffer = vec![0; amounts.chunk];
    take(&mut socket, amounts.bytes / WARM_UP, &mut buffer, true).await?;
    mark(Phase::Receive);
    let taken = take(&mut socket, amounts.bytes, &mut buffer, false).await;
    mark(Phase::Other);
    taken?;
    close(socket).await
}

/// Messages there and back, one after the other.
pub async fn round_trips(
    network: &Network,
    peer: SocketAddr,
    amounts: &Amounts,
) -> Result<(), Error> {
    let mut socket = network.connect(peer).await?;
    echo(&mut socket, amounts.count / WARM_UP).await?;
    mark(Phase::RoundTrip);
    let echoed = echo(&mut socket, amounts.count).await;
    mark(Phase::Other);
    echoed?;
    close(socket).await
}

/// The same bytes by many connections at once.
pub async fn many(
    network: &Network,
    peer: SocketAddr,
    amounts: &Amounts,
    phase: Phase,
) -> Result<(), Error> {
    let mut sockets = Vec::new();
    for _ in 0..Amounts::CONNECTIONS {
        let mut socket = network.connect(peer).await?;
        let mut buffer = vec![0; amounts.chunk];
        take(&mut socket, 1, &mut buffer, true).await?;
        sockets.push((socket, buffer));
    }
    let content = talk::content(amounts.chunk);
    let (bytes, piece) = (amounts.bytes_of_each(), (&*content, amounts.chunk));
    mark(phase);
    let all = sockets.iter_mut().map(|(socket, buffer)| async move {
        match phase {
            Phase::SendMany => give(socket, bytes, piece).await,
            _ => take(socket, bytes, buffer, false).await,
        }
    });
    let done = together(all).await;
    mark(Phase::Other);
    done.into_iter().collect()
}

/// Connections that open, ask one byte, and close.
pub async fn connections(
    network: &Network,
    peer: SocketAddr,
    amounts: &Amounts,
) -> Result<(), Error> {
    mark(Phase::Connect);
    for _ in 0..amounts.count {
        let mut socket = network.connect(peer).await?;
        take(&mut socket, 1, &mut [0], true).await?;
        close(socket).await?;
    }
    mark(Phase::Other);
    Ok(())
}

async fn close(mut socket: TcpSocket) -> Result<(), Error> {
    Ok(socket.close().await?)
}

/// Sends `bytes` of `content` in pieces of `chunk` bytes; the peer says whether it is what came.
async fn give(
    socket: &mut TcpSocket,
    bytes: u64,
    (content, chunk): (&[u8], usize),
) -> Result<(), Error> {
    socket.write_all(&Request::Sink(bytes).to_bytes()).await?;
    let mut sent = 0;
    while sent < bytes {
        let from = usize::try_from(sent % PERIODIC as u64).unwrap_or(0);
        let len = chunk.min(usize::try_from(bytes - sent).unwrap_or(chunk));
        let piece = content.get(from..from + len).unwrap_or_default();
        socket.write_all(piece).await?;
        sent += len as u64;
    }
    let mut answer = [0; ANSWER];
    socket.read_exact(&mut answer).await.map_err(ended)?;
    match u64::from_le_bytes(answer) == bytes {
        true => Ok(()),
        false => Err(Error::Content),
    }
}

/// Takes a transfer by reads of a whole `buffer`, and looks at what came if it is not measured.
async fn take(
    socket: &mut TcpSocket,
    bytes: u64,
    buffer: &mut [u8],
    look: bool,
) -> Result<(), Error> {
    let chunk = buffer.len();
    socket.write_all(&Request::Source(bytes).to_bytes()).await?;
    let mut taken = 0;
    while taken < bytes {
        let most = chunk.min(usize::try_from(bytes - taken).unwrap_or(chunk));
        let len = socket
            .read(buffer.get_mut(..most).unwrap_or_default())
            .await?;
        let piece = buffer.get(..len).unwrap_or_default();
        if len == 0 || look && !talk::is_right(piece, taken) {
            return Err(Error::Content);
        }
        taken += len as u64;
    }
    Ok(())
}

async fn echo(socket: &mut TcpSocket, count: u64) -> Result<(), Error> {
    let mut message = [0; MESSAGE];
    let mut answer = [0; MESSAGE];
    talk::fill(&mut message, 0);
    socket.write_all(&Request::Echo(count).to_bytes()).await?;
    for _ in 0..count {
        socket.write_all(&message).await?;
        socket.read_exact(&mut answer).await.map_err(ended)?;
        if answer != message {
            return Err(Error::Content);
        }
    }
    Ok(())
}

fn ended(error: ReadExactError<airlock::NetworkError>) -> Error {
    match error {
        ReadExactError::UnexpectedEof => Error::Content,
        ReadExactError::Other(error) => error.into(),
    }
}
