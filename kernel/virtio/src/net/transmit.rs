//! Frames out: slots owned for life, one copy each.

use alloc::vec::Vec;
use core::iter;
use core::time::Duration;

use bounce::{Purpose, Shortage, World};
use frame::Outgoing;

use crate::attention::Attention;
use crate::device::Device;
use crate::needs::Want;
use crate::net::header::{self, HEADER};
use crate::net::offload::HOST_TSO;
use crate::net::{MAX_FRAME, MAX_SEGMENT, TRANSMIT_QUEUE};
use crate::queue::{Queue, Usage};
use crate::slots::{ALIGN, Slots};
use crate::{Error, Features};

/// Bytes of a small slot.
const SMALL: usize = 1536;
/// Bytes of a large slot: of the longest frame that a device cuts.
const LARGE: usize = (HEADER + MAX_SEGMENT).next_multiple_of(64);
/// Small slots that are wanted.
const SMALL_WANTED: usize = 64;
/// Large slots that are wanted: for a window of 256 KiB, and what is acknowledged meanwhile.
const LARGE_WANTED: usize = 6;
/// Fewest small slots to work with.
const LEAST: usize = 2;
/// How long all slots may be taken without a single one coming back, as far as we looked on.
const DEADLINE: Duration = Duration::from_secs(10);
/// After how long the doorbell is rung once more: one may have been lost.
const LAST_CALL: Duration = Duration::from_secs(5);

/// Fewest entries of a queue: where frames are cut there is a slot of either length.
pub(crate) fn least(features: Features) -> u16 {
    if features.any(HOST_TSO) { 2 } else { 1 }
}

/// Small and large slots for a queue of `size` entries: no more than that together, as each frame takes one.
pub(crate) fn slots(size: u16, features: Features) -> [Want; 2] {
    let size = usize::from(size);
    let large = if features.any(HOST_TSO) {
        LARGE_WANTED.min(size / 2)
    } else {
        0
    };
    let small = SMALL_WANTED.min(size - large);
    let want = |least: usize, wanted: usize, len| Want {
        least: least.min(wanted),
        wanted,
        len,
        align: ALIGN,
    };
    [want(LEAST, small, SMALL), want(1, large, LARGE)]
}

/// Slots of one length.
struct Class {
    /// The free ones, by their number among all slots.
    free: Vec<u16>,
    /// Most bytes of a frame.
    most: usize,
}

/// The transmit side.
pub(crate) struct Transmit<W: World> {
    queue: Queue<W>,
    /// Small ones first.
    slots: Slots<W>,
    small: u16,
    classes: [Class; 2],
    features: Features,
    starved: Option<Starved>,
}

/// There is no slot: since some time of looking on, nothing came back.
struct Starved {
    attention: Attention,
    rung: bool,
}

impl<W: World> Transmit<W> {
    /// Leases `counts` slots, small and large, at most as many as the queue has entries.
    pub(crate) fn start(
        device: &Device<W>,
        queue: Queue<W>,
        [small, large]: [usize; 2],
        features: Features,
    ) -> Result<Self, Error> {
        let lengths = iter::repeat_n(SMALL, small).chain(iter::repeat_n(LARGE, large));
        let slots = Slots::lease(device, lengths)?;
        let all = slots.count();
        let small = u16::try_from(small).map_err(|_| Error::QueueFull)?;
        slots.label(queue.index(), Purpose::Frame);
        Ok(Self {
            queue,
            slots,
            small,
            classes: [
                Class {
                    free: (0..small).rev().collect(),
                    most: MAX_FRAME,
                },
                Class {
                    free: (small..all).rev().collect(),
                    most: MAX_SEGMENT,
                },
            ],
            features,
            starved: None,
        })
    }

    /// What the device has of it.
    pub(crate) fn usage(&self) -> Usage {
        self.queue.usage()
    }

    /// Doorbells rung.
    pub(crate) fn rung(&self) -> u64 {
        self.queue.rung()
    }

