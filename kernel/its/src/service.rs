//! The ITS while it serves.

use alloc::vec::Vec;
use core::ops::Range;

use clock::Clock;

use crate::FIRST_LPI;
use crate::command::Command;
use crate::error::Error;
use crate::lpi::{Configuration, Redistributor};
use crate::probe::{self, Base, Probe};
use crate::queue::Queue;
use crate::traits::{self, Memory, Registers};

const VALID: u64 = 1 << 63;
const CACHED: u64 = 7 << 59;

/// A device that is mapped.
struct Mapped {
    id: u32,
    lpis: Range<u32>,
}

/// An ITS that serves one processor.
pub struct Its<R, M> {
    probe: Probe<R>,
    memory: M,
    queue: Queue,
    configuration: Configuration,
    devices: Vec<Mapped>,
    /// How commands name the redistributor.
    target: u64,
    ended: bool,
}

impl<R: Registers, M: Memory> Its<R, M> {
    /// Clears `memory`, gives it to the redistributor and the ITS, and starts both.
    ///
    /// On an error both may go on reading the memory: it must not be used for anything else.
    ///
    /// # Errors
    ///
    /// [`Error`] says what the host did not do.
    pub fn start(
        probe: Probe<R>,
        memory: M,
        redistributor: &Redistributor<R>,
        clock: &dyn Clock,
    ) -> Result<Self, Error> {
        if memory.len() < probe.bytes() || !memory.address().is_multiple_of(crate::ALIGN) {
            return Err(Error::Memory);
        }
        memory.clear();
        memory.publish();
        redistributor.enable(&memory, &probe.layout, clock)?;
        let registers = &probe.registers;
        tell(registers, probe.devices, &probe.layout.devices, &memory)?;
        tell(
            registers,
            probe.collections,
            &probe.layout.collections,
            &memory,
        )?;
        let queue = Queue::open(registers, &memory, &probe.layout)?;
        probe::enable(registers)?;
        let target = redistributor.target(probe.by_address);
        let mut its = Self {
            configuration: Configuration::new(probe.capacity.lpis()),
            probe,
            memory,
            queue,
            devices: Vec::new(),
            target,
            ended: false,
        };
        let collect = [
            Command::MapCollection { target },
            Command::Sync { target },
            Command::InvalidateAll,
            Command::Sync { target },
        ];
        its.run(&collect, clock)?;
        Ok(its)
    }

    /// Makes events 0 to `events` - 1 of `device` LPIs, all enabled; says which.
    ///
    /// # Errors
    ///
    /// [`Error::DeviceId`], [`Error::Full`] if it is mapped already or there is no room, and what
    /// the ITS did wrong.
    pub fn map_device(
        &mut self,
        device: u32,
        events: u32,
        clock: &dyn Clock,
    ) -> Result<Range<u32>, Error> {
        let capacity = self.probe.capacity;
        if device >= capacity.device_ids {
            return Err(Error::DeviceId { id: device });
        }
        let place = u32::try_from(self.devices.len()).map_err(|_| Error::Full)?;
        let is_mapped = self.devices.iter().any(|mapped| mapped.id == device);
        let full = place >= capacity.devices;
        if is_mapped || full || events == 0 || events > capacity.events {
            return Err(Error::Full);
        }
        let layout = &self.probe.layout;
        let table =
            self.memory.address() + layout.events.start + u64::from(place) * layout.event_table;
        // Below 16384: `Capacity::check`.
        let first = FIRST_LPI + place * capacity.events;
        let lpis = first..first + events;
        for lpi in lpis.clone() {
            self.configuration.set(lpi, true, &self.memory, layout)?;
        }
        let mut commands = Vec::from([Command::MapDevice {
            device,
            bits: capacity.event_bits(),
            table,
        }]);
        let numbered = (0..events).zip(lpis.clone());
        commands.extend(numbered.map(|(event, lpi)| Command::MapEvent { device, event, lpi }));
        let target = self.target;
        commands.extend([Command::InvalidateAll, Command::Sync { target }]);
        self.devices.push(Mapped {
            id: device,
            lpis: lpis.clone(),
        });
        self.run(&commands, clock)?;
        Ok(lpis)
    }

    /// Enables or disables an LPI.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchLpi`], and what the ITS did wrong.
    pub fn set_enabled(&mut self, lpi: u32, enabled: bool, clock: &dyn Clock) -> Result<(), Error> {
        let (device, event) = self.event(lpi)?;
        self.configuration
            .set(lpi, enabled, &self.memory, &self.probe.layout)?;
        let target = self.target;
        let commands = [
            Command::Invalidate { device, event },
            Command::Sync { target },
        ];
        self.run(&commands, clock)
    }

    /// Makes an LPI pending, as its device would: to see whether it arrives.
    ///
    /// # Errors
    ///
    /// [`Error::NoSuchLpi`], and what the ITS did wrong.
    pub fn raise(&mut self, lpi: u32, clock: &dyn Clock) -> Result<(), Error> {
        let (device, event) = self.event(lpi)?;
        self.run(&[Command::Raise { device, event }], clock)
    }

    /// Which device's event an LPI is.
    fn event(&self, lpi: u32) -> Result<(u32, u32), Error> {
        let found = self.devices.iter().find(|d| d.lpis.contains(&lpi));
        let device = found.ok_or(Error::NoSuchLpi { lpi })?;
        Ok((device.id, lpi - device.lpis.start))
    }

    /// Runs commands. After one that failed nobody knows what is in force: the ITS is stopped.
    fn run(&mut self, commands: &[Command], clock: &dyn Clock) -> Result<(), Error> {
        if self.ended {
            return Err(Error::Ended);
        }
        let (registers, layout) = (&self.probe.registers, &self.probe.layout);
        let ran = self
            .queue
            .run(commands, registers, &self.memory, layout, clock);
        ran.inspect_err(|_| {
            self.ended = true;
            probe::disable(registers);
        })
    }
}

/// Tells the ITS where a table is.
fn tell(
    registers: &impl Registers,
    base: Base,
    place: &Range<u64>,
    memory: &impl Memory,
) -> Result<(), Error> {
    let register = base.register;
    let pages = (place.end - place.start) / base.shape.page;
    let address = memory.address() + place.start;
    let value = VALID | CACHED | base.page | address | (pages - 1);
    // The host fixes kind and size of entries; all else has to be as it was written.
    const OURS: u32 = 0xffff_f000 | 3 << 8 | 0xff;
    traits::tell(registers, register, value, OURS, register)
}
