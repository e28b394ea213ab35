//! The devices of the realm: each gets a pool of its own, and is started.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::time::Duration;

use arch::counter::Counter;
use bounce::{Pool, Private, Spacing};
use clock::{Clock, Instant};
use net::{Config, Stack};
use plan::Arguments;
use realm::{Disk, Distrust, Driven as _, Error, Generator, Reason, Refusal, Shared, Work};
use trust::PrivateDevice;
use virtio::{
    Block, Console, Depth, Direct, Environment, Kind, Net, NineP, Offload, Rng, Transport, Vsock,
};

use crate::bus::Found;
use crate::card::Card;
use crate::interrupts::Interrupts;
use crate::private;
use crate::sharing::Share;
use crate::trusted::Trusted;

/// Random bytes that are asked of the host, to be mixed in.
const MIXED_IN: usize = 32;
/// Private bytes for buffers that users of a trusted disk hand over: two of the longest requests.
const BUFFERS: usize = 2 * virtio::MAX_REQUEST;

/// How long all devices together may take to start; each has deadlines of its own within that.
const ALL: Duration = Duration::from_secs(10);

/// A device that runs, and what it is called.
pub struct Named<T> {
    /// Its place, such as `0000:00:01.0`.
    pub name: Rc<str>,
    /// Its share of the bounce region; a trusted device has none.
    pub pool: Option<Pool>,
    /// The device.
    pub device: T,
}

/// The devices that run.
#[derive(Default)]
pub struct Running {
    /// The network card, of which there is one.
    pub card: Option<Named<Card>>,
    /// Block devices, in the order of the bus.
    pub disks: Vec<Named<Disk>>,
    /// The console and its ports, of which there is one.
    pub console: Option<Named<Rc<Console>>>,
    /// Folders of the host, in the order of the bus.
    pub shares: Vec<Named<Rc<NineP>>>,
    /// Streams to the host and from it; of which device there is one.
    pub vsock: Option<Named<Rc<Vsock>>>,
    /// Devices that are there and are not driven.
    pub refused: Vec<Refusal>,
    /// Sources of random bytes. They are kept because their slots must not go before they do.
    entropy: Vec<Rng>,
    /// Memory of devices that are trusted.
    private: Vec<Pool<Private>>,
    /// Who watches those devices.
    pub trusted: Option<Trusted>,
}

impl Running {
    /// Bytes copied in so far: a number that changes when a device has done something.
    pub fn bytes_in(&self) -> u64 {
        let disks = self.disks.iter().filter_map(|disk| disk.pool.as_ref());
        let card = self.card.iter().filter_map(|card| card.pool.as_ref());
        let console = self.console.iter().filter_map(|named| named.pool.as_ref());
        let folders = self.shares.iter().filter_map(|share| share.pool.as_ref());
        let vsock = self.vsock.iter().filter_map(|named| named.pool.as_ref());
        let shared = card
            .chain(disks)
            .chain(console)
            .chain(folders)
            .chain(vsock)
            .map(|pool| pool.counters().bytes_in);
        // A trusted device moves data without a copy; the status of each request is one.
        let private = self.private.iter();
        let trusted = private.map(|pool| pool.counters().bytes_in);
        shared.chain(trusted).fold(0, u64::wrapping_add)
    }

    /// The block devices, for payloads.
    pub fn disks(&self) -> Vec<Disk> {
        self.disks.iter().map(|disk| disk.device.clone()).collect()
    }

    /// The folders of the host, for payloads.
    pub fn shares(&self) -> Vec<Shared> {
        let shares = self.shares.iter();
        shares
            .map(|share| Shared::new(Rc::clone(&share.device)))
            .collect()
    }

    /// Lets disks and folders have their turn; says when their next deadline is.
    pub fn poll(&self) -> Option<Instant> {
        let disks = self.disks.iter().filter_map(|disk| disk.device.poll());
        let shares = self.shares.iter().filter_map(|share| share.device.poll());
        let vsock = self.vsock.iter().filter_map(|vsock| vsock.device.poll());
        disks.chain(shares).chain(vsock).min()
    }

    /// Name and counters of each pool of private memory.
    pub fn private_counters(&self) -> Vec<(Rc<str>, bounce::Counters)> {
        let pools = self.private.iter();
        pools.map(|pool| (pool.device(), pool.counters())).collect()
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
        let console = self
            .console
            .iter()
            .map(|console| (&console.name, console.device.take_failure()));
        let shares = self
            .shares
            .iter()
            .map(|share| (&share.name, share.device.take_failure()));
        let vsock = self
            .vsock
            .iter()
            .map(|vsock| (&vsock.name, vsock.device.take_failure()));
        let streams = console.chain(shares).chain(vsock);
        for (name, failure) in card.chain(disks).chain(streams) {
            if let Some(error) = failure {
                log::error!("{name}: stopped: {error}");
            }
        }
    }

    /// What the device called `name` did.
    pub fn work(&self, name: &str) -> Work {
        let card = self.card.iter().find(|card| &*card.name == name);
        let disk = self.disks.iter().find(|disk| &*disk.name == name);
        let console = self.console.iter().find(|console| &*console.name == name);
        let share = self.shares.iter().find(|share| &*share.name == name);
        let share = share.map(|share| Work::Share(share.device.counters()));
        let vsock = self.vsock.iter().find(|vsock| &*vsock.name == name);
        let console = console.map(|console| Work::Console(console.device.counters()));
        let vsock = vsock.map(|vsock| Work::Vsock(vsock.device.counters()));
        match (card, disk) {
            (Some(card), _) => Work::Network(card.device.counters()),
            (_, Some(disk)) => Work::Block(disk.device.counters()),
            _ => console.or(share).or(vsock).unwrap_or(Work::Other),
        }
    }
}

