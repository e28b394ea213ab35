//! Where a device's registers are: what it reports, against where its BARs were put.

use alloc::vec::Vec;
use core::fmt;

use ipa::GranuleRange;
use tdisp::report::InterfaceReport;

use crate::Error;

/// A BAR, as it was placed before the device was locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Its index.
    pub index: u8,
    /// Where the realm reaches all of it, in the protected half. As long as the BAR: a power of two.
    pub range: GranuleRange,
}

/// What is wrong with a range of registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RangeFault {
    /// The device was given no such BAR.
    NoBar,
    /// It leaves the BAR.
    Outside,
    /// Another range of the same BAR is somewhere else altogether.
    Apart,
    /// It overlaps another.
    Overlap,
}

impl fmt::Display for RangeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoBar => "the device was given no such BAR",
            Self::Outside => "they leave the BAR",
            Self::Apart => "they are in two places",
            Self::Overlap => "they overlap others",
        })
    }
}

/// Registers that only the realm reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mapping {
    /// Where the realm reaches them.
    pub(crate) range: GranuleRange,
    /// The same place as the device reports it.
    pub(crate) reported: u64,
}

/// Finds what is to be mapped where. Registers that the host may go on reaching, and those of MSI-X,
/// which are not locked, are left out.
///
/// A report has addresses with an offset that is a multiple of every BAR's size, so what it says about
/// an address below that size holds.
///
/// Ref: DEN0137 2.0, A9.6.2.
pub(crate) fn mappings(report: &InterfaceReport, bars: &[Bar]) -> Result<Vec<Mapping>, Error> {
    let mut found: Vec<(u8, u64, GranuleRange)> = Vec::new();
    let mut mappings = Vec::new();
    for registers in report.ranges() {
        let (index, reported) = (registers.bar, registers.base);
        let wrong = |fault| Error::Registers { bar: index, fault };
        let bar = bars.iter().find(|bar| bar.index == index);
        let bar = bar.ok_or(wrong(RangeFault::NoBar))?.range;
        let (place, offset) = (reported / bar.len(), reported % bar.len());
        let base = bar.base().get() + offset;
        // Both are below 2^63, but for a length that no BAR has.
        let top = base.saturating_add(registers.len);
        let range = bar.part(base, top).ok_or(wrong(RangeFault::Outside))?;
        let mut same_bar = found.iter().filter(|(other, ..)| *other == index);
        if same_bar.any(|(_, elsewhere, _)| *elsewhere != place) {
            return Err(wrong(RangeFault::Apart));
        }
        if found.iter().any(|(.., other)| other.overlaps(range)) {
            return Err(wrong(RangeFault::Overlap));
        }
        found.push((index, place, range));
        if !registers.non_tee && !registers.msi_x {
            mappings.push(Mapping { range, reported });
        }
    }
    Ok(mappings)
}
