//! Streams to the host and from it.

use alloc::rc::Rc;

use bounce::Spacing;
use clock::Instant;
use realm::Work;
use virtio::{Needs, Vsock};

use crate::driver::{Device, Driver, Granted, Running, Start};

/// Drives socket devices.
pub const DRIVER: Sockets = Sockets;

/// The driver.
pub struct Sockets;

impl Driver for Sockets {
    fn needs(&self, spacing: Spacing) -> Needs {
        <Vsock>::needs(spacing)
    }

    fn start(
        &self,
        device: Granted,
        start: &Start<'_>,
        running: &mut Running,
    ) -> Result<(), virtio::Error> {
        let pool = device.pool;
        let vsock = Rc::new(Vsock::start(device.transport, &pool, start.environment)?);
        running.given.vsock = Some(Rc::clone(&vsock));
        running.add(device.name, pool, vsock);
        Ok(())
    }
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
