//! One function's configuration space, as the monitor reads it before the guest runs.

use crate::machine::{Abort, Machine};
use crate::syndrome::Width;

const COMMAND: u64 = 4;
const BARS: u64 = 0x10;
const MSI_X: u64 = 0x11;
/// BARs of an ordinary function.
pub(super) const BAR_COUNT: usize = 6;

/// A function of bus 0.
pub struct Function<'m, M> {
    machine: &'m M,
    base: u64,
    /// Bus, device and function.
    pub stream: u32,
}

/// What a BAR leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// First address, as the bus has it.
    pub address: u64,
    /// I/O ports, and not memory.
    pub ports: bool,
    /// The next BAR holds the upper half of the address.
    pub wide: bool,
}

impl<'m, M: Machine> Function<'m, M> {
    /// Function `stream` in the configuration space at `config`.
    #[must_use]
    pub fn new(machine: &'m M, config: u64, stream: u32) -> Self {
        Self {
            machine,
            base: config + (u64::from(stream) << 12),
            stream,
        }
    }

    /// Reads; all ones where nothing is.
    #[must_use]
    pub fn read(&self, offset: u64, width: Width) -> u64 {
        self.machine
            .load(self.base + offset, width)
            .unwrap_or(width.mask())
    }

    fn write(&self, offset: u64, width: Width, value: u64) -> Result<(), Abort> {
        self.machine.store(self.base + offset, width, value)
    }

    /// Vendor and device.
    #[must_use]
    pub fn identity(&self) -> (u64, u64) {
        let identity = self.read(0, Width::Word);
        (identity & 0xffff, identity >> 16)
    }

    /// Sets whether the function answers at its BARs, and whether it may use memory.
    ///
    /// # Errors
    ///
    /// [`Abort`], if the function is not there.
    pub fn command(&self, value: u64) -> Result<(), Abort> {
        self.write(COMMAND, Width::Half, value)
    }

    /// BAR number `number`; `None` if it leads nowhere.
    #[must_use]
    pub fn bar(&self, number: usize) -> Option<Bar> {
        let offset = bar_offset(number)?;
        let low = self.read(offset, Width::Word);
        if low & 1 == 1 {
            return Some(Bar {
                address: low & 0xffff_fffc,
                ports: true,
                wide: false,
            });
        }
        let wide = low & 6 == 4 && number + 1 < BAR_COUNT;
        let high = if wide {
            self.read(offset + 4, Width::Word)
        } else {
            0
        };
        Some(Bar {
            address: high << 32 | low & 0xffff_fff0,
            ports: false,
            wide,
        })
    }

    /// The BAR that holds the table of MSI-X.
    #[must_use]
    pub fn msi_x_table(&self) -> Option<usize> {
        let mut at = self.read(0x34, Width::Byte) & !3;
        for _ in 0..48 {
            if !(0x40..0x100).contains(&at) {
                return None;
            }
            if self.read(at, Width::Byte) == MSI_X {
                return usize::try_from(self.read(at + 4, Width::Word) & 7).ok();
            }
            at = self.read(at + 1, Width::Byte) & !3;
        }
        None
    }

    /// Points BAR number `number` to `address`, below 4 GiB.
    ///
    /// # Errors
    ///
    /// [`Abort`], if there is no such BAR.
    pub fn set_bar(&self, number: usize, address: u64) -> Result<(), Abort> {
        let offset = bar_offset(number).ok_or(Abort)?;
        let wide = self.bar(number).is_some_and(|bar| bar.wide);
        self.write(offset, Width::Word, address & 0xffff_ffff)?;
        if wide {
            self.write(offset + 4, Width::Word, 0)
        } else {
            Ok(())
        }
    }

    /// Bytes behind BAR number `number`; 0 if it leads nowhere. The BAR loses its address.
    ///
    /// # Errors
    ///
    /// [`Abort`], if the function is not there.
    pub fn bar_size(&self, number: usize) -> Result<u64, Abort> {
        let Some(offset) = bar_offset(number) else {
            return Ok(0);
        };
        self.write(offset, Width::Word, 0xffff_ffff)?;
        let low = self.read(offset, Width::Word);
        self.write(offset, Width::Word, 0)?;
        let mask = if low & 1 == 1 {
            low & 0xffff_fffc
        } else {
            low & 0xffff_fff0
        };
        // No BAR of a virtio function comes near 4 GiB, so the low half tells the size.
        Ok(if mask == 0 { 0 } else { 0x1_0000_0000 - mask })
    }
}

fn bar_offset(number: usize) -> Option<u64> {
    (number < BAR_COUNT).then_some(BARS + 4 * number as u64)
}
