//! Finding functions: bus 0, and behind bridges that somebody has numbered, all bounded.

use alloc::vec::Vec;

use crate::{Bdf, Ecam, Registers};

/// Most functions that a scan reports; the rest is counted.
pub const MAX_FUNCTIONS: usize = 64;
/// Most buses that a scan looks at: 32 reads each, and each read is an exit.
pub const MAX_BUSES: usize = 8;

const VENDOR_DEVICE: u16 = 0x00;
const REVISION_CLASS: u16 = 0x08;
const HEADER_TYPE: u16 = 0x0e;
const SECONDARY_BUS: u16 = 0x19;
const SUBSYSTEM: u16 = 0x2c;

/// The layout of the first 64 bytes of a function.
///
/// Ref: PCI Express Base 6.0, 7.5.1.1.9 "Header Type Register".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header {
    /// A device.
    Endpoint,
    /// A bridge to another bus.
    Bridge,
    /// Something else, which we leave alone.
    Other(u8),
}

/// What a function says it is, read once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Where it is.
    pub bdf: Bdf,
    /// Vendor id.
    pub vendor: u16,
    /// Device id.
    pub device: u16,
    /// Revision id.
    pub revision: u8,
    /// Class code: class, subclass and interface, 24 bits.
    pub class: u32,
    /// Subsystem device id; 0 for anything but an endpoint.
    pub subsystem: u16,
    /// Layout of its header.
    pub header: Header,
}

/// What a scan found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// The functions, in the order of their places, at most [`MAX_FUNCTIONS`].
    pub functions: Vec<Identity>,
    /// Functions and buses beyond our bounds, which were not looked at.
    pub left_out: usize,
}

/// Lists the functions of `ecam`.
///
/// A bridge is followed when its secondary bus is in the window, higher than its own, and not
/// visited before; bridges that nobody has numbered are reported and not followed. Every loop has a
/// bound of ours, whatever the host answers.
pub fn scan<R: Registers>(ecam: &Ecam<R>) -> Scan {
    let mut scan = Scan::default();
    let mut buses = Vec::from([ecam.root_bus()]);
    let mut next = 0;
    while let Some(bus) = buses.get(next).copied() {
        next += 1;
        for device in 0..32 {
            scan_device(ecam, bus, device, &mut buses, &mut scan);
        }
    }
    scan
}

fn scan_device<R: Registers>(
    ecam: &Ecam<R>,
    bus: u8,
    device: u8,
    buses: &mut Vec<u8>,
    scan: &mut Scan,
) {
    let mut functions = 1;
    let mut function = 0;
    while function < functions {
        if let Some((identity, multi)) =
            Bdf::new(bus, device, function).and_then(|b| identify(ecam, b))
        {
            if function == 0 && multi {
                functions = 8;
            }
            if identity.header == Header::Bridge {
                follow(ecam, identity.bdf, buses, scan);
            }
            if scan.functions.len() < MAX_FUNCTIONS {
                scan.functions.push(identity);
            } else {
                scan.left_out += 1;
            }
        }
        function += 1;
    }
}

/// What identities are for.
const A_NAME: &str = "drivers are chosen by it, and check the rest";

/// Reads who is at `bdf`, and whether the device has more functions.
fn identify<R: Registers>(ecam: &Ecam<R>, bdf: Bdf) -> Option<(Identity, bool)> {
    let who = ecam.read32(bdf, VENDOR_DEVICE).any_value(A_NAME);
    let [v0, v1, d0, d1] = who.to_le_bytes();
    let vendor = u16::from_le_bytes([v0, v1]);
    if vendor == 0xffff || vendor == 0 {
        return None;
    }
    let what = ecam.read32(bdf, REVISION_CLASS).any_value(A_NAME);
    let [revision, interface, subclass, class] = what.to_le_bytes();
    let kind = ecam.read8(bdf, HEADER_TYPE).any_value("each has a name");
    let header = match kind & 0x7f {
        0 => Header::Endpoint,
        1 => Header::Bridge,
        other => Header::Other(other),
    };
    let subsystem = match header {
        Header::Endpoint => ecam.read16(bdf, SUBSYSTEM + 2).any_value(A_NAME),
        _ => 0,
    };
    let identity = Identity {
        bdf,
        vendor,
        device: u16::from_le_bytes([d0, d1]),
        revision,
        class: u32::from_le_bytes([interface, subclass, class, 0]),
        subsystem,
        header,
    };
    Some((identity, kind & 0x80 != 0))
}

fn follow<R: Registers>(ecam: &Ecam<R>, bridge: Bdf, buses: &mut Vec<u8>, scan: &mut Scan) {
    let below = ecam.read8(bridge, SECONDARY_BUS).at_most(ecam.last_bus());
    let is_new = |bus: &u8| *bus > bridge.bus() && !buses.contains(bus);
    let Some(secondary) = below.filter(is_new) else {
        return;
    };
    if buses.len() < MAX_BUSES {
        buses.push(secondary);
    } else {
        scan.left_out += 1;
    }
}
