//! What is sent arrives: each direction, size, version, offload, MTU and number of connections, on good
//! wires and bad ones.
#![expect(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    reason = "a step that fails should fail its test"
)]

use std::{cell::RefCell, net::SocketAddr, rc::Rc, time::Duration};

use embassy_futures::join::{join, join_array};
use embedded_io_async::{Read, Write};
use net::{Config, Network, TcpBuffers, TcpSocket};
use testkit::wire::{HubPort, Luck, Responder, World};

const SECOND: Duration = Duration::from_secs(1);
const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

const BAD: Luck = Luck {
    lost: 10,
    doubled: 10,
    late: 10,
};

/// What a port leaves to others, from nothing to all.
#[derive(Clone, Copy, Debug)]
enum Offload {
    None,
    Checksums,
    Segments,
    All,
}

const OFFLOADS: [Offload; 4] = [
    Offload::None,
    Offload::Checksums,
    Offload::Segments,
    Offload::All,
];

impl Offload {
    fn of(self, port: HubPort) -> HubPort {
        match self {
            Self::None => port,
            Self::Checksums => port.completing_checksums(),
            Self::Segments => port.cutting_segments(),
            Self::All => port.cutting_segments().taking_open_frames(),
        }
    }
}

/// One case.
#[derive(Clone, Copy, Debug)]
struct Case {
    offload: Offload,
    v6: bool,
    mtu: usize,
    size: usize,
    buffers: TcpBuffers,
    luck: Luck,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            offload: Offload::None,
            v6: false,
            mtu: 1500,
            size: 100 * KIB,
            buffers: TcpBuffers::default(),
            luck: Luck::default(),
        }
    }
}

fn pattern(len: usize, which: usize) -> Vec<u8> {
    let byte = |at: usize| (at.wrapping_mul(0x9e37_79b9) >> 13) as u8 ^ (which as u8);
    (0..len).map(byte).collect()
}

impl Case {
    fn host(&self, world: &World, last: u8, offload: Offload) -> Network {
        let ip = match self.v6 {
            false => format!("10.0.0.{last}/24"),
            true => format!("fd00::{last}/64"),
        };
        let mut config = Config::parse(&ip).unwrap();
        config.slaac = false;
        // The second host has a link of its own, with packets of the usual size.
        let mtu = if last == 1 { self.mtu } else { 1500 };
        let port = offload.of(world.hub.port(last).with_mtu(mtu));
        world.stack_on(port, &config).network()
    }

    fn server(&self, connection: usize) -> SocketAddr {
        let ip = if self.v6 { "[fd00::2]" } else { "10.0.0.2" };
        format!("{ip}:{}", 1000 + connection).parse().unwrap()
    }

    /// Sends as many bytes in both directions at once over each of `N` connections, from a host with
    /// the offload to one without and back.
    fn exchange<const N: usize>(&self) {
        self.exchange_in::<N>(&World::default());
    }

    fn exchange_in<const N: usize>(&self, world: &World) {
        world.hub.set_luck(self.luck);
        let client = self.host(world, 1, self.offload);
        // To receive frames that were left open, somebody has to leave them so.
        let other = match self.offload {
            Offload::All => Offload::All,
            _ => Offload::None,
        };
        let server = self.host(world, 2, other);
        let connections = std::array::from_fn(|which| self.connection(&client, &server, which));
        let _: [(); N] = world.run(3600 * SECOND, join_array(connections));
    }

    async fn connection(&self, client: &Network, server: &Network, which: usize) {
        let accept = async {
            let mut socket = server.tcp_socket(self.buffers).unwrap();
            let port = self.server(which).port();
            socket.set_timeout(600 * SECOND);
            socket.accept(port, 60 * SECOND).await.unwrap();
            self.both_ways(socket, which).await;
        };
        let connect = async {
            let mut socket = client.tcp_socket(self.buffers).unwrap();
            socket.set_timeout(600 * SECOND);
            socket.connect(self.server(which)).await.unwrap();
            self.both_ways(socket, which).await;
        };
        join(accept, connect).await;
    }

