//! Configuration space as a window: one page for each function.

use untrusted::Untrusted;

use crate::{Bdf, Error, Registers};

/// Bytes of one bus in the window.
///
/// Ref: PCI Express Base 6.0, 7.2.2 "PCI Express Enhanced Configuration Access Mechanism".
const BUS_SIZE: u64 = 1 << 20;

/// The configuration window of a host bridge.
#[derive(Debug)]
pub struct Ecam<R> {
    registers: R,
    first_bus: u8,
    last_bus: u8,
}

impl<R: Registers> Ecam<R> {
    /// Takes the window of buses `first_bus` to `last_bus`, as the device tree has them. Buses that
    /// the window has no bytes for are left out.
    ///
    /// # Errors
    ///
    /// [`Error::Window`] if not even the first bus fits.
    pub fn new(registers: R, first_bus: u8, last_bus: u8) -> Result<Self, Error> {
        let len = registers.len();
        let fit = (len / BUS_SIZE).min(256);
        if fit == 0 || last_bus < first_bus {
            return Err(Error::Window { len });
        }
        let room = u8::try_from(fit - 1).unwrap_or(u8::MAX);
        let last_bus = last_bus.min(first_bus.saturating_add(room));
        Ok(Self {
            registers,
            first_bus,
            last_bus,
        })
    }

    /// The bus right below the host bridge.
    pub fn root_bus(&self) -> u8 {
        self.first_bus
    }

    /// The last bus that can be reached.
    pub fn last_bus(&self) -> u8 {
        self.last_bus
    }

    /// The window itself.
    pub(crate) fn registers(&self) -> &R {
        &self.registers
    }

    /// Where a register of a function is in the window.
    pub(crate) fn at(&self, bdf: Bdf, register: u16) -> u64 {
        let bus = u64::from(bdf.bus().saturating_sub(self.first_bus));
        let page = bus << 8 | u64::from(bdf.device()) << 3 | u64::from(bdf.function());
        page << 12 | u64::from(register & 0xfff)
    }

    pub(crate) fn read8(&self, bdf: Bdf, register: u16) -> Untrusted<u8> {
        self.registers.read8(self.at(bdf, register))
    }

    pub(crate) fn read16(&self, bdf: Bdf, register: u16) -> Untrusted<u16> {
        self.registers.read16(self.at(bdf, register & !1))
    }

    pub(crate) fn read32(&self, bdf: Bdf, register: u16) -> Untrusted<u32> {
        self.registers.read32(self.at(bdf, register & !3))
    }

    pub(crate) fn write16(&self, bdf: Bdf, register: u16, value: u16) {
        self.registers.write16(self.at(bdf, register & !1), value);
    }

    pub(crate) fn write32(&self, bdf: Bdf, register: u16, value: u32) {
        self.registers.write32(self.at(bdf, register & !3), value);
    }
}
