//! Devices that lie about their rings.

use std::cell::RefCell;
use std::rc::Rc;

use ::frame::Outgoing;
use block::BlockDevice;
use testkit::executor::block_on;
use testkit::fake_virtio::{FakeBlock, FakeNet, FakeVirtio, Style, Used};
use virtio::Error;

use crate::setup::{
    CARD, DISK, QUEUE, WithCard, WithDisk, card, card_pool, disk, disk_pool, frame,
};
use crate::setup::{read_twice, receive, rig};

/// What a disk ends with when its completions are changed by `lie`, and two requests are in flight.
fn end_of_disk(lie: impl FnMut(Used) -> Vec<Used> + 'static) -> Option<Error> {
    let WithDisk { device, disk, .. } = disk(Style::Qemu, FakeBlock::new(256));
    let resets = device.resets();
    device.lie(|l| l.completions = Some(Box::new(lie)));
    device.pause(true);
    let read = read_twice(&disk, || {
        device.pause(false);
        device.run();
        disk.poll();
    });
    assert!(read.contains(&Err(block::Error::Broken)));
    assert_eq!(device.resets() - resets, 1, "the device is reset, once");
    assert_eq!(device.status(), 0);
    assert_eq!(device.faults(), 0);
    let again = block_on(disk.write(0, &[0; 512]), || ());
    assert_eq!(again, Err(block::Error::Broken), "and is not used again");
    let told = disk.take_failure();
    assert_eq!(disk.take_failure(), None, "its error is told once");
    told
}

/// What a card ends with when the completion of a received frame is changed by `lie`.
fn end_of_card(lie: impl FnMut(Used) -> Vec<Used> + 'static) -> Option<Error> {
    let WithCard {
        device,
        fake,
        mut card,
        ..
    } = card(Style::Lkvm, FakeNet::default());
    device.lie(|l| l.completions = Some(Box::new(lie)));
    fake.borrow_mut().incoming.push_back(frame(1, 100));
    device.run();
    // A second one is not believed after the first was.
    while receive(&mut card).is_some() {}
    assert_eq!(device.status(), 0);
    assert!(card.room() == 0);
    assert_eq!(receive(&mut card), None);
    card.flush();
    card.take_failure()
}

/// Case 1.
#[test]
fn an_id_that_the_queue_does_not_have_ends_the_device() {
    for id in [u32::from(QUEUE), 0xffff, 0x1_0000, 0x8000_0000, u32::MAX] {
        let lie = move |used| vec![Used { id, ..used }];
        assert_eq!(end_of_disk(lie), Some(Error::UsedId { id }));
        assert_eq!(end_of_card(lie), Some(Error::UsedId { id }));
    }
}

/// Case 2: the middle of a chain, and a descriptor that is free.
#[test]
fn an_id_that_is_not_in_flight_ends_the_device() {
    let middle = |used: Used| {
        vec![Used {
            id: used.id + 1,
            ..used
        }]
    };
    assert!(matches!(end_of_disk(middle), Some(Error::UsedId { .. })));
    let id = u32::from(QUEUE) - 1;
    let free = move |used| vec![Used { id, ..used }];
    assert_eq!(end_of_disk(free), Some(Error::UsedId { id }));
}

/// Case 3: once more than there are requests.
#[test]
fn a_completion_too_many_ends_the_device() {
    let twice = |used| vec![used; 2];
    let moved = Error::UsedIndex {
        moved: 4,
        outstanding: 2,
    };
    assert_eq!(end_of_disk(twice), Some(moved));
}

/// Case 3: of an idle disk, whose rings nobody looks at before it gets a request.
#[test]
fn a_completion_of_nothing_ends_an_idle_disk_when_it_is_to_do_something() {
    let WithDisk { device, disk, .. } = disk(Style::Qemu, FakeBlock::new(256));
    let used = device.queue(0).used;
    device.memory().store16(used + 2, 1).unwrap();
    assert_eq!(disk.poll(), None);
    let doorbells = device.doorbells();
    let read = block_on(disk.read(0, &mut [0; 512]), || ());
    assert_eq!(read, Err(block::Error::Broken));
    let moved = Error::UsedIndex {
        moved: 1,
        outstanding: 0,
    };
    assert_eq!(disk.take_failure(), Some(moved));
    assert_eq!(device.doorbells(), doorbells, "it was asked nothing");
}

