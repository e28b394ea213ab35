//! A network card that lies.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

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

/// Case 12: the number of buffers is read once, from the private copy.
#[test]
fn a_frame_of_more_buffers_than_came_ends_the_card() {
    for claimed in [2, 33, 256, u16::MAX] {
        let lying = FakeNet {
            buffers: match claimed {
                2 => |_| 2,
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
        fake.borrow_mut().incoming.push_back(frame(1, 100));
        device.run();
        assert_eq!(receive(&mut card), None);
        assert_eq!(card.failure(), Some(Error::MissingBuffers { claimed }));
        assert_eq!(device.status(), 0);
        assert!(!card.can_send());
    }
}

#[test]
fn a_frame_of_no_buffers_is_dropped() {
    let lying = FakeNet {
        buffers: |_| 0,
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
    assert_eq!(card.counters().dropped, u64::from(QUEUE));
    card.flush();
    device.run();
    assert_eq!(receive(&mut card), None);
    assert_eq!(card.counters().dropped, 2 * u64::from(QUEUE));
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
    while card.can_send() {
        card.send(&frame(1, 100));
        sent += 1;
        assert!(sent <= usize::from(QUEUE), "slots are bounded");
    }
    assert!(!card.can_send());
    card.send(&frame(2, 100));
    assert_eq!(card.counters().sent, sent as u64);
    assert_eq!(rig.region.counters()[0].1.exhausted, 1);

    fake.borrow_mut().completes = true;
    device.run();
    assert!(card.can_send());
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
        card.send(&frame(1, 100));
    }
    assert!(!card.can_send());
    assert_eq!(card.failure(), None);
    rig.clock.advance(Duration::from_secs(11));
    assert!(!card.can_send());
    assert_eq!(card.take_failure(), Some(Error::TimedOut));
    assert_eq!(card.take_failure(), None);
    assert_eq!(device.status(), 0);
    assert_eq!(receive(&mut card), None);
}

#[test]
fn a_frame_that_is_too_long_to_send_is_not_sent() {
    let WithCard { fake, mut card, .. } = card(Style::Qemu, FakeNet::default());
    card.send(&frame(1, 1515));
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
