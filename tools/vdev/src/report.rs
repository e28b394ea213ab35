//! The interface report: which registers the device has, and where.
//!
//! Ref: PCI Express 6.0, 11.3.11 (DEVICE_INTERFACE_REPORT).

use alloc::vec::Vec;

/// Pages that are not protected by the interface.
const NON_TEE: u16 = 1 << 2;
/// No firmware updates; DMA without PASID.
const INTERFACE: u16 = 0b11;
const PAGE: u64 = 4096;

/// Registers of a BAR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// Index of the BAR.
    pub bar: u16,
    /// First address as the device has it, a multiple of 4096.
    pub base: u64,
    /// Bytes, a multiple of 4096.
    pub size: u64,
    /// Whether the host may go on reaching them.
    pub non_tee: bool,
}

/// The report over `ranges`.
pub fn interface_report(ranges: &[Range]) -> Vec<u8> {
    let mut report = Vec::new();
    report.extend_from_slice(&INTERFACE.to_le_bytes());
    report.extend_from_slice(&[0; 10]);
    let count = u32::try_from(ranges.len()).unwrap_or(u32::MAX);
    report.extend_from_slice(&count.to_le_bytes());
    for range in ranges {
        let pages = u32::try_from(range.size / PAGE).unwrap_or(u32::MAX);
        let attributes = if range.non_tee { NON_TEE } else { 0 };
        report.extend_from_slice(&(range.base / PAGE).to_le_bytes());
        report.extend_from_slice(&pages.to_le_bytes());
        report.extend_from_slice(&attributes.to_le_bytes());
        report.extend_from_slice(&range.bar.to_le_bytes());
    }
    report.extend_from_slice(&0_u32.to_le_bytes());
    report
}
