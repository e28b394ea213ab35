//! When a balloon wants to be looked at again: whoever looks when told, and at no other time, sees all of it.

use std::time::Duration;

use testkit::fake_virtio::balloon::PAGES;
use testkit::fake_virtio::{FakeBalloon, Style};
use virtio::{BLOCK, Error};

use crate::balloon_device::{WithBalloon, balloon};

/// Looks when told, or at an interrupt, `most` times at most or until `done`; says how long that took, and how often it was.
fn follow(machine: &WithBalloon, most: usize, done: impl Fn() -> bool) -> (Duration, usize) {
    let start = machine.rig.clock_now();
    let mut looks = 0;
    while !done() {
        looks += 1;
        assert!(looks <= most, "{:?}", machine.rig.clock_now().since(start));
        machine.device.run();
        machine.balloon.interrupt().acknowledge();
        let (now, interrupts) = (machine.rig.clock_now(), machine.device.interrupts());
        let Some(next) = machine.balloon.poll() else {
            break;
        };
        // An interrupt is a look as well.
        if machine.device.interrupts() == interrupts {
            machine.rig.clock.advance(next.since(now));
        }
    }
    (machine.rig.clock_now().since(start), looks)
}

#[test]
fn blocks_go_and_come_back_one_after_the_other_and_then_there_is_rest() {
    let machine = balloon(Style::Qemu, FakeBalloon::wanting(5));
    let (took, _) = follow(&machine, 40, || machine.out() == 5);
    assert!(took < Duration::from_secs(3), "{took:?}");
    machine.want(2);
    let (took, _) = follow(&machine, 40, || machine.out() == 2);
    assert!(took < Duration::from_secs(3), "{took:?}");
    // An announcement may be lost, so that it is looked at once a second.
    let end = machine.rig.clock_now().after(Duration::from_secs(30));
    let (took, looks) = follow(&machine, 40, || machine.rig.clock_now() >= end);
    assert!(took >= Duration::from_secs(29), "{took:?}");
    assert!((28..=36).contains(&looks), "{looks}");
}

#[test]
fn a_block_on_its_way_counts_as_out() {
    let machine = balloon(Style::Qemu, FakeBalloon::wanting(1));
    machine.fake.borrow_mut().completes = false;
    machine.turns(20);
    assert_eq!(machine.balloon.counters().out, BLOCK);
}

#[test]
fn a_silent_host_is_rung_once_more_halfway_and_ended_at_the_deadline() {
    for (before, after) in [(0, 1), (1, 0)] {
        let machine = balloon(Style::Qemu, FakeBalloon::wanting(before));
        machine.turns(30);
        machine.fake.borrow_mut().completes = false;
        machine.want(after);
        machine.turns(200);
        let (doorbells, start) = (machine.device.doorbells(), machine.rig.clock_now());
        let rung = || machine.device.doorbells() > doorbells;
        follow(&machine, 20, rung);
        let at = machine.rig.clock_now().since(start).as_millis();
        assert!((4700..=5900).contains(&at), "{at} ms");
        follow(&machine, 20, || machine.balloon.failure().is_some());
        let at = machine.rig.clock_now().since(start).as_millis();
        assert!((9700..=11_000).contains(&at), "{at} ms");
        assert_eq!(machine.device.doorbells(), doorbells + 1);
        assert_eq!(machine.balloon.failure(), Some(Error::TimedOut));
    }
}

#[test]
fn a_device_that_ended_is_looked_at_until_all_blocks_are_back_and_no_longer() {
    let machine = balloon(Style::Qemu, FakeBalloon::wanting(3));
    machine.turns(100);
    assert_eq!(machine.out(), 3);
    machine.device.needs_reset();
    let (took, looks) = follow(&machine, 20, || false);
    assert_eq!((machine.out(), machine.balloon.poll()), (0, None));
    assert!(
        looks <= 6 && took < Duration::from_secs(3),
        "{looks}, {took:?}"
    );
}

#[test]
fn a_device_that_ended_and_does_not_reset_is_not_looked_at() {
    let machine = balloon(Style::Qemu, FakeBalloon::wanting(3));
    machine.turns(100);
    machine.device.lie(|lies| lies.never_resets = true);
    machine.device.needs_reset();
    machine.turns(3000);
    assert_eq!((machine.out(), machine.balloon.poll()), (3, None));
}

/// Moving a block takes `cost` from now on.
fn slow(machine: &WithBalloon, cost: Duration) {
    let mut blocks = machine.blocks.borrow_mut();
    (blocks.cost, blocks.clock) = (cost, Some(machine.rig.clock.clone()));
}

#[test]
fn a_host_is_told_how_much_it_has_at_the_end_and_ten_times_a_second_at_most_before() {
    let machine = balloon(Style::Qemu, FakeBalloon::wanting(8));
    slow(&machine, Duration::from_millis(5));
    for (wanted, blocks) in [(8, 8), (0, 8)] {
        machine.want(wanted);
        let (start, told) = (machine.rig.clock_now(), machine.fake.borrow().told);
        let moved = || machine.fake.borrow().actual == wanted * PAGES;
        while !moved() {
            machine.turn();
        }
        let tenths = machine.rig.clock_now().since(start).as_millis() / 100;
        let times = machine.fake.borrow().told - told;
        assert!((3..=5).contains(&tenths), "{tenths}");
        assert!(u128::from(times) <= tenths + 2 && times < blocks, "{times}");
        machine.turns(2000);
        assert_eq!(machine.fake.borrow().told, told + times, "nothing is new");
    }
}

/// The device dawdled, and the host has changed its mind meanwhile.
#[test]
fn a_block_that_came_and_one_that_went_are_followed_by_rest() {
    let machine = balloon(Style::Qemu, FakeBalloon::wanting(1));
    machine.turns(30);
    slow(&machine, Duration::from_millis(10));
    machine.fake.borrow_mut().completes = false;
    machine.want(0);
    machine.turns(400);
    machine.fake.borrow_mut().completes = true;
    machine.want(2);
    machine.turn();
    let counters = machine.balloon.counters();
    assert_eq!((counters.given, counters.regained), (2 * BLOCK, BLOCK));
    let start = machine.rig.clock_now();
    while machine.out() < 2 {
        machine.turn();
    }
    let rest = machine.rig.clock_now().since(start).as_millis();
    assert!((180..200).contains(&rest), "{rest} ms");
}

/// The doorbell is rung when the deadline says so, at whatever other time the host's wish is looked at.
#[test]
fn a_doorbell_is_rung_once_more_after_five_seconds_to_the_millisecond() {
    let machine = balloon(Style::Qemu, FakeBalloon::wanting(2));
    // After this piece of work there is rest for half of the time between two looks at the wish.
    slow(&machine, Duration::from_millis(50));
    machine.balloon.poll();
    machine.fake.borrow_mut().completes = false;
    let doorbells = machine.device.doorbells();
    follow(&machine, 5, || machine.device.doorbells() > doorbells);
    let start = machine.rig.clock_now();
    follow(&machine, 20, || machine.device.doorbells() > doorbells + 1);
    let at = machine.rig.clock_now().since(start).as_millis();
    assert!((4990..=5010).contains(&at), "{at} ms");
}

/// A block took some time, and so there is rest.
#[test]
fn a_block_that_was_moved_is_followed_by_rest() {
    let machine = balloon(Style::Qemu, FakeBalloon::wanting(5));
    machine.balloon.poll();
    assert_eq!(machine.out(), 1);
    machine.balloon.poll();
    assert_eq!(machine.out(), 1, "not at once");
    machine.turn();
    machine.turn();
    assert_eq!(machine.out(), 2);
}
