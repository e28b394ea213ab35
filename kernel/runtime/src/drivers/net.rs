//! The network card.

use alloc::rc::Rc;

use bounce::Spacing;
use realm::{Card, Work};
use virtio::{Needs, Net, Usage};

use crate::driver::{Device, Driver, Granted, Running, Start};

/// Drives network cards.
pub const DRIVER: Cards = Cards;

/// The driver.
pub struct Cards;

impl Driver for Cards {
    fn needs(&self, spacing: Spacing) -> Needs {
        <Net>::needs(spacing)
    }

    fn start(
        &self,
        device: Granted,
        start: &Start<'_>,
        running: &mut Running,
    ) -> Result<(), virtio::Error> {
        let pool = device.pool;
        let net = Net::start_with(device.transport, &pool, start.environment, start.offload)?;
        let card = Card::new(net);
        running.add(device.name, pool, Rc::new(card.clone()));
        running.card = Some(card);
        Ok(())
    }
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
