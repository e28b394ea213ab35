//! A host that lies about its balloon. No lie takes more than the user allows, nor makes memory that is out
//! look like ours; each ends in an error that says what is wrong, and memory that comes back, or in nothing.

use std::time::Duration;

use testkit::fake_virtio::balloon::{DEFLATE_ON_OOM, MUST_TELL_HOST, PAGES};
use testkit::fake_virtio::{FakeBalloon, Style, Used};
use virtio::{BLOCK, Error};

use crate::balloon_device::{ALL, MOST, WithBalloon, balloon};

/// A machine of which `blocks` blocks are out.
fn inflated(blocks: u32) -> WithBalloon {
    let machine = balloon(Style::Qemu, FakeBalloon::wanting(blocks));
    machine.turns(30);
    assert_eq!(machine.out(), blocks.min(MOST) as usize);
    machine
}

/// Nothing is out any more, and all of it is usable.
fn all_is_back(machine: &WithBalloon) {
    machine.turns(400);
    assert_eq!(machine.out(), 0);
    assert_eq!(machine.blocks.borrow().free.len(), ALL as usize);
}

/// Lies 1 and 2: more than there is, or than any machine has.
#[test]
fn a_host_that_wants_more_than_the_user_allows_gets_what_he_allows() {
    for wanted in [MOST * PAGES + 1, u32::MAX] {
        let machine = balloon(
            Style::Lkvm,
            FakeBalloon {
                wanted,
                ..FakeBalloon::default()
            },
        );
        machine.turns(3_000);
        assert_eq!(machine.out(), MOST as usize);
        assert_eq!(machine.balloon.counters().wanted, u64::from(MOST) * BLOCK);
    }
}

/// Lie 3: less than a block.
#[test]
fn a_part_of_a_block_is_none() {
    let machine = balloon(
        Style::Qemu,
        FakeBalloon {
            wanted: PAGES - 1,
            ..FakeBalloon::default()
        },
    );
    machine.turns(50);
    assert_eq!(machine.out(), 0);
}

/// Lie 4: another wish each millisecond.
#[test]
fn a_host_that_changes_its_mind_each_millisecond_costs_a_tenth_of_the_time() {
    let machine = balloon(Style::Qemu, FakeBalloon::default());
    let spent = Duration::from_millis(3);
    machine.blocks.borrow_mut().cost = spent;
    machine.blocks.borrow_mut().clock = Some(machine.rig.clock.clone());
    let start = machine.rig.clock_now();
    for turn in 0..5_000 {
        machine.want(if turn % 2 == 0 { MOST } else { 0 });
        machine.turn();
    }
    let counters = machine.balloon.counters();
    let moves = u32::try_from((counters.given + counters.regained) / BLOCK).unwrap();
    let elapsed = machine.rig.clock_now().since(start);
    assert!(moves > 4, "the host is heard at times: {moves}");
    assert!(moves * spent <= elapsed / 9, "{moves} in {elapsed:?}");
    assert!(machine.balloon.failure().is_none());
}

/// Lie 5: a configuration that never settles.
#[test]
fn a_configuration_that_never_settles_ends_the_device_and_memory_comes_back() {
    let machine = inflated(3);
    let mut generation = 0;
    machine.device.lie(|lies| {
        lies.registers = Some(Box::new(move |at, honest| {
            generation += u32::from(at == 21);
            if at == 21 { generation & 0xff } else { honest }
        }));
    });
    machine.turns(1_100);
    assert_eq!(machine.balloon.failure(), Some(Error::ConfigUnstable));
    all_is_back(&machine);
}

/// Lies 6 to 8: completions of what was not told, twice, or longer than the list.
#[test]
fn a_completion_that_was_not_asked_for_ends_the_device_and_memory_comes_back() {
    let lies: [fn(Used) -> Vec<Used>; 3] = [
        |used| vec![Used { id: 1, ..used }],
        |used| vec![used, used],
        |used| vec![Used { len: 2049, ..used }],
    ];
    for lie in lies {
        for wanted in [0, 4] {
            let machine = inflated(3);
            machine
                .device
                .lie(|lies| lies.completions = Some(Box::new(lie)));
            machine.want(wanted);
            machine.turns(300);
            let failure = machine.balloon.failure();
            assert!(
                matches!(
                    failure,
                    Some(Error::UsedId { .. } | Error::UsedIndex { .. } | Error::UsedLength { .. })
                ),
                "{failure:?}"
            );
            assert_eq!(machine.device.status(), 0);
            all_is_back(&machine);
        }
    }
}

/// Lie 9: an index that jumps.
#[test]
fn a_used_index_that_jumps_ends_the_device() {
    let machine = inflated(1);
    machine
        .device
        .lie(|lies| lies.index = Some(Box::new(|index| index.wrapping_add(7))));
    machine.want(0);
    machine.turns(300);
    let failure = machine.balloon.failure();
    assert!(
        matches!(failure, Some(Error::UsedIndex { .. })),
        "{failure:?}"
    );
    all_is_back(&machine);
}

/// Lie 10: silence.
#[test]
fn a_host_that_confirms_nothing_ends_at_its_deadline_and_memory_comes_back() {
    for (before, after) in [(0, 1), (1, 0)] {
        let machine = balloon(Style::Qemu, FakeBalloon::wanting(before));
        machine.turns(30);
        machine.fake.borrow_mut().completes = false;
        machine.want(after);
        machine.turns(9_900);
        assert_eq!((machine.balloon.failure(), machine.out()), (None, 1));
        machine.turns(400);
        assert_eq!(machine.balloon.failure(), Some(Error::TimedOut));
        assert_eq!(machine.balloon.take_failure(), Some(Error::TimedOut));
        assert_eq!(machine.balloon.take_failure(), None);
        all_is_back(&machine);
    }
}

