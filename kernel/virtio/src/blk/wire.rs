//! What a request looks like to the device.
//!
//! Ref: virtio 1.2, 5.2.6 "Device Operation".

use bounce::Purpose;

/// The queue that requests go through.
pub(crate) const REQUEST_QUEUE: u16 = 0;
/// Bytes of the header.
pub(crate) const HEADER: usize = 16;
/// Bytes of the status.
pub(crate) const STATUS: usize = 1;
/// What the status is before the device writes it.
const UNSET: u8 = 0xff;

/// What a request does with its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Read = 0,
    Write = 1,
    Flush = 4,
}

impl Operation {
    /// What the head and the status of such a request are for, in the trace.
    pub(crate) const fn purpose(self) -> Purpose {
        match self {
            Self::Read => Purpose::Read,
            Self::Write => Purpose::Write,
            Self::Flush => Purpose::Flush,
        }
    }
}

/// The header of a request, and a status that no device writes.
pub(crate) fn head(operation: Operation, sector: u64) -> [u8; HEADER + STATUS] {
    let [a, b, c, d, e, f, g, h] = sector.to_le_bytes();
    let kind = operation as u8;
    [kind, 0, 0, 0, 0, 0, 0, 0, a, b, c, d, e, f, g, h, UNSET]
}

/// How a device counts what it wrote: with the status, as the standard has it, or without, as lkvm does. A
/// completion that can only be the first settles it; from then on a read that is one byte short is one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    with_status: bool,
}

impl Count {
    /// What came of a request for which the device says `status` and `len`, and that `expected` so many bytes.
    pub(crate) fn outcome(
        &mut self,
        status: u8,
        len: u32,
        expected: u32,
    ) -> Result<(), block::Error> {
        let is_read = expected != 0;
        let more = u32::from(self.with_status && is_read);
        self.with_status |= status == 0 && len == expected.saturating_add(1);
        outcome(status, len, expected.saturating_add(more))
    }
}

/// What a status means, of a request that moved `len` bytes. The length matters for reads alone,
/// which `expect` some: a device that wrote less than it was asked for did not do the request,
/// whatever its status says.
fn outcome(status: u8, len: u32, expected: u32) -> Result<(), block::Error> {
    match status {
        0 if len >= expected => Ok(()),
        2 => Err(block::Error::Unsupported),
        _ => Err(block::Error::Io),
    }
}