    async fn both_ways(&self, mut socket: TcpSocket, which: usize) {
        let expected = pattern(self.size, which);
        let mut received = vec![0; self.size];
        let (mut reader, mut writer) = socket.split();
        let read = async {
            let mut at = 0;
            while at < received.len() {
                let into = received.get_mut(at..).unwrap();
                at += reader.read(into).await.unwrap();
            }
        };
        let write = async { writer.write_all(&expected).await.unwrap() };
        join(read, write).await;
        assert!(received == expected, "{self:?}");
        socket.close().await.unwrap();
    }
}

#[test]
fn every_size_arrives_with_every_offload_over_both_versions() {
    for offload in OFFLOADS {
        for v6 in [false, true] {
            for size in [1, 2, 1219, 1221, 1460, 1461, 65_495, 65_536, 100_001] {
                let case = Case {
                    offload,
                    v6,
                    size,
                    ..Case::default()
                };
                case.exchange::<1>();
            }
        }
    }
}

#[test]
fn some_mebibytes_arrive_with_every_offload_and_size_of_window() {
    for offload in OFFLOADS {
        for kib in [1, 16, 256, 1024] {
            let buffer = kib * KIB;
            let case = Case {
                offload,
                size: if kib == 1 { 64 * KIB } else { 2 * MIB },
                buffers: TcpBuffers {
                    receive: buffer,
                    send: buffer,
                },
                ..Case::default()
            };
            case.exchange::<1>();
        }
    }
}

/// Keeps the maximum segment sizes that SYNs announce.
struct Announced(Rc<RefCell<Vec<u16>>>);

impl Responder for Announced {
    fn answer(&mut self, frame: &[u8]) -> Vec<Vec<u8>> {
        let tcp = if frame.get(12) == Some(&8) { 34 } else { 54 };
        let option = frame.get(tcp + 20..tcp + 24);
        if let (Some(2 | 0x12), Some(&[2, 4, high, low])) = (frame.get(tcp + 13), option) {
            self.0.borrow_mut().push(u16::from_be_bytes([high, low]));
        }
        Vec::new()
    }
}

#[test]
fn a_syn_announces_what_the_link_carries() {
    for offload in OFFLOADS {
        for (v6, mtu, sizes) in [(false, 1280, [1240, 1460]), (true, 1400, [1340, 1440])] {
            let world = World::default();
            let seen = Rc::default();
            world.add_responder(9, Announced(Rc::clone(&seen)));
            let case = Case {
                offload,
                v6,
                mtu,
                size: 1,
                ..Case::default()
            };
            case.exchange_in::<1>(&world);
            assert_eq!(*seen.borrow(), sizes, "{case:?}");
        }
    }
}

#[test]
fn links_with_small_packets_carry_everything() {
    for offload in OFFLOADS {
        for (v6, mtu) in [(false, 1280), (true, 1280), (false, 1400), (true, 1400)] {
            let case = Case {
                offload,
                v6,
                mtu,
                ..Case::default()
            };
            case.exchange::<1>();
        }
    }
}

#[test]
fn many_connections_do_not_mix() {
    for offload in OFFLOADS {
        let case = Case {
            offload,
            size: 50_000,
            ..Case::default()
        };
        case.exchange::<24>();
    }
}

#[test]
fn a_bad_wire_loses_nothing_of_the_content() {
    for offload in OFFLOADS {
        for v6 in [false, true] {
            let case = Case {
                offload,
                v6,
                size: 300 * KIB,
                luck: BAD,
                ..Case::default()
            };
            case.exchange::<2>();
        }
    }
}

/// Minutes; `cargo test -p net --release --test content -- --ignored` runs it.
#[test]
#[ignore = "takes minutes"]
fn a_gibibyte_arrives_both_ways() {
    for offload in [Offload::None, Offload::All] {
        let buffers = TcpBuffers {
            receive: MIB,
            send: MIB,
        };
        let case = Case {
            offload,
            size: 1024 * MIB,
            buffers,
            ..Case::default()
        };
        case.exchange::<1>();
    }
}
