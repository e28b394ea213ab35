//! Transfers, round trips and connections. What is warmed up first is not counted, and its content is checked.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Barrier;

use anyhow::{Result, ensure};
use workload::amounts::Amounts;
use workload::mark::mark;
use workload::phase::Phase;
use workload::talk::{self, ANSWER, MESSAGE, PERIODIC, Request};

/// The part of a job that warms up.
const WARM_UP: u64 = 4;

/// One of the jobs that need a peer.
///
/// # Errors
/// The network fails, or other bytes come than were sent.
pub fn transfer(peer: SocketAddr, amounts: &Amounts, phase: Phase) -> Result<()> {
    let (bytes, chunk) = (amounts.bytes, amounts.chunk);
    match phase {
        Phase::SendMany | Phase::ReceiveMany => return many(peer, amounts, phase),
        Phase::Connect => return connections(peer, amounts.count),
        _ => {}
    }
    let (content, mut buffer) = (talk::content(chunk), buffer(chunk));
    let mut stream = connect(peer)?;
    let mut work = |part: u64, look: bool| match phase {
        Phase::Send => give(&mut stream, bytes / part, (&content, chunk)),
        Phase::Receive => take(&mut stream, bytes / part, &mut buffer, look),
        _ => echo(&mut stream, amounts.count / part),
    };
    work(WARM_UP, true)?;
    mark(phase);
    let done = work(1, false);
    mark(Phase::Other);
    done
}

fn connect(peer: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect(peer)?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The same bytes by many connections at once, a thread for each.
fn many(peer: SocketAddr, amounts: &Amounts, phase: Phase) -> Result<()> {
    let (bytes, chunk) = (amounts.bytes_of_each(), amounts.chunk);
    let streams: Result<Vec<(TcpStream, Vec<u8>)>> = (0..Amounts::CONNECTIONS)
        .map(|_| {
            let (mut stream, mut buffer) = (connect(peer)?, buffer(chunk));
            take(&mut stream, 1, &mut buffer, true)?;
            Ok((stream, buffer))
        })
        .collect();
    let content = talk::content(chunk);
    let start = Barrier::new(Amounts::CONNECTIONS + 1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = streams?
            .into_iter()
            .map(|(mut stream, mut buffer)| {
                let (start, content) = (&start, &content);
                scope.spawn(move || {
                    start.wait();
                    match phase {
                        Phase::SendMany => give(&mut stream, bytes, (content, chunk)),
                        _ => take(&mut stream, bytes, &mut buffer, false),
                    }
                })
            })
            .collect();
        mark(phase);
        start.wait();
        let done: Result<Vec<()>> = threads
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|_| Err(anyhow::anyhow!("a thread failed")))
            })
            .collect();
        mark(Phase::Other);
        done.map(drop)
    })
}

fn connections(peer: SocketAddr, count: u64) -> Result<()> {
    mark(Phase::Connect);
    for _ in 0..count {
        take(&mut connect(peer)?, 1, &mut [0], true)?;
    }
    mark(Phase::Other);
    Ok(())
}

/// Sends the content of a transfer; the peer says whether it is what came.
fn give(stream: &mut TcpStream, bytes: u64, (content, chunk): (&[u8], usize)) -> Result<()> {
    stream.write_all(&Request::Sink(bytes).to_bytes())?;
    let mut sent = 0;
    while sent < bytes {
        let from = usize::try_from(sent % PERIODIC as u64)?;
        let len = chunk.min(usize::try_from(bytes - sent)?);
        let piece = content.get(from..from + len).unwrap_or_default();
        stream.write_all(piece)?;
        sent += len as u64;
    }
    let mut answer = [0; ANSWER];
    stream.read_exact(&mut answer)?;
    ensure!(
        u64::from_le_bytes(answer) == bytes,
        "other bytes came than were sent"
    );
    Ok(())
}

/// A buffer whose pages are there before anything is counted.
fn buffer(chunk: usize) -> Vec<u8> {
    vec![1; chunk]
}

/// Takes a transfer, and looks at what came if it is not measured.
fn take(stream: &mut TcpStream, bytes: u64, buffer: &mut [u8], look: bool) -> Result<()> {
    let chunk = buffer.len();
    stream.write_all(&Request::Source(bytes).to_bytes())?;
    let mut taken = 0;
    while taken < bytes {
        let most = chunk.min(usize::try_from(bytes - taken)?);
        let len = stream.read(buffer.get_mut(..most).unwrap_or_default())?;
        let piece = buffer.get(..len).unwrap_or_default();
        ensure!(len > 0, "the peer ended the transfer");
        ensure!(
            !look || talk::is_right(piece, taken),
            "other bytes came than were sent"
        );
        taken += len as u64;
    }
    Ok(())
}

fn echo(stream: &mut TcpStream, count: u64) -> Result<()> {
    let mut message = [0; MESSAGE];
    let mut answer = [0; MESSAGE];
    talk::fill(&mut message, 0);
    stream.write_all(&Request::Echo(count).to_bytes())?;
    for _ in 0..count {
        stream.write_all(&message)?;
        stream.read_exact(&mut answer)?;
        ensure!(answer == message, "other bytes came back");
    }
    Ok(())
}
