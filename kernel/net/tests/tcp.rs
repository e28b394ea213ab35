//! Connections between two stacks.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a step that fails should fail its test"
)]

use std::time::Duration;

use embassy_futures::join::join;
use embedded_io_async::{Read, Write};
use net::{Error, Network, TcpBuffers, TcpSocket};
use testkit::wire::{Luck, World};

const SECOND: Duration = Duration::from_secs(1);
const MIB: usize = 1 << 20;

fn pair(world: &World) -> (Network, Network) {
    (
        world.host(1, "10.0.0.1/24"),
        world.host(2, "10.0.0.2/24,10.0.0.9"),
    )
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 7 + at / 251) as u8).collect()
}

async fn accepted(network: &Network, port: u16) -> TcpSocket {
    let mut socket = network.tcp_socket(TcpBuffers::default()).unwrap();
    socket.accept(port, 10 * SECOND).await.unwrap();
    socket
}

async fn read_to_end(socket: &mut TcpSocket) -> Result<Vec<u8>, Error> {
    let mut all = Vec::new();
    let mut part = vec![0; 10_000];
    loop {
        match socket.read(&mut part).await? {
            0 => return Ok(all),
            len => all.extend_from_slice(&part[..len]),
        }
    }
}

/// Moves `len` bytes from one stack to another; gives what arrived.
fn transfer(world: &World, len: usize) -> Vec<u8> {
    let (client, server) = pair(world);
    let serve = async {
        let mut socket = accepted(&server, 80).await;
        socket.write_all(&pattern(len)).await.unwrap();
        socket.close().await.unwrap();
    };
    let fetch = async {
        let mut socket = client
            .connect("10.0.0.2:80".parse().unwrap())
            .await
            .unwrap();
        let all = read_to_end(&mut socket).await.unwrap();
        socket.close().await.unwrap();
        all
    };
    world.run(600 * SECOND, join(serve, fetch)).1
}

#[test]
fn a_mebibyte_arrives_as_it_was_sent() {
    assert!(transfer(&World::default(), MIB) == pattern(MIB));
}

#[test]
fn a_mebibyte_arrives_over_a_bad_wire() {
    let world = World::default();
    world.hub.set_luck(Luck {
        lost: 20,
        doubled: 10,
        late: 20,
    });
    assert!(transfer(&world, MIB) == pattern(MIB));
}
