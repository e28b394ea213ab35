//! A network card that is honest.

use ::frame::{Offloads, OpenChecksum, Outgoing};
use audit::{Direction, Keep, Label, Purpose};
use testkit::fake_virtio::{FakeNet, Style, feature};

use crate::setup::{QUEUE, STYLES, WithCard, card, card_pool, frame, receive};

#[test]
fn frames_go_out_and_come_back() {
    for &style in STYLES {
        let WithCard {
            device,
            fake,
            mut card,
            ..
        } = card(style, FakeNet::default());
        fake.borrow_mut().echo = true;
        assert_eq!(card.mac(), [2, 0x15, 0x15, 0x15, 0x15, 0x15]);
        for (tag, len) in [(1, 14), (2, 60), (3, 1514)] {
            assert!(card.room() != 0);
            card.send(&[&frame(tag, len)], Outgoing::default());
            card.flush();
            device.run();
            assert_eq!(receive(&mut card), Some(frame(tag, len)), "{style:?}");
        }
        assert_eq!(receive(&mut card), None);
        assert_eq!(device.faults(), 0);
        assert_eq!(card.failure(), None);
    }
}

#[test]
fn every_byte_crosses_once() {
    let WithCard {
        rig,
        device,
        fake,
        mut card,
    } = card(Style::Lkvm, FakeNet::default());
    fake.borrow_mut().echo = true;
    let before = rig.region.counters()[0].1;
    card.send(&[&frame(1, 1000)], Outgoing::default());
    card.flush();
    device.run();
    assert_eq!(receive(&mut card).map(|f| f.len()), Some(1000));
    let after = rig.region.counters()[0].1;
    assert_eq!(after.bytes_out - before.bytes_out, 1012);
    assert_eq!(after.bytes_in - before.bytes_in, 1012);
}

#[test]
fn nothing_is_leased_after_the_start() {
    let WithCard {
        rig,
        device,
        fake,
        mut card,
    } = card(Style::Qemu, FakeNet::default());
    fake.borrow_mut().echo = true;
    let leases = rig.region.counters()[0].1.leases;
    for tag in 0..20 {
        card.send(&[&frame(tag, 700)], Outgoing::default());
        card.flush();
        device.run();
        assert!(receive(&mut card).is_some());
    }
    assert_eq!(rig.region.counters()[0].1.leases, leases);
    assert!(rig.region.counters()[0].1.size <= card_pool().next_multiple_of(4096) as u64);
}

#[test]
fn a_batch_is_one_doorbell() {
    let WithCard {
        device,
        fake,
        mut card,
        ..
    } = card(Style::Qemu, FakeNet::default());
    let before = device.doorbells();
    for tag in 0..6 {
        card.send(&[&frame(tag, 100)], Outgoing::default());
    }
    assert_eq!(device.doorbells(), before);
    card.flush();
    assert_eq!(device.doorbells() - before, 1);
    assert_eq!(fake.borrow().sent.len(), 6);
    card.flush();
    assert_eq!(device.doorbells() - before, 1);
}

#[test]
fn a_device_that_has_not_looked_yet_is_not_rung_again() {
    let WithCard {
        device,
        fake,
        mut card,
        ..
    } = card(Style::Qemu, FakeNet::default());
    let before = device.doorbells();
    device.pause(true);
    for tag in 0..3 {
        card.send(&[&frame(tag, 100)], Outgoing::default());
        card.flush();
    }
    assert_eq!(device.doorbells() - before, 1);
    device.pause(false);
    device.run();
    assert_eq!(fake.borrow().sent.len(), 3);
    card.send(&[&frame(9, 100)], Outgoing::default());
    card.flush();
    assert_eq!(device.doorbells() - before, 2);
    assert_eq!(fake.borrow().sent.len(), 4);
}

