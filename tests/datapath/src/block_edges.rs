//! A disk at its edges: what is refused before the device hears of it, who is woken, and what is
//! left in memory behind a short request.

use std::cell::RefCell;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use block::{BlockDevice, Error};
use bounce::{Private, Region, Spacing};
use testkit::executor::{CountingWaker, block_on, serve};
use testkit::fake_virtio::{FakeBlock, Style};
use testkit::rig::Rig;
use virtio::{Block, Direct, MAX_REQUEST};

use crate::setup::{DISK, WithDisk, disk, disk_pool, rig_of};

/// Bytes of a chunk of data.
const CHUNK: usize = 16 << 10;

#[test]
fn a_buffer_is_refused_before_the_device_hears_of_it() {
    let WithDisk { device, disk, .. } = disk(Style::Qemu, FakeBlock::new(3000));
    let doorbells = device.doorbells();
    let outside = |sector, count| Error::OutOfRange {
        sector,
        count,
        capacity: 3000,
    };
    let length = |len| Error::Length { len };
    let long = MAX_REQUEST + 512;
    for (sector, len, error) in [
        (2993, 4096, outside(2993, 8)),
        (u64::MAX, 512, outside(u64::MAX, 1)),
        (0, 513, length(513)),
        (0, long, length(long)),
    ] {
        let buffer = || disk.buffer(len).unwrap();
        for returned in [
            block_on(disk.read_owned(sector, buffer()), || ()),
            block_on(disk.write_owned(sector, buffer()), || ()),
        ] {
            assert_eq!(returned.result, Err(error));
            assert_eq!(returned.buffer.map(|buffer| buffer.len()), Some(len));
        }
    }
    assert_eq!(
        (device.doorbells(), disk.usage().high_water),
        (doorbells, 0)
    );
    let most = disk.buffer(MAX_REQUEST).unwrap();
    let read = block_on(disk.read_owned(0, most), || ());
    assert_eq!(read.result, Ok(()), "the longest there is");
}

#[test]
fn a_direct_disk_that_is_read_only_is_told_of_no_write() {
    let rig = Rig::with_memory(Style::Qemu, 256, 4096);
    let fake = Rc::new(RefCell::new(FakeBlock::new(64).read_only()));
    let len = <Block<Direct>>::needs(Spacing::Packed).wanted + 4096;
    let plugged = Rc::<RefCell<FakeBlock>>::clone(&fake);
    let (device, region): (_, Region<Private>) = rig.plug_trusted(DISK, plugged, len);
    let pool = region.pool("0000:00:02.0", len).unwrap();
    let disk: Block<Direct> =
        Block::start(rig.open(DISK).unwrap(), &pool, rig.environment).unwrap();
    let doorbells = device.doorbells();
    let written = block_on(disk.write_owned(1, disk.buffer(512).unwrap()), || ());
    assert_eq!(written.result, Err(Error::ReadOnly));
    assert!(written.buffer.is_some());
    assert_eq!(device.doorbells(), doorbells);
    assert_eq!(disk.usage().high_water, 0);
}

#[test]
fn a_request_wakes_whoever_asked_last() {
    let WithDisk { device, disk, .. } = disk(Style::Qemu, FakeBlock::new(8));
    device.pause(true);
    let mut sector = [0; 512];
    let mut read = pin!(disk.read(1, &mut sector));
    let ((first, one), (second, two)) = (CountingWaker::pair(), CountingWaker::pair());
    for task in [&one, &two, &two] {
        let polled = read.as_mut().poll(&mut Context::from_waker(task));
        assert!(polled.is_pending());
    }
    device.pause(false);
    device.run();
    disk.poll();
    assert_eq!((first.count(), second.count()), (0, 1));
}

