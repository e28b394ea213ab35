//! The interface report: which registers a device has, and where.
//!
//! Ref: PCI Express 6.0, 11.3.11, table 11-15.

use core::fmt;

use heapless::Vec;

use crate::bytes::{Bytes, Short};

/// The most ranges that are read. A function has six BARs, and each of them may be in parts.
pub const MOST_RANGES: usize = 24;

const PAGE: u64 = 4096;
const RESERVED: usize = 10;
const MSIX_TABLE: u16 = 1 << 0;
const MSIX_PENDING: u16 = 1 << 1;
const NON_TEE: u16 = 1 << 2;

/// A run of registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RegisterRange {
    /// First address as the device reports it, a multiple of 4096.
    pub base: u64,
    /// Bytes, a multiple of 4096 and not 0. `base + len` does not wrap.
    pub len: u64,
    /// The BAR that it is in, 0 to 5.
    pub bar: u8,
    /// Whether the host may go on reaching it, so that it must not be trusted.
    pub non_tee: bool,
    /// Whether it holds the table or the pending bits of MSI-X.
    pub msi_x: bool,
}

/// Why a report is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportError {
    /// It ends too early.
    Short,
    /// Something is behind its end.
    Trailing {
        /// Bytes of it.
        bytes: usize,
    },
    /// It has more ranges than are read, or none.
    Count {
        /// Its number.
        count: u32,
    },
    /// A range is empty, wraps, or belongs to no BAR.
    Range {
        /// Which one.
        index: usize,
    },
    /// Two ranges have a byte in common.
    Overlap {
        /// The second of them.
        index: usize,
    },
}

impl fmt::Display for ReportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Short => f.write_str("it ends too early"),
            Self::Trailing { bytes } => write!(f, "{bytes} bytes are behind its end"),
            Self::Count { count } => write!(f, "it has {count} ranges"),
            Self::Range { index } => write!(f, "range {index} is empty, wraps, or is of no BAR"),
            Self::Overlap { index } => write!(f, "range {index} overlaps another"),
        }
    }
}

impl From<Short> for ReportError {
    fn from(Short: Short) -> Self {
        Self::Short
    }
}

/// What a device reports of its registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceReport {
    /// What the interface can do, as it came: bit 0 no firmware updates, bits 1 and 2 DMA without and
    /// with PASID, bit 3 address translation by the device, bit 4 page requests.
    pub capabilities: u16,
    ranges: Vec<RegisterRange, MOST_RANGES>,
}

impl InterfaceReport {
    /// Reads a report.
    ///
    /// # Errors
    ///
    /// [`ReportError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ReportError> {
        let mut bytes = Bytes::new(bytes);
        let capabilities = bytes.u16()?;
        bytes.take(RESERVED)?;
        let count = bytes.u32()?;
        let fits = usize::try_from(count).is_ok_and(|count| (1..=MOST_RANGES).contains(&count));
        if !fits {
            return Err(ReportError::Count { count });
        }
        let mut ranges = Vec::new();
        for index in 0..count as usize {
            let range = range(&mut bytes)?.ok_or(ReportError::Range { index })?;
            if ranges.iter().any(|other| overlap(other, &range)) {
                return Err(ReportError::Overlap { index });
            }
            // The bound was checked above.
            let _room = ranges.push(range);
        }
        let information = bytes.u32()?;
        bytes.take(usize::try_from(information).map_err(|_| Short)?)?;
        match bytes.rest().len() {
            0 => Ok(Self {
                capabilities,
                ranges,
            }),
            bytes => Err(ReportError::Trailing { bytes }),
        }
    }

    /// Its ranges, in the order of the report. No two have a byte in common.
    pub fn ranges(&self) -> &[RegisterRange] {
        &self.ranges
    }
}

fn range(bytes: &mut Bytes<'_>) -> Result<Option<RegisterRange>, Short> {
    let (page, pages) = (bytes.u64()?, bytes.u32()?);
    let (attributes, bar) = (bytes.u16()?, bytes.u16()?);
    let base = page.checked_mul(PAGE);
    let len = u64::from(pages) * PAGE;
    let end = base.and_then(|base| base.checked_add(len));
    let bar = u8::try_from(bar).ok().filter(|bar| *bar < 6);
    let sound = len != 0 && end.is_some();
    Ok(base
        .zip(bar)
        .filter(|_| sound)
        .map(|(base, bar)| RegisterRange {
            base,
            len,
            bar,
            non_tee: attributes & NON_TEE != 0,
            msi_x: attributes & (MSIX_TABLE | MSIX_PENDING) != 0,
        }))
}

fn overlap(one: &RegisterRange, other: &RegisterRange) -> bool {
    one.base < other.base + other.len && other.base < one.base + one.len
}