#[test]
fn a_device_without_event_indexes_is_rung_for_each_batch() {
    let rig = crate::setup::rig_of(Style::Qemu, crate::setup::card_pool());
    let fake = std::rc::Rc::new(std::cell::RefCell::new(FakeNet::default()));
    let device = rig.plug(1, std::rc::Rc::<std::cell::RefCell<FakeNet>>::clone(&fake));
    device.lie(|l| {
        l.registers = Some(Box::new(|at, value| match at {
            4 => value & !(feature::EVENT_IDX as u32),
            _ => value,
        }));
    });
    let mut card = rig.net(1, crate::setup::card_pool()).unwrap();
    assert_eq!(device.accepted() & feature::EVENT_IDX, 0);
    let before = device.doorbells();
    for tag in 0..3 {
        card.send(&[&frame(tag, 100)], Outgoing::default());
        card.flush();
    }
    assert_eq!(device.doorbells() - before, 3);
    assert_eq!(fake.borrow().sent.len(), 3);
    assert_eq!(
        device.interrupts(),
        0,
        "nobody wants to hear of sent frames"
    );
    fake.borrow_mut().incoming.push_back(frame(7, 80));
    assert_eq!(receive(&mut card), None);
    device.run();
    assert_eq!(device.interrupts(), 1);
    assert_eq!(receive(&mut card), Some(frame(7, 80)));
}

#[test]
fn interrupts_come_for_received_frames_and_not_for_sent_ones() {
    let WithCard {
        device,
        fake,
        mut card,
        ..
    } = card(Style::Qemu, FakeNet::default());
    for round in 0..20 {
        card.send(&[&frame(round, 100)], Outgoing::default());
        card.flush();
        assert!(card.room() != 0);
    }
    assert_eq!(device.interrupts(), 0);
    assert_eq!(receive(&mut card), None);
    fake.borrow_mut().incoming.push_back(frame(1, 100));
    device.run();
    assert_eq!(device.interrupts(), 1);
    assert!(card.interrupt().acknowledge());
    assert!(!card.interrupt().acknowledge());
    assert_eq!(receive(&mut card), Some(frame(1, 100)));
}

#[test]
fn a_frame_in_several_buffers_is_put_together() {
    // 64 KiB need 33 buffers; Miri's small queue has 8.
    let (len, frames) = if cfg!(miri) { (5000, 3) } else { (65_550, 20) };
    let WithCard {
        device,
        fake,
        mut card,
        ..
    } = card(Style::Lkvm, FakeNet::default());
    for tag in 0..frames {
        fake.borrow_mut().incoming.push_back(frame(tag, len));
        device.run();
        let got = receive(&mut card).unwrap();
        assert!(got == frame(tag, len), "frame {tag} is damaged");
        card.flush();
    }
    assert_eq!(card.counters().received, u64::from(frames));
}

#[test]
fn a_frame_that_does_not_fit_is_dropped_and_the_next_is_not() {
    let WithCard {
        device,
        fake,
        mut card,
        ..
    } = card(Style::Lkvm, FakeNet::default());
    fake.borrow_mut()
        .incoming
        .extend([frame(1, 5000), frame(2, 200)]);
    device.run();
    let mut into = [0; 1514];
    assert_eq!(card.receive(&mut into).map(|i| i.len), Some(200));
    assert_eq!(into[..200], frame(2, 200));
    assert_eq!(card.counters().dropped, 1);
    for round in 2..2 * u64::from(QUEUE) {
        fake.borrow_mut().incoming.push_back(frame(1, 5000));
        card.flush();
        device.run();
        assert_eq!(card.receive(&mut into), None);
        assert_eq!(card.counters().dropped, round, "its buffers go back");
    }
}

#[test]
fn a_card_without_mergeable_buffers_works() {
    let plain = FakeNet {
        features: 1 << 5,
        // Such devices leave the number of buffers alone.
        buffers: |_| 0,
        echo: true,
        ..FakeNet::default()
    };
    let WithCard {
        device, mut card, ..
    } = card(Style::Qemu, plain);
    assert_eq!(card.offloads(), Offloads::default());
    card.send(&[&frame(1, 900)], Outgoing::default());
    card.flush();
    device.run();
    assert_eq!(receive(&mut card), Some(frame(1, 900)));
}

