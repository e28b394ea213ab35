//! The network card.

use alloc::rc::Rc;

use realm::{Card, Work};
use virtio::{Net, Usage};

use crate::driver::{Device, Driver, Granted, Running, Start};

/// Drives network cards.
pub const DRIVER: Driver = Driver::new(<Net>::needs, start);

fn start(device: Granted, start: &Start<'_>, running: &mut Running) -> Result<(), virtio::Error> {
    let pool = device.pool;
    let net = Net::start_with(device.transport, &pool, start.environment, start.offload)?;
    let card = Card::new(net);
    running.add(device.name, pool, Rc::new(card.clone()));
    running.card = Some(card);
    Ok(())
}

/// The network stack gives it its turns.
impl Device for Card {
    fn take_failure(&self) -> Option<virtio::Error> {
        Card::take_failure(self)
    }

    fn work(&self) -> Work {
        Work::Network(self.counters())
    }

    fn tell_usage(&self, tell: &mut dyn FnMut(Usage)) {
        self.usage().into_iter().for_each(tell);
    }
}
