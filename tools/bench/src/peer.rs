//! The peer: what the guest sends to, receives from, and waits for.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;

use anyhow::{Context, Result};
use workload::talk::{MESSAGE, PERIODIC, REQUEST, Request, WRONG, fill};

/// Bytes that are sent and looked at as one piece.
const PIECE: usize = PERIODIC * 4;

/// Serves guests at `address` until the process ends; says where it listens.
///
/// # Errors
/// The address is taken, or not ours.
pub fn start(address: SocketAddr) -> Result<SocketAddr> {
    let listener = TcpListener::bind(address)
        .with_context(|| format!("the peer cannot listen at {address}"))?;
    let place = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // A guest that goes away is its own matter.
            thread::spawn(move || serve(stream).unwrap_or(()));
        }
    });
    Ok(place)
}

/// One connection: requests, one after the other, until the guest closes it.
fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut content = vec![0; PIECE];
    fill(&mut content, 0);
    let mut request = [0; REQUEST];
    loop {
        stream.read_exact(&mut request)?;
        match Request::from_bytes(request) {
            Some(Request::Sink(bytes)) => sink(&mut stream, &content, bytes)?,
            Some(Request::Source(bytes)) => source(&mut stream, &content, bytes)?,
            Some(Request::Echo(count)) => echo(&mut stream, count)?,
            None => return Ok(()),
        }
    }
}

fn sink(stream: &mut TcpStream, content: &[u8], bytes: u64) -> std::io::Result<()> {
    let mut buffer = vec![0; PIECE];
    let (mut taken, mut right) = (0, true);
    while taken < bytes {
        // Never beyond a whole piece, so that what comes can be compared with one.
        let at = usize::try_from(taken % PIECE as u64).unwrap_or(0);
        let left = usize::try_from(bytes - taken).unwrap_or(PIECE);
        let most = left.min(PIECE - at);
        let len = stream.read(buffer.get_mut(..most).unwrap_or_default())?;
        if len == 0 {
            return Ok(());
        }
        right &= buffer.get(..len) == content.get(at..at + len);
        taken += len as u64;
    }
    let answer = if right { bytes } else { WRONG };
    stream.write_all(&answer.to_le_bytes())
}

fn source(stream: &mut TcpStream, content: &[u8], bytes: u64) -> std::io::Result<()> {
    let mut sent = 0;
    while sent < bytes {
        let len = usize::try_from(bytes - sent).unwrap_or(PIECE).min(PIECE);
        stream.write_all(content.get(..len).unwrap_or_default())?;
        sent += len as u64;
    }
    Ok(())
}

fn echo(stream: &mut TcpStream, count: u64) -> std::io::Result<()> {
    let mut message = [0; MESSAGE];
    for _ in 0..count {
        stream.read_exact(&mut message)?;
        stream.write_all(&message)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn connect() -> TcpStream {
        let place = start((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        TcpStream::connect(place).unwrap()
    }

    fn send(stream: &mut TcpStream, bytes: &[u8]) -> u64 {
        let request = Request::Sink(bytes.len() as u64);
        stream.write_all(&request.to_bytes()).unwrap();
        stream.write_all(bytes).unwrap();
        let mut answer = [0; 8];
        stream.read_exact(&mut answer).unwrap();
        u64::from_le_bytes(answer)
    }

    #[test]
    fn what_arrives_right_is_said_to_be_right() {
        let mut stream = connect();
        let mut bytes = vec![0; PIECE * 2 + 77];
        fill(&mut bytes, 0);
        assert_eq!(send(&mut stream, &bytes), bytes.len() as u64);
        bytes[PIECE + 5] ^= 1;
        assert_eq!(send(&mut stream, &bytes), WRONG);
    }

    #[test]
    fn what_the_peer_sends_is_the_content() {
        let mut stream = connect();
        let len = PIECE + 1000;
        let request = Request::Source(len as u64);
        stream.write_all(&request.to_bytes()).unwrap();
        let mut got = vec![0; len];
        stream.read_exact(&mut got).unwrap();
        assert!(workload::talk::is_right(&got, 0));
        stream.write_all(&Request::Echo(1).to_bytes()).unwrap();
        stream.write_all(&[7; MESSAGE]).unwrap();
        let mut back = [0; MESSAGE];
        stream.read_exact(&mut back).unwrap();
        assert_eq!(back, [7; MESSAGE]);
    }
}
