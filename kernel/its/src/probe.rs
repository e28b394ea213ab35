//! What an ITS says of itself, checked.

use core::time::Duration;

use clock::Clock;

use crate::error::{Error, Table};
use crate::layout::{Capacity, Layout, Shape};
use crate::traits::Registers;

const CTLR: u64 = 0x0;
const TYPER: u64 = 0x8;
const BASER: u64 = 0x100;
const BASERS: u64 = 8;

const CTLR_ENABLED: u32 = 1 << 0;
const CTLR_QUIESCENT: u32 = 1 << 31;
const TYPER_PHYSICAL: u32 = 1 << 0;
const TYPER_PTA: u32 = 1 << 19;
const BASER_PAGE: u32 = 3 << 8;

/// How long the host may take to carry out a write or a batch of commands.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);

/// A register that tells the ITS of a table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Base {
    /// Its offset.
    pub(crate) register: u64,
    /// Its bits for the size of a page.
    pub(crate) page: u64,
    pub(crate) shape: Shape,
}

/// An ITS that is stopped, and what it needs.
#[derive(Debug)]
pub struct Probe<R> {
    pub(crate) registers: R,
    pub(crate) capacity: Capacity,
    pub(crate) devices: Base,
    pub(crate) collections: Base,
    pub(crate) layout: Layout,
    /// Whether redistributors are named by address, else by number.
    pub(crate) by_address: bool,
}

impl<R: Registers> Probe<R> {
    /// Stops the ITS with the frame `registers`, and looks whether it can serve `capacity`.
    ///
    /// # Errors
    ///
    /// [`Error`] says what it lacks, or did not do.
    pub fn new(registers: R, capacity: Capacity, clock: &dyn Clock) -> Result<Self, Error> {
        let capacity = capacity.check()?;
        let kind = registers
            .read32(TYPER)
            .any_value("each of its fields is checked below");
        if kind & TYPER_PHYSICAL == 0 {
            return Err(Error::NoLpis);
        }
        let field = |at: u32| 1 + (kind >> at & 0x1f);
        enough(field(8), capacity.event_bits())?;
        enough(field(13), capacity.device_bits())?;
        stop(&registers, clock)?;
        let devices = base(&registers, Table::Devices)?;
        let collections = base(&registers, Table::Collections)?;
        let event_entry = 1 + u64::from(kind >> 4 & 0xf);
        let layout = Layout::new(capacity, event_entry, devices.shape, collections.shape)?;
        Ok(Self {
            registers,
            capacity,
            devices,
            collections,
            layout,
            by_address: kind & TYPER_PTA != 0,
        })
    }

    /// Bytes of the memory that [`crate::Its::start`] wants: under 1 MiB for PCI functions of one
    /// bus, whatever the host says.
    pub const fn bytes(&self) -> u64 {
        self.layout.bytes()
    }
}

/// Lets the ITS carry out commands.
pub(crate) fn enable(registers: &impl Registers) -> Result<(), Error> {
    registers.write32(CTLR, CTLR_ENABLED);
    if !registers.read32(CTLR).has(CTLR_ENABLED) {
        return Err(Error::NotKept { register: CTLR });
    }
    Ok(())
}

/// Stops the ITS, without waiting for it.
pub(crate) fn disable(registers: &impl Registers) {
    registers.write32(CTLR, 0);
}

fn stop(registers: &impl Registers, clock: &dyn Clock) -> Result<(), Error> {
    disable(registers);
    let mut stopped = || {
        let state = registers.read32(CTLR);
        state.masked(CTLR_QUIESCENT | CTLR_ENABLED) == CTLR_QUIESCENT
    };
    if clock.wait(PATIENCE, &mut stopped) {
        Ok(())
    } else {
        Err(Error::Busy)
    }
}

fn enough(has: u32, needed: u32) -> Result<(), Error> {
    if has >= needed {
        Ok(())
    } else {
        Err(Error::TooFewBits { has, needed })
    }
}

/// Finds the register for `table`. Small pages are asked for; some hosts have but one size.
fn base(registers: &impl Registers, table: Table) -> Result<Base, Error> {
    let wanted = match table {
        Table::Devices => 1,
        Table::Collections => 4,
    };
    let mut bases = (0..BASERS).map(|n| BASER + 8 * n);
    let found = bases.find_map(|at| {
        let kind = registers.read32(at + 4);
        kind.accept(|kind| (kind >> 24 & 7 == wanted).then_some((at, kind)))
    });
    let (register, kind) = found.ok_or(Error::NoTable(table))?;
    registers.write32(register, 0);
    let said = registers.read32(register).masked(BASER_PAGE);
    let page = match said {
        0 => 0x1000,
        0x100 => 0x4000,
        _ => 0x1_0000,
    };
    let entry = 1 + u64::from(kind >> 16 & 0x1f);
    Ok(Base {
        register,
        page: u64::from(said),
        shape: Shape { entry, page },
    })
}
