//! Echo by UDP.
//!
//! Ref: RFC 862.

use alloc::vec;
use core::time::Duration;

use airlock::{Network, NetworkError};

use crate::error::Error;
use crate::stop::{self, Stop};
use crate::{Served, add};

/// Longer than any datagram that arrives in one frame; what is longer is left unanswered.
const BUFFER: usize = 2048;
const FAREWELL: Duration = Duration::from_millis(50);

/// Gives back datagram after datagram.
pub async fn serve(
    network: &Network,
    port: u16,
    served: &Served,
    stop: &Stop,
) -> Result<(), Error> {
    let mut socket = network.udp_socket(port)?;
    let mut buffer = vec![0; BUFFER];
    loop {
        let (len, from) = match socket.recv_from(&mut buffer).await {
            Ok(received) => received,
            Err(NetworkError::TimedOut | NetworkError::Truncated { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        let datagram = buffer.get(..len).unwrap_or_default();
        // Nobody promises that an answer arrives.
        if socket.send_to(datagram, from).await.is_ok() {
            add(&served.datagrams, 1);
            add(&served.bytes, len as u64);
        }
        if stop::is_said(datagram) {
            // The answer has to leave before the power does.
            network.sleep(FAREWELL).await;
            stop.said();
        }
    }
}
