//! Disks.

use alloc::rc::Rc;

use bounce::Spacing;
use clock::Instant;
use realm::{Disk, Driven, Work};
use virtio::{Block, Needs, Usage};

use crate::driver::{Device, Driver, Granted, Running, Start};

/// Drives disks of the host.
pub const DRIVER: Disks = Disks;

/// The driver.
pub struct Disks;

impl Driver for Disks {
    fn needs(&self, spacing: Spacing) -> Needs {
        <Block>::needs(spacing)
    }

    fn start(
        &self,
        device: Granted,
        start: &Start<'_>,
        running: &mut Running,
    ) -> Result<(), virtio::Error> {
        let pool = device.pool;
        let block: Block =
            Block::start_with(device.transport, &pool, start.environment, start.depth)?;
        let disk = Disk::from(block);
        running.add(device.name, pool, Rc::new(disk.clone()));
        running.given.disks.push(disk);
        Ok(())
    }

    fn several(&self) -> bool {
        true
    }
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