/// Case 3: twice the one, never the other.
#[test]
fn a_completion_of_the_same_request_twice_ends_the_device() {
    let mut first = None;
    let same = move |used: Used| vec![*first.get_or_insert(used)];
    assert!(matches!(end_of_disk(same), Some(Error::UsedId { .. })));
    let twice = |used| vec![used; 2];
    assert!(matches!(end_of_card(twice), Some(Error::UsedId { .. })));
}

/// Case 4.
#[test]
fn a_length_beyond_what_was_lent_ends_the_device() {
    for len in [2049, 4096, u32::MAX] {
        let lie = move |used| vec![Used { len, ..used }];
        let limit = 2048;
        assert_eq!(end_of_card(lie), Some(Error::UsedLength { len, limit }));
    }
    for len in [512 + 18, 128 * 1024, u32::MAX] {
        let lie = move |used| vec![Used { len, ..used }];
        let limit = 512 + 17;
        assert_eq!(end_of_disk(lie), Some(Error::UsedLength { len, limit }));
    }
}

/// Cases 7 and 8: the index jumps, goes back, or never stops.
#[test]
fn an_index_that_moves_further_than_what_is_outstanding_ends_the_device() {
    for jump in [3, 256, 0x7fff, 0x8000, 0xffff] {
        let WithDisk { device, disk, .. } = disk(Style::Qemu, FakeBlock::new(256));
        device.pause(true);
        let mut turns = 0;
        let read = read_twice(&disk, || {
            turns += 1;
            let used = device.queue(0).used;
            device.memory().store16(used + 2, jump).unwrap();
        });
        assert_eq!(read, [Err(block::Error::Broken); 2]);
        assert_eq!(turns, 1, "the first look finds it");
        let lie = Error::UsedIndex {
            moved: jump,
            outstanding: 2,
        };
        assert_eq!(disk.failure(), Some(lie));
    }
}

/// Case 8: completions without an end, each of them of a request in flight.
#[test]
fn completions_without_an_end_leave_the_caller_running() {
    let WithCard {
        device,
        fake,
        mut card,
        ..
    } = card(Style::Qemu, FakeNet::default());
    let mut got = 0;
    for _ in 0..5 {
        let flood = (0..QUEUE).map(|i| frame(i as u8, 60));
        fake.borrow_mut().incoming.extend(flood);
        device.run();
        let mut calls = 0;
        while receive(&mut card).is_some() {
            calls += 1;
        }
        assert!(calls <= QUEUE);
        got += calls;
        card.flush();
    }
    assert_eq!(u64::from(got), card.counters().received);
    assert_eq!(card.failure(), None);
}

/// Fills every descriptor of queue `index` with rubbish.
fn ruin_descriptors(device: &FakeVirtio, index: usize) {
    let queue = device.queue(index);
    for word in 0..u64::from(queue.size) * 2 {
        let at = queue.descriptors + 8 * word;
        device.memory().store64(at, 0x4141_4141_4141_4141).unwrap();
    }
}

/// Fills the whole available ring of queue `index` with rubbish, index and flags included.
fn ruin_available(device: &FakeVirtio, index: usize) {
    let queue = device.queue(index);
    for word in 0..u64::from(queue.size) + 3 {
        let at = queue.available + 2 * word;
        device.memory().store16(at, 0x4141).unwrap();
    }
}

