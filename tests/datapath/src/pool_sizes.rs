//! Pools of every size: a driver works with what it gets, or says what would do.

use std::cell::RefCell;
use std::rc::Rc;

use ::frame::Outgoing;
use block::BlockDevice;
use bounce::{Pool, Spacing};
use testkit::executor::block_on;
use testkit::fake_virtio::balloon::{Blocks, FakeMemory};
use testkit::fake_virtio::{
    FakeBalloon, FakeBlock, FakeNet, FakeNineP, FakeRng, FakeVsock, Personality, Style,
};
use testkit::rig::Rig;
use virtio::{
    Balloon, Block, Environment, Error, Needs, Net, NineP, Offload, Rng, Transport, Vsock,
};

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

/// The size that a refusal names is enough, and a granule less is not.
#[test]
fn the_size_that_would_do_does() {
    for spacing in SPACINGS {
        for (step, works) in [(0, true), (4096, false)] {
            let rig = rig(spacing, 256, 4 << 20);
            rig.plug(CARD, Rc::new(RefCell::new(FakeNet::default())));
            rig.plug(DISK, Rc::new(RefCell::new(FakeBlock::new(8))));
            let least = |error| match error {
                Some(Error::PoolTooSmall { least, .. }) => least - step,
                other => panic!("{other:?}"),
            };
            let card = least(rig.net(CARD, 20 << 10).err());
            let disk = least(rig.block(DISK, 20 << 10).err());
            assert_eq!(rig.net(CARD, card).is_ok(), works, "card, {spacing:?}");
            assert_eq!(rig.block(DISK, disk).is_ok(), works, "disk, {spacing:?}");
        }
    }
}

/// Bytes that a device leases of a pool that has room to spare.
fn leased<P: Personality + 'static, D>(
    spacing: Spacing,
    fake: P,
    start: impl FnOnce(Transport, &Pool, Environment) -> Result<D, Error>,
) -> usize {
    let mut rig = rig(spacing, 256, 4 << 20);
    // Its queues cannot be made short.
    rig.style = Style::Lkvm;
    rig.plug(CARD, Rc::new(RefCell::new(fake)));
    let pool = rig.pool(3 << 20);
    let _device = start(rig.open(CARD).unwrap(), &pool, rig.environment).unwrap();
    pool.size() - pool.left()
}

/// Every queue has as many entries as we take, and whatever costs memory is offered.
#[test]
fn what_a_device_wants_is_what_it_leases_when_it_gets_all_of_it() {
    for spacing in SPACINGS {
        let blocks = FakeMemory(Rc::new(RefCell::new(Blocks::new(1))));
        let pairs = [
            (
                <Net>::needs(spacing),
                leased(spacing, FakeNet::offloading(), |transport, pool, world| {
                    <Net>::start_with(transport, pool, world, Offload::All)
                }),
            ),
            (
                <Block>::needs(spacing),
                leased(spacing, FakeBlock::new(8), <Block>::start),
            ),
            (
                <Rng>::needs(spacing),
                leased(spacing, FakeRng::default(), <Rng>::start),
            ),
            (
                <Vsock>::needs(spacing),
                leased(spacing, FakeVsock::default(), <Vsock>::start),
            ),
            (
                <NineP>::needs(spacing),
                leased(spacing, FakeNineP::new("share"), <NineP>::start),
            ),
            (
                <Balloon<FakeMemory>>::needs(spacing),
                leased(
                    spacing,
                    FakeBalloon::wanting(0),
                    |transport, pool, world| Balloon::start(transport, pool, world, blocks, 1),
                ),
            ),
        ];
        for (number, (needs, leased)) in pairs.into_iter().enumerate() {
            // A gap before the first slot of a kind may not be needed.
            let wanted = leased..=leased + 4 * 4096;
            assert!(
                wanted.contains(&needs.wanted),
                "{number}, {spacing:?}: {leased} of {needs:?}"
            );
        }
    }
}
