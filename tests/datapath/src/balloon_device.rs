//! Memory that goes and comes, with a host that keeps to the rules.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use audit::{Keep, Purpose};
use bounce::Spacing;
use testkit::fake_virtio::balloon::{Blocks, FakeMemory, MUST_TELL_HOST, PAGES};
use testkit::fake_virtio::{FakeBalloon, FakeVirtio, Style};
use testkit::rig::Rig;
use virtio::{BLOCK, Balloon};

use crate::setup::{STYLES, rig_of};

pub(crate) const SLOT: u8 = 4;
/// Blocks of the realm.
pub(crate) const ALL: u32 = 12;
/// Blocks that the user allows.
pub(crate) const MOST: u32 = 8;

/// A machine with a balloon.
pub(crate) struct WithBalloon {
    pub(crate) rig: Rig,
    pub(crate) device: Rc<FakeVirtio>,
    pub(crate) fake: Rc<RefCell<FakeBalloon>>,
    pub(crate) blocks: Rc<RefCell<Blocks>>,
    pub(crate) balloon: Balloon<FakeMemory>,
}

impl WithBalloon {
    /// Lets device and driver have their turns, and a millisecond pass.
    pub(crate) fn turn(&self) {
        self.device.run();
        self.balloon.interrupt().acknowledge();
        self.balloon.poll();
        self.rig.clock.advance(Duration::from_millis(1));
    }

    pub(crate) fn turns(&self, count: usize) {
        (0..count).for_each(|_| self.turn());
    }

    /// The host wants `blocks` blocks, and says so.
    pub(crate) fn want(&self, blocks: u32) {
        self.fake.borrow_mut().wanted = blocks * PAGES;
        self.device.announce_config();
    }

    /// Blocks that are out.
    pub(crate) fn out(&self) -> usize {
        self.blocks.borrow().out.len()
    }
}

/// Plugs `fake` in and starts it; lkvm's ways are added in its style.
pub(crate) fn balloon(style: Style, mut fake: FakeBalloon) -> WithBalloon {
    fake.counts_reads = style == Style::Lkvm;
    fake.shy = style == Style::Lkvm;
    let rig = rig_of(style, <Balloon<FakeMemory>>::needs(Spacing::Packed).wanted);
    let fake = Rc::new(RefCell::new(fake));
    let device = rig.plug(SLOT, Rc::<RefCell<FakeBalloon>>::clone(&fake));
    let blocks = Rc::new(RefCell::new(Blocks::new(ALL)));
    let memory = FakeMemory(Rc::clone(&blocks));
    let balloon = rig.balloon(SLOT, memory, MOST).unwrap();
    WithBalloon {
        rig,
        device,
        fake,
        blocks,
        balloon,
    }
}

#[test]
fn what_the_host_wants_goes_and_comes_back_and_it_is_told_how_much_it_has() {
    for &style in STYLES {
        let machine = balloon(style, FakeBalloon::wanting(5));
        machine.turns(20);
        let out: Vec<u32> = machine.blocks.borrow().out.iter().copied().collect();
        let pages = out.iter().flat_map(|first| *first..*first + PAGES);
        assert_eq!(machine.fake.borrow().pages, pages.collect());
        assert_eq!(machine.fake.borrow().actual, 5 * PAGES);
        machine.want(2);
        machine.turns(200);
        assert_eq!(machine.out(), 2);
        assert_eq!(machine.fake.borrow().actual, 2 * PAGES);
        assert_eq!(machine.fake.borrow().pages.len(), 2 * PAGES as usize);
        let counters = machine.balloon.counters();
        assert_eq!(
            (
                counters.given,
                counters.regained,
                counters.out,
                counters.lost
            ),
            (5 * BLOCK, 3 * BLOCK, 2 * BLOCK, 0)
        );
        assert_eq!(counters.doorbells, machine.device.doorbells());
        assert_eq!(machine.fake.borrow().confused, 0);
        assert_eq!(machine.device.faults(), 0);
    }
}

