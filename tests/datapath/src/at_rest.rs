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
