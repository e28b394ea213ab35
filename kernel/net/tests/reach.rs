//! Who is there, whatever it does with pings.
#![expect(clippy::unwrap_used, reason = "a step that fails should fail its test")]

use std::{net::IpAddr, time::Duration};

use net::{Error, Reach};
use testkit::wire::{Manner, PoorRouter, World};

const SECOND: Duration = Duration::from_secs(1);

/// What is seen of a router of that manner, and how long it takes to see it.
fn seen(manner: Manner) -> (Reach, Duration) {
    let world = World::default();
    world.add_responder(2, PoorRouter(manner));
    let network = world.host(1, "10.0.2.15/24");
    let before = clock::Clock::now(&*world.clock);
    let reach = world.run(3 * SECOND, network.reach(router(), 2 * SECOND));
    let took = clock::Clock::now(&*world.clock).since(before);
    (reach.unwrap(), took)
}

fn router() -> IpAddr {
    "10.0.2.2".parse().unwrap()
}

#[test]
fn a_router_that_answers_is_there() {
    let (reach, _) = seen(Manner::Polite);
    assert_eq!(reach, Reach::Echo(Duration::from_micros(800)));
}

#[test]
fn an_answer_with_a_wrong_checksum_is_named_at_once() {
    let (reach, took) = seen(Manner::WrongChecksum);
    assert_eq!(reach, Reach::BrokenEcho);
    assert!(reach.is_there() && took < SECOND / 10, "{took:?}");
    assert!(reach.to_string().contains("wrong checksum"));
}

#[test]
fn a_router_that_drops_pings_is_there_by_its_hardware_address() {
    let (reach, _) = seen(Manner::Silent);
    assert_eq!(reach, Reach::Neighbour);
    assert!(reach.is_there() && reach.to_string().contains("ARP"));
}

#[test]
fn a_neighbour_is_still_known_when_nobody_asks_for_its_hardware_address_again() {
    let world = World::default();
    world.add_responder(2, PoorRouter(Manner::Silent));
    let network = world.host(1, "10.0.2.15/24");
    for _ in 0..2 {
        let reach = world.run(3 * SECOND, network.reach(router(), SECOND));
        assert_eq!(reach, Ok(Reach::Neighbour));
    }
}

#[test]
fn nobody_is_there_where_nobody_answers() {
    let world = World::default();
    let network = world.host(1, "10.0.2.15/24");
    let reach = world.run(3 * SECOND, network.reach(router(), 2 * SECOND));
    assert_eq!(reach, Ok(Reach::Nobody));
    assert!(!Reach::Nobody.is_there());
}

#[test]
fn an_address_without_a_route_is_no_question_of_who_is_there() {
    let world = World::default();
    let network = world.host(1, "10.0.2.15/24");
    let far = "192.0.2.1".parse().unwrap();
    let reach = world.run(SECOND, network.reach(far, SECOND));
    assert_eq!(reach, Err(Error::Unreachable));
}