/// What starting a device takes.
pub struct Start<'a> {
    /// What drivers have to know.
    pub environment: Environment,
    /// What work on frames is left to the card.
    pub offload: Offload,
    /// How many requests of a disk can be in flight.
    pub depth: Depth,
    /// What random bytes of the host are mixed into.
    pub random: &'a Generator,
    /// How devices are waited for.
    pub interrupts: Option<&'a Interrupts>,
    /// Knows how long it takes.
    pub clock: &'a dyn Clock,
}

impl Start<'_> {
    /// Starts every device, those that are trusted first. One that does not start is noted beside those
    /// that were `refused` before, and left out: a host that breaks one device keeps the others, as long
    /// as there is time for them.
    pub fn all(
        &self,
        shares: Vec<Share>,
        (accepted, trusted): (Vec<Found>, Option<Trusted>),
        refused: Vec<Refusal>,
    ) -> Running {
        let mut running = Running {
            refused,
            trusted,
            ..Running::default()
        };
        let deadline = self.clock.deadline(ALL);
        for found in accepted {
            self.attach(&found);
            let (name, kind) = (Rc::clone(&found.name), found.transport.kind());
            if let Err(why) = running.start_trusted(found, self.environment) {
                running.refused.push(Refusal::told(name, kind, why));
            }
        }
        for share in shares {
            let name = Rc::clone(&share.found.name);
            let kind = share.found.transport.kind();
            if self.clock.now() > deadline {
                let refusal = Refusal::told(name, kind, Reason::Late);
                running.refused.push(refusal);
                continue;
            }
            match self.one(&mut running, share) {
                Ok(()) => log::debug!("{name}: started"),
                Err(error) => running.refused.push(Refusal::told(name, kind, error)),
            }
        }
        if let Some(interrupts) = self.interrupts {
            interrupts.connect();
        }
        running
    }

    /// Connects a device's interrupts.
    fn attach(&self, found: &Found) {
        let wanted = found.transport.kind() != Kind::Rng;
        if let Some(interrupts) = self.interrupts.filter(|_| wanted) {
            let interrupt = found.transport.interrupt();
            interrupts.attach(&found.name, found.id, found.interrupt, interrupt);
        }
    }

    fn one(&self, running: &mut Running, share: Share) -> Result<(), virtio::Error> {
        let Share { found, pool } = share;
        self.attach(&found);
        let (kind, transport) = (found.transport.kind(), found.transport);
        let environment = self.environment;
        let name = found.name;
        match kind {
            Kind::Net => {
                let device = Net::start_with(transport, &pool, environment, self.offload)?;
                let device = Card::new(device);
                let pool = Some(pool);
                running.card = Some(Named { name, pool, device });
            }
            Kind::Block => {
                let device: Block = Block::start_with(transport, &pool, environment, self.depth)?;
                let device = Disk::from(device);
                let pool = Some(pool);
                running.disks.push(Named { name, pool, device });
            }
            Kind::Console => {
                let device = Rc::new(Console::start(transport, &pool, environment)?);
                let pool = Some(pool);
                running.console = Some(Named { name, pool, device });
            }
            Kind::NineP => {
                let device = Rc::new(NineP::start(transport, &pool, environment)?);
                log::info!("{name}: shared folder `{}`", device.name());
                let pool = Some(pool);
                running.shares.push(Named { name, pool, device });
            }
            Kind::Vsock => {
                let device = Rc::new(Vsock::start(transport, &pool, environment)?);
                let pool = Some(pool);
                running.vsock = Some(Named { name, pool, device });
            }
            Kind::Rng => {
                let mut source = Rng::start(transport, &pool, environment)?;
                mix(&mut source, self.random)?;
                running.entropy.push(source);
            }
            // `bus::find` leaves them alone.
            Kind::Balloon | Kind::Other(_) => {}
        }
        Ok(())
    }
}

impl Running {
    /// Starts a trusted disk, with private memory, and has it watched.
    fn start_trusted(&mut self, found: Found, environment: Environment) -> Result<(), Distrust> {
        let trusted = self.trusted.as_ref().ok_or(Distrust::NoRealm)?;
        let device = found.trusted.ok_or(Distrust::NoRealm)?;
        let (name, transport) = (found.name, found.transport);
        let (disk, pool) = match drive(&name, transport, &device, trusted, environment) {
            Ok(driven) => driven,
            Err(error) => {
                trusted.give_up(device);
                return Err(error);
            }
        };
        log::info!("{name}: {} KiB of private memory", pool.size() >> 10);
        trusted.watch(device, disk.clone());
        self.private.push(pool);
        self.disks.push(Named {
            name,
            pool: None,
            device: disk,
        });
        Ok(())
    }
}

/// A driver for a trusted disk, and its memory: its own, and that of users' buffers.
fn drive(
    name: &str,
    transport: Transport,
    device: &PrivateDevice,
    trusted: &Trusted,
    environment: Environment,
) -> Result<(Disk, Pool<Private>), Distrust> {
    let driver = Block::<Direct>::needs(Spacing::Packed).wanted;
    let bytes = (driver + BUFFERS).next_multiple_of(4096);
    let region = private::region(bytes, trusted.clock()).map_err(|_| Distrust::NoMemory)?;
    let pool = device.pool(&region, name, region.len());
    let pool = pool.map_err(|_| Distrust::NoMemory)?;
    let disk = Block::<Direct>::start(transport, &pool, environment)?;
    Ok((Disk::from(disk), pool))
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
