//! What a payload sees.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::OnceCell;
use core::fmt;
use core::time::Duration;

use arch::Accesses;
use arch::counter::Counter;
use bounce::Region;
use clock::Clock;
use net::Network;
use plan::Arguments;
use rsi::{HashAlgorithm, Version};

use crate::attestation::Attestation;
use crate::counters::{Counters, DeviceCounters};
use crate::cpus::Cpus;
use crate::devices::Running;
use crate::interrupts::Interrupts;
use crate::messages;
use crate::random::{Fork, Generator};
use crate::refusal::Refusal;
use crate::{Disk, Error};

/// Where the image runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// In a realm: what is not shared is nobody else's.
    Realm {
        /// The highest RSI version of the RMM.
        rsi: Version,
        /// Bits of the IPA space, shared bit included.
        ipa_width: u32,
        /// What measurements are made with.
        hash: HashAlgorithm,
        /// The realm personalization value.
        personalization: [u8; 64],
    },
    /// In an ordinary machine: the host sees everything.
    Machine,
}

/// What is known of the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Where the image runs.
    pub mode: Mode,
    /// Bytes of RAM.
    pub memory: u64,
    /// Whether the CPU gives random numbers.
    pub entropy: bool,
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mode {
            Mode::Machine => write!(f, "an ordinary machine, not a realm")?,
            Mode::Realm {
                rsi,
                ipa_width,
                hash,
                personalization,
            } => {
                write!(f, "a realm: RSI {rsi}, IPA width {ipa_width}, {hash}")?;
                write_personalization(f, &personalization)?;
            }
        }
        write!(f, "; {} MiB of RAM", self.memory >> 20)
    }
}

/// Writes the value without the zeros at its end; nothing if it is all zeros.
fn write_personalization(f: &mut fmt::Formatter<'_>, value: &[u8; 64]) -> fmt::Result {
    let Some(last) = value.iter().rposition(|byte| *byte != 0) else {
        return Ok(());
    };
    f.write_str(", personalization ")?;
    value
        .iter()
        .take(last + 1)
        .try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// The realm, as its payload sees it. Clones are the same realm.
#[derive(Clone)]
pub struct Realm(Rc<Parts>);

/// What boot put together.
pub(crate) struct Parts {
    pub(crate) facts: Facts,
    pub(crate) arguments: Arguments,
    pub(crate) clock: Counter,
    pub(crate) entry: clock::Instant,
    pub(crate) random: Generator,
    pub(crate) regions: Vec<Rc<Region>>,
    pub(crate) running: Rc<Running>,
    pub(crate) disks: Vec<Disk>,
    pub(crate) network: Option<Network>,
    pub(crate) interrupts: Option<Rc<Interrupts>>,
    /// Affinities of all processors.
    pub(crate) processors: Vec<u64>,
    pub(crate) cpus: OnceCell<Cpus>,
    pub(crate) attestation: Option<Attestation>,
}

impl Realm {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Rc::new(parts))
    }

    /// What is known of the place.
    pub fn facts(&self) -> Facts {
        self.0.facts
    }

    /// Boot arguments. They come from the host, and are measured.
    pub fn args(&self) -> &Arguments {
        &self.0.arguments
    }

    /// The time, by the CPU's counter. The host cannot change it; it can only stop us.
    pub fn now(&self) -> clock::Instant {
        self.0.clock.now()
    }

    /// Lets `time` pass while other tasks run. What lies beyond the end of time, 584 years after boot,
    /// never comes.
    pub async fn sleep(&self, time: Duration) {
        // One tick is a nanosecond.
        let end = self.now().after(time);
        embassy_time::Timer::at(embassy_time::Instant::from_ticks(end.as_nanos())).await;
    }

    /// When the image was entered.
    pub fn entered(&self) -> clock::Instant {
        self.0.entry
    }

    /// The network.
    ///
    /// # Errors
    ///
    /// [`Error::NoNetwork`] if there is no card, or none that could be started.
    pub fn network(&self) -> Result<Network, Error> {
        self.0.network.clone().ok_or(Error::NoNetwork)
    }

    /// The disks, in the order of the bus.
    pub fn disks(&self) -> &[Disk] {
        &self.0.disks
    }

    /// The first disk.
    ///
    /// # Errors
    ///
    /// [`Error::NoDisk`] if there is none, or none that could be started.
    pub fn disk(&self) -> Result<Disk, Error> {
        self.0.disks.first().cloned().ok_or(Error::NoDisk)
    }

    /// Devices that are there and are not driven, and why.
    pub fn refusals(&self) -> &[Refusal] {
        &self.0.running.refused
    }

    /// What crossed the boundary so far.
    pub fn counters(&self) -> Counters {
        let regions = &self.0.regions;
        let pools = regions.iter().flat_map(|region| region.counters());
        let pools = pools.filter(|(name, _)| &**name != messages::POOL);
        let pools = pools.chain(self.0.running.private_counters());
        let devices = pools.map(|(name, bounce)| DeviceCounters {
            work: self.0.running.work(&name),
            name,
            bounce,
        });
        let interrupts = self.0.interrupts.as_ref();
        Counters {
            devices: devices.collect(),
            accesses: Accesses::so_far(),
            interrupts: interrupts
                .map(|interrupts| interrupts.taken())
                .unwrap_or_default(),
            means: interrupts
                .map(|interrupts| interrupts.means())
                .unwrap_or_default(),
            shared: regions.iter().map(|region| region.len()).sum(),
        }
    }

    pub(crate) fn attestation(&self) -> Option<&Attestation> {
        self.0.attestation.as_ref()
    }

    pub(crate) fn fork(&self) -> Result<Fork, Error> {
        self.0.random.fork()
    }

    /// The processors, all of which are started the first time. One that the host refuses is left out:
    /// [`Cpus::refused`] says why. `airlock run --cpus N` gives as many.
    pub fn cpus(&self) -> &Cpus {
        self.0.cpus.get_or_init(|| {
            let interrupts = self.0.interrupts.as_deref();
            Cpus::start(&self.0.processors, interrupts, self.0.clock)
        })
    }

    /// The clock behind [`Realm::now`].
    pub fn clock(&self) -> &dyn Clock {
        &self.0.clock
    }

    /// Fills `bytes` with random numbers that the host has no say in.
    ///
    /// # Errors
    ///
    /// [`Error::NoEntropy`] where the CPU has none; then make no key.
    pub fn random(&self, bytes: &mut [u8]) -> Result<(), Error> {
        self.0.random.fill(bytes)
    }
}
