//! Checksums of TCP and UDP, made and verified by vectors. smoltcp's own are off.

use copies::{ones_complement_add, ones_complement_sum};
use frame::{IpVersion, OpenChecksum};
use smoltcp::wire::IpProtocol;

use crate::layout::Layout;

/// Fills the checksum of `frame` in, if it has one.
pub(crate) fn fill(frame: &mut [u8], layout: &Layout) {
    let Some(at) = layout.checksum_offset().map(usize::from) else {
        return;
    };
    let pseudo = layout.pseudo_sum(frame);
    let payload = layout.payload_mut(frame);
    put(payload, at, 0);
    let sum = ones_complement_add(pseudo, ones_complement_sum(payload));
    // A UDP checksum of 0 means «none», so its equal is sent.
    let checksum = if sum == u16::MAX { sum } else { !sum };
    put(payload, at, checksum);
}

/// Writes the sum of the pseudo-header into the checksum field, and says where that is, so that
/// the device adds the rest.
///
/// Ref: virtio 1.2, 5.1.6.2 "Packet Transmission".
pub(crate) fn leave_open(frame: &mut [u8], layout: &Layout) -> Option<OpenChecksum> {
    let offset = layout.checksum_offset()?;
    let start = u16::try_from(layout.start).ok()?;
    let pseudo = layout.pseudo_sum(frame);
    put(layout.payload_mut(frame), offset.into(), pseudo);
    Some(OpenChecksum { start, offset })
}

/// Whether the checksum of a received frame is right, if it has to have one.
pub(crate) fn is_right(frame: &[u8], layout: &Layout) -> bool {
    let Some(at) = layout.checksum_offset().map(usize::from) else {
        // Nothing that the stack would take for TCP or UDP.
        return true;
    };
    let payload = layout.payload(frame);
    // Only UDP over IPv4 may do without.
    let optional = layout.protocol == IpProtocol::Udp && layout.ip == IpVersion::V4;
    if optional && payload.get(at..at + 2) == Some(&[0, 0]) {
        return true;
    }
    ones_complement_add(layout.pseudo_sum(frame), ones_complement_sum(payload)) == u16::MAX
}

fn put(payload: &mut [u8], at: usize, value: u16) {
    if let Some(field) = payload.get_mut(at..at + 2) {
        field.copy_from_slice(&value.to_be_bytes());
    }
}
