//! What a disk needs of whoever runs the loop, and of whoever leads it from shared to private.

use core::fmt;

use alloc::rc::Rc;

use bounce::{AtRest, Outstanding, Shared};
use clock::Instant;
use trust::{LockedDevice, Measurement};
use virtio::{Block, Direct, Error};

use crate::distrust::Distrust;

/// What a device needs of whoever runs the loop. Payloads do not see it.
pub trait Driven {
    /// Lets it look at its rings and deadlines; says when the next one is.
    fn poll(&self) -> Option<Instant>;

    /// Why it was stopped, the first time this is asked after it happened.
    fn take_failure(&self) -> Option<Error>;

    /// Ends one that is trusted no more. Its registers are not touched: they may be gone. Memory that
    /// it was lent is used again only if it `reaches_nothing`.
    fn abandon(&self, reaches_nothing: bool);

    /// Whether its user wants it to be trusted no more.
    fn is_revoked(&self) -> bool {
        false
    }
}

/// What leads a disk of the host to the realm, and back. Each step is for the runtime, which has the bus, the
/// RMM and the memory; payloads see [`QuiescedDisk`](crate::QuiescedDisk).
pub trait Passage {
    /// Whether realm and host have what it takes for this disk. It stays as it is.
    ///
    /// # Errors
    ///
    /// [`Distrust`]
    fn is_offered(&self) -> Result<(), Distrust>;

    /// Gives the pool of the disk up, whose driver has ended.
    ///
    /// # Errors
    ///
    /// [`Outstanding`]; then nothing has changed.
    fn give_up_pool(&self) -> Result<AtRest<Shared>, Outstanding>;

    /// Starts a driver for the disk as one of the host, with its pool.
    ///
    /// # Errors
    ///
    /// As for [`Block::start`].
    fn start(&self) -> Result<Block, Error>;

    /// Locks the device, whose pool is at `rest`, and has it say what it is.
    ///
    /// # Errors
    ///
    /// [`Distrust`]; then it is nobody's.
    fn lock(&self, rest: AtRest<Shared>) -> Result<LockedDevice, Distrust>;

    /// Trusts the device, if it is what is `wanted`; starts a driver for it with private memory, and watches
    /// `disk` from here on.
    ///
    /// # Errors
    ///
    /// [`Distrust`]; then it is nobody's.
    fn accept(
        &self,
        device: LockedDevice,
        wanted: Measurement,
        disk: Rc<dyn Driven>,
    ) -> Result<Block<Direct>, Distrust>;

    /// Gives the device back to the host, and opens its pool.
    ///
    /// # Errors
    ///
    /// [`Distrust`]; then it is nobody's.
    fn release(&self, device: LockedDevice) -> Result<(), Distrust>;
}

/// Why a disk was not brought to rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuiesceError {
    /// Somebody still uses it. Nothing has changed: all of that goes on, and it can be asked again.
    InFlight {
        /// Requests that it has, or calls that are under way, whichever are more.
        requests: usize,
    },
    /// It cannot be trusted, whatever it says. Nothing has changed.
    NotOffered(Distrust),
    /// It is trusted.
    Trusted,
    /// It was stopped before, or does not stop now: [`Disk::failure`](crate::Disk::failure).
    Stopped(Error),
    /// An earlier failure has left memory with it. It was started anew, and is a disk of the host.
    Lent(Outstanding),
}

impl fmt::Display for QuiesceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InFlight { requests } => write!(f, "{requests} requests are in flight"),
            Self::NotOffered(why) => write!(f, "cannot be trusted: {why}"),
            Self::Trusted => f.write_str("is trusted already"),
            Self::Stopped(error) => error.fmt(f),
            Self::Lent(outstanding) => outstanding.fmt(f),
        }
    }
}

impl core::error::Error for QuiesceError {}