#[test]
fn the_device_is_told_where_an_open_checksum_is() {
    let WithCard { fake, mut card, .. } = card(Style::Qemu, FakeNet::default());
    assert!(card.offloads().checksums);
    let checksum = Some(OpenChecksum {
        start: 34,
        offset: 6,
    });
    let what = Outgoing {
        checksum,
        segments: None,
    };
    card.send(&[&frame(0, 20), &frame(1, 40)], what);
    card.send(&[&frame(0, 60)], Outgoing::default());
    card.flush();
    let headers = &fake.borrow().headers;
    assert_eq!(headers[0], [1, 0, 0, 0, 0, 0, 34, 0, 6, 0, 0, 0]);
    assert_eq!(headers[1], [0; 12]);
    let sent = &fake.borrow().sent;
    assert_eq!(sent[0], [frame(0, 20), frame(1, 40)].concat());
}

/// lkvm on a tap leaves checksums open, whatever was negotiated.
#[test]
fn a_checksum_that_the_host_left_open_is_filled_in() {
    let lazy = FakeNet {
        header: [1, 0, 0, 0, 0, 0, 34, 0, 6, 0, 0, 0],
        ..FakeNet::default()
    };
    let WithCard {
        device,
        fake,
        mut card,
        ..
    } = card(Style::Lkvm, lazy);
    let mut open = vec![0; 42];
    open[34..42].copy_from_slice(&[0, 1, 0, 2, 0, 8, 0x10, 0x00]);
    fake.borrow_mut().incoming.push_back(open.clone());
    device.run();
    let got = receive(&mut card).unwrap();
    assert_eq!(got[..40], open[..40]);
    assert_eq!(got[40..], (!0x100b_u16).to_be_bytes());
}

#[test]
#[cfg_attr(miri, ignore = "too long for Miri")]
fn the_rings_go_round_more_often_than_their_index_counts() {
    let WithCard {
        device,
        fake,
        mut card,
        ..
    } = card(Style::Qemu, FakeNet::default());
    fake.borrow_mut().echo = true;
    let mut into = [0; 1514];
    assert_eq!(card.receive(&mut into), None);
    for round in 0..70_000_u32 {
        assert!(card.room() != 0);
        card.send(&[&frame(round as u8, 64)], Outgoing::default());
        card.flush();
        device.run();
        let len = card.receive(&mut into).unwrap().len;
        assert_eq!(into[..len], frame(round as u8, 64), "round {round}");
        assert_eq!(card.receive(&mut into), None);
        fake.borrow_mut().sent.clear();
        fake.borrow_mut().headers.clear();
    }
    assert!(u64::from(QUEUE) < 70_000);
    assert_eq!(device.interrupts(), 70_000, "one for each frame received");
    assert_eq!(device.faults(), 0);
}

#[test]
fn a_trace_tells_frames_as_such_with_the_queue_that_they_went_by() {
    let WithCard {
        rig,
        device,
        mut card,
        ..
    } = card(
        Style::Qemu,
        FakeNet {
            echo: true,
            ..FakeNet::default()
        },
    );
    rig.region.trace().enable(Keep::Runs, 8);
    for tag in 0..2 {
        card.send(&[&frame(tag, 100)], Outgoing::default());
        card.flush();
        device.run();
        assert_eq!(receive(&mut card), Some(frame(tag, 100)));
    }
    let told = std::iter::from_fn(|| rig.region.trace().pop());
    let told = told.map(|event| (event.direction, event.label));
    let label = |queue, slot| Label {
        queue,
        slot,
        purpose: Purpose::Frame,
    };
    // Slots are used in turn.
    let expected = [
        (Direction::Out, label(1, 0)),
        (Direction::In, label(0, 0)),
        (Direction::Out, label(1, 1)),
        (Direction::In, label(0, 1)),
    ];
    assert_eq!(told.collect::<Vec<_>>(), expected);
}
