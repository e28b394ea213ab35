//! One virtqueue, from the device's side, with the descriptors that tell of it.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, ensure};
use virtio_queue::{Queue, QueueOwnedT, QueueT};

use crate::memory::{Guest, Memory};

/// The most entries of a ring.
const MOST: u16 = 1024;
/// The longest packet that we take, its header included: what Linux sends at most.
const LONGEST: usize = 44 + 64 * 1024;

/// Why a pass over a ring ends.
#[derive(Debug)]
pub enum Stop {
    /// A translation is missing. Nothing happened, and the pass can be made again.
    Missing,
    /// The guest broke a rule.
    Broken(String),
}

/// Addresses of a ring, as QEMU names them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Places {
    /// Its descriptors.
    pub descriptors: u64,
    /// What the driver offers.
    pub available: u64,
    /// What the device has used.
    pub used: u64,
}

/// One virtqueue.
pub struct Ring {
    queue: Queue,
    places: Places,
    /// What the driver tells of new buffers by; the ring runs while there is one.
    pub kick: Option<OwnedFd>,
    /// What the driver is told of used buffers by.
    pub call: Option<OwnedFd>,
    /// Whether QEMU lets it run.
    pub enabled: bool,
    /// Whether the used index has been read.
    is_placed: bool,
    /// Whether the guest is owed an interrupt.
    is_owed: bool,
    is_broken: bool,
}

impl Ring {
    /// A ring that does not run.
    ///
    /// # Errors
    /// None, as long as its largest size is one.
    pub fn new() -> Result<Self> {
        Ok(Self {
            queue: Queue::new(MOST)?,
            places: Places::default(),
            kick: None,
            call: None,
            enabled: false,
            is_placed: false,
            is_owed: false,
            is_broken: false,
        })
    }

    /// Sets its size.
    ///
    /// # Errors
    /// There are no rings of that size.
    pub fn set_size(&mut self, size: u32) -> Result<()> {
        let size = u16::try_from(size)?;
        self.queue.try_set_size(size).context("a ring's size")
    }

    /// Sets where it lies.
    pub fn set_places(&mut self, places: Places) {
        self.places = places;
    }

    /// Sets the first entry that we have not seen.
    pub fn set_next(&mut self, next: u16) {
        self.queue.set_next_avail(next);
    }

    /// Begins, with a new descriptor for the driver's word.
    ///
    /// # Errors
    /// It lies nowhere.
    pub fn start(&mut self, kick: OwnedFd, memory: &Memory, event_index: bool) -> Result<()> {
        let place = |address| memory.ring_address(address).map(vm_memory::GuestAddress);
        let Places {
            descriptors,
            available,
            used,
        } = self.places;
        self.queue.try_set_desc_table_address(place(descriptors)?)?;
        self.queue.try_set_avail_ring_address(place(available)?)?;
        self.queue.try_set_used_ring_address(place(used)?)?;
        self.queue.set_event_idx(event_index);
        self.queue.set_ready(true);
        self.kick = Some(kick);
        (self.is_placed, self.is_broken) = (false, false);
        Ok(())
    }

    /// Ends; says which entry would have been the next.
    pub fn stop(&mut self) -> u16 {
        let next = self.queue.next_avail();
        self.queue.reset();
        self.kick = None;
        next
    }

    /// Whether it can be used.
    pub fn runs(&self) -> bool {
        self.kick.is_some() && self.enabled && !self.is_broken
    }

    /// The guest broke a rule: it is not looked at any more.
    pub fn give_up(&mut self) {
        self.is_broken = true;
    }

    /// Takes the next buffer of the driver, if there is one, and hands its bytes to `take`.
    ///
    /// # Errors
    /// [`Stop`]; `take` was not called then.
    pub fn take(&mut self, guest: &Guest, take: impl FnOnce(&[u8])) -> Result<bool, Stop> {
        let mut bytes = Vec::new();
        let taken = self.with_chain(guest, |chain| {
            let reader = chain.reader(guest).map_err(|error| error.to_string())?;
            let len = reader.available_bytes();
            if len > LONGEST {
                return Err(format!("a packet of {len} bytes"));
            }
            let mut reader = reader.take(len as u64);
            let read = reader.read_to_end(&mut bytes);
            read.map_err(|error| error.to_string())?;
            Ok(Some(0))
        })?;
        if taken {
            take(&bytes);
        }
        Ok(taken)
    }