    /// Bytes of the longest frame for which a slot is free.
    ///
    /// # Errors
    ///
    /// [`Error::TimedOut`] if none came back for too long, and what [`Queue::take`] finds.
    pub(crate) fn room(&mut self, device: &Device<W>) -> Result<usize, Error> {
        let mut returned = false;
        if !self.has_all() {
            returned = self.reclaim()?;
        }
        let [small, large] = &self.classes;
        let room = match (small.free.is_empty(), large.free.is_empty()) {
            (_, false) => large.most,
            (false, true) => small.most,
            (true, true) => 0,
        };
        if self.has_all() {
            self.starved = None;
        } else {
            self.wait(device, returned)?;
        }
        Ok(room)
    }

    /// Whether a slot of each kind that was leased is free.
    fn has_all(&self) -> bool {
        let [small, large] = &self.classes;
        let has_large = self.slots.count() > self.small;
        !small.free.is_empty() && (!has_large || !large.free.is_empty())
    }

    /// What is not there for the longest frame, and what is.
    fn shortage(&self) -> Shortage {
        let free = |class: &Class| class.free.len() * class.most;
        let mut empty = self.classes.iter().filter(|class| class.free.is_empty());
        let there = self.classes.iter().filter(|class| !class.free.is_empty());
        Shortage {
            queue: Some(TRANSMIT_QUEUE),
            wanted: empty.next().map_or(0, |class| class.most),
            free: self.classes.iter().map(free).sum(),
            largest: there.map(|class| class.most).max().unwrap_or(0),
        }
    }

    /// Counts the time in which nothing came back, and ends a device that takes too long.
    fn wait(&mut self, device: &Device<W>, returned: bool) -> Result<(), Error> {
        self.queue.notify()?;
        let shortage = self.shortage();
        let now = device.transport().clock().now();
        match &mut self.starved {
            Some(starved) if !returned => {
                let seen = starved.attention.look(now);
                if seen >= DEADLINE {
                    return Err(Error::TimedOut);
                }
                if seen >= LAST_CALL && !core::mem::replace(&mut starved.rung, true) {
                    self.queue.ring();
                }
            }
            starved => {
                if starved.is_none() {
                    device.pool().note_shortage(shortage);
                }
                *starved = Some(Starved {
                    attention: Attention::new(now),
                    rung: false,
                });
            }
        }
        Ok(())
    }

    /// Copies the frame that `parts` make up into a slot and queues it; says whether there was room,
    /// and whether what it leaves to the device makes sense.
    pub(crate) fn send(
        &mut self,
        device: &Device<W>,
        parts: &[&[u8]],
        what: Outgoing,
    ) -> Result<bool, Error> {
        let len = parts.iter().map(|part| part.len()).sum();
        let most = if what.segments.is_some() {
            MAX_SEGMENT
        } else {
            MAX_FRAME
        };
        let Some(header) = header::outgoing(what, len, self.features).filter(|_| len <= most)
        else {
            return Ok(false);
        };
        let Some(tag) = self.slot_for(device, len)? else {
            return Ok(false);
        };
        let parts = iter::once(header.as_slice()).chain(parts.iter().copied());
        self.slots.lend_full(&mut self.queue, tag, parts)?;
        Ok(true)
    }

    /// Takes a free slot for a frame of `len` bytes: a small one, if it fits.
    fn slot_for(&mut self, device: &Device<W>, len: usize) -> Result<Option<u16>, Error> {
        let take = |classes: &mut [Class; 2]| {
            let mut fitting = classes.iter_mut().filter(|class| len <= class.most);
            fitting.find_map(|class| class.free.pop())
        };
        if let Some(tag) = take(&mut self.classes) {
            return Ok(Some(tag));
        }
        self.room(device)?;
        Ok(take(&mut self.classes))
    }

    /// Tells the device about frames that it has not seen.
    pub(crate) fn notify(&mut self) -> Result<(), Error> {
        self.queue.notify()
    }

    /// Takes slots back that the device is done with; says whether there were any.
    fn reclaim(&mut self) -> Result<bool, Error> {
        let mut any = false;
        while let Some(done) = self.queue.take()? {
            let [small_class, large_class] = &mut self.classes;
            let class = if done.tag < self.small {
                small_class
            } else {
                large_class
            };
            class.free.push(done.tag);
            any = true;
        }
        if any {
            // Moves the event that stands for «no interrupt» along.
            self.queue.silence()?;
        }
        Ok(any)
    }
}
