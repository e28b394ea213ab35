//! Sources of random bytes of the host, which are mixed in and never believed.

use alloc::rc::Rc;

use realm::Generator;
use virtio::Rng;

use crate::driver::{Device, Driver, Granted, Running, Start};

/// Drives sources of random bytes.
pub const DRIVER: Driver = Driver {
    // It is asked once, and waited for.
    interrupts: false,
    ..Driver::new(<Rng>::needs, start)
};

/// Random bytes that are asked of the host, to be mixed in.
const MIXED_IN: usize = 32;

fn start(device: Granted, start: &Start<'_>, running: &mut Running) -> Result<(), virtio::Error> {
    let pool = device.pool;
    let mut source = Rng::start(device.transport, &pool, start.environment)?;
    mix(&mut source, start.random)?;
    // It is kept because its slots must not go before it does.
    running.add(device.name, pool, Rc::new(source));
    Ok(())
}

impl Device for Rng {}

/// Mixes random bytes of the host in.
fn mix(source: &mut Rng, random: &Generator) -> Result<(), virtio::Error> {
    let mut bytes = [0; MIXED_IN];
    let given = source.read(&mut bytes)?;
    random.mix(bytes.get(..given).unwrap_or_default());
    Ok(())
}
