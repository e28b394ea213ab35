//! A disk between shared and private: at rest, then locked, then trusted or not.

use alloc::rc::Rc;
use core::future::poll_fn;
use core::task::Poll;

use bounce::{AtRest, Shared};
use trust::{Evidence, LockedDevice, Measurement};
use virtio::Error;

use crate::able::Able;
use crate::disk::Disk;
use crate::distrust::Distrust;
use crate::driven::{Passage, QuiesceError};

impl Disk {
    /// Brings a disk of the host to rest, so that it can be asked what it is: it is reset, all that it was lent is
    /// back and cleared, and its pool is given up. It is not waited for anything. Calls of other tasks
    /// end with [`block::Error::AtRest`] from here on, until it is decided what becomes of it.
    ///
    /// ```no_run
    /// # async fn decide(realm: &realm::Realm, known: trust::Measurement) -> Result<(), realm::Distrust> {
    /// # let Ok(disk) = realm.disk() else { return Ok(()) };
    /// let Ok(quiet) = disk.quiesce() else { return Ok(()) };
    /// let locked = quiet.evidence().await?;
    /// if locked.evidence().measurement() == known {
    ///     locked.accept(known).await?;
    /// } else {
    ///     locked.refuse().await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`QuiesceError::InFlight`] while somebody uses it, [`QuiesceError::NotOffered`] where it cannot be trusted;
    /// then nothing has changed. [`QuiesceError`] else.
    pub fn quiesce(&self) -> Result<QuiescedDisk, QuiesceError> {
        let nobody = QuiesceError::NotOffered(Distrust::NotBuilt);
        let (passage, able) = self.passage().ok_or(nobody)?;
        if self.is_trusted() {
            return Err(QuiesceError::Trusted);
        }
        passage.is_offered().map_err(QuiesceError::NotOffered)?;
        self.halt()?;
        match passage.give_up_pool() {
            Ok(rest) => Ok(QuiescedDisk {
                disk: self.clone(),
                passage,
                rest,
                able,
            }),
            Err(outstanding) => {
                self.start_by(&*passage).map_err(QuiesceError::Stopped)?;
                Err(QuiesceError::Lent(outstanding))
            }
        }
    }

    fn start_by(&self, passage: &dyn Passage) -> Result<(), Error> {
        match passage.start() {
            Ok(driven) => {
                self.drive(driven);
                Ok(())
            }
            Err(error) => {
                self.withdraw(error);
                Err(error)
            }
        }
    }

    /// Notes that it is nobody's any more.
    fn lost(&self, why: Distrust) -> Distrust {
        self.withdraw(Error::Withdrawn);
        why
    }
}

/// A disk at rest: nobody drives it, and nothing of it is lent. Only [`Disk::quiesce`] makes one, and only such a
/// one can be asked what it is:
///
/// ```compile_fail,E0599
/// async fn ask(disk: realm::Disk) {
///     let _ = disk.evidence().await;
/// }
/// ```
///
/// Whoever drops it leaves it at rest for good.
#[must_use = "a disk that is dropped here is at rest for good"]
pub struct QuiescedDisk {
    disk: Disk,
    passage: Rc<dyn Passage>,
    rest: AtRest<Shared>,
    able: Able,
}

impl QuiescedDisk {
    /// Locks the device and has it say what it is: certificates, measurements, and its registers. All of that is
    /// copied to private memory, compared with what the RMM saw, and verified. It reaches nothing meanwhile.
    /// RMM and host are asked at a stretch: a host that is slow keeps the other tasks waiting, for ten seconds a
    /// question at most.
    ///
    /// # Errors
    ///
    /// [`Distrust`]: what the device or the host did, or said. The disk is not used any more then; it does not become
    /// one of the host's by itself.
    pub async fn evidence(self) -> Result<LockedDisk, Distrust> {
        turn().await;
        let Self {
            disk,
            passage,
            rest,
            able,
        } = self;
        match passage.lock(rest) {
            Ok(device) => Ok(LockedDisk {
                disk,
                passage,
                device,
                _able: able,
            }),
            Err(why) => Err(disk.lost(why)),
        }
    }

    /// Has it be a disk of the host again, as it was.
    ///
    /// # Errors
    ///
    /// What keeps it from being started anew; then it is not used any more.
    pub fn resume(self) -> Result<Disk, Error> {
        let _open = self.rest.reopen();
        self.disk.start_by(&*self.passage)?;
        Ok(self.disk)
    }
}

/// A disk that is locked and has said what it is, and waits for the decision. It reaches nothing.
///
/// The decision is made once:
///
/// ```compile_fail,E0382
/// async fn twice(locked: realm::LockedDisk, known: trust::Measurement) {
///     let _ = locked.refuse().await;
///     let _ = locked.accept(known).await;
/// }
/// ```
///
/// Whoever drops it leaves it locked for good: nothing is accepted by default.
#[must_use = "a disk that nobody decides about stays locked"]
pub struct LockedDisk {
    disk: Disk,
    passage: Rc<dyn Passage>,
    device: LockedDevice,
    _able: Able,
}

impl LockedDisk {
    /// What it says it is. The RMM saw the same, and the maker's key has signed it; whether the maker is to be
    /// trusted is what is decided now.
    pub const fn evidence(&self) -> &Evidence {
        self.device.evidence()
    }

    /// Trusts the disk, which has to be what is `wanted`: it goes into REM 3 and the event log, then its registers
    /// become the realm's alone, then it may reach private memory, and is started anew with some. All clones of
    /// the disk are that disk then.
    ///
    /// # Errors
    ///
    /// [`Distrust`]: it is something else than `wanted`, or not any more what it said, or the host does not let
    /// it work. The disk reaches nothing and is not used any more then.
    pub async fn accept(self, wanted: Measurement) -> Result<Disk, Distrust> {
        turn().await;
        let watched = Rc::new(self.disk.clone());
        match self.passage.accept(self.device, wanted, watched) {
            Ok(driven) => {
                self.disk.trust(driven);
                Ok(self.disk)
            }
            Err(why) => Err(self.disk.lost(why)),
        }
    }

    /// Does not trust the disk: it is unlocked, and a disk of the host again, with the pool that it had.
    ///
    /// # Errors
    ///
    /// [`Distrust`] if the host does not take it back, or it does not start; then it is not used any more.
    pub async fn refuse(self) -> Result<Disk, Distrust> {
        turn().await;
        let disk = self.disk;
        if let Err(why) = self.passage.release(self.device) {
            return Err(disk.lost(why));
        }
        disk.start_by(&*self.passage)?;
        Ok(disk)
    }
}

/// Lets devices and other tasks have a turn before the host is asked.
async fn turn() {
    let mut is_over = false;
    poll_fn(|context| {
        if core::mem::replace(&mut is_over, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
