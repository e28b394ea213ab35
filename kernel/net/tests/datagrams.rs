//! UDP, echo requests and names.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a step that fails should fail its test"
)]

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use embassy_futures::{join::join, select::select};
use net::{Error, Network, UdpSocket};
use testkit::wire::World;

const SECOND: Duration = Duration::from_secs(1);

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn host(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Answers one datagram with itself.
async fn echo_once(network: &Network, port: u16) {
    let mut socket = network.udp_socket(port).unwrap();
    let mut datagram = [0; 2000];
    let (len, from) = socket.recv_from(&mut datagram).await.unwrap();
    socket.send_to(&datagram[..len], from).await.unwrap();
    network.sleep(SECOND).await;
}

async fn ask(socket: &mut UdpSocket, to: SocketAddr, what: &[u8]) -> Vec<u8> {
    socket.send_to(what, to).await.unwrap();
    let mut answer = [0; 2000];
    let (len, from) = socket.recv_from(&mut answer).await.unwrap();
    assert_eq!(from, to);
    answer[..len].to_vec()
}

fn echo(world: &World, client: &Network, server: &Network, to: SocketAddr, len: usize) -> Vec<u8> {
    let mut socket = client.udp_socket(0).unwrap();
    let what = vec![7; len];
    let asking = ask(&mut socket, to, &what);
    world
        .run(5 * SECOND, join(asking, echo_once(server, to.port())))
        .0
}

#[test]
fn datagrams_come_back() {
    let world = World::default();
    let client = world.host(1, "10.0.0.1/24");
    let server = world.host(2, "10.0.0.2/24");
    for len in [0, 1, 1472] {
        let back = echo(&world, &client, &server, address("10.0.0.2:7"), len);
        assert_eq!(back, vec![7; len]);
    }
}

#[test]
fn datagrams_come_back_over_ipv6() {
    let world = World::default();
    let client = world.host(1, "fd00::1/64");
    let server = world.host(2, "fd00::2/64");
    let back = echo(&world, &client, &server, address("[fd00::2]:7"), 1452);
    assert_eq!(back, vec![7; 1452]);
}

#[test]
fn datagrams_come_back_when_the_device_completes_checksums() {
    for (ours, theirs) in [("10.0.0.1/24", "10.0.0.2"), ("fd00::1/64", "fd00::2")] {
        let world = World::default();
        let config = net::Config::parse(ours).unwrap();
        let port = world.hub.port(1).completing_checksums();
        let client = world.stack_on(port, &config).network();
        let prefix = &ours[ours.find('/').unwrap()..];
        let server = world.host(2, &format!("{theirs}{prefix}"));
        let to = SocketAddr::new(host(theirs), 7);
        assert_eq!(echo(&world, &client, &server, to, 333), vec![7; 333]);
    }
}

#[test]
fn a_datagram_longer_than_a_frame_is_refused() {
    let world = World::default();
    let client = world.host(1, "10.0.0.1/24");
    let mut socket = client.udp_socket(0).unwrap();
    let sent = world.run(SECOND, socket.send_to(&[0; 1473], address("10.0.0.2:7")));
    let error = Error::TooLong {
        len: 1473,
        limit: 1472,
    };
    assert_eq!(sent, Err(error));
}

#[test]
fn a_datagram_longer_than_the_buffer_is_an_error() {
    let world = World::default();
    let client = world.host(1, "10.0.0.1/24");
    let server = world.host(2, "10.0.0.2/24");
    let mut from = client.udp_socket(0).unwrap();
    let mut to = server.udp_socket(7).unwrap();
    let received = world.run(5 * SECOND, async {
        from.send_to(b"hello", address("10.0.0.2:7")).await.unwrap();
        to.recv_from(&mut [0; 4]).await
    });
    assert_eq!(received, Err(Error::Truncated { len: 5 }));
}

#[test]
fn a_port_belongs_to_one_socket() {
    let world = World::default();
    let client = world.host(1, "10.0.0.1/24");
    let held = client.udp_socket(7).unwrap();
    assert_eq!(held.port(), 7);
    assert_eq!(client.udp_socket(7).err(), Some(Error::InUse));
    drop(held);
    assert!(client.udp_socket(7).is_ok());
}

#[test]
fn nothing_comes_and_receiving_ends() {
    let world = World::default();
    let client = world.host(1, "10.0.0.1/24");
    let mut socket = client.udp_socket(0).unwrap();
    socket.set_timeout(SECOND);
    let received = world.run(2 * SECOND, socket.recv_from(&mut [0; 4]));
    assert_eq!(received, Err(Error::TimedOut));
}

#[test]
fn a_neighbour_answers_echo_requests() {
    let world = World::default();
    let client = world.host(1, "10.0.0.1/24");
    let _server = world.host(2, "10.0.0.2/24");
    let asking = client.ping(host("10.0.0.2"), SECOND);
    // There and back, for the neighbour's hardware address first.
    assert_eq!(world.run(SECOND, asking), Ok(Duration::from_micros(800)));
}

#[test]
fn a_neighbour_answers_echo_requests_over_ipv6() {
    let world = World::default();
    let client = world.host(1, "fd00::1/64");
    let _server = world.host(2, "fd00::2/64");
    let asking = client.ping(host("fd00::2"), SECOND);
    assert_eq!(world.run(SECOND, asking), Ok(Duration::from_micros(800)));
}

#[test]
fn an_echo_request_to_nobody_times_out() {
    let world = World::default();
    let client = world.host(1, "10.0.0.1/24");
    let asking = client.ping(host("10.0.0.77"), 3 * SECOND);
    assert_eq!(world.run(4 * SECOND, asking), Err(Error::TimedOut));
    let far = client.ping(host("192.0.2.1"), 3 * SECOND);
    assert_eq!(world.run(SECOND, far), Err(Error::Unreachable));
}

/// Answers questions about names: `good.example` is 192.0.2.7, nothing else exists.
async fn name_server(network: &Network) {
    let mut socket = network.udp_socket(53).unwrap();
    socket.set_timeout(1000 * SECOND);
    let mut question = [0; 512];
    loop {
        let (len, from) = socket.recv_from(&mut question).await.unwrap();
        let answer = answer(&question[..len]);
        socket.send_to(&answer, from).await.unwrap();
    }
}

/// Ref: RFC 1035, 4 "Messages".
fn answer(question: &[u8]) -> Vec<u8> {
    let known = question[12..].starts_with(b"\x04good\x07example\x00\x00\x01");
    let mut answer = question.to_vec();
    answer[2..4].copy_from_slice(if known { &[0x81, 0x80] } else { &[0x81, 0x83] });
    if known {
        answer[7] = 1;
        answer.extend(b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x07");
    }
    answer
}

fn resolve(world: &World, ip: &str, name: &str) -> Result<Vec<IpAddr>, Error> {
    let client = world.host(1, ip);
    let server = world.host(2, "10.0.0.2/24");
    let asking = client.resolve(name, 5 * SECOND);
    let found = world.run(6 * SECOND, select(asking, name_server(&server)));
    match found {
        embassy_futures::select::Either::First(found) => Ok(found?.iter().collect()),
        embassy_futures::select::Either::Second(()) => unreachable!(),
    }
}

#[test]
fn a_name_has_an_address() {
    let found = resolve(&World::default(), "10.0.0.1/24,,10.0.0.2", "good.example");
    assert_eq!(found, Ok(vec![host("192.0.2.7")]));
}

#[test]
fn an_address_is_its_own_name() {
    let found = resolve(&World::default(), "10.0.0.1/24", "fd00::7");
    assert_eq!(found, Ok(vec![host("fd00::7")]));
}

#[test]
fn a_name_that_nobody_has_is_an_error() {
    for name in [
        "bad.example",
        "",
        "..",
        &"x".repeat(64),
        &"long.".repeat(80),
    ] {
        let found = resolve(&World::default(), "10.0.0.1/24,,10.0.0.2", name);
        assert_eq!(found, Err(Error::NoSuchName), "{name}");
    }
}

#[test]
fn without_a_name_server_no_name_is_found() {
    let found = resolve(&World::default(), "10.0.0.1/24", "good.example");
    assert_eq!(found, Err(Error::NoNameServer));
}

#[test]
fn a_name_server_that_is_silent_times_out() {
    let found = resolve(&World::default(), "10.0.0.1/24,,10.0.0.9", "good.example");
    assert_eq!(found, Err(Error::TimedOut));
}

#[test]
fn a_question_that_nobody_waits_for_is_forgotten() {
    let world = World::default();
    let client = world.host(1, "10.0.0.1/24,,10.0.0.9");
    world.run(20 * SECOND, async {
        let _ = client.resolve("good.example", SECOND).await;
        client.sleep(SECOND).await;
        let before = world.polls();
        client.sleep(10 * SECOND).await;
        assert!(world.polls() - before < 5);
    });
}