    /// Writes a packet to the next buffer of the driver, if there is one. `packet` makes it for a buffer of that
    /// many bytes, or `None` if there is nothing to say.
    ///
    /// # Errors
    /// [`Stop`]; the buffer is then as if it had not been seen.
    pub fn give(
        &mut self,
        guest: &Guest,
        packet: impl FnOnce(usize) -> Option<Vec<u8>>,
    ) -> Result<bool, Stop> {
        self.with_chain(guest, |chain| {
            let mut writer = chain.writer(guest).map_err(|error| error.to_string())?;
            let Some(bytes) = packet(writer.available_bytes()) else {
                return Ok(None);
            };
            let written = writer.write_all(&bytes);
            written.map_err(|error| error.to_string())?;
            u32::try_from(bytes.len())
                .map(Some)
                .map_err(|error| error.to_string())
        })
    }

    /// Whether the driver is to be told of what was used, now.
    ///
    /// # Errors
    /// [`Stop`]; it is asked again.
    pub fn take_owed(&mut self, guest: &Guest) -> Result<bool, Stop> {
        if !self.is_owed {
            return Ok(false);
        }
        let needed = self.queue.needs_notification(guest);
        let needed = needed.map_err(|error| why(guest, &error))?;
        self.is_owed = false;
        Ok(needed)
    }

    /// Lets `work` look at the next chain, and tells how many bytes it wrote; with `None` the chain is left where
    /// it is.
    fn with_chain(
        &mut self,
        guest: &Guest,
        work: impl FnOnce(virtio_queue::DescriptorChain<&Guest>) -> Result<Option<u32>, String>,
    ) -> Result<bool, Stop> {
        self.place(guest)?;
        let (next, used) = (self.queue.next_avail(), self.queue.next_used());
        let done = self.try_chain(guest, work);
        let missed = guest.iommu().has_missed();
        if missed || !matches!(done, Ok(true)) {
            self.queue.set_next_avail(next);
            self.queue.set_next_used(used);
        }
        match done {
            _ if missed => Err(Stop::Missing),
            Ok(done) => {
                self.is_owed |= done;
                Ok(done)
            }
            Err(error) => Err(Stop::Broken(error)),
        }
    }

    fn try_chain(
        &mut self,
        guest: &Guest,
        work: impl FnOnce(virtio_queue::DescriptorChain<&Guest>) -> Result<Option<u32>, String>,
    ) -> Result<bool, String> {
        let text = |error: virtio_queue::Error| error.to_string();
        let Some(chain) = self.next_chain(guest).map_err(text)? else {
            return Ok(false);
        };
        let head = chain.head_index();
        let Some(written) = work(chain)? else {
            return Ok(false);
        };
        self.queue.add_used(guest, head, written).map_err(text)?;
        Ok(true)
    }

    /// The next chain. Without one, the driver kicks for the next, whatever index it waits for.
    fn next_chain<'a>(
        &mut self,
        guest: &'a Guest,
    ) -> Result<Option<virtio_queue::DescriptorChain<&'a Guest>>, virtio_queue::Error> {
        loop {
            let chain = self.queue.iter(guest)?.next();
            let is_over = guest.iommu().has_missed();
            if chain.is_some() || is_over || !self.queue.enable_notification(guest)? {
                return Ok(chain);
            }
        }
    }

    /// Goes on where the used index says, the first time.
    fn place(&mut self, guest: &Guest) -> Result<(), Stop> {
        if !self.is_placed {
            let used = self.queue.used_idx(guest, Ordering::Acquire);
            let used = used.map_err(|error| why(guest, &error))?;
            self.queue.set_next_used(used.0);
            self.is_placed = true;
        }
        Ok(())
    }

    /// Rings for the driver.
    ///
    /// # Errors
    /// Its descriptor does not take it.
    pub fn ring(&self) -> Result<()> {
        if let Some(call) = &self.call {
            let written = rustix::io::write(call, &1_u64.to_ne_bytes())?;
            ensure!(written == 8, "an interrupt that was not taken");
        }
        Ok(())
    }

    /// Takes the driver's word that there is something new.
    pub fn take_kick(&self) {
        if let Some(kick) = &self.kick {
            // It only says that it is worth looking.
            let _ = rustix::io::read(kick, &mut [0; 8]);
        }
    }
}

fn why(guest: &Guest, error: &virtio_queue::Error) -> Stop {
    match guest.iommu().has_missed() {
        true => Stop::Missing,
        false => Stop::Broken(error.to_string()),
    }
}
