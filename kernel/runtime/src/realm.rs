//! What a payload sees.

use alloc::rc::Rc;
use core::fmt;

use arch::counter::Counter;
use bounce::Region;
use clock::Clock;
use plan::Arguments;
use rsi::{HashAlgorithm, Version};

use crate::Error;
use crate::attestation::Attestation;
use crate::random::{Fork, Generator};

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
                write!(
                    f,
                    "a realm: RSI {rsi}, IPA width {ipa_width}, {hash}, personalization "
                )?;
                personalization
                    .iter()
                    .try_for_each(|byte| write!(f, "{byte:02x}"))?;
            }
        }
        write!(f, "; {} MiB of RAM", self.memory >> 20)
    }
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
    pub(crate) region: Region,
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

    /// When the image was entered.
    pub fn entered(&self) -> clock::Instant {
        self.0.entry
    }

    /// Bytes that are shared with the host.
    pub fn shared(&self) -> usize {
        self.0.region.len()
    }

    pub(crate) fn attestation(&self) -> Option<&Attestation> {
        self.0.attestation.as_ref()
    }

    pub(crate) fn fork(&self) -> Result<Fork, Error> {
        self.0.random.fork()
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
