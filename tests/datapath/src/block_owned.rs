//! Buffers that are handed over: on a direct path nothing is copied, on a bounced one all is.

use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Waker};
use std::time::Duration;

use block::{BlockDevice, Error};
use bounce::{Buffer, Pool, Private, Region, Spacing};
use testkit::executor::block_on;
use testkit::fake_virtio::{FakeBlock, FakeVirtio, Style};
use testkit::rig::Rig;
use virtio::{Block, Direct, Returned};

use crate::setup::{DISK, WithDisk, disk};

/// Room for buffers beside what the driver leases.
const BUFFERS: usize = 256 << 10;

struct Trusted {
    rig: Rig,
    device: Rc<FakeVirtio>,
    fake: Rc<RefCell<FakeBlock>>,
    region: Region<Private>,
    pool: Pool<Private>,
    disk: Block<Direct>,
}

fn trusted(sectors: usize) -> Trusted {
    let rig = Rig::with_memory(Style::Qemu, 256, 4096);
    let fake = Rc::new(RefCell::new(FakeBlock::new(sectors)));
    let len = <Block<Direct>>::needs(Spacing::Packed).wanted + BUFFERS;
    let (device, region) = rig.plug_trusted(DISK, Rc::<RefCell<FakeBlock>>::clone(&fake), len);
    let pool = region.pool("0000:00:02.0", len).unwrap();
    let disk = Block::start(rig.open(DISK).unwrap(), &pool, rig.environment).unwrap();
    Trusted {
        rig,
        device,
        fake,
        region,
        pool,
        disk,
    }
}

fn whole(returned: Returned) -> Buffer {
    assert_eq!(returned.result, Ok(()));
    returned.buffer.unwrap()
}

#[test]
fn a_direct_disk_moves_data_without_a_copy() {
    let t = trusted(256);
    let heads = |requests: u64| (17 * requests, requests);
    let mut buffer = t.disk.buffer(64 << 10).unwrap();
    let place = buffer.bytes().as_ptr();
    buffer.bytes_mut().fill(0x3c);
    let written = block_on(t.disk.write_owned(64, buffer), || ());
    let mut buffer = whole(written);
    assert!(t.fake.borrow().content[64 * 512..][..64 << 10] == [0x3c; 64 << 10]);
    buffer.bytes_mut().fill(0);
    let buffer = whole(block_on(t.disk.read_owned(0, buffer), || ()));
    assert!(buffer.bytes() == &t.fake.borrow().content[..64 << 10]);
    assert_eq!(buffer.bytes().as_ptr(), place, "the same memory");
    let counters = t.pool.counters();
    assert_eq!((counters.bytes_out, counters.bytes_in), heads(2));
    assert_eq!(t.device.faults(), 0);
    assert_eq!(t.rig.region.counters(), [], "nothing is shared");
}

#[test]
fn the_same_calls_copy_on_a_bounced_path() {
    let WithDisk { rig, disk, .. } = disk(Style::Qemu, FakeBlock::new(64));
    let mut buffer = disk.buffer(4096).unwrap();
    assert_eq!(buffer.address(), None);
    buffer.bytes_mut().fill(0x3c);
    let buffer = whole(block_on(disk.write_owned(3, buffer), || ()));
    let buffer = whole(block_on(disk.read_owned(3, buffer), || ()));
    assert!(buffer.bytes().iter().all(|byte| *byte == 0x3c));
    let counters = rig.region.counters()[0].1;
    assert_eq!((counters.bytes_out, counters.bytes_in), (4096 + 34, 4098));
}

/// A disk is told of its own pool only, which is given back when it is trusted no more.
#[test]
fn a_buffer_of_another_pool_is_copied_and_never_told() {
    let (t, other) = (trusted(64), trusted(64));
    let mut buffer = other.disk.buffer(4096).unwrap();
    buffer.bytes_mut().fill(0x3c);
    let buffer = whole(block_on(t.disk.write_owned(1, buffer), || ()));
    assert_eq!(t.fake.borrow().content[512..][..4096], [0x3c; 4096]);
    let buffer = whole(block_on(t.disk.read_owned(0, buffer), || ()));
    assert!(buffer.bytes() == &t.fake.borrow().content[..4096]);
    let counters = t.pool.counters();
    assert_eq!(
        (counters.bytes_out, counters.bytes_in),
        (4096 + 34, 4096 + 2)
    );
    assert_eq!(t.device.faults(), 0);
}

#[test]
fn slices_work_on_a_direct_disk_by_a_private_copy() {
    let t = trusted(64);
    t.region.trace().enable(audit::Keep::Runs, 8);
    block_on(t.disk.write(1, &[9; 512]), || ()).unwrap();
    let mut into = [0; 1024];
    block_on(t.disk.read(1, &mut into), || ()).unwrap();
    assert_eq!(into[..512], [9; 512]);
    assert_eq!(t.region.trace().pop(), None, "and nothing crosses");
    assert_eq!(t.device.faults(), 0);
}

