//! Connections between two stacks.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a step that fails should fail its test"
)]

use std::{net::SocketAddr, time::Duration};

use clock::Clock;
use embassy_futures::{
    join::join,
    select::{Either, select},
};
use embedded_io_async::{Read, Write};
use net::{Error, Network, TcpBuffers, TcpSocket};
use testkit::wire::{Luck, World};

const SECOND: Duration = Duration::from_secs(1);
const MIB: usize = 1 << 20;

fn pair(world: &World) -> (Network, Network) {
    (world.host(1, "10.0.0.1/24"), world.host(2, "10.0.0.2/24"))
}

fn pattern(len: usize) -> Vec<u8> {
    (0..len).map(|at| (at * 7 + at / 251) as u8).collect()
}

async fn accepted(network: &Network, port: u16) -> TcpSocket {
    let mut socket = network.tcp_socket(TcpBuffers::default()).unwrap();
    socket.accept(port, 10 * SECOND).await.unwrap();
    socket
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Both ends of a connection.
async fn connected(client: &Network, server: &Network) -> (TcpSocket, TcpSocket) {
    let connecting = client.connect(address("10.0.0.2:80"));
    let (socket, held) = join(connecting, accepted(server, 80)).await;
    (socket.unwrap(), held)
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
        let mut socket = client.connect(address("10.0.0.2:80")).await.unwrap();
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

#[test]
fn a_mebibyte_arrives_when_the_device_completes_checksums() {
    let world = World::default();
    let config = net::Config::parse("10.0.0.1/24").unwrap();
    let port = world.hub.port(1).completing_checksums();
    let client = world.stack_on(port, &config).network();
    let server = world.host(2, "10.0.0.2/24");
    let receive = async {
        let mut socket = accepted(&server, 80).await;
        let all = read_to_end(&mut socket).await;
        // Dropped instead, it would reset the connection before its last acknowledgement.
        socket.close().await.unwrap();
        all
    };
    let send = async {
        let mut socket = client.connect(address("10.0.0.2:80")).await.unwrap();
        socket.write_all(&pattern(MIB)).await.unwrap();
        socket.close().await.unwrap();
    };
    let received = world.run(60 * SECOND, join(receive, send)).0;
    assert!(received.unwrap() == pattern(MIB));
}

#[test]
fn a_port_where_nobody_listens_refuses() {
    let world = World::default();
    let (client, _server) = pair(&world);
    let refused = world.run(SECOND, client.connect(address("10.0.0.2:81")));
    assert_eq!(refused.err(), Some(Error::Refused));
}

#[test]
fn a_host_that_is_not_there_times_out() {
    let world = World::default();
    let (client, _server) = pair(&world);
    let started = world.clock.now();
    let connecting = world.run(31 * SECOND, client.connect(address("10.0.0.77:80")));
    assert_eq!(connecting.err(), Some(Error::TimedOut));
    assert_eq!(world.clock.now().since(started), net::DEFAULT_TIMEOUT);
}

#[test]
fn without_a_route_nothing_is_reached() {
    let world = World::default();
    let (client, _server) = pair(&world);
    for far in ["192.0.2.1:80", "[2001:db8::1]:80"] {
        let connecting = world.run(SECOND, client.connect(address(far)));
        assert_eq!(connecting.err(), Some(Error::Unreachable), "{far}");
    }
}

#[test]
fn addresses_that_mean_nobody_are_refused() {
    let world = World::default();
    let (client, _server) = pair(&world);
    for nobody in ["10.0.0.2:0", "0.0.0.0:80", "[::]:80"] {
        let connecting = world.run(SECOND, client.connect(address(nobody)));
        assert_eq!(connecting.err(), Some(Error::BadAddress), "{nobody}");
    }
}

#[test]
fn a_server_that_says_nothing_times_out() {
    let world = World::default();
    let (client, server) = pair(&world);
    let read = world.run(20 * SECOND, async {
        let (mut socket, _held) = connected(&client, &server).await;
        socket.set_timeout(2 * SECOND);
        socket.read(&mut [0; 8]).await
    });
    assert_eq!(read, Err(Error::TimedOut));
}

#[test]
fn a_deadline_ends_a_server_that_drips() {
    let world = World::default();
    let (client, server) = pair(&world);
    let fetch = async {
        let (mut socket, mut held) = connected(&client, &server).await;
        let end = world.clock.deadline(5 * SECOND);
        socket.set_deadline(Some(end));
        let drip = async {
            for _ in 0..100 {
                held.write_all(b".").await.unwrap();
                server.sleep(SECOND).await;
            }
        };
        let read = select(read_to_end(&mut socket), drip).await;
        (read, end)
    };
    let (read, end) = world.run(20 * SECOND, fetch);
    assert!(matches!(read, Either::First(Err(Error::TimedOut))));
    assert_eq!(world.clock.now(), end);
}

#[test]
fn a_dropped_socket_resets_its_peer() {
    let world = World::default();
    let (client, server) = pair(&world);
    let read = world.run(5 * SECOND, async {
        let (socket, mut held) = connected(&client, &server).await;
        drop(socket);
        held.read(&mut [0; 8]).await
    });
    assert_eq!(read, Err(Error::ConnectionReset));
}

#[test]
fn a_half_closed_connection_still_carries_the_answer() {
    let world = World::default();
    let (client, server) = pair(&world);
    let answer = world.run(5 * SECOND, async {
        let (mut socket, mut held) = connected(&client, &server).await;
        let ask = async {
            socket.write_all(b"question").await?;
            socket.close().await?;
            read_to_end(&mut socket).await
        };
        let reply = async {
            let question = read_to_end(&mut held).await.unwrap();
            held.write_all(&[&question[..], b" answered"].concat())
                .await
                .unwrap();
            held.close().await.unwrap();
        };
        join(ask, reply).await.0
    });
    assert_eq!(answer.unwrap(), b"question answered");
}

#[test]
fn both_directions_move_at_once() {
    let world = World::default();
    let (client, server) = pair(&world);
    let data = pattern(MIB / 4);
    let echoed = world.run(60 * SECOND, async {
        let (mut socket, mut held) = connected(&client, &server).await;
        let echo = async {
            let mut part = [0; 3000];
            let (mut reader, mut writer) = held.split();
            loop {
                let len = reader.read(&mut part).await.unwrap();
                if len == 0 {
                    break;
                }
                writer.write_all(&part[..len]).await.unwrap();
            }
        };
        let (mut reader, mut writer) = socket.split();
        let mut back = vec![0; data.len()];
        let exchange = async {
            join(writer.write_all(&data), reader.read_exact(&mut back))
                .await
                .1
        };
        let received = select(exchange, echo).await;
        assert!(matches!(received, Either::First(Ok(()))));
        back
    });
    assert!(echoed == data);
}

#[test]
fn a_socket_that_was_never_connected_says_so() {
    let world = World::default();
    let (client, _server) = pair(&world);
    let mut socket = client.tcp_socket(TcpBuffers::default()).unwrap();
    let read = world.run(SECOND, socket.read(&mut [0; 8]));
    assert_eq!(read, Err(Error::NotConnected));
}

#[test]
fn one_socket_may_be_connected_only_once_at_a_time() {
    let world = World::default();
    let (client, server) = pair(&world);
    let again = world.run(5 * SECOND, async {
        let (mut socket, mut held) = connected(&client, &server).await;
        assert_eq!(
            socket.connect(address("10.0.0.2:80")).await,
            Err(Error::InUse)
        );
        // The connection has not noticed.
        socket.write_all(b"still here").await.unwrap();
        let mut heard = [0; 10];
        held.read_exact(&mut heard).await.unwrap();
        heard
    });
    assert_eq!(&again, b"still here");
}

#[test]
fn nobody_comes_and_accepting_ends() {
    let world = World::default();
    let (client, _server) = pair(&world);
    let mut socket = client.tcp_socket(TcpBuffers::default()).unwrap();
    let accepting = world.run(4 * SECOND, socket.accept(80, 3 * SECOND));
    assert_eq!(accepting, Err(Error::TimedOut));
}

#[test]
fn sockets_are_bounded_and_come_back() {
    let world = World::default();
    let (client, _server) = pair(&world);
    let small = TcpBuffers {
        receive: 100,
        send: 100,
    };
    for _ in 0..3 {
        let open: Vec<_> = (0..)
            .map_while(|_| client.tcp_socket(small).ok())
            .take(1000)
            .collect();
        assert_eq!(open.len(), 64);
    }
}

#[test]
fn sockets_whose_peer_vanished_come_back() {
    let world = World::default();
    let (client, server) = pair(&world);
    for _ in 0..100 {
        world.run(5 * SECOND, async {
            let (socket, held) = connected(&client, &server).await;
            drop((socket, held));
        });
    }
    world.run(2 * SECOND, client.sleep(SECOND));
    assert!(client.tcp_socket(TcpBuffers::default()).is_ok());
}

#[test]
fn an_idle_connection_costs_no_polls() {
    let world = World::default();
    let (client, server) = pair(&world);
    let polls = world.run(4000 * SECOND, async {
        let (mut socket, _held) = connected(&client, &server).await;
        socket.set_timeout(3000 * SECOND);
        client.sleep(SECOND).await;
        let before = world.polls();
        let _ = client.within(1000 * SECOND, socket.read(&mut [0; 8])).await;
        world.polls() - before
    });
    assert!(polls < 10, "{polls} polls");
}

#[test]
fn a_peer_that_keeps_its_window_shut_does_not_hang_the_writer() {
    let world = World::default();
    let (client, server) = pair(&world);
    let written = world.run(100 * SECOND, async {
        let (mut socket, _held) = connected(&client, &server).await;
        socket.set_timeout(20 * SECOND);
        socket.write_all(&pattern(MIB)).await
    });
    assert_eq!(written, Err(Error::TimedOut));
}

#[test]
fn a_peer_that_vanished_is_noticed_by_keep_alive() {
    let world = World::default();
    let (client, server) = pair(&world);
    let read = world.run(100 * SECOND, async {
        let (mut socket, _held) = connected(&client, &server).await;
        socket.set_timeout(90 * SECOND);
        socket.set_keep_alive(Some(2 * SECOND));
        client.sleep(20 * SECOND).await;
        // So far the peer has answered.
        assert!(socket.remote_address().is_some());
        world.hub.set_luck(Luck {
            lost: 1000,
            ..Luck::default()
        });
        let read = socket.read(&mut [0; 8]).await;
        (read, world.clock.now())
    });
    assert_eq!(read.0, Err(Error::ConnectionReset));
    assert!(read.1.as_nanos() < 31_000_000_000, "{:?}", read.1);
}