/// Cases 10 and 11: after the device has read them, and before we look.
#[test]
fn rewriting_what_we_wrote_into_the_rings_changes_nothing_for_us() {
    for ruin in [ruin_descriptors, ruin_available] {
        let WithDisk {
            device, fake, disk, ..
        } = disk(Style::Qemu, FakeBlock::new(64));
        device.pause(true);
        let mut into = vec![0; 4096];
        let mut ruined = false;
        block_on(disk.read(3, &mut into), || {
            if !std::mem::replace(&mut ruined, true) {
                device.pause(false);
                device.run();
                device.pause(true);
                ruin(&device, 0);
            }
        })
        .unwrap();
        assert_eq!(into, fake.borrow().content[3 * 512..11 * 512]);
        assert_eq!(disk.failure(), None);
    }
}

/// Case 10: which descriptors are free is not learnt from the rings.
#[test]
fn ruined_descriptors_of_requests_in_flight_are_all_free_again() {
    let WithDisk { device, disk, .. } = disk(Style::Qemu, FakeBlock::new(64));
    device.pause(true);
    for _ in 0..2 * QUEUE {
        block_on(disk.read(3, &mut [0; 4096]), || {
            device.pause(false);
            device.run();
            device.pause(true);
            ruin_descriptors(&device, 0);
        })
        .unwrap();
    }
    assert_eq!((device.faults(), disk.failure()), (0, None));
}

/// Case 10: descriptors that are free are written anew before they are lent.
#[test]
fn ruined_descriptors_are_written_anew_for_the_next_request() {
    let WithDisk { device, disk, .. } = disk(Style::Qemu, FakeBlock::new(64));
    for sector in 0..20 {
        ruin_descriptors(&device, 0);
        let mut into = [0; 512];
        assert_eq!(block_on(disk.read(sector, &mut into), || ()), Ok(()));
        assert_eq!(into[0], sector as u8);
    }
    assert_eq!(device.faults(), 0, "no ruined address was used");
}

/// The whole promise: one device breaks, the other goes on.
#[test]
fn a_broken_card_leaves_the_disk_alone() {
    let rig = rig(Style::Lkvm);
    let net = Rc::new(RefCell::new(FakeNet::default()));
    let liar = rig.plug(CARD, Rc::<RefCell<FakeNet>>::clone(&net));
    let honest = rig.plug(DISK, Rc::new(RefCell::new(FakeBlock::new(64))));
    let mut card = rig.net(CARD, card_pool()).unwrap();
    let disk = rig.block(DISK, disk_pool()).unwrap();

    liar.lie(|l| l.completions = Some(Box::new(|used| vec![Used { id: 999, ..used }])));
    net.borrow_mut().incoming.push_back(frame(1, 100));
    liar.run();
    assert_eq!(receive(&mut card), None);
    assert_eq!(card.failure(), Some(Error::UsedId { id: 999 }));

    let mut into = [0; 512];
    assert_eq!(block_on(disk.read(9, &mut into), || ()), Ok(()));
    assert_eq!(into[0], 9);
    assert_eq!((honest.faults(), disk.failure()), (0, None));
    assert_eq!(rig.pci.died(), None);
}

/// Case 39: a disk that holds on to all its slots leaves the card alone.
#[test]
fn a_disk_that_completes_nothing_does_not_starve_the_card() {
    let rig = rig(Style::Qemu);
    let net = Rc::new(RefCell::new(FakeNet::default()));
    rig.plug(CARD, Rc::<RefCell<FakeNet>>::clone(&net));
    let idle = rig.plug(DISK, Rc::new(RefCell::new(FakeBlock::new(4096))));
    let mut card = rig.net(CARD, card_pool()).unwrap();
    let disk = rig.block(DISK, disk_pool()).unwrap();
    idle.pause(true);
    let mut turns = 0;
    block_on(disk.read(0, &mut vec![0; 2 << 20]), || {
        turns += 1;
        for tag in 0..5 {
            assert!(card.room() != 0);
            card.send(&[&frame(tag, 200)], Outgoing::default());
        }
        card.flush();
        if turns == 10 {
            idle.pause(false);
        }
        idle.run();
    })
    .unwrap();
    assert_eq!(net.borrow().sent.len(), 5 * turns);
    assert!(rig.region.counters()[1].1.exhausted > 0);
}