#[test]
fn a_call_that_is_given_up_leaves_its_buffer_with_the_device_until_it_is_done() {
    let t = trusted(64);
    let before = t.pool.counters().leased;
    t.device.pause(true);
    let buffer = t.disk.buffer(4096).unwrap();
    let address = buffer.address().unwrap().get();
    {
        let mut read = pin!(t.disk.read_owned(0, buffer));
        let mut context = Context::from_waker(Waker::noop());
        assert!(read.as_mut().poll(&mut context).is_pending());
    }
    assert_eq!(t.pool.counters().leased, before + 4096, "it is not free");
    let another = t.disk.buffer(4096).unwrap();
    assert_ne!(another.address().unwrap().get(), address);
    t.device.pause(false);
    t.device.run();
    t.disk.poll();
    drop(another);
    assert_eq!(t.pool.counters().leased, before, "now it is");
}

#[test]
fn a_call_that_is_given_up_when_the_device_is_done_leaves_its_buffer_with_nobody() {
    let t = trusted(64);
    let before = t.pool.counters().leased;
    let buffer = t.disk.buffer(4096).unwrap();
    {
        let mut read = pin!(t.disk.read_owned(0, buffer));
        let mut context = Context::from_waker(Waker::noop());
        assert!(read.as_mut().poll(&mut context).is_pending());
        t.device.run();
        t.disk.poll();
    }
    assert_eq!(t.pool.counters().leased, before);
}

/// Where nobody confirms that a device reaches nothing, its memory must not become anything else.
#[test]
fn a_device_that_is_trusted_no_more_gives_its_memory_back_only_if_it_reaches_nothing() {
    for reaches_nothing in [true, false] {
        let t = trusted(64);
        t.device.pause(true);
        let mut buffer = t.disk.buffer(512).unwrap();
        buffer.bytes_mut().fill(0x3c);
        let leased = t.pool.counters().leased;
        let mut polls = 0;
        let returned = block_on(t.disk.write_owned(0, buffer), || {
            polls += 1;
            t.disk.abandon(reaches_nothing);
        });
        assert_eq!(returned.result, Err(Error::Broken));
        assert!(returned.buffer.is_none() && polls == 1);
        let kept = t.pool.counters().leased;
        assert_eq!(
            kept,
            if reaches_nothing {
                leased - 512
            } else {
                leased
            }
        );
        drop(t.disk);
        let kept = if reaches_nothing { 0 } else { leased };
        assert_eq!(t.pool.counters().leased, kept);
    }
}

#[test]
fn a_device_that_failed_and_is_then_trusted_no_more_is_not_started_anew() {
    let t = trusted(64);
    t.device.needs_reset();
    assert!(t.disk.interrupt().acknowledge());
    t.disk.poll();
    assert_eq!(t.disk.failure(), Some(virtio::Error::NeedsReset));
    t.disk.abandon(true);
    assert_eq!(t.disk.restart(), Err(virtio::Error::Withdrawn));
}

/// A device that fails and does not even reset may write into the buffer for ever.
#[test]
fn a_buffer_comes_back_from_a_failed_device_only_when_it_stopped() {
    for stubborn in [false, true] {
        let t = trusted(64);
        t.device.pause(true);
        t.device.lie(|l| l.never_resets = stubborn);
        let buffer = t.disk.buffer(512).unwrap();
        let leased = t.pool.counters().leased;
        let returned = block_on(t.disk.read_owned(0, buffer), || {
            t.rig.clock.advance(Duration::from_secs(1));
            t.disk.poll();
        });
        assert_eq!(returned.result, Err(Error::TimedOut));
        assert_eq!(returned.buffer.is_none(), stubborn);
        drop(returned);
        drop(t.disk);
        assert_eq!(t.pool.counters().leased, if stubborn { leased } else { 0 });
    }
}

#[test]
fn what_cannot_be_done_gives_the_buffer_back_untouched() {
    let t = trusted(64);
    for (sector, len) in [(64, 512), (0, 513), (0, (1 << 20) + 512)] {
        let returned = block_on(t.disk.read_owned(sector, Buffer::on_heap(len)), || ());
        assert!(returned.result.is_err());
        assert_eq!(returned.buffer.map(|b| b.len()), Some(len));
    }
    assert_eq!(t.fake.borrow().log, []);
}

/// What others lend is no business of a device: a failed one takes nothing more.
#[test]
fn a_failed_device_takes_no_buffer() {
    let t = trusted(64);
    t.device.needs_reset();
    assert!(t.disk.interrupt().acknowledge());
    let buffer = t.disk.buffer(512).unwrap();
    let returned = block_on(t.disk.write_owned(0, buffer), || ());
    assert_eq!(returned.result, Err(Error::Broken));
    assert_eq!(returned.buffer.map(|b| b.len()), Some(512));
}
