//! What is said over the network: a line asks, a line answers.

use alloc::string::String;
use core::time::Duration;

use airlock::{Network, TcpBuffers, TcpSocket};
use embedded_io_async::{Read, Write};

use crate::Failure;

/// Where callers are served.
pub const PORT: u16 = 7000;
/// How long to wait for a caller, and for a word of one.
const PATIENCE: Duration = Duration::from_secs(300);
/// Most bytes of a line. What the host sends must never decide how much memory is taken.
const LINE: usize = 512;

/// Serves one caller after another, by what `answer` says, until one says `stop`.
pub async fn serve(
    network: &Network,
    mut answer: impl AsyncFnMut(&str) -> Result<String, Failure>,
) -> Result<(), Failure> {
    loop {
        let mut socket = network.tcp_socket(TcpBuffers::default())?;
        socket.set_timeout(PATIENCE);
        // A caller that goes away again is no reason to end.
        if socket.accept(PORT, PATIENCE).await.is_err() {
            continue;
        }
        let mut buffer = [0; LINE];
        while let Some(line) = read_line(&mut socket, &mut buffer).await {
            if line.trim_end() == "stop" {
                let _ = socket.close().await;
                return Ok(());
            }
            let said = answer(line.trim_end()).await?;
            if write_line(&mut socket, &said).await.is_err() {
                break;
            }
        }
    }
}

/// The next line; `None` at the end, or for what is no line.
async fn read_line<'a>(socket: &mut TcpSocket, buffer: &'a mut [u8]) -> Option<&'a str> {
    let mut len = 0;
    loop {
        let place = buffer.get_mut(len..=len)?;
        if socket.read(place).await.ok()? == 0 {
            return None;
        }
        len += 1;
        if place == b"\n" {
            return core::str::from_utf8(buffer.get(..len)?).ok();
        }
    }
}

async fn write_line(socket: &mut TcpSocket, text: &str) -> Result<(), airlock::NetworkError> {
    socket.write_all(text.as_bytes()).await?;
    socket.write_all(b"\n").await
}
