//! What a payload sees.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::OnceCell;
use core::fmt;
use core::time::Duration;

use attest::{Challenge, Digest, EventLog, MeasureError, Measurements, Token, TokenError};
use clock::Clock;
use net::Network;
use plan::Arguments;
use rand_core::CryptoRng;
use rsi::{HashAlgorithm, Version};
use virtio::{
    BalloonCounters, Console, Port, StreamError, Vsock, VsockAddress, VsockListener, VsockStream,
};

use crate::attestation::Attestation;
use crate::counters::{Counters, Work};
use crate::cpus::Cpus;
use crate::disk::Disk;
use crate::error::Error;
use crate::random::Generator;
use crate::refusal::Refusal;
use crate::shared::Shared;

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
pub struct Realm(Rc<Whole>);

struct Whole {
    parts: Parts,
    cpus: OnceCell<Cpus>,
}

/// What a realm is put together from: by boot, or by a test.
pub struct Parts {
    /// What is known of the place.
    pub facts: Facts,
    /// Boot arguments, measured by now.
    pub arguments: Arguments,
    /// The time. `embassy-time` has to go by the same.
    pub clock: Rc<dyn Clock>,
    /// When the image was entered.
    pub entry: clock::Instant,
    /// Random numbers.
    pub random: Generator,
    /// The disks, in the order of the bus.
    pub disks: Vec<Disk>,
    /// The console device, if there is one.
    pub console: Option<Rc<Console>>,
    /// Folders of the host, in the order of the bus.
    pub shares: Vec<Shared>,
    /// The socket device, if there is one.
    pub vsock: Option<Rc<Vsock>>,
    /// The network, if there is one.
    pub network: Option<Network>,
    /// Who speaks with the RMM, if there is one.
    pub attestation: Option<Rc<Attestation>>,
    /// The rest.
    pub machine: Rc<dyn Machine>,
}

/// What is asked of the machine below: a real one, or one that a test made.
pub trait Machine {
    /// What crossed the boundary so far.
    fn counters(&self) -> Counters;

    /// Devices that are there and are not driven.
    fn refusals(&self) -> &[Refusal];

    /// Starts all processors. Called once.
    fn start_cpus(&self) -> Cpus;
}

impl Realm {
    /// Puts a realm together.
    pub fn new(parts: Parts) -> Self {
        let cpus = OnceCell::new();
        Self(Rc::new(Whole { parts, cpus }))
    }

    fn parts(&self) -> &Parts {
        &self.0.parts
    }

    /// What is known of the place.
    pub fn facts(&self) -> Facts {
        self.parts().facts
    }

    /// Boot arguments. They come from the host, and are measured.
    pub fn args(&self) -> &Arguments {
        &self.parts().arguments
    }

    /// The time, by the CPU's counter. The host cannot change it; it can only stop us.
    pub fn now(&self) -> clock::Instant {
        self.parts().clock.now()
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
        self.parts().entry
    }

    /// The network.
    ///
    /// # Errors
    ///
    /// [`Error::NoNetwork`] if there is no card, or none that could be started.
    pub fn network(&self) -> Result<Network, Error> {
        self.parts().network.clone().ok_or(Error::NoNetwork)
    }

    /// The disks, in the order of the bus.
    pub fn disks(&self) -> &[Disk] {
        &self.parts().disks
    }

    /// The first disk.
    ///
    /// # Errors
    ///
    /// [`Error::NoDisk`] if there is none, or none that could be started.
    pub fn disk(&self) -> Result<Disk, Error> {
        self.parts().disks.first().cloned().ok_or(Error::NoDisk)
    }

    /// The port of the console device that is called `name`: a stream of bytes that the host reads, and one
    /// that it writes. All of it is shared. `airlock run --port NAME=…` gives one.
    ///
    /// # Errors
    ///
    /// [`StreamError::NoPort`] if the host names none like that within two seconds.
    pub async fn port(&self, name: &str) -> Result<Port, StreamError> {
        let console = self.parts().console.as_ref();
        Port::open(console.ok_or(StreamError::NoPort)?, name).await
    }

    /// Connects to port `port` of the host by vsock. All that goes there, and comes, is shared.
    ///
    /// # Errors
    ///
    /// [`StreamError::NoDevice`] without such a device, [`StreamError::Refused`],
    /// [`StreamError::TimedOut`].
    pub async fn vsock_connect(&self, cid: u64, port: u32) -> Result<VsockStream, StreamError> {
        VsockStream::connect(self.vsock()?, VsockAddress { cid, port }).await
    }

    /// Listens for connections of the host by vsock.
    ///
    /// # Errors
    ///
    /// [`StreamError::NoDevice`] without such a device, [`StreamError::InUse`].
    pub fn vsock_listen(&self, port: u32) -> Result<VsockListener, StreamError> {
        VsockListener::new(self.vsock()?, port)
    }

