//! Who has which addresses below the host bridge.

use alloc::vec::Vec;
use core::ops::Range;

use crate::{Bdf, Ecam, Error, Function, Identity, Registers};

/// BARs that we place begin on a granule, so that pages are not shared between devices.
const PLACE_ALIGN: u64 = 4096;
/// First bus address that a 32-bit BAR cannot hold.
const LIMIT_32: u64 = 1 << 32;

/// A memory window of the host bridge, as the device tree has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostWindow {
    /// First address as BARs have it.
    pub bus: u64,
    /// The same place as the CPU has it, without the shared bit.
    pub cpu: u64,
    /// Bytes.
    pub size: u64,
}

impl HostWindow {
    /// Whether neither end wraps around.
    fn is_sound(&self) -> bool {
        let ends = self
            .bus
            .checked_add(self.size)
            .zip(self.cpu.checked_add(self.size));
        self.size != 0 && ends.is_some()
    }

    /// The CPU address of `len` bytes at bus address `bus`, if they are in the window.
    fn translate(&self, bus: u64, len: u64) -> Option<u64> {
        let offset = bus.checked_sub(self.bus)?;
        let end = offset.checked_add(len)?;
        (end <= self.size).then_some(self.cpu.checked_add(offset)?)
    }
}

/// A run as both sides know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    pub(crate) bus: u64,
    pub(crate) cpu: u64,
}

/// A BAR: whose, and its index.
pub(crate) type Owner = (Bdf, u8);

/// Who has which addresses below the host bridge. All ranges are CPU addresses.
#[derive(Debug)]
pub struct Placement {
    windows: Vec<HostWindow>,
    /// Memory and devices outside PCI: nothing may lie there.
    reserved: Vec<Range<u64>>,
    /// BARs in use: nothing else may lie there.
    taken: Vec<(Owner, Range<u64>)>,
    /// Pages in which BARs of other functions begin: we place nothing there.
    avoid: Vec<Range<u64>>,
}

impl Placement {
    /// Takes the memory windows of the bridge, and what BARs may not overlap: RAM, the
    /// configuration window, the interrupt controller, the console. Windows that wrap are dropped.
    pub fn new(windows: &[HostWindow], reserved: &[Range<u64>]) -> Self {
        // Low addresses first: every realm can reach them, whatever its IPA width. There are few, so each is
        // inserted where it belongs: `core`'s sort is kilobytes of code.
        let mut sorted: Vec<HostWindow> = Vec::new();
        for window in windows.iter().filter(|window| window.is_sound()) {
            let at = sorted.partition_point(|other| other.bus <= window.bus);
            sorted.insert(at, *window);
        }
        Self {
            windows: sorted,
            reserved: reserved.to_vec(),
            taken: Vec::new(),
            avoid: Vec::new(),
        }
    }

    /// Notes where functions decode already, so that nothing is placed over them.
    pub fn note_assigned<R: Registers>(&mut self, ecam: &Ecam<R>, functions: &[Identity]) {
        for identity in functions {
            let decoded = Function::new(ecam, *identity).decoded_addresses();
            for address in decoded.into_iter().flatten() {
                if let Some(cpu) = self.translate(address, 1) {
                    let page = cpu - cpu % PLACE_ALIGN;
                    self.avoid.push(page..page.saturating_add(PLACE_ALIGN));
                }
            }
        }
    }

    /// Takes note of a BAR that has bus address `address`, and says where the CPU finds it.
    pub(crate) fn claim(&mut self, owner: Owner, address: u64, len: u64) -> Result<u64, Error> {
        let cpu = self
            .translate(address, len)
            .ok_or(Error::OutsideWindows { address, len })?;
        let run = cpu..cpu.saturating_add(len);
        let taken = self.taken.iter().filter(|(other, _)| *other != owner);
        let mut others = taken.map(|(_, range)| range).chain(&self.reserved);
        if others.any(|other| overlap(other, &run)) {
            return Err(Error::Overlap { address: cpu, len });
        }
        self.take(owner, run);
        Ok(cpu)
    }

    /// Finds a place for a BAR of `size` bytes, a power of two.
    pub(crate) fn place(&mut self, owner: Owner, size: u64, is_64: bool) -> Result<Placed, Error> {
        let place = |window: &HostWindow| self.place_in(window, size, is_64);
        let placed = self.windows.iter().find_map(place);
        let placed = placed.ok_or(Error::NoRoom { size })?;
        self.take(owner, placed.cpu..placed.cpu.saturating_add(size));
        Ok(placed)
    }

    fn place_in(&self, window: &HostWindow, size: u64, is_64: bool) -> Option<Placed> {
        let align = size.max(PLACE_ALIGN);
        // Bus address 0 means «none» in a BAR.
        let mut bus = window.bus.max(1).checked_next_multiple_of(align)?;
        // Each obstacle is stepped over at most once.
        for _ in 0..=self.obstacles().count() {
            let cpu = window.translate(bus, size)?;
            if !is_64 && bus.checked_add(size)? > LIMIT_32 {
                return None;
            }
            let run = cpu..cpu.checked_add(size)?;
            let Some(hit) = self.obstacles().find(|o| overlap(o, &run)) else {
                return Some(Placed { bus, cpu });
            };
            let behind = bus.checked_add(hit.end.checked_sub(cpu)?)?;
            bus = behind.checked_next_multiple_of(align)?;
        }
        None
    }

    fn obstacles(&self) -> impl Iterator<Item = &Range<u64>> {
        let taken = self.taken.iter().map(|(_, range)| range);
        taken.chain(&self.reserved).chain(&self.avoid)
    }

    fn translate(&self, address: u64, len: u64) -> Option<u64> {
        self.windows.iter().find_map(|w| w.translate(address, len))
    }

    fn take(&mut self, owner: Owner, run: Range<u64>) {
        self.taken.retain(|(other, _)| *other != owner);
        self.taken.push((owner, run));
    }
}

fn overlap(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start < other.end && other.start < one.end
}