/// Lie 11: a doorbell that is not heard.
#[test]
fn a_lost_doorbell_is_rung_again() {
    let machine = balloon(Style::Qemu, FakeBalloon::default());
    for blocks in [1, 0] {
        machine.want(blocks);
        machine.balloon.interrupt().acknowledge();
        machine.device.lie(|lies| lies.deaf = 1);
        for _ in 0..6_000 {
            machine.balloon.poll();
            machine.rig.clock.advance(Duration::from_millis(1));
        }
        let pages = machine.fake.borrow().pages.len();
        assert_eq!(pages, (blocks * PAGES) as usize);
    }
}

/// Lie 12: silence while memory is short. The wait is busy, and short.
#[test]
fn a_silent_host_does_not_keep_memory_that_is_short() {
    let machine = inflated(3);
    machine.fake.borrow_mut().completes = false;
    let start = machine.rig.clock_now();
    assert!(machine.balloon.relieve());
    assert!(machine.rig.clock_now().since(start) < Duration::from_millis(2_100));
    assert_eq!(machine.balloon.failure(), Some(Error::TimedOut));
    assert!(machine.balloon.relieve() && machine.balloon.relieve());
    assert_eq!((machine.out(), machine.balloon.relieve()), (0, false));
}

/// Lie 13: it does not even reset. What it may still take stays out, for ever.
#[test]
fn a_host_that_never_resets_keeps_what_it_has() {
    let machine = inflated(3);
    machine.device.lie(|lies| {
        lies.never_resets = true;
        lies.completions = Some(Box::new(|used| vec![Used { id: 9, ..used }]));
    });
    machine.want(0);
    machine.turns(3_000);
    assert!(machine.balloon.failure().is_some());
    assert_eq!((machine.out(), machine.balloon.relieve()), (3, false));
    assert_eq!(machine.balloon.restart(), Err(Error::ResetTimedOut));
    machine.device.lie(|lies| *lies = Default::default());
    assert_eq!(machine.balloon.restart(), Ok(()));
    assert_eq!(machine.out(), 0);
    machine.want(2);
    machine.fake.borrow_mut().pages.clear();
    machine.turns(300);
    assert_eq!(machine.out(), 2);
}

/// Lie 14: the host does not give memory back.
#[test]
fn memory_that_does_not_come_back_is_lost_and_counts_as_given() {
    let machine = inflated(MOST);
    machine.blocks.borrow_mut().withholds = true;
    machine.want(MOST - 2);
    machine.turns(300);
    machine.blocks.borrow_mut().withholds = false;
    machine.want(MOST);
    machine.turns(300);
    let counters = machine.balloon.counters();
    assert_eq!(counters.lost, 2 * BLOCK);
    assert_eq!(counters.out + counters.lost, counters.most);
}

/// Lie 15: the RMM, or the host behind it, does not let a block become EMPTY.
#[test]
fn memory_that_cannot_be_given_is_lost_once_and_nothing_more_is_given() {
    let machine = balloon(Style::Qemu, FakeBalloon::wanting(4));
    machine.blocks.borrow_mut().keeps = true;
    machine.turns(3_000);
    let counters = machine.balloon.counters();
    assert_eq!((counters.lost, counters.out), (BLOCK, 0));
    assert_eq!(machine.blocks.borrow().free.len(), ALL as usize - 1);
    assert!(machine.fake.borrow().pages.is_empty(), "nobody was told");
}

/// Lie 16: it needs a reset.
#[test]
fn a_device_that_needs_a_reset_is_over_and_memory_comes_back() {
    let machine = inflated(2);
    machine.device.needs_reset();
    machine.turns(50);
    assert_eq!(machine.balloon.failure(), Some(Error::NeedsReset));
    all_is_back(&machine);
    assert_eq!(machine.balloon.restart(), Ok(()));
}

/// Lie 17: features that were agreed on are gone when it is started anew.
#[test]
fn a_device_that_comes_back_as_another_is_not_started_anew() {
    let machine = inflated(2);
    machine.device.needs_reset();
    machine.turns(5);
    machine.fake.borrow_mut().features = MUST_TELL_HOST | DEFLATE_ON_OOM;
    assert_eq!(
        machine.balloon.restart(),
        Ok(()),
        "what we did not take is nothing to us"
    );
    machine.device.needs_reset();
    machine.turns(5);
    machine.fake.borrow_mut().features = 0;
    assert_eq!(machine.balloon.restart(), Err(Error::FeaturesChanged));
}

/// Lie 17, of a host that hopes to keep what it has: there is no device any more that it would be given to.
#[test]
fn memory_comes_back_at_once_from_a_device_that_comes_back_as_another() {
    let machine = inflated(MOST);
    machine.device.needs_reset();
    machine.turns(1);
    assert!(machine.out() > 1);
    machine.fake.borrow_mut().features = 0;
    assert_eq!(machine.balloon.restart(), Err(Error::FeaturesChanged));
    assert_eq!(machine.out(), 0);
}

/// Lie 18: it confirms each block as late as it may. All of them together may take two seconds.
#[test]
fn a_host_that_dawdles_with_each_block_does_not_hold_an_allocation_up() {
    let machine = inflated(MOST);
    let clock = machine.rig.clock.clone();
    machine.device.lie(|lies| {
        lies.completions = Some(Box::new(move |used| {
            clock.advance(Duration::from_millis(700));
            vec![used]
        }));
    });
    let start = machine.rig.clock_now();
    for _ in 0..MOST {
        assert!(machine.balloon.relieve());
    }
    assert!(machine.rig.clock_now().since(start) < Duration::from_secs(4));
    assert_eq!(machine.out(), 0);
}
