//! Long frames, open checksums, and what a host may say of them.

use ::frame::{Incoming, IpVersion, OpenChecksum, Outgoing, Segments};
use std::cell::RefCell;
use std::rc::Rc;

use bounce::{Shortage, Spacing};
use testkit::fake_virtio::{FakeNet, FakeVirtio, Style};
use testkit::rig::Rig;
use virtio::{MAX_FRAME, MAX_SEGMENT, Net, Offload};

use crate::setup::{CARD, WithCard, card, card_pool, frame, receive, rig_of};

const OPEN: OpenChecksum = OpenChecksum {
    start: 34,
    offset: 16,
};

fn segments(size: u16) -> Outgoing {
    Outgoing {
        checksum: Some(OPEN),
        segments: Some(Segments {
            ip: IpVersion::V4,
            headers: 54,
            size,
        }),
    }
}

/// The header of a frame that comes: flags, kind, header bytes, segment size, start and offset.
fn header(flags: u8, kind: u8, rest: [u16; 4]) -> [u8; 12] {
    let mut header = [flags, kind, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    for (field, value) in header[2..].chunks_exact_mut(2).zip(rest) {
        field.copy_from_slice(&value.to_le_bytes());
    }
    header
}

fn plug(rig: &Rig, fake: FakeNet) -> (Rc<FakeVirtio>, Rc<RefCell<FakeNet>>) {
    let fake = Rc::new(RefCell::new(fake));
    (rig.plug(CARD, Rc::<RefCell<FakeNet>>::clone(&fake)), fake)
}

/// As many small slots as the queue has entries would leave no room for a large one, and nothing would
/// ever be sent.
#[test]
fn a_card_that_cuts_frames_has_room_for_a_long_one_in_queues_of_every_length() {
    for size in [2, 4, 8, 16, 32, 64, 128, 256] {
        let mut rig = rig_of(Style::Qemu, card_pool());
        rig.queue_size = size;
        let (_device, fake) = plug(&rig, FakeNet::offloading());
        let mut card = rig.net(CARD, card_pool()).unwrap();
        assert_eq!(card.room(), MAX_SEGMENT, "queue of {size}");
        let short = frame(7, 60);
        card.send(&[&short], Outgoing::default());
        card.flush();
        assert!(fake.borrow().sent.contains(&short), "queue of {size}");
    }
}

#[test]
fn a_card_has_no_more_slots_than_its_queue_has_entries() {
    for size in [2, 4, 8, 16, 32, 64] {
        let mut rig = rig_of(Style::Qemu, card_pool());
        rig.queue_size = size;
        let (device, _fake) = plug(&rig, FakeNet::offloading());
        let mut card = rig.net(CARD, card_pool()).unwrap();
        device.pause(true);
        while card.room() != 0 {
            card.send(&[&frame(7, 60)], Outgoing::default());
            assert_eq!(card.failure(), None, "queue of {size}");
        }
        assert_eq!(card.counters().sent, u64::from(size));
    }
}

#[test]
fn a_frame_of_64_kib_goes_out_whole_and_says_how_it_is_cut() {
    let WithCard {
        rig,
        device,
        fake,
        mut card,
    } = card(Style::Qemu, FakeNet::offloading());
    let offloads = card.offloads();
    assert!(offloads.checksums && offloads.segments_v4 && offloads.segments_v6);
    assert_eq!(offloads.max_segment, MAX_SEGMENT);
    let before = rig.region.counters()[0].1;
    for round in 0..30 {
        assert_eq!(card.room(), MAX_SEGMENT);
        let (headers, payload) = (frame(round, 54), frame(1, MAX_SEGMENT - 54));
        let doorbells = device.doorbells();
        card.send(&[&headers, &payload], segments(1460));
        card.flush();
        assert_eq!(device.doorbells() - doorbells, 1);
        let sent = fake.borrow_mut().sent.pop().unwrap();
        assert!(sent == [headers, payload].concat());
        let [s0, s1] = 1460_u16.to_le_bytes();
        let expected = [1, 1, 54, 0, s0, s1, 34, 0, 16, 0, 0, 0];
        assert_eq!(fake.borrow_mut().headers.pop().unwrap(), expected);
    }
    let after = rig.region.counters()[0].1;
    let crossed = after.bytes_out - before.bytes_out;
    assert_eq!(crossed, 30 * (12 + MAX_SEGMENT as u64));
    assert_eq!(device.faults(), 0);
}

#[test]
fn small_frames_go_out_while_all_large_slots_are_taken() {
    let WithCard {
        rig,
        device,
        fake,
        mut card,
        ..
    } = card(Style::Qemu, FakeNet::offloading());
    device.pause(true);
    let long = frame(1, 60_000);
    let mut sent = 0;
    while card.room() == MAX_SEGMENT {
        card.send(&[&long], segments(1460));
        sent += 1;
        assert!(sent < 100, "large slots are few");
    }
    assert!(sent >= 4);
    assert_eq!(card.room(), MAX_FRAME);
    let short = Shortage {
        queue: Some(1),
        wanted: MAX_SEGMENT,
        free: 64 * MAX_FRAME,
        largest: MAX_FRAME,
    };
    assert_eq!(rig.region.counters()[0].1.shortage, Some(short));
    card.send(&[&long], segments(1460));
    assert_eq!(card.counters().sent, sent, "there is no room for it");
    card.send(&[&frame(2, 60)], Outgoing::default());
    card.flush();
    device.pause(false);
    device.run();
    assert_eq!(fake.borrow().sent.len() as u64, sent + 1);
    assert_eq!(card.room(), MAX_SEGMENT);
    assert_eq!(card.failure(), None);
}

#[test]
fn what_does_not_fit_its_frame_is_not_sent() {
    let WithCard { fake, mut card, .. } = card(Style::Qemu, FakeNet::offloading());
    let outside = Outgoing {
        checksum: Some(OpenChecksum {
            start: 34,
            offset: 25,
        }),
        segments: None,
    };
    card.send(&[&frame(1, 60)], outside);
    card.send(&[&frame(1, 60)], segments(0));
    card.send(&[&frame(1, 53)], segments(1460));
    card.send(&[&frame(1, MAX_SEGMENT + 1)], segments(1460));
    card.send(&[&frame(1, MAX_FRAME + 1)], Outgoing::default());
    card.flush();
    assert_eq!(fake.borrow().sent.len(), 0);
    assert_eq!((card.counters().sent, card.failure()), (0, None));
}

#[test]
fn a_long_frame_comes_whole_and_with_what_is_known_of_it() {
    let offloading = FakeNet {
        header: header(1, 1, [54, 1460, 34, 16]),
        ..FakeNet::offloading()
    };
    let WithCard {
        device,
        fake,
        mut card,
        ..
    } = card(Style::Qemu, offloading);
    let mut into = vec![0; 70_000];
    for tag in 0..40 {
        fake.borrow_mut()
            .incoming
            .push_back(frame(tag, MAX_SEGMENT));
        device.run();
        let expected = Incoming {
            len: MAX_SEGMENT,
            checksum: Some(OPEN),
            segment_size: Some(1460),
        };
        assert_eq!(card.receive(&mut into), Some(expected));
        assert!(into[..MAX_SEGMENT] == frame(tag, MAX_SEGMENT));
        card.flush();
    }
    assert_eq!(card.counters().dropped, 0);
}

/// What the header of a frame that came says, and is not true of the frame, or was never agreed on.
#[test]
fn a_lie_about_segments_or_checksums_drops_the_frame_and_no_other() {
    let lies = [
        ("size 0", header(1, 1, [54, 0, 34, 16])),
        ("size 1", header(1, 1, [54, 1, 34, 16])),
        ("headers beyond", header(1, 1, [201, 100, 34, 16])),
        ("headers far beyond", header(1, 1, [0xffff, 100, 34, 16])),
        ("start beyond", header(1, 1, [54, 100, 200, 0])),
        ("offset beyond", header(1, 0, [0, 0, 34, 165])),
        ("both far beyond", header(1, 0, [0, 0, 0xffff, 0xffff])),
        ("start in Ethernet", header(1, 0, [0, 0, 0, 0])),
        ("UDP in pieces", header(1, 3, [54, 100, 34, 16])),
        ("UDP segments", header(1, 5, [54, 100, 34, 16])),
        ("with ECN", header(1, 0x81, [54, 100, 34, 16])),
        ("no known kind", header(1, 0x7f, [54, 100, 34, 16])),
    ];
    for (lie, header) in lies {
        let WithCard {
            device,
            fake,
            mut card,
            ..
        } = card(Style::Qemu, FakeNet::offloading());
        fake.borrow_mut().header = header;
        fake.borrow_mut().incoming.push_back(frame(1, 200));
        device.run();
        assert_eq!(receive(&mut card), None, "{lie}");
        assert_eq!(card.counters().dropped, 1);
        fake.borrow_mut().header = [0; 12];
        fake.borrow_mut().incoming.push_back(frame(2, 200));
        device.run();
        assert_eq!(receive(&mut card), Some(frame(2, 200)));
        assert_eq!(card.failure(), None);
    }
}

#[test]
fn segments_that_nobody_agreed_on_are_dropped() {
    for (offload, features) in [
        (Offload::Tx, FakeNet::offloading().features),
        (Offload::None, FakeNet::offloading().features),
        (Offload::All, FakeNet::default().features),
        // IPv6 is missing.
        (Offload::All, FakeNet::offloading().features & !(1 << 8)),
    ] {
        let rig = rig_of(Style::Qemu, card_pool());
        let kind = if features & 1 << 7 == 0 { 1 } else { 4 };
        let fake = FakeNet {
            features,
            header: header(1, kind, [54, 1460, 34, 16]),
            ..FakeNet::offloading()
        };
        let (device, fake) = plug(&rig, fake);
        let pool = rig.pool(card_pool());
        let transport = rig.open(CARD).unwrap();
        let mut card = <Net>::start_with(transport, &pool, rig.environment, offload).unwrap();
        fake.borrow_mut().incoming.push_back(frame(1, 65_000));
        device.run();
        assert_eq!(receive(&mut card), None, "{offload:?}");
        assert_eq!((card.counters().dropped, card.failure()), (1, None));
    }
}

#[test]
fn each_offload_can_be_refused() {
    let received = 1 << 1 | 1 << 7 | 1 << 8;
    let sent = 1 | 1 << 11 | 1 << 12;
    for (offload, expected) in [
        (Offload::None, 0),
        (Offload::Tx, sent),
        (Offload::All, sent | received),
    ] {
        let rig = rig_of(Style::Qemu, card_pool());
        let (device, _) = plug(&rig, FakeNet::offloading());
        let pool = rig.pool(card_pool());
        let transport = rig.open(CARD).unwrap();
        let card = <Net>::start_with(transport, &pool, rig.environment, offload).unwrap();
        assert_eq!(device.accepted() & (sent | received), expected);
        let cuts = expected & sent != 0;
        assert_eq!(card.offloads().max_segment != 0, cuts, "{offload:?}");
    }
}

/// Long frames take long slots; a card with little memory of its own does without them.
#[test]
fn a_small_pool_does_without_long_frames() {
    let rig = rig_of(Style::Qemu, 64 << 10);
    let (device, _) = plug(&rig, FakeNet::offloading());
    let mut card = rig.net(CARD, 64 << 10).unwrap();
    assert_eq!(device.accepted() & (1 << 7 | 1 << 11), 0);
    assert_eq!(card.room(), MAX_FRAME);
}

/// Card, disk, a source of random bytes, and the tables of message interrupts.
#[test]
fn what_devices_want_fits_the_two_mebibytes_that_are_shared_by_default() {
    let spacing = Spacing::Packed;
    let devices = [
        <Net>::needs(spacing),
        <virtio::Block>::needs(spacing),
        <virtio::Rng>::needs(spacing),
    ];
    let wanted = devices.map(|needs| needs.wanted.next_multiple_of(4096));
    let tables = 68 << 10;
    let all: usize = wanted.iter().sum();
    assert!(all + tables <= 2 << 20, "{wanted:?}");
}
