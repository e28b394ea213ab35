//! Folders of the host.

use alloc::rc::Rc;

use clock::Instant;
use plan::Arguments;
use realm::{Shared, Work};
use virtio::{NineP, Transport};

use crate::driver::{Device, Driver, Granted, Running, Start};
use crate::ground::Ground;

/// Drives shared folders.
pub const DRIVER: Driver = Driver {
    several: true,
    remedy,
    is_asked_for,
    ..Driver::new(<NineP>::needs, start)
};

fn start(device: Granted, start: &Start<'_>, running: &mut Running) -> Result<(), virtio::Error> {
    let (name, pool) = (device.name, device.pool);
    let folder = Rc::new(NineP::start(device.transport, &pool, start.environment)?);
    log::info!("{name}: shared folder `{}`", folder.name());
    running.given.shares.push(Shared::new(Rc::clone(&folder)));
    running.add(name, pool, folder);
    Ok(())
}

fn remedy(arguments: &Arguments) -> Option<&'static str> {
    let is_asked = arguments.get("share").is_some();
    (!is_asked).then_some("no use for it here: give share=NAME")
}

fn is_asked_for(place: &str, transport: &Transport, ground: &Ground) -> bool {
    let asked = ground.arguments.get("share").unwrap_or_default();
    match virtio::share_name(transport, ground.environment()) {
        Ok(name) if asked.split(',').any(|asked| *asked == *name) => true,
        Ok(name) => {
            let kind = transport.kind();
            log::info!(
                "{place}: {kind} `{name}`, no use for it here: share={asked} does not name it"
            );
            false
        }
        // Starting it tells.
        Err(_) => true,
    }
}

impl Device for NineP {
    fn poll(&self) -> Option<Instant> {
        NineP::poll(self)
    }

    fn take_failure(&self) -> Option<virtio::Error> {
        NineP::take_failure(self)
    }

    fn work(&self) -> Work {
        Work::Share(self.counters())
    }
}
