//! A disk as payloads see it: one of the host's, or one that is trusted.

use alloc::rc::Rc;
use core::cell::Cell;
use core::convert::Infallible;
use core::future::poll_fn;
use core::task::Poll;

use block::BlockDevice;
use bounce::Buffer;
use clock::Instant;
use virtio::{BlkCounters, Block, Direct, Error, Returned};

/// A disk. Clones are the same disk.
///
/// Data of a disk that is trusted never gets into shared memory. [`Disk::read_owned`] and
/// [`Disk::write_owned`] do not even copy it there; on a disk of the host the same calls copy.
#[derive(Clone)]
pub struct Disk(Rc<World>, Rc<Cell<bool>>);

/// Looked at once for each call from outside; below it, no step asks which world it is in.
enum World {
    Shared(Block),
    Trusted(Block<Direct>, Able),
}

/// That this image can trust disks. Where it cannot there is no such value, and the compiler leaves out whatever
/// would be done with a trusted disk: half of the driver.
type Able = <Image<{ cfg!(feature = "trust") }> as Ability>::Proof;

struct Image<const CAN_TRUST: bool>;

struct Yes;

trait Ability {
    type Proof;

    fn proof() -> Option<Self::Proof>;
}

impl Ability for Image<true> {
    type Proof = Yes;

    fn proof() -> Option<Yes> {
        Some(Yes)
    }
}

impl Ability for Image<false> {
    type Proof = Infallible;

    fn proof() -> Option<Infallible> {
        None
    }
}

macro_rules! either {
    ($self:ident, $disk:ident => $call:expr) => {
        match &*$self.0 {
            World::Shared($disk) => $call,
            World::Trusted($disk, _) => $call,
        }
    };
}

impl Disk {
    /// Whether it is trusted: its data is never shared.
    pub fn is_trusted(&self) -> bool {
        matches!(&*self.0, World::Trusted(..))
    }

    /// Takes the trust in the disk back, and waits until that is done: it reaches no memory any more, its driver
    /// has ended, what it was lent is cleared, and a buffer that its users still have is cleared when they drop it.
    /// It does not become a disk of the host. A disk that is not trusted stays as it is.
    pub async fn revoke(&self) {
        if !self.is_trusted() {
            return;
        }
        self.1.set(true);
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
        let able = Image::<{ cfg!(feature = "trust") }>::proof()?;
        Some(Self(Rc::new(World::Trusted(disk, able)), Rc::default()))
    }

    /// A buffer of `len` bytes, all zero, that suits the disk.
    ///
    /// # Errors
    ///
    /// [`crate::Error::Bounce`] if there is no room.
    pub fn buffer(&self, len: usize) -> Result<Buffer, crate::Error> {
        let none = crate::Error::Bounce(bounce::Error::Exhausted { wanted: len });
        either!(self, disk => disk.buffer(len).map_err(|_| none))
    }

    /// Reads into `buffer`, whole sectors and at most 1 MiB, from `sector` on.
    pub async fn read_owned(&self, sector: u64, buffer: Buffer) -> Returned {
        either!(self, disk => disk.read_owned(sector, buffer).await)
    }

    /// Writes `buffer`, whole sectors and at most 1 MiB, from `sector` on.
    pub async fn write_owned(&self, sector: u64, buffer: Buffer) -> Returned {
        either!(self, disk => disk.write_owned(sector, buffer).await)
    }

    /// Starts a disk anew that had failed; see [`Block::restart`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn restart(&self) -> Result<(), Error> {
        either!(self, disk => disk.restart())
    }

    /// What the disk did so far.
    pub fn counters(&self) -> BlkCounters {
        either!(self, disk => disk.counters())
    }

    /// What the disk has of its queue.
    pub fn usage(&self) -> virtio::Usage {
        either!(self, disk => disk.usage())
    }

    /// Why the disk was stopped; `None` while it runs.
    pub fn failure(&self) -> Option<Error> {
        either!(self, disk => disk.failure())
    }
}

/// One of the host's.
impl From<Block> for Disk {
    fn from(disk: Block) -> Self {
        Self(Rc::new(World::Shared(disk)), Rc::default())
    }
}

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

impl Driven for Disk {
    // In its own crate, which is made fast: the loop that calls it is made small.
    #[inline(never)]
    fn poll(&self) -> Option<Instant> {
        either!(self, disk => disk.poll())
    }

    fn take_failure(&self) -> Option<Error> {
        either!(self, disk => disk.take_failure())
    }

    fn abandon(&self, reaches_nothing: bool) {
        either!(self, disk => disk.abandon(reaches_nothing));
    }

    fn is_revoked(&self) -> bool {
        self.1.get()
    }
}

impl BlockDevice for Disk {
    fn capacity(&self) -> u64 {
        either!(self, disk => disk.capacity())
    }

    fn read_only(&self) -> bool {
        either!(self, disk => disk.read_only())
    }

    async fn read(&self, sector: u64, into: &mut [u8]) -> Result<(), block::Error> {
        either!(self, disk => disk.read(sector, into).await)
    }

    async fn write(&self, sector: u64, from: &[u8]) -> Result<(), block::Error> {
        either!(self, disk => disk.write(sector, from).await)
    }

    async fn flush(&self) -> Result<(), block::Error> {
        either!(self, disk => disk.flush().await)
    }
}
