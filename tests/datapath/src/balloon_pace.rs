//! When a balloon wants to be looked at again: whoever looks when told, and at no other time, sees all of it.

use std::time::Duration;

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
