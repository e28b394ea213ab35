//! The devices of the realm: each gets a pool of its own, and is started.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

use arch::counter::Counter;
use bounce::{Pool, Region, Spacing};
use clock::Clock;
use net::{Config, Stack};
use plan::{Arguments, BLOCK};
use virtio::{Block, Environment, Kind, Net, Rng, Transport};

use crate::Error;
use crate::bus::{Bus, Found};
use crate::card::Card;
use crate::counters::Work;
use crate::interrupts::Interrupts;
use crate::random::Generator;
use crate::refusal::Refusal;

/// Random bytes that are asked of the host, to be mixed in.
const MIXED_IN: usize = 32;

/// A device that runs, and what it is called.
pub struct Named<T> {
    /// Its place, such as `0000:00:01.0`.
    pub name: Rc<str>,
    /// Its share of the bounce region.
    pub pool: Pool,
    /// The device.
    pub device: T,
}

impl<T> Named<T> {
    fn map<U>(self, make: impl FnOnce(T) -> U) -> Named<U> {
        Named {
            name: self.name,
            pool: self.pool,
            device: make(self.device),
        }
    }
}

/// The devices that run.
#[derive(Default)]
pub struct Running {
    /// The network card, of which there is one.
    pub card: Option<Named<Card>>,
    /// Block devices, in the order of the bus.
    pub disks: Vec<Named<Rc<Block>>>,
    /// Devices that are there and are not driven.
    pub refused: Vec<Refusal>,
    /// Sources of random bytes. They are kept because their slots must not go before they do.
    entropy: Vec<Rng>,
}

impl Running {
    /// Bytes copied in so far: a number that changes when a device has done something.
    pub fn bytes_in(&self) -> u64 {
        let disks = self.disks.iter().map(|disk| &disk.pool);
        let pools = self.card.iter().map(|card| &card.pool).chain(disks);
        pools
            .map(|pool| pool.counters().bytes_in)
            .fold(0, u64::wrapping_add)
    }

    /// The block devices, for payloads.
    pub fn disks(&self) -> Vec<Rc<Block>> {
        let disks = self.disks.iter();
        disks.map(|disk| Rc::clone(&disk.device)).collect()
    }

    /// Tells of each device that was stopped, once.
    pub fn tell_failures(&self) {
        let card = self
            .card
            .iter()
            .map(|card| (&card.name, card.device.take_failure()));
        let disks = self
            .disks
            .iter()
            .map(|disk| (&disk.name, disk.device.take_failure()));
        for (name, failure) in card.chain(disks) {
            if let Some(error) = failure {
                log::error!("{name}: stopped: {error}");
            }
        }
    }

    /// What the device called `name` did.
    pub fn work(&self, name: &str) -> Work {
        let card = self.card.iter().find(|card| &*card.name == name);
        let disk = self.disks.iter().find(|disk| &*disk.name == name);
        match (card, disk) {
            (Some(card), _) => Work::Network(card.device.counters()),
            (_, Some(disk)) => Work::Block(disk.device.counters()),
            _ => Work::Other,
        }
    }
}

/// Shared bytes that a device would like, in whole granules.
pub fn shared_bytes(found: &Found) -> usize {
    let bytes = match found.transport.kind() {
        Kind::Net => <Net>::needs(Spacing::Packed).wanted,
        Kind::Block => <Block>::needs(Spacing::Packed).wanted,
        Kind::Rng => <Rng>::needs(Spacing::Packed).wanted,
        Kind::Other(_) => 0,
    };
    bytes.next_multiple_of(4096)
}

/// Shared bytes that all devices would like, and `besides`.
pub fn total_bytes(found: &[Found], besides: u64) -> u64 {
    let bytes: usize = found.iter().map(shared_bytes).sum();
    bytes as u64 + besides
}

/// The same in whole blocks, and at least one.
pub fn region_bytes(found: &[Found], besides: u64) -> u64 {
    total_bytes(found, besides).max(1).next_multiple_of(BLOCK)
}

