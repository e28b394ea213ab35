//! A network card that lies.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use ::frame::Outgoing;
use testkit::fake_virtio::{FakeNet, Style, Used};
use virtio::Error;

use crate::setup::{CARD, QUEUE, WithCard, card, card_pool, frame, receive, rig_of};

/// Case 5: a frame shorter than its header.
#[test]
fn a_frame_shorter_than_its_header_is_dropped() {
    for len in if cfg!(miri) { 11..12 } else { 0..12 } {
        let WithCard {
            device,
            fake,
            mut card,
            ..
        } = card(Style::Qemu, FakeNet::default());
        device.lie(|l| {
            l.completions = Some(Box::new(move |used| vec![Used { len, ..used }]));
        });
        fake.borrow_mut().incoming.push_back(frame(1, 100));
        device.run();
        assert_eq!(receive(&mut card), None);
        assert_eq!(card.counters().dropped, 1);

        device.lie(|l| l.completions = None);
        fake.borrow_mut().incoming.push_back(frame(2, 100));
        device.run();
        assert_eq!(receive(&mut card), Some(frame(2, 100)));
    }
}

/// Case 5: less than an Ethernet header.
#[test]
fn a_frame_without_an_ethernet_header_is_dropped() {
    let WithCard {
        device,
        fake,
        mut card,
        ..
    } = card(Style::Qemu, FakeNet::default());
    let stumps = (1..14).map(|len| frame(1, len));
    for stump in stumps {
        fake.borrow_mut().incoming.push_back(stump);
        device.run();
        assert_eq!(receive(&mut card), None);
    }
    assert_eq!(card.counters().dropped, 13);
    assert_eq!(card.failure(), None);
}

/// Case 12: the number of buffers is read once, from the private copy. What came with it is dropped,
/// the buffers go back, and the next frame is not taken for a piece.
#[test]
fn a_frame_of_more_buffers_than_came_is_dropped_and_the_next_is_not() {
    for (claimed, len) in [2_u16, 33, 256, u16::MAX, 0]
        .into_iter()
        .flat_map(|claimed| [(claimed, 100), (claimed, 2048 - 12), (claimed, 3000)])
    {
        let lying = FakeNet {
            buffers: match claimed {
                0 => |_| 0,
                2 => |n| n + 1,
                33 => |_| 33,
                256 => |_| 256,
                _ => |_| u16::MAX,
            },
            ..FakeNet::default()
        };
        let WithCard {
            device,
            fake,
            mut card,
            ..
        } = card(Style::Qemu, lying);
        for round in 1..=2 * u64::from(QUEUE) {
            fake.borrow_mut().incoming.push_back(frame(1, len));
            device.run();
            assert_eq!(receive(&mut card), None);
            let dropped = card.counters().dropped;
            assert!((round..=2 * round).contains(&dropped), "{dropped}");
            card.flush();
        }
        fake.borrow_mut().incoming.push_back(frame(1, len));
        device.run();
        fake.borrow_mut().buffers = |n| n;
        fake.borrow_mut().incoming.push_back(frame(2, 200));
        device.run();
        let next = receive(&mut card);
        // Behind a piece that fills its buffer another one may follow: a host that says so has made
        // a frame of its own, which it can at any time.
        let is_made_up = len == 2048 - 12;
        assert!(is_made_up || next.is_none_or(|next| next == frame(2, 200)));
        fake.borrow_mut().incoming.push_back(frame(3, 200));
        device.run();
        assert_eq!(receive(&mut card), Some(frame(3, 200)));
        assert_eq!((card.failure(), device.faults()), (None, 0));
    }
}

/// D9: two frames are announced together, and the first is said to lie in both.
#[test]
fn two_frames_are_never_merged_into_one() {
    let lying = FakeNet {
        buffers: |_| 2,
        ..FakeNet::default()
    };
    let WithCard {
        device,
        fake,
        mut card,
        ..
    } = card(Style::Qemu, lying);
    let frames = [frame(1, 100), frame(2, 100)];
    fake.borrow_mut().incoming.extend(frames);
    device.run();
    assert_eq!(receive(&mut card), None);
    assert_eq!((card.counters().dropped, card.counters().received), (2, 0));
    assert_eq!(card.failure(), None);
}

/// Case 12: offsets of a checksum that lie outside the frame.
#[test]
fn a_checksum_outside_the_frame_drops_it() {
    for (start, offset) in [(0xffff, 0xffff), (100, 0), (99, 0), (0, 99)] {
        let [s, o]: [[u8; 2]; 2] = [u16::to_le_bytes(start), u16::to_le_bytes(offset)];
        let lying = FakeNet {
            header: [1, 0, 0, 0, 0, 0, s[0], s[1], o[0], o[1], 0, 0],
            ..FakeNet::default()
        };
        let WithCard {
            device,
            fake,
            mut card,
            ..
        } = card(Style::Qemu, lying);
        fake.borrow_mut().incoming.push_back(frame(1, 100));
        device.run();
        assert_eq!(receive(&mut card), None);
        assert_eq!(card.counters().dropped, 1);
    }
}

