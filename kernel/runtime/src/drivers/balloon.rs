//! Memory that the host asks back.

use alloc::rc::Rc;

use clock::Instant;
use plan::Arguments;
use realm::Work;
use virtio::Balloon;

use crate::driver::{Device, Driver, Granted, Running, Start};
use crate::spare::Spare;
use crate::{heap, spare};

/// Drives balloons.
pub const DRIVER: Driver = Driver {
    remedy,
    ..Driver::new(<Balloon<Spare>>::needs, start)
};

fn start(device: Granted, start: &Start<'_>, running: &mut Running) -> Result<(), virtio::Error> {
    let (name, pool) = (device.name, device.pool);
    let most = heap::spare_blocks();
    let blocks = u32::try_from(most).unwrap_or(u32::MAX);
    let memory = start.spare.clone();
    let balloon = Balloon::start(device.transport, &pool, start.environment, memory, blocks)?;
    let balloon = Rc::new(balloon);
    log::info!(
        "{name}: the host may have {} MiB of memory",
        (most * plan::BLOCK) >> 20
    );
    spare::relieve_by(&balloon);
    running.add(name, pool, balloon);
    Ok(())
}

fn remedy(arguments: &Arguments) -> Option<&'static str> {
    let is_asked = arguments.get("balloon").is_some();
    (!is_asked).then_some("no use for it here: give balloon=SIZE")
}

impl Device for Balloon<Spare> {
    fn poll(&self) -> Option<Instant> {
        Balloon::poll(self)
    }

    fn take_failure(&self) -> Option<virtio::Error> {
        Balloon::take_failure(self)
    }

    fn work(&self) -> Work {
        Work::Balloon(self.counters())
    }
}