#[test]
fn a_change_that_is_not_announced_is_seen_after_a_second() {
    let machine = balloon(Style::Qemu, FakeBalloon::default());
    machine.turns(5);
    machine.fake.borrow_mut().wanted = PAGES;
    machine.turns(900);
    assert_eq!(machine.out(), 0);
    machine.turns(200);
    assert_eq!(machine.out(), 1);
}

#[test]
fn memory_comes_back_when_it_is_short_and_stays_for_ten_seconds() {
    for features in [4, 4 | MUST_TELL_HOST] {
        let fake = FakeBalloon {
            features,
            ..FakeBalloon::wanting(3)
        };
        let machine = balloon(Style::Qemu, fake);
        machine.turns(20);
        assert!(machine.balloon.relieve());
        assert_eq!(machine.out(), 2);
        assert_eq!(machine.fake.borrow().pages.len(), 2 * PAGES as usize);
        machine.turns(9_000);
        assert_eq!(machine.out(), 2);
        assert_eq!(machine.fake.borrow().actual, 2 * PAGES);
        machine.turns(1_100);
        assert_eq!(machine.out(), 3);
        assert_eq!(machine.balloon.counters().relieved, 1);
        for _ in 0..3 {
            assert!(machine.balloon.relieve());
        }
        assert!(!machine.balloon.relieve());
    }
}

#[test]
fn a_block_on_its_way_can_be_had_as_well() {
    let machine = balloon(Style::Qemu, FakeBalloon::wanting(1));
    machine.balloon.poll();
    assert!(machine.balloon.relieve());
    assert_eq!(machine.out(), 0);
    let machine = balloon(Style::Qemu, FakeBalloon::wanting(1));
    machine.turns(5);
    machine.fake.borrow_mut().completes = false;
    machine.want(0);
    machine.turns(150);
    assert_eq!(machine.out(), 1);
    machine.fake.borrow_mut().completes = true;
    machine.device.run();
    assert!(machine.balloon.relieve());
    assert_eq!(
        (machine.out(), machine.balloon.counters().regained),
        (0, BLOCK)
    );
}

#[test]
fn a_host_that_does_not_agree_keeps_its_part_whatever_we_need() {
    let fake = FakeBalloon {
        features: 0,
        ..FakeBalloon::wanting(3)
    };
    let machine = balloon(Style::Qemu, fake);
    machine.turns(20);
    assert!(!machine.balloon.relieve());
    assert_eq!(machine.out(), 3);
}

#[test]
fn a_realm_without_a_free_block_gives_none_and_is_not_asked_all_the_time() {
    let machine = balloon(Style::Qemu, FakeBalloon::wanting(4));
    machine.blocks.borrow_mut().free.truncate(1);
    machine.turns(20);
    assert_eq!(machine.out(), 1);
    machine.blocks.borrow_mut().free.push(7 * PAGES);
    machine.turns(5_000);
    assert_eq!(machine.out(), 1);
    machine.turns(6_000);
    assert_eq!(machine.out(), 2);
}

#[test]
fn a_page_that_the_host_has_no_number_for_is_not_told_as_another() {
    let machine = balloon(Style::Qemu, FakeBalloon::wanting(1));
    machine.blocks.borrow_mut().free = vec![u32::MAX - 511];
    machine.turns(5);
    let last = machine.fake.borrow().pages.last().copied();
    assert_eq!(last, Some(u32::MAX));
}

#[test]
fn a_trace_tells_lists_of_pages_as_such() {
    let machine = balloon(Style::Qemu, FakeBalloon::wanting(1));
    machine.rig.region.trace().enable(Keep::Runs, 8);
    machine.turns(200);
    machine.want(0);
    machine.turns(200);
    let told = std::iter::from_fn(|| machine.rig.region.trace().pop());
    let told = told.map(|event| (event.label.queue, event.label.purpose));
    // A list goes by the queue of its way.
    let lists = [(0, Purpose::Pages), (1, Purpose::Pages)];
    assert_eq!(told.collect::<Vec<_>>(), lists);
}
