//! A disk as payloads see it: one of the host's, or one that is trusted.

use alloc::rc::Rc;
use core::cell::{Cell, OnceCell, RefCell};
use core::future::poll_fn;
use core::task::Poll;

use block::BlockDevice;
use bounce::Buffer;
use clock::Instant;
use virtio::{BlkCounters, Block, Direct, Error, Returned};

use crate::able::{Able, Proof as _, able};
use crate::distrust::Distrust;
use crate::driven::{Driven, Passage, QuiesceError};

/// A disk. Clones are the same disk.
///
/// Data of a disk that is trusted never gets into shared memory. [`Disk::read_owned`] and
/// [`Disk::write_owned`] do not even copy it there; on a disk of the host the same calls copy.
///
/// A disk of the host becomes one that is trusted by [`Disk::quiesce`], if its user so decides.
#[derive(Clone)]
pub struct Disk(Rc<Whole>);

struct Whole {
    /// Each call that is under way has a clone.
    world: RefCell<Rc<World>>,
    /// Whether its user wants it to be trusted no more.
    revoked: Cell<bool>,
    passage: OnceCell<Rc<dyn Passage>>,
}

/// Looked at once for each call from outside; below it, no step asks which world it is in.
enum World {
    Shared(Block),
    Trusted(Block<Direct>, Able),
    /// Between the two: nobody drives it.
    Away(Away, Able),
}

/// What is known of a disk that nobody drives.
#[derive(Clone, Copy)]
struct Away {
    capacity: u64,
    read_only: bool,
    why: Error,
}

macro_rules! either {
    ($self:ident, $disk:ident => $call:expr, $away:pat => $none:expr) => {
        match &*$self.world() {
            World::Shared($disk) => $call,
            World::Trusted($disk, _) => $call,
            World::Away($away, _) => $none,
        }
    };
}

/// [`either!`] for what has to be waited for.
macro_rules! wait_for_either {
    ($self:ident, $disk:ident => $call:expr, $away:pat => $none:expr) => {
        match &*$self.world() {
            World::Shared($disk) => $call.await,
            World::Trusted($disk, able) => able.run(|| $call).await,
            World::Away($away, _) => $none,
        }
    };
}

impl Disk {
    /// Whether it is trusted: its data is never shared.
    pub fn is_trusted(&self) -> bool {
        matches!(&*self.world(), World::Trusted(..))
    }

    fn world(&self) -> Rc<World> {
        Rc::clone(&self.0.world.borrow())
    }

    fn of(world: World) -> Self {
        Self(Rc::new(Whole {
            world: RefCell::new(Rc::new(world)),
            revoked: Cell::new(false),
            passage: OnceCell::new(),
        }))
    }

    /// Takes the trust in the disk back, and waits until that is done: it reaches no memory any more, its driver
    /// has ended, what it was lent is cleared, and a buffer that its users still have is cleared when they drop it.
    /// It does not become a disk of the host. A disk that is not trusted stays as it is.
    pub async fn revoke(&self) {
        if !self.is_trusted() {
            return;
        }
        self.0.revoked.set(true);
        poll_fn(|context| match self.failure() {
            Some(Error::Withdrawn) => Poll::Ready(()),
            _ => {
                // The loop looks at it between two turns of ours.
                context.waker().wake_by_ref();
                Poll::Pending
            }
        })
        .await;
    }

    /// One that is trusted; `None` in an image without the feature `trust`. Payloads have no use for it.
    pub fn trusted(disk: Block<Direct>) -> Option<Self> {
        let able = able()?;
        Some(Self::of(World::Trusted(disk, able)))
    }

    /// A buffer of `len` bytes, all zero, that suits the disk.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Bounce`] if there is no room.
    pub fn buffer(&self, len: usize) -> Result<Buffer, crate::Error> {
        let none = crate::Error::Bounce(bounce::Error::Exhausted { wanted: len });
        either!(self, disk => disk.buffer(len).map_err(|_| none), _ => Err(none))
    }

    /// Reads into `buffer`, whole sectors and at most 1 MiB, from `sector` on.
    pub async fn read_owned(&self, sector: u64, buffer: Buffer) -> Returned {
        wait_for_either!(self, disk => disk.read_owned(sector, buffer), _ => unread(buffer))
    }

    /// Writes `buffer`, whole sectors and at most 1 MiB, from `sector` on.
    pub async fn write_owned(&self, sector: u64, buffer: Buffer) -> Returned {
        wait_for_either!(self, disk => disk.write_owned(sector, buffer), _ => unread(buffer))
    }

