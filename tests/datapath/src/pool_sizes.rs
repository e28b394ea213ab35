//! Pools of every size: a driver works with what it gets, or says what would do.

use std::cell::RefCell;
use std::rc::Rc;

use ::frame::Outgoing;
use block::BlockDevice;
use bounce::Spacing;
use testkit::executor::block_on;
use testkit::fake_virtio::{FakeBlock, FakeNet, Style};
use testkit::rig::Rig;
use virtio::{Block, Error, Needs, Net};

use crate::setup::{CARD, DISK, frame, receive};

const SPACINGS: [Spacing; 2] = [Spacing::Packed, Spacing::Strict];

/// The least, the wish, and some sizes between the two.
fn sizes(needs: Needs) -> impl Iterator<Item = usize> {
    let step = (needs.wanted - needs.least) / 5;
    (0..=5)
        .map(move |i| needs.least + i * step)
        .chain([needs.wanted])
}

fn rig(spacing: Spacing, queue: u16, len: usize) -> Rig {
    Rig::with_memory(Style::Qemu, queue, len.next_multiple_of(4096)).spaced(spacing)
}

#[test]
fn a_card_works_with_any_pool_from_the_least_to_the_wanted() {
    for spacing in SPACINGS {
        for (queue, len) in [4, 64, 256]
            .iter()
            .flat_map(|queue| sizes(<Net>::needs(spacing)).map(move |len| (*queue, len)))
        {
            let rig = rig(spacing, queue, len);
            let fake = Rc::new(RefCell::new(FakeNet {
                echo: true,
                ..FakeNet::default()
            }));
            let device = rig.plug(CARD, fake);
            let mut card = rig.net(CARD, len).unwrap();
            for tag in 0..40 {
                assert!(card.room() != 0, "{spacing:?}, {len} bytes");
                card.send(&[&frame(tag, 1000)], Outgoing::default());
                card.flush();
                device.run();
                assert_eq!(receive(&mut card), Some(frame(tag, 1000)));
            }
            assert_eq!((card.failure(), device.faults()), (None, 0));
        }
    }
}

#[test]
fn a_disk_works_with_any_pool_from_the_least_to_the_wanted() {
    for spacing in SPACINGS {
        for len in sizes(<Block>::needs(spacing)) {
            let rig = rig(spacing, 256, len);
            let device = rig.plug(DISK, Rc::new(RefCell::new(FakeBlock::new(1024))));
            let disk = rig.block(DISK, len).unwrap();
            let from = frame(1, 512 << 10);
            block_on(disk.write(0, &from), || {
                disk.poll();
            })
            .unwrap();
            let mut into = vec![0; from.len()];
            block_on(disk.read(0, &mut into), || {
                disk.poll();
            })
            .unwrap();
            assert!(into == from, "{spacing:?}, {len} bytes");
            assert_eq!(device.faults(), 0);
        }
    }
}

#[test]
fn a_pool_that_is_too_small_is_refused_with_the_size_that_would_do() {
    for spacing in SPACINGS {
        let rig = rig(spacing, 256, 1 << 20);
        rig.plug(CARD, Rc::new(RefCell::new(FakeNet::default())));
        rig.plug(DISK, Rc::new(RefCell::new(FakeBlock::new(8))));
        let small = 20 << 10;
        let refused = [
            rig.net(CARD, small).err().unwrap(),
            rig.block(DISK, small).err().unwrap(),
        ];
        for (error, needs) in refused
            .into_iter()
            .zip([<Net>::needs(spacing), <Block>::needs(spacing)])
        {
            let Error::PoolTooSmall { size, least } = error else {
                panic!("{error}");
            };
            assert_eq!(size, small);
            assert!((small + 1..=needs.least).contains(&least), "{least}");
        }
    }
}
