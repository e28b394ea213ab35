//! The network that sends too much does so.

use std::net::UdpSocket;

use qemu_tests::flood::{Flood, KINDS, frame};

#[test]
fn a_flood_reaches_who_listens_and_ends_with_its_value() {
    let flood = Flood::start().unwrap();
    let port: u16 = flood.network().split(':').nth(1).unwrap().parse().unwrap();
    let guest = UdpSocket::bind((std::net::Ipv4Addr::LOCALHOST, port)).unwrap();
    let mut lengths = Vec::new();
    for _ in 0..100 {
        lengths.push(guest.recv(&mut [0; 10_000]).unwrap());
    }
    assert!(lengths.contains(&7) && lengths.contains(&1514) && lengths.contains(&9000));
    assert!(flood.sent() > 0);
}

#[test]
fn the_same_number_gives_the_same_frame() {
    assert_eq!(frame(7), frame(7));
    assert_ne!(frame(4), frame(4 + KINDS));
}