/// Tells how the region is divided.
pub fn log_region(region: &Region, found: &[Found]) {
    let mut parts = String::new();
    for device in found.iter().filter(|device| shared_bytes(device) != 0) {
        // A string takes whatever is written to it.
        let _ = write!(
            parts,
            ", {} {} KiB",
            device.name,
            shared_bytes(device) >> 10
        );
    }
    log::info!("bounce: {} KiB shared{parts}", region.len() >> 10);
}

/// Starts every device that has a driver. One that does not start is noted and left out: a host
/// that breaks one device keeps the others.
pub fn start(
    bus: Bus,
    region: &Region,
    environment: Environment,
    random: &Generator,
    interrupts: Option<&Interrupts>,
) -> Running {
    let mut running = Running {
        refused: bus.refused,
        ..Running::default()
    };
    for device in bus.found {
        let name = Rc::clone(&device.name);
        let kind = device.transport.kind();
        if let Some(interrupts) = interrupts.filter(|_| kind != Kind::Rng) {
            let interrupt = device.transport.interrupt();
            interrupts.attach(&name, device.id, device.interrupt, interrupt);
        }
        match running.start(device, region, environment, random) {
            Ok(()) => log::debug!("{name}: started"),
            Err(error) => running.refused.push(Refusal::told(name, kind, error)),
        }
    }
    if let Some(interrupts) = interrupts {
        interrupts.connect();
    }
    running
}

impl Running {
    fn start(
        &mut self,
        found: Found,
        region: &Region,
        environment: Environment,
        random: &Generator,
    ) -> Result<(), virtio::Error> {
        match found.transport.kind() {
            Kind::Net if self.card.is_some() => {
                log::info!("{}: not used: one network card is enough", found.name);
            }
            Kind::Net => {
                let start = |transport, pool: &Pool| Net::start(transport, pool, environment);
                self.card = Some(named(found, region, start)?.map(Card::new));
            }
            Kind::Block => {
                let start = |transport, pool: &Pool| Block::start(transport, pool, environment);
                self.disks.push(named(found, region, start)?.map(Rc::new));
            }
            Kind::Rng => {
                let start = |transport, pool: &Pool| Rng::start(transport, pool, environment);
                let mut source = named(found, region, start)?.device;
                mix(&mut source, random)?;
                self.entropy.push(source);
            }
            // `bus::find` leaves them alone.
            Kind::Other(_) => {}
        }
        Ok(())
    }
}

/// Carves a pool for a device and starts it.
fn named<T>(
    found: Found,
    region: &Region,
    start: impl FnOnce(Transport, &Pool) -> Result<T, virtio::Error>,
) -> Result<Named<T>, virtio::Error> {
    let pool = region.pool(&found.name, shared_bytes(&found))?;
    Ok(Named {
        device: start(found.transport, &pool)?,
        name: found.name,
        pool,
    })
}

/// Mixes random bytes of the host in.
fn mix(source: &mut Rng, random: &Generator) -> Result<(), virtio::Error> {
    let mut bytes = [0; MIXED_IN];
    let given = source.read(&mut bytes)?;
    random.mix(bytes.get(..given).unwrap_or_default());
    Ok(())
}

/// Starts the network on the card, with the address of the boot argument `ip=`.
///
/// # Errors
///
/// [`Error::Address`], [`Error::Stack`].
pub fn start_network(
    running: &Running,
    arguments: &Arguments,
    random: &Generator,
    clock: Counter,
) -> Result<Option<Stack>, Error> {
    let config = arguments
        .get("ip")
        .map_or(Ok(Config::default()), Config::parse);
    let config = config.map_err(Error::Address)?;
    let Some(card) = &running.card else {
        return Ok(None);
    };
    let mut seed = [0; 32];
    if random.fill(&mut seed).is_err() {
        log::warn!("network: no random numbers: others can guess ports and sequence numbers");
        let time = clock.now().as_nanos().to_le_bytes();
        seed.iter_mut()
            .zip(time)
            .for_each(|(seed, time)| *seed = time);
    }
    let port = Box::new(card.device.clone());
    let stack = Stack::new(port, Rc::new(clock), seed, &config);
    stack.map(Some).map_err(Error::Stack)
}