    /// Our own number for connections by vsock, as the host gave it; `None` without such a device.
    pub fn vsock_cid(&self) -> Option<u64> {
        self.parts().vsock.as_ref().map(|vsock| vsock.cid())
    }

    /// Starts a socket device anew that had failed; see [`Vsock::restart`].
    ///
    /// # Errors
    ///
    /// [`StreamError::NoDevice`], [`StreamError::Device`].
    pub fn restart_vsock(&self) -> Result<(), StreamError> {
        Ok(self.vsock()?.restart()?)
    }

    /// Starts a console device anew that had failed; see [`Console::restart`]. Lines stay where they went when it
    /// failed.
    ///
    /// # Errors
    ///
    /// [`StreamError::NoDevice`], [`StreamError::Device`].
    pub fn restart_console(&self) -> Result<(), StreamError> {
        let console = self.parts().console.as_ref();
        Ok(console.ok_or(StreamError::NoDevice)?.restart()?)
    }

    fn vsock(&self) -> Result<&Rc<Vsock>, StreamError> {
        self.parts().vsock.as_ref().ok_or(StreamError::NoDevice)
    }

    /// Names of the ports that the host has; `hvc0` is the console.
    pub fn ports(&self) -> Vec<String> {
        let console = self.parts().console.iter();
        console.flat_map(|console| console.ports()).collect()
    }

    /// Devices that are there and are not driven, and why.
    pub fn refusals(&self) -> &[Refusal] {
        self.parts().machine.refusals()
    }

    /// How much memory the host may have of ours, and how much it has; `None` without a balloon, or without
    /// `balloon=`.
    pub fn balloon(&self) -> Option<BalloonCounters> {
        let devices = self.counters().devices;
        devices.into_iter().find_map(|device| match device.work {
            Work::Balloon(balloon) => Some(balloon),
            _ => None,
        })
    }

    /// What crossed the boundary so far.
    pub fn counters(&self) -> Counters {
        self.parts().machine.counters()
    }

    pub(crate) fn shared(&self) -> &[Shared] {
        &self.parts().shares
    }

    pub(crate) fn attestation(&self) -> Option<&Attestation> {
        self.parts().attestation.as_deref()
    }

    /// The processors, all of which are started the first time. One that the host refuses is left out:
    /// [`Cpus::refused`] says why. `airlock run --cpus N` gives as many.
    pub fn cpus(&self) -> &Cpus {
        let start = || self.parts().machine.start_cpus();
        self.0.cpus.get_or_init(start)
    }

    /// The clock behind [`Realm::now`].
    pub fn clock(&self) -> &dyn Clock {
        &*self.parts().clock
    }

    /// Fills `bytes` with random numbers that the host has no say in.
    ///
    /// # Errors
    ///
    /// [`Error::NoEntropy`] where the CPU has none; then make no key.
    pub fn random(&self, bytes: &mut [u8]) -> Result<(), Error> {
        self.parts().random.fill(bytes)
    }

    /// Has the RMM make a token over `challenge`.
    ///
    /// # Errors
    ///
    /// [`TokenError`]; `NotSupported` where this is not a realm.
    pub fn attest(&self, challenge: &Challenge) -> Result<Token, TokenError> {
        let attestation = self.attestation().ok_or(TokenError::NotSupported)?;
        attestation.attest(challenge, self.clock())
    }

    /// Extends realm extensible measurement `rem` (1 to 4) by the digest of `bytes`, and notes that
    /// in the event log. The runtime has extended REM 1 by the boot arguments, and extends REM 3 for
    /// each device that is trusted, and REM 4 for each manifest of a shared folder; REM 2 is the payload's own.
    ///
    /// # Errors
    ///
    /// [`MeasureError`]; `NotSupported` where this is not a realm.
    pub fn measure(&self, rem: u8, bytes: &[u8]) -> Result<Digest, MeasureError> {
        let attestation = self.attestation().ok_or(MeasureError::NotSupported)?;
        attestation.measure(rem, bytes, "payload")
    }

    /// Reads the initial measurement (RIM) and the four that can be extended.
    ///
    /// # Errors
    ///
    /// [`MeasureError`]; `NotSupported` where this is not a realm.
    pub fn measurements(&self) -> Result<Measurements, MeasureError> {
        let attestation = self.attestation().ok_or(MeasureError::NotSupported)?;
        attestation.measurements()
    }

    /// What was measured since boot, for a verifier that wants to know what is behind the numbers.
    /// Empty where this is not a realm.
    pub fn event_log(&self) -> EventLog {
        self.attestation().map(Attestation::log).unwrap_or_default()
    }

    /// A generator of random numbers that the host has no say in, for making keys. It is cleared
    /// when it is dropped.
    ///
    /// # Errors
    ///
    /// [`Error::NoEntropy`] where the CPU has none; then make no key.
    pub fn generator(&self) -> Result<impl CryptoRng + 'static, Error> {
        self.parts().random.fork()
    }
}
