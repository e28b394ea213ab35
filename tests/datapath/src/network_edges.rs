//! A network card at its edges: nothing to do, a buffer that is full to its last byte, the shortest queue.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ::frame::{IpVersion, OpenChecksum, Outgoing, Segments};
use testkit::fake_virtio::{FakeNet, Style, feature};
use virtio::{Error, MAX_FRAME, MAX_SEGMENT, Net};

use crate::setup::{CARD, QUEUE, WithCard, card, card_pool, frame, receive, rig_of};

/// Bytes of the header before each frame.
const HEADER: usize = 12;

#[test]
fn a_card_that_has_nothing_to_do_is_not_given_up() {
    for fake in [FakeNet::default(), FakeNet::offloading()] {
        let WithCard {
            rig,
            device,
            mut card,
            ..
        } = card(Style::Qemu, fake);
        let room = card.room();
        let doorbells = device.doorbells();
        for _ in 0..60 {
            rig.clock.advance(Duration::from_secs(1));
            assert_eq!(card.room(), room);
        }
        assert_eq!(
            device.doorbells(),
            doorbells,
            "and not asked whether it lost any"
        );
        assert_eq!(card.failure(), None);
    }
}

#[test]
fn doorbells_are_counted_in_both_directions() {
    let rig = rig_of(Style::Qemu, card_pool());
    let fake = Rc::new(RefCell::new(FakeNet::default()));
    let device = rig.plug(CARD, Rc::<RefCell<FakeNet>>::clone(&fake));
    // Without event indexes each batch is a doorbell.
    device.lie(|lies| {
        let hide = |at, value| match at {
            4 => value & !(feature::EVENT_IDX as u32),
            _ => value,
        };
        lies.registers = Some(Box::new(hide));
    });
    let mut card = rig.net(CARD, card_pool()).unwrap();
    for tag in 0..10 {
        fake.borrow_mut().incoming.push_back(frame(tag, 100));
        device.run();
        assert!(receive(&mut card).is_some());
        card.send(&[&frame(tag, 100)], Outgoing::default());
        card.flush();
    }
    assert_eq!(device.doorbells(), 1 + 10 + 10);
    assert_eq!(card.counters().doorbells, device.doorbells());
}

#[test]
fn what_a_card_has_is_what_was_lent_and_did_not_come_back() {
    let WithCard {
        device, mut card, ..
    } = card(Style::Qemu, FakeNet::default());
    let [coming, going] = card.usage();
    assert!(coming.in_flight > 0);
    assert_eq!(coming.lent, 2048 * u64::from(coming.in_flight));
    assert_eq!((going.in_flight, going.lent), (0, 0));
    device.pause(true);
    card.send(&[&frame(1, 100)], Outgoing::default());
    let [_, going] = card.usage();
    assert_eq!((going.in_flight, going.lent), (1, 112));
}

/// The bytes that follow in the next buffer are another frame's.
#[test]
fn a_frame_that_fills_its_buffer_to_the_last_byte_leaves_the_next_frame_alone() {
    for (fake, buffer) in [(FakeNet::default(), 2048), (FakeNet::offloading(), 4096)] {
        let WithCard {
            device,
            fake,
            mut card,
            ..
        } = card(Style::Qemu, fake);
        let frames = [frame(1, buffer - HEADER), frame(2, 60)];
        fake.borrow_mut().incoming.extend(frames.clone());
        device.run();
        assert_eq!([receive(&mut card), receive(&mut card)], frames.map(Some));
        assert_eq!(card.counters().dropped, 0);
    }
}

#[test]
fn a_queue_of_one_entry_carries_frames_that_nobody_cuts_and_no_others() {
    let start = |fake| {
        let mut rig = rig_of(Style::Qemu, card_pool());
        rig.queue_size = 1;
        rig.plug(CARD, Rc::new(RefCell::new(fake)));
        rig.net(CARD, card_pool()).err()
    };
    assert_eq!(start(FakeNet::default()), None);
    let whole = card(Style::Qemu, FakeNet::default()).card;
    assert_eq!(whole.max_frame(), MAX_FRAME);
    let refused = Error::QueueSize { queue: 1, size: 1 };
    assert_eq!(start(FakeNet::offloading()), Some(refused));
}

/// What is left to the card with a long frame.
fn long() -> Outgoing {
    let (start, offset) = (34, 16);
    Outgoing {
        checksum: Some(OpenChecksum { start, offset }),
        segments: Some(Segments {
            ip: IpVersion::V4,
            headers: 54,
            size: 1460,
        }),
    }
}

/// Sends frames of `len` bytes until there is no room for another; says how many.
fn fill(card: &mut Net, len: usize, what: Outgoing) -> usize {
    let bytes = frame(1, len);
    let mut sent = 0;
    while card.room() >= len {
        card.send(&[&bytes], what);
        sent += 1;
        assert!(sent <= usize::from(QUEUE), "slots are bounded");
    }
    sent
}

#[test]
fn slots_come_back_to_those_of_their_length() {
    let WithCard {
        device,
        fake,
        mut card,
        ..
    } = card(Style::Qemu, FakeNet::offloading());
    for round in 0..3 {
        device.pause(true);
        assert_eq!(fill(&mut card, 60_000, long()), 6, "round {round}");
        assert_eq!(
            fill(&mut card, 1514, Outgoing::default()),
            64,
            "round {round}"
        );
        device.pause(false);
        card.flush();
        device.run();
        assert_eq!(card.room(), MAX_SEGMENT);
    }
    assert_eq!(fake.borrow().sent.len(), 3 * 70);
    assert_eq!(card.failure(), None);
}

/// The deadline is for a card that gives nothing back at all.
#[test]
fn a_card_that_keeps_long_frames_and_gives_short_ones_back_is_not_given_up() {
    let WithCard {
        rig,
        device,
        mut card,
        ..
    } = card(Style::Qemu, FakeNet::offloading());
    device.lie(|lies| lies.completions = Some(Box::new(|_| Vec::new())));
    fill(&mut card, 60_000, long());
    device.lie(|lies| lies.completions = None);
    for _ in 0..30 {
        rig.clock.advance(Duration::from_secs(1));
        card.send(&[&frame(1, 100)], Outgoing::default());
        card.flush();
        device.run();
        assert_eq!(card.room(), MAX_FRAME);
    }
    assert_eq!(card.failure(), None);
    // From here on nothing comes back.
    for _ in 0..12 {
        rig.clock.advance(Duration::from_secs(1));
        card.room();
    }
    assert_eq!(card.failure(), Some(Error::TimedOut));
}
