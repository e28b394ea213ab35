//! Interrupts as messages: an ITS with its tables in the bounce region.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::cell::RefCell;
use core::ops::Range;

use arch::counter::Counter;
use arch::gic::Gic;
use arch::{Devices, Mmio, cpu};
use bounce::{Region, Slot};
use devtree::Machine;
use ipa::IpaSpace;
use its::{Capacity, Error, Its, Memory, Probe, Redistributor};
use pci::{Mapper, Message, Registers};
use untrusted::Untrusted;

/// What the tables' share of the bounce region is called.
pub const POOL: &str = "its";

/// Most devices that send messages, and vectors that one of them has here.
const DEVICES: u32 = 16;
const VECTORS: u32 = 4;
/// [`its::ALIGN`], as a lease takes it.
const ALIGN: usize = 64 << 10;
const _: () = assert!(ALIGN as u64 == its::ALIGN);

/// Registers of the ITS or a redistributor.
#[derive(Clone, Copy)]
struct Frame(Mmio);

impl its::Registers for Frame {
    fn read32(&self, at: u64) -> Untrusted<u32> {
        self.0.read32(at)
    }

    fn write32(&self, at: u64, value: u32) {
        self.0.write32(at, value);
    }
}

/// The tables. The host reads them, so they are shared.
struct Tables {
    slot: Slot,
    /// The first byte, as the host's interrupt controller knows memory: without the shared bit.
    address: u64,
}

impl Memory for Tables {
    fn address(&self) -> u64 {
        self.address
    }

    fn len(&self) -> u64 {
        self.slot.len() as u64
    }

    fn clear(&self) {
        self.slot.clear();
    }

    fn store(&self, at: u64, word: u64) {
        // Offsets lie inside: what does not is dropped, and the ITS then does nothing.
        let at = usize::try_from(at).unwrap_or(usize::MAX);
        let _ = self.slot.store_u64(at, word);
    }

    fn publish(&self) {
        cpu::publish();
    }
}

/// An ITS that could be used, and what it needs for that.
pub struct Found {
    probe: Probe<Frame>,
    redistributor: Redistributor<Frame>,
    doorbell: u64,
}

/// An ITS that is used.
pub struct Messages {
    its: RefCell<Its<Frame, Tables>>,
    clock: Counter,
    doorbell: u64,
    shared_bit: u64,
}

impl Found {
    /// Looks for an ITS; `device_ids` is the first requester id that no device has. `None` if there
    /// is none, or none that serves; this is logged.
    pub fn look(
        machine: &Machine,
        devices: &Devices,
        gic: (&Gic<Mmio>, u64),
        device_ids: u32,
        clock: Counter,
    ) -> Option<Self> {
        let (gic, redistributors) = gic;
        let place = machine.gic.as_ref()?.its?;
        let (registers, own) = gic.lpis()?;
        let redistributor = Redistributor::new(Frame(*registers), own, redistributors + own);
        let frame = Frame(devices.map(place.base(), its::FRAME).ok()?);
        let capacity = Capacity {
            device_ids,
            devices: DEVICES,
            events: VECTORS,
        };
        let probe = Probe::new(frame, capacity, &clock);
        let probe = probe.inspect_err(|error| log::warn!("its: {error}")).ok()?;
        Some(Self {
            probe,
            redistributor,
            doorbell: place.base() + its::DOORBELL,
        })
    }

    /// Shared bytes of its tables.
    pub const fn bytes(&self) -> u64 {
        self.probe.bytes()
    }

    /// Carves its tables out of `region`, and starts it.
    ///
    /// # Errors
    ///
    /// Why messages are not used, in words.
    pub fn start(
        self,
        region: &Region,
        space: IpaSpace,
        clock: Counter,
    ) -> Result<Messages, Box<dyn core::fmt::Display>> {
        let len = usize::try_from(self.bytes()).unwrap_or(usize::MAX);
        let lease = |error: bounce::Error| -> Box<dyn core::fmt::Display> { Box::new(error) };
        let pool = region.pool(POOL, len).map_err(lease)?;
        let slot = pool.lease(len, ALIGN).map_err(lease)?;
        let told = slot.address(0).map_err(lease)?.get();
        let tables = Tables {
            slot,
            address: told & !space.shared_bit(),
        };
        let its = Its::start(self.probe, tables, &self.redistributor, &clock);
        Ok(Messages {
            its: RefCell::new(its.map_err(|error| Box::new(error) as Box<_>)?),
            clock,
            doorbell: self.doorbell,
            shared_bit: space.shared_bit(),
        })
    }
}

impl Messages {
    /// Gives the function with requester id `device` at most `vectors` LPIs; says which.
    ///
    /// # Errors
    ///
    /// [`its::Error`]
    pub fn map(&self, device: u16, vectors: u16) -> Result<Range<u32>, Error> {
        let vectors = u32::from(vectors).min(VECTORS);
        self.its
            .borrow_mut()
            .map_device(device.into(), vectors, &self.clock)
    }

    /// What a device sends for each of its LPIs. Hosts take the doorbell's address without the shared
    /// bit, as Linux tells it; `shared` is the other form, should one want that.
    pub fn of(&self, lpis: &Range<u32>, shared: bool) -> Vec<Message> {
        let address = self.doorbell | if shared { self.shared_bit } else { 0 };
        let events = 0..lpis.end - lpis.start;
        events.map(|data| Message { address, data }).collect()
    }

    /// Lets an LPI come, or not.
    ///
    /// # Errors
    ///
    /// [`its::Error`]
    pub fn set_enabled(&self, lpi: u32, enabled: bool) -> Result<(), Error> {
        self.its.borrow_mut().set_enabled(lpi, enabled, &self.clock)
    }

    /// Makes an LPI pending, to see whether it arrives.
    ///
    /// # Errors
    ///
    /// [`its::Error`]
    pub fn raise(&self, lpi: u32) -> Result<(), Error> {
        self.its.borrow_mut().raise(lpi, &self.clock)
    }
}
