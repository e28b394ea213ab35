//! Disks.

use alloc::rc::Rc;

use clock::Instant;
use realm::{Disk, Driven, Work};
use virtio::{Block, Usage};

use crate::driver::{Device, Driver, Granted, Running, Start};

/// Drives disks of the host.
pub const DRIVER: Driver = Driver {
    several: true,
    ..Driver::new(<Block>::needs, start)
};

fn start(device: Granted, start: &Start<'_>, running: &mut Running) -> Result<(), virtio::Error> {
    let pool = device.pool;
    let block: Block = Block::start_with(device.transport, &pool, start.environment, start.depth)?;
    let disk = Disk::from(block);
    running.add(device.name, pool, Rc::new(disk.clone()));
    running.given.disks.push(disk);
    Ok(())
}

impl Device for Disk {
    fn poll(&self) -> Option<Instant> {
        Driven::poll(self)
    }

    fn take_failure(&self) -> Option<virtio::Error> {
        Driven::take_failure(self)
    }

    fn work(&self) -> Work {
        Work::Block(self.counters())
    }

    fn tell_usage(&self, tell: &mut dyn FnMut(Usage)) {
        tell(self.usage());
    }
}
