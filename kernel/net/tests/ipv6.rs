//! Addresses from routers, and routers that lie.
#![expect(
    clippy::indexing_slicing,
    reason = "a step that fails should fail its test"
)]

use std::{
    cell::Cell,
    net::{IpAddr, Ipv6Addr},
    rc::Rc,
    time::Duration,
};

use net::{Config, Error};
use testkit::wire::{Advertisement, Responder, World};

const SECOND: Duration = Duration::from_secs(1);

/// A router that answers solicitations with one advertisement.
struct Router(Advertisement);

/// Whether `frame` is a router solicitation.
fn solicits(frame: &[u8]) -> bool {
    frame[12..14] == [0x86, 0xdd] && frame[54] == 133
}

impl Responder for Router {
    fn answer(&mut self, frame: &[u8]) -> Vec<Vec<u8>> {
        solicits(frame)
            .then(|| self.0.frame())
            .into_iter()
            .collect()
    }
}

#[test]
fn a_router_gives_an_address_and_a_way_out() {
    let world = World::default();
    world.add_responder(9, Router(Advertisement::default()));
    let stack = world.stack(1, &Config::default());
    let network = stack.network();
    world.run(10 * SECOND, network.sleep(5 * SECOND));
    let address = IpAddr::from("2001:db8::ff:fe00:1".parse::<Ipv6Addr>().unwrap());
    assert!(
        network.addresses().contains(&address),
        "{:?}",
        network.addresses()
    );
    // A name that is far away is now worth a try: it times out instead of having no route.
    let far = "2001:4860::1".parse().unwrap();
    let ping = world.run(3 * SECOND, network.ping(far, SECOND));
    assert_eq!(ping, Err(Error::TimedOut));
}

#[test]
fn advertisements_that_make_no_sense_change_nothing() {
    let good = Advertisement::default();
    let lies = [
        Advertisement {
            prefix_len: 65,
            ..good
        },
        Advertisement {
            prefix_len: 129,
            ..good
        },
        Advertisement {
            prefix_len: 255,
            ..good
        },
        Advertisement {
            prefix: "ff02::".parse().unwrap(),
            ..good
        },
        Advertisement {
            prefix: Ipv6Addr::UNSPECIFIED,
            ..good
        },
        Advertisement {
            valid: 10,
            preferred: 20,
            ..good
        },
    ];
    for lie in lies {
        let world = World::default();
        let stack = world.stack(1, &Config::default());
        let network = stack.network();
        world.run(SECOND, network.sleep(SECOND / 2));
        let before = network.addresses();
        world.hub.inject(&lie.frame());
        world.run(2 * SECOND, network.sleep(SECOND));
        assert_eq!(network.addresses(), before, "{lie:?}");
        assert_eq!(stack.counters().bad_router, 1, "{lie:?}");
    }
}

#[test]
fn an_address_ends_with_its_lifetime() {
    let world = World::default();
    let short = Advertisement {
        valid: 60,
        preferred: 60,
        ..Advertisement::default()
    };
    let network = world
        .stack(1, &Config::parse("10.0.0.1/24").unwrap())
        .network();
    world.run(SECOND, network.sleep(SECOND / 2));
    let before = network.addresses().len();
    world.hub.inject(&short.frame());
    world.run(2 * SECOND, network.sleep(SECOND));
    assert_eq!(network.addresses().len(), before + 1);
    world.run(130 * SECOND, network.sleep(125 * SECOND));
    assert_eq!(network.addresses().len(), before);
}

#[test]
fn many_routers_do_not_take_the_place_of_a_lease() {
    let world = World::default();
    let network = world.stack(1, &Config::default()).network();
    world.run(SECOND, network.sleep(SECOND / 2));
    for at in 0..50u16 {
        let flood = Advertisement {
            prefix: Ipv6Addr::new(0x2001, 0xdb8, at, 0, 0, 0, 0, 0),
            router: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 1, at),
            ..Advertisement::default()
        };
        world.hub.inject(&flood.frame());
    }
    world.run(2 * SECOND, network.sleep(SECOND));
    world.add_responder(2, testkit::wire::DhcpServer::default());
    let lease = world
        .run(9 * SECOND, network.wait_configured(8 * SECOND))
        .unwrap();
    assert!(network.addresses().contains(&lease.address));
    let far = "192.0.2.1".parse().unwrap();
    let ping = world.run(3 * SECOND, network.ping(far, SECOND));
    assert_eq!(ping, Err(Error::TimedOut));
}

/// Counts solicitations and answers none.
struct Deaf(Rc<Cell<u32>>);

impl Responder for Deaf {
    fn answer(&mut self, frame: &[u8]) -> Vec<Vec<u8>> {
        if solicits(frame) {
            self.0.set(self.0.get() + 1);
        }
        Vec::new()
    }
}

#[test]
fn without_a_router_the_search_ends() {
    for ip in ["dhcp", "10.0.0.1/24"] {
        let world = World::default();
        let asked = Rc::<Cell<u32>>::default();
        world.add_responder(9, Deaf(Rc::clone(&asked)));
        let network = world.stack(1, &Config::parse(ip).unwrap()).network();
        world.run(40 * SECOND, network.sleep(30 * SECOND));
        assert_eq!(asked.get(), 3);
        let before = world.polls();
        world.run(4000 * SECOND, network.sleep(3600 * SECOND));
        // One look at lifetimes a minute, or one DHCP question each two seconds.
        let polls = world.polls() - before;
        assert!(polls < 2000, "{polls} polls");
        // A router that comes late is heard all the same.
        let before = network.addresses().len();
        world.hub.inject(&Advertisement::default().frame());
        world.run(2 * SECOND, network.sleep(SECOND));
        assert_eq!(network.addresses().len(), before + 1);
    }
}
