//! Pings and datagrams.

use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use core::time::Duration;

use airlock::{Network, NetworkError, Realm};
use hostile::peer;
use hostile::plan::{self, DATAGRAMS};

use crate::{Accepted, Failure, memory};

const PATIENCE: Duration = Duration::from_millis(300);
const PORT: u16 = 4000;
/// More datagrams are not tried when so many in a row went wrong.
const ENOUGH: u32 = 3;

/// Sends what the plan says.
pub async fn run(realm: &Realm, failure: &mut Failure) {
    let Ok(network) = realm.network() else {
        return failure.note(format_args!("there is no network"));
    };
    let peer = IpAddr::V4(Ipv4Addr::from(peer::ADDRESS));
    if let Err(error) = network.ping(peer, PATIENCE).await {
        failure.note(format_args!("ping: {error}"));
    }
    let mut accepted = Accepted::default();
    let mut wrong = 0;
    for number in 0..DATAGRAMS {
        if wrong >= ENOUGH {
            break;
        }
        let right = plan::datagram(number);
        match echo(&network, SocketAddr::new(peer, peer::ECHO), number, &right).await {
            Ok(came) if came == right => {
                accepted.add(number, &came);
                wrong = 0;
            }
            Ok(_) => {
                failure.note(format_args!("echo: another answer"));
                wrong += 1;
            }
            Err(error) => {
                failure.note(format_args!("echo: {error}"));
                wrong += 1;
            }
        }
    }
    accepted.tell(format_args!("card"));
}

/// What comes back for a datagram.
async fn echo(
    network: &Network,
    peer: SocketAddr,
    number: u32,
    datagram: &[u8],
) -> Result<Vec<u8>, NetworkError> {
    let port = PORT.saturating_add(u16::try_from(number).unwrap_or(0));
    let mut socket = network.udp_socket(port)?;
    socket.set_timeout(PATIENCE);
    socket.send_to(datagram, peer).await?;
    let mut bytes = memory::buffer(2048);
    let (len, _) = socket.recv_from(&mut bytes).await?;
    bytes.truncate(len);
    Ok(bytes)
}
