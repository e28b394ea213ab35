//! LPIs of a redistributor: the tables that say which are enabled and which are pending.

use alloc::vec;
use alloc::vec::Vec;

use clock::Clock;
use untrusted::Untrusted;

use crate::FIRST_LPI;
use crate::error::Error;
use crate::layout::{ID_BITS, Layout};
use crate::probe::PATIENCE;
use crate::traits::{self, Memory, Registers};

const CTLR: u64 = 0x0;
const TYPER: u64 = 0x8;
const PROPBASER: u64 = 0x70;
const PENDBASER: u64 = 0x78;

const CTLR_ENABLE_LPIS: u32 = 1 << 0;
const TYPER_PHYSICAL_LPIS: u32 = 1 << 0;
/// The pending table is all zeros.
const PENDING_ZERO: u64 = 1 << 62;
/// Cached for reads and writes.
const CACHED: u64 = 7 << 7;

/// Any one priority does: nothing preempts anything. Bit 1 is reserved as one.
const CONFIGURED: u8 = 0xa0 | 1 << 1;
const ENABLED: u8 = 1 << 0;

/// The redistributor that all LPIs go to.
#[derive(Clone, Debug)]
pub struct Redistributor<R> {
    registers: R,
    at: u64,
    address: u64,
}

impl<R: Registers> Redistributor<R> {
    /// Takes the redistributor whose first frame begins at offset `at` of `registers`, and at
    /// `address`, as the ITS is told it.
    pub const fn new(registers: R, at: u64, address: u64) -> Self {
        Self {
            registers,
            at,
            address,
        }
    }

    /// How commands name it.
    pub(crate) fn target(&self, by_address: bool) -> u64 {
        if by_address {
            self.address >> 16
        } else {
            u64::from(self.type_register().masked(0xffff << 8) >> 8)
        }
    }

    fn type_register(&self) -> Untrusted<u32> {
        self.registers.read32(self.at + TYPER)
    }

    fn are_lpis_on(&self) -> bool {
        self.registers.read32(self.at + CTLR).has(CTLR_ENABLE_LPIS)
    }

    /// Tells it of the tables, and turns its LPIs on.
    pub(crate) fn enable(
        &self,
        memory: &impl Memory,
        layout: &Layout,
        clock: &dyn Clock,
    ) -> Result<(), Error> {
        if !self.type_register().has(TYPER_PHYSICAL_LPIS) {
            return Err(Error::NoLpis);
        }
        let control = self.registers.read32(self.at + CTLR);
        let control = control.any_value("written back, but for our bit");
        if control & CTLR_ENABLE_LPIS != 0 {
            let off = control & !CTLR_ENABLE_LPIS;
            self.registers.write32(self.at + CTLR, off);
            if !clock.wait(PATIENCE, &mut || !self.are_lpis_on()) {
                return Err(Error::LpisStuck);
            }
        }
        let configuration = memory.address() + layout.configuration.start;
        let pending = memory.address() + layout.pending.start;
        let bits = u64::from(ID_BITS - 1);
        self.tell(PROPBASER, configuration | bits)?;
        self.tell(PENDBASER, pending | PENDING_ZERO)?;
        self.registers
            .write32(self.at + CTLR, control | CTLR_ENABLE_LPIS);
        if clock.wait(PATIENCE, &mut || self.are_lpis_on()) {
            Ok(())
        } else {
            Err(Error::LpisStuck)
        }
    }

    fn tell(&self, register: u64, value: u64) -> Result<(), Error> {
        const OURS: u32 = 0xffff_f000;
        let at = self.at + register;
        traits::tell(&self.registers, at, value | CACHED, OURS, register)
    }
}

/// What the configuration table holds, eight LPIs a word: a word is stored whole, and never read.
pub(crate) struct Configuration(Vec<[u8; 8]>);

impl Configuration {
    /// As many LPIs as are given out at most, none enabled.
    pub(crate) fn new(lpis: u32) -> Self {
        Self(vec![[0; 8]; lpis.div_ceil(8) as usize])
    }

    /// Enables or disables `lpi`.
    pub(crate) fn set(
        &mut self,
        lpi: u32,
        enabled: bool,
        memory: &impl Memory,
        layout: &Layout,
    ) -> Result<(), Error> {
        let unknown = Error::NoSuchLpi { lpi };
        let number = lpi.checked_sub(FIRST_LPI).ok_or(unknown)?;
        let word = self.0.get_mut(number as usize / 8).ok_or(unknown)?;
        let byte = word.get_mut(number as usize % 8).ok_or(unknown)?;
        *byte = CONFIGURED | if enabled { ENABLED } else { 0 };
        let at = layout.configuration.start + u64::from(number / 8) * 8;
        memory.store(at, u64::from_le_bytes(*word));
        Ok(())
    }
}