#[test]
fn a_disk_with_nothing_to_do_is_not_looked_at() {
    let rig = rig_of(Style::Qemu, disk_pool());
    rig.plug(DISK, Rc::new(RefCell::new(FakeBlock::new(64))));
    let pool = rig.pool(disk_pool());
    let disk: Block = Block::start(rig.open(DISK).unwrap(), &pool, rig.environment).unwrap();
    assert_eq!(block_on(disk.read(0, &mut [0; 512]), || ()), Ok(()));
    let words = pool.words_loaded();
    for _ in 0..3 {
        assert_eq!(disk.poll(), None);
    }
    assert_eq!(pool.words_loaded(), words);
}

/// What the device sees behind a sector is nothing of a longer write before it.
#[test]
fn where_slots_are_kept_apart_nothing_of_an_earlier_write_is_left_behind_a_shorter_one() {
    for (spacing, is_left) in [(Spacing::Strict, false), (Spacing::Packed, true)] {
        for (early, late) in [(CHUNK, 512), (CHUNK, CHUNK - 512), (2 * CHUNK, CHUNK + 512)] {
            let len = <Block>::needs(spacing).wanted;
            let rig = rig_of(Style::Qemu, len).spaced(spacing);
            let fake = Rc::new(RefCell::new(FakeBlock::new(256)));
            rig.plug(DISK, Rc::<RefCell<FakeBlock>>::clone(&fake));
            let disk = rig.block(DISK, len).unwrap();
            assert_eq!(block_on(disk.write(0, &vec![0x3c; early]), || ()), Ok(()));
            assert_eq!(block_on(disk.write(1, &vec![0x11; late]), || ()), Ok(()));
            assert_eq!(fake.borrow().content[512..][..late], vec![0x11; late]);
            assert_eq!(rig.memory.contains(&[0x3c; 64]), is_left, "{late} bytes");
        }
    }
}

#[test]
fn where_slots_are_kept_apart_a_short_write_leaves_its_neighbour_alone() {
    let len = <Block>::needs(Spacing::Strict).wanted;
    let rig = rig_of(Style::Qemu, len).spaced(Spacing::Strict);
    let fake = Rc::new(RefCell::new(FakeBlock::new(64)));
    let device = rig.plug(DISK, Rc::<RefCell<FakeBlock>>::clone(&fake));
    let disk = rig.block(DISK, len).unwrap();
    let mut context = Context::from_waker(Waker::noop());
    let mut into = [0; 512];
    {
        let mut first = pin!(disk.read(0, &mut into));
        assert!(first.as_mut().poll(&mut context).is_pending());
        device.pause(true);
        let mut second = pin!(disk.write(10, &[0x22; 512]));
        assert!(second.as_mut().poll(&mut context).is_pending());
        // The place of the first is free again, and the next one gets it.
        assert_eq!(first.as_mut().poll(&mut context), Poll::Ready(Ok(())));
        let mut third = pin!(disk.write(20, &[0x33; 512]));
        assert!(third.as_mut().poll(&mut context).is_pending());
        device.pause(false);
        device.run();
        disk.poll();
        assert_eq!(second.as_mut().poll(&mut context), Poll::Ready(Ok(())));
        assert_eq!(third.as_mut().poll(&mut context), Poll::Ready(Ok(())));
    }
    let content = &fake.borrow().content;
    assert_eq!(content[10 * 512..][..512], [0x22; 512]);
    assert_eq!(content[20 * 512..][..512], [0x33; 512]);
}

#[test]
fn tasks_that_wait_for_a_request_are_woken_when_there_is_one() {
    let mut rig = rig_of(Style::Qemu, disk_pool());
    rig.queue_size = 8;
    let device = rig.plug(DISK, Rc::new(RefCell::new(FakeBlock::new(64))));
    let disk = rig.block(DISK, disk_pool()).unwrap();
    let disk = &disk;
    let read = |sector| async move {
        let mut bytes = [0; 512];
        disk.read(sector, &mut bytes).await.map(|()| bytes[0])
    };
    device.pause(true);
    let bytes = serve((0..20).map(read).collect(), || {
        device.pause(false);
        device.run();
        disk.poll();
    });
    let sectors: Vec<_> = (0..20).map(Ok).collect();
    assert_eq!(bytes, sectors);
}