    /// Starts a disk anew that had failed; see [`Block::restart`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn restart(&self) -> Result<(), Error> {
        either!(self, disk => disk.restart(), away => Err(away.why))
    }

    /// What the disk did so far.
    pub fn counters(&self) -> BlkCounters {
        either!(self, disk => disk.counters(), _ => BlkCounters::default())
    }

    /// What the disk has of its queue.
    pub fn usage(&self) -> virtio::Usage {
        either!(self, disk => disk.usage(), _ => virtio::Usage::default())
    }

    /// Why the disk was stopped; `None` while it runs.
    pub fn failure(&self) -> Option<Error> {
        either!(self, disk => disk.failure(), away => Some(away.why))
    }
}

/// A call on a disk that nobody drives.
fn unread(buffer: Buffer) -> Returned {
    Returned {
        buffer: Some(buffer),
        result: Err(block::Error::AtRest),
    }
}

/// The steps between the worlds, for who leads a disk there.
impl Disk {
    /// Whoever leads it from the host to the realm; the first counts. Payloads have no use for it.
    pub fn led_by(&self, passage: Rc<dyn Passage>) {
        let _first = self.0.passage.set(passage);
    }

    pub(crate) fn passage(&self) -> Option<(Rc<dyn Passage>, Able)> {
        let able = able()?;
        self.0.passage.get().cloned().zip(Some(able))
    }

    /// Ends the driver of a disk of the host that has nothing to do: what it had lent is back.
    pub(crate) fn halt(&self) -> Result<(), QuiesceError> {
        let able = able().ok_or(QuiesceError::NotOffered(Distrust::NotBuilt))?;
        let world = self.world();
        let disk = match &*world {
            World::Shared(disk) => disk,
            World::Trusted(..) => return Err(QuiesceError::Trusted),
            World::Away(away, _) => return Err(QuiesceError::Stopped(away.why)),
        };
        // One is the disk's, one is ours.
        let calls = Rc::strong_count(&world).saturating_sub(2);
        match disk.in_flight().max(calls) {
            0 => disk.halt().map_err(QuiesceError::Stopped)?,
            requests => return Err(QuiesceError::InFlight { requests }),
        }
        let away = Away {
            capacity: disk.capacity(),
            read_only: disk.read_only(),
            why: Error::AtRest,
        };
        self.0.world.replace(Rc::new(World::Away(away, able)));
        Ok(())
    }

    /// It is driven again, as a disk of the host.
    pub(crate) fn drive(&self, disk: Block) {
        self.0.world.replace(Rc::new(World::Shared(disk)));
    }

    /// It is driven again, as one that is trusted.
    pub(crate) fn trust(&self, disk: Block<Direct>) {
        if let Some(able) = able() {
            self.0.world.replace(Rc::new(World::Trusted(disk, able)));
        }
    }

    /// Nobody drives it any more, ever.
    pub(crate) fn withdraw(&self, why: Error) {
        let able = able();
        if let (World::Away(away, _), Some(able)) = (&*self.world(), able) {
            let away = Away { why, ..*away };
            self.0.world.replace(Rc::new(World::Away(away, able)));
        }
    }
}

/// One of the host's.
impl From<Block> for Disk {
    fn from(disk: Block) -> Self {
        Self::of(World::Shared(disk))
    }
}

impl Driven for Disk {
    // In its own crate, which is made fast: the loop that calls it is made small.
    #[inline(never)]
    fn poll(&self) -> Option<Instant> {
        either!(self, disk => disk.poll(), _ => None)
    }

    fn take_failure(&self) -> Option<Error> {
        either!(self, disk => disk.take_failure(), _ => None)
    }

    fn abandon(&self, reaches_nothing: bool) {
        either!(self, disk => disk.abandon(reaches_nothing), _ => ());
    }

    fn is_revoked(&self) -> bool {
        self.0.revoked.get()
    }
}

impl BlockDevice for Disk {
    fn capacity(&self) -> u64 {
        either!(self, disk => disk.capacity(), away => away.capacity)
    }

    fn read_only(&self) -> bool {
        either!(self, disk => disk.read_only(), away => away.read_only)
    }

    async fn read(&self, sector: u64, into: &mut [u8]) -> Result<(), block::Error> {
        wait_for_either!(self, disk => disk.read(sector, into), _ => Err(block::Error::AtRest))
    }

    async fn write(&self, sector: u64, from: &[u8]) -> Result<(), block::Error> {
        wait_for_either!(self, disk => disk.write(sector, from), _ => Err(block::Error::AtRest))
    }

    async fn flush(&self) -> Result<(), block::Error> {
        wait_for_either!(self, disk => disk.flush(), _ => Err(block::Error::AtRest))
    }
}
