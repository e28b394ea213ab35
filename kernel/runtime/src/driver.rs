//! What boot and loop know of a device: how one is started, and what one that runs does.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::Ref;

use arch::counter::Counter;
use bounce::{Pool, Private, Spacing};
use clock::Instant;
use net::Network;
use plan::Arguments;
use realm::{Card, Disk, Generator, Refusal, Shared, Work};
use virtio::{Console, Depth, Environment, Needs, Offload, Transport, Usage, Vsock};

use crate::ground::Ground;
use crate::spare::Spare;

/// A kind of device, and how one is driven. Each has a file in `drivers`, and a line in `features`.
pub struct Driver {
    /// The shared memory that one needs.
    pub needs: fn(Spacing) -> Needs,
    /// Starts one, and puts it where `running` has such devices; its error is whatever the device did that
    /// it must not.
    pub start: fn(Granted, &Start<'_>, running: &mut Running) -> Result<(), virtio::Error>,
    /// Whether more than one of this kind is of use.
    pub several: bool,
    /// Whether it has reasons to interrupt.
    pub interrupts: bool,
    /// What boot argument would make one of use, where nothing does yet.
    pub remedy: fn(&Arguments) -> Option<&'static str>,
    /// Whether the user asked for the one at this place. It tells if not; the device is left reset then.
    pub is_asked_for: fn(place: &str, &Transport, &Ground) -> bool,
}

impl Driver {
    /// A kind that is always of use, once, and interrupts.
    pub const fn new(
        needs: fn(Spacing) -> Needs,
        start: fn(Granted, &Start<'_>, &mut Running) -> Result<(), virtio::Error>,
    ) -> Self {
        Self {
            needs,
            start,
            several: false,
            interrupts: true,
            remedy: |_| None,
            is_asked_for: |_, _, _| true,
        }
    }
}

/// A device that has its memory, and can be started.
pub struct Granted {
    /// Its place, such as `0000:00:01.0`.
    pub name: Rc<str>,
    /// The way to it.
    pub transport: Transport,
    /// Its share of the bounce region.
    pub pool: Pool,
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
    /// Memory that may be given away.
    pub spare: Spare,
    /// Knows how long it takes.
    pub clock: Counter,
}

/// A device that runs, as the loop sees it.
pub trait Device {
    /// Lets it have its turn; says when its next deadline is.
    fn poll(&self) -> Option<Instant> {
        None
    }

    /// Why it was stopped, the first time this is asked after it happened.
    fn take_failure(&self) -> Option<virtio::Error> {
        None
    }

    /// What it did.
    fn work(&self) -> Work {
        Work::Other
    }

    /// Tells what it has of each of its queues, from the first on.
    fn tell_usage(&self, _tell: &mut dyn FnMut(Usage)) {}
}

/// Something that looks after itself in each turn of the loop.
pub trait Watch {
    /// Looks whether there is something to do; says when to look again at the latest.
    fn look(&self, now: Instant) -> Option<Instant>;

    /// Memory of the devices that it watches.
    fn pools(&self) -> Ref<'_, [Pool<Private>]>;
}

/// What lines that wait are printed by.
pub trait Printer {
    /// Waits until the host has said that there is a console; says whether it has.
    fn begin(&self) -> bool;

    /// Prints until there is room for more, or the host has taken too long.
    fn make_room(&self);

    /// Prints all that waits, as far as the host takes it in time; the serial port gets the rest.
    fn finish(&self);
}

/// A device that runs, and what it is called.
pub struct Named {
    /// Its place, such as `0000:00:01.0`.
    pub name: Rc<str>,
    /// Its share of the bounce region; a trusted device has none.
    pub pool: Option<Pool>,
    /// The device.
    pub device: Rc<dyn Device>,
}

/// What payloads get of devices.
#[derive(Default)]
pub struct Given {
    /// Disks, in the order of the bus.
    pub disks: Vec<Disk>,
    /// The console and its ports, of which there is one.
    pub console: Option<Rc<Console>>,
    /// Folders of the host, in the order of the bus.
    pub shares: Vec<Shared>,
    /// Streams to the host and from it; of which device there is one.
    pub vsock: Option<Rc<Vsock>>,
    /// The network on the first card.
    pub network: Option<Network>,
}

/// The devices that run.
#[derive(Default)]
pub struct Running {
    /// All of them.
    pub devices: Vec<Named>,
    /// Devices that are there and are not driven.
    pub refused: Vec<Refusal>,
    /// What the payload gets.
    pub given: Given,
    /// The network card, of which there is one.
    pub card: Option<Card>,
    /// What lines that wait are printed by.
    pub printer: Option<Rc<dyn Printer>>,
    /// Who watches devices that are trusted, and has their memory.
    pub watch: Option<Rc<dyn Watch>>,
}

impl Running {
    /// Notes a device that runs.
    pub fn add(&mut self, name: Rc<str>, pool: impl Into<Option<Pool>>, device: Rc<dyn Device>) {
        let pool = pool.into();
        self.devices.push(Named { name, pool, device });
    }

    /// Bytes copied in so far: a number that changes when a device has done something.
    pub fn bytes_in(&self) -> u64 {
        let shared = self.devices.iter().filter_map(|named| named.pool.as_ref());
        let shared = shared.map(|pool| pool.counters().bytes_in);
        // A trusted device moves data without a copy; the status of each request is one.
        let trusted = self.watch.iter().flat_map(|watch| {
            let pools = watch.pools();
            let sum = pools.iter().map(|pool| pool.counters().bytes_in);
            Some(sum.fold(0, u64::wrapping_add))
        });
        shared.chain(trusted).fold(0, u64::wrapping_add)
    }

    /// Lets devices have their turn; says when their next deadline is.
    pub fn poll(&self) -> Option<Instant> {
        let devices = self.devices.iter();
        devices.filter_map(|named| named.device.poll()).min()
    }

    /// Name and counters of each pool of private memory.
    pub fn private_counters(&self) -> Vec<(Rc<str>, bounce::Counters)> {
        let Some(watch) = &self.watch else {
            return Vec::new();
        };
        let pools = watch.pools();
        let pools = pools.iter();
        pools.map(|pool| (pool.device(), pool.counters())).collect()
    }

    /// Tells of each device that was stopped, once.
    pub fn tell_failures(&self) {
        for Named { name, device, .. } in &self.devices {
            if let Some(error) = device.take_failure() {
                log::error!("{name}: stopped: {error}");
            }
        }
    }

    /// What the device called `name` did.
    pub fn work(&self, name: &str) -> Work {
        let named = self.devices.iter().find(|named| &*named.name == name);
        named.map_or(Work::Other, |named| named.device.work())
    }
}