/// Case 8: a device that always has another bad frame does not keep the caller.
#[test]
fn one_call_looks_at_no_more_frames_than_there_are_buffers() {
    let WithCard {
        device,
        fake,
        mut card,
        ..
    } = card(Style::Qemu, FakeNet::default());
    let flood = (0..usize::from(QUEUE) * 3).map(|_| frame(1, 5));
    fake.borrow_mut().incoming.extend(flood);
    device.run();
    assert_eq!(receive(&mut card), None);
    let buffers = card.counters().dropped;
    assert!((4..=u64::from(QUEUE)).contains(&buffers));
    card.flush();
    device.run();
    assert_eq!(receive(&mut card), None);
    assert_eq!(card.counters().dropped, 2 * buffers);
}

/// Case 39: sent frames are not completed for a while.
#[test]
fn a_card_that_completes_nothing_is_back_pressure_and_recovers() {
    let WithCard {
        rig,
        device,
        fake,
        mut card,
    } = card(Style::Qemu, FakeNet::default());
    fake.borrow_mut().completes = false;
    let mut sent = 0;
    while card.room() != 0 {
        card.send(&[&frame(1, 100)], Outgoing::default());
        sent += 1;
        assert!(sent <= usize::from(QUEUE), "slots are bounded");
    }
    assert!(card.room() == 0);
    card.send(&[&frame(2, 100)], Outgoing::default());
    assert_eq!(card.counters().sent, sent as u64);
    assert_eq!(rig.region.counters()[0].1.exhausted, 1);

    fake.borrow_mut().completes = true;
    device.run();
    assert!(card.room() != 0);
    assert_eq!(fake.borrow().sent.len(), sent);
    assert_eq!(card.failure(), None);
}

/// Case 9: sent frames are never completed.
#[test]
fn a_card_that_completes_nothing_for_too_long_ends() {
    let WithCard {
        rig,
        device,
        fake,
        mut card,
    } = card(Style::Qemu, FakeNet::default());
    fake.borrow_mut().completes = false;
    for _ in 0..=QUEUE {
        card.send(&[&frame(1, 100)], Outgoing::default());
    }
    assert!(card.room() == 0);
    assert_eq!(card.failure(), None);
    let doorbells = device.doorbells();
    // The host stopped all of us: that does not count.
    rig.clock.advance(Duration::from_secs(3600));
    assert!(card.room() == 0);
    assert_eq!(card.failure(), None);
    for _ in 0..11 {
        rig.clock.advance(Duration::from_secs(1));
        assert!(card.room() == 0);
    }
    assert_eq!(
        device.doorbells() - doorbells,
        1,
        "once more before it ends"
    );
    assert_eq!(card.take_failure(), Some(Error::TimedOut));
    assert_eq!(card.take_failure(), None);
    assert_eq!(device.status(), 0);
    assert_eq!(receive(&mut card), None);
}

#[test]
fn a_frame_that_is_too_long_to_send_is_not_sent() {
    let WithCard { fake, mut card, .. } = card(Style::Qemu, FakeNet::default());
    card.send(&[&frame(1, 1515)], Outgoing::default());
    card.flush();
    assert_eq!(fake.borrow().sent.len(), 0);
    assert_eq!(card.failure(), None);
}

/// Case 21: an address that is no station's.
#[test]
fn a_group_address_or_none_is_refused() {
    for mac in [[0; 6], [1, 2, 3, 4, 5, 6], [0xff; 6]] {
        let rig = rig_of(Style::Qemu, card_pool());
        let fake = FakeNet {
            mac,
            ..FakeNet::default()
        };
        rig.plug(CARD, Rc::new(RefCell::new(fake)));
        assert_eq!(rig.net(CARD, card_pool()).err(), Some(Error::BadMac));
    }
    let rig = rig_of(Style::Qemu, card_pool());
    let nameless = FakeNet {
        features: 0,
        ..FakeNet::default()
    };
    rig.plug(CARD, Rc::new(RefCell::new(nameless)));
    let refused = rig.net(CARD, card_pool()).err();
    assert_eq!(refused, Some(Error::MissingFeature { bit: 5 }));
}

/// Case 20: the address changes while the card is in use.
#[test]
fn the_address_is_latched_when_the_card_starts() {
    let WithCard { fake, card, .. } = card(Style::Qemu, FakeNet::default());
    fake.borrow_mut().mac = [6; 6];
    assert_eq!(card.mac(), [2, 0x15, 0x15, 0x15, 0x15, 0x15]);
}

/// Case 6: a slot that held another frame.
#[test]
fn a_frame_that_the_device_did_not_write_shows_no_private_bytes() {
    let WithCard {
        device,
        fake,
        mut card,
        ..
    } = card(Style::Qemu, FakeNet::default());
    device.lie(|l| {
        l.completions = Some(Box::new(|used| vec![Used { len: 2048, ..used }]));
    });
    fake.borrow_mut().incoming.push_back(frame(1, 20));
    device.run();
    let got = receive(&mut card).unwrap();
    assert_eq!(got[..20], frame(1, 20));
    assert!(got[20..].iter().all(|b| *b == 0), "the rest was cleared");
}
