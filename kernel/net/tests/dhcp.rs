//! Leases, and the lies of those who give them.

use std::{net::Ipv4Addr, time::Duration};

use net::{Config, Counters, Error, Lease};
use testkit::wire::{DhcpServer, Offer, Refuses, World};

const SECOND: Duration = Duration::from_secs(1);

/// What a client gets from a server that offers `offer`, and what it counted.
fn ask(offer: Offer, refuses: Refuses) -> (Result<Lease, Error>, Counters, u32) {
    let world = World::default();
    let server = DhcpServer::new(offer, refuses);
    let requests = server.requests();
    world.add_responder(2, server);
    let stack = world.stack(1, &Config::default());
    let network = stack.network();
    let lease = world.run(61 * SECOND, network.wait_configured(60 * SECOND));
    (lease, stack.counters(), requests.get())
}

fn is_refused(offer: Offer) -> bool {
    let (lease, counters, _) = ask(offer, Refuses::Nothing);
    lease == Err(Error::BadLease) && counters.bad_lease > 0
}

#[test]
fn a_lease_has_an_address_a_router_and_a_name_server() {
    let (lease, ..) = ask(Offer::default(), Refuses::Nothing);
    let shown = "10.0.2.15/24, router 10.0.2.2, DNS 10.0.2.3";
    assert_eq!(lease.unwrap().to_string(), shown);
}

#[test]
fn a_cable_without_dhcp_is_an_error_in_time() {
    let world = World::default();
    let network = world.stack(1, &Config::default()).network();
    let lease = world.run(6 * SECOND, network.wait_configured(5 * SECOND));
    assert_eq!(lease, Err(Error::NoAddress));
}

#[test]
fn a_router_outside_the_network_is_refused() {
    assert!(is_refused(Offer {
        router: Some(Ipv4Addr::new(10, 0, 3, 2)),
        ..Offer::default()
    }));
}

#[test]
fn our_own_address_is_no_router() {
    assert!(is_refused(Offer {
        router: Some(Offer::default().address),
        ..Offer::default()
    }));
}

#[test]
fn times_out_of_order_are_refused() {
    for (renew, rebind, lease) in [
        (Some(50), Some(40), Some(60)),
        (Some(10), Some(70), Some(60)),
        (Some(70), None, Some(60)),
    ] {
        assert!(is_refused(Offer {
            renew,
            rebind,
            lease,
            ..Offer::default()
        }));
    }
}

#[test]
fn a_lease_of_no_time_is_refused() {
    assert!(is_refused(Offer {
        lease: Some(0),
        ..Offer::default()
    }));
}

#[test]
fn addresses_that_are_no_host_are_refused() {
    for address in [
        [0, 0, 0, 0],
        [127, 0, 0, 1],
        [224, 0, 0, 1],
        [255, 255, 255, 255],
        [10, 0, 2, 0],
        [10, 0, 2, 255],
    ] {
        assert!(
            is_refused(Offer {
                address: Ipv4Addr::from(address),
                ..Offer::default()
            }),
            "{address:?}"
        );
    }
}

#[test]
fn masks_with_holes_and_masks_of_everything_are_refused() {
    for mask in [[255, 0, 255, 0], [0, 0, 0, 0], [128, 0, 0, 0]] {
        assert!(is_refused(Offer {
            mask: Some(Ipv4Addr::from(mask)),
            router: None,
            ..Offer::default()
        }));
    }
}

#[test]
fn a_server_that_always_takes_back_is_not_followed_for_ever() {
    let (lease, counters, requests) = ask(Offer::default(), Refuses::Everything);
    assert_eq!(lease, Err(Error::BadLease));
    assert!(counters.excess_naks > 0);
    // Without a limit, each answer makes the client ask at once, every 400 us.
    assert!(requests < 50, "{requests} requests in a minute");
}

#[test]
fn a_lease_is_renewed_and_kept() {
    let world = World::default();
    let server = DhcpServer::new(
        Offer {
            lease: Some(600),
            ..Offer::default()
        },
        Refuses::Nothing,
    );
    let requests = server.requests();
    world.add_responder(2, server);
    let network = world.stack(1, &Config::default()).network();
    world.run(3700 * SECOND, async {
        network.wait_configured(SECOND).await.unwrap();
        network.sleep(3600 * SECOND).await;
    });
    assert!(network.lease().is_some());
    // Two for the first lease. The server answers no ARP, so it hears of us again at each T2.
    assert_eq!(requests.get(), 2 + 3600 / 525);
}
