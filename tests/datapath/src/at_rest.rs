//! A disk before it is trusted: its pool is given up when its driver has ended, and not before.

use std::cell::RefCell;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Waker};

use block::BlockDevice;
use bounce::Outstanding;
use testkit::executor::block_on;
use testkit::fake_virtio::{FakeBlock, Style};
use virtio::Block;

use crate::setup::{DISK, disk_pool, rig_of};

#[test]
fn a_disk_with_a_request_in_flight_is_not_brought_to_rest_and_goes_on() {
    let rig = rig_of(Style::Qemu, disk_pool());
    let mut fake = FakeBlock::new(64);
    fake.content[..512].fill(0x3c);
    let device = rig.plug(DISK, Rc::new(RefCell::new(fake)));
    let pool = rig.pool(disk_pool());
    let disk: Block = Block::start(rig.open(DISK).unwrap(), &pool, rig.environment).unwrap();
    device.pause(true);
    let mut into = [0; 512];
    {
        let mut read = pin!(disk.read(0, &mut into));
        let mut context = Context::from_waker(Waker::noop());
        assert!(read.as_mut().poll(&mut context).is_pending());
        disk.poll();
        assert_eq!(disk.usage().in_flight, 1);
        let bytes = pool.counters().leased;
        let refused = pool.clone().give_up().map(|_| ());
        assert_eq!(refused, Err(Outstanding { bytes }));
        device.pause(false);
        let turn = || {
            device.run();
            disk.poll();
        };
        assert_eq!(block_on(read, turn), Ok(()));
    }
    assert_eq!(into, [0x3c; 512], "as if nobody had asked");
    assert!(
        pool.clone().give_up().is_err(),
        "its driver is still there, and so are its rings"
    );
    drop(disk);
    let rest = pool.give_up().unwrap();
    assert_eq!(rest.reopen().counters().leased, 0);
}

#[test]
fn a_disk_that_was_halted_touches_no_register_and_is_a_disk_again_with_the_same_pool() {
    let rig = rig_of(Style::Qemu, disk_pool());
    let mut fake = FakeBlock::new(64);
    fake.content[..512].fill(0x3c);
    let device = rig.plug(DISK, Rc::new(RefCell::new(fake)));
    let pool = rig.pool(disk_pool());
    let start =
        |pool: &bounce::Pool| Block::start(rig.open(DISK).unwrap(), pool, rig.environment).unwrap();
    let disk: Block = start(&pool);
    device.pause(true);
    let mut into = [0; 512];
    {
        let mut read = pin!(disk.read(0, &mut into));
        let mut context = Context::from_waker(Waker::noop());
        assert!(read.as_mut().poll(&mut context).is_pending());
        assert_eq!(disk.in_flight(), 1);
        device.pause(false);
        device.run();
        // One that is done and not taken counts as well.
        assert_eq!(disk.in_flight(), 1);
        assert_eq!(block_on(read, || ()), Ok(()));
    }
    assert_eq!((disk.in_flight(), into), (0, [0x3c; 512]));
    disk.halt().unwrap();
    assert_eq!(disk.failure(), Some(virtio::Error::AtRest));
    assert_eq!(disk.halt(), Err(virtio::Error::AtRest));
    assert_eq!(disk.restart(), Err(virtio::Error::AtRest));
    assert_eq!(disk.poll(), None);
    device.announce_config();
    assert!(!disk.interrupt().acknowledge(), "nobody looks");
    drop(disk);
    let pool = pool.give_up().unwrap().reopen();
    let disk = start(&pool);
    let mut again = [0; 512];
    let turn = || {
        device.run();
        disk.poll();
    };
    assert_eq!(block_on(disk.read(0, &mut again), turn), Ok(()));
    assert_eq!(again, into);
}

#[test]
fn a_disk_that_does_not_stop_keeps_its_memory_and_can_be_started_anew() {
    let rig = rig_of(Style::Qemu, disk_pool());
    let device = rig.plug(DISK, Rc::new(RefCell::new(FakeBlock::new(64))));
    let pool = rig.pool(disk_pool());
    let disk: Block = Block::start(rig.open(DISK).unwrap(), &pool, rig.environment).unwrap();
    device.lie(|lies| lies.never_resets = true);
    assert_eq!(disk.halt(), Err(virtio::Error::ResetTimedOut));
    assert_eq!(disk.failure(), Some(virtio::Error::ResetTimedOut));
    assert!(pool.clone().give_up().is_err());
    device.lie(|lies| lies.never_resets = false);
    assert_eq!(disk.restart(), Ok(()));
    assert_eq!(disk.failure(), None);
}
