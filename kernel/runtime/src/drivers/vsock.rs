//! Streams to the host and from it.

use alloc::rc::Rc;

use clock::Instant;
use realm::Work;
use virtio::Vsock;

use crate::driver::{Device, Driver, Granted, Running, Start};

/// Drives socket devices.
pub const DRIVER: Driver = Driver::new(<Vsock>::needs, start);

fn start(device: Granted, start: &Start<'_>, running: &mut Running) -> Result<(), virtio::Error> {
    let pool = device.pool;
    let vsock = Rc::new(Vsock::start(device.transport, &pool, start.environment)?);
    running.given.vsock = Some(Rc::clone(&vsock));
    running.add(device.name, pool, vsock);
    Ok(())
}

impl Device for Vsock {
    fn poll(&self) -> Option<Instant> {
        Vsock::poll(self)
    }

    fn take_failure(&self) -> Option<virtio::Error> {
        Vsock::take_failure(self)
    }

    fn work(&self) -> Work {
        Work::Vsock(self.counters())
    }
}
