//! Which kind of device a PCI function is.

use core::fmt;

use pci::Identity;

/// Vendor id of virtio functions.
const VENDOR: u16 = 0x1af4;
/// Device id of kind 0 of modern functions.
const MODERN: u16 = 0x1040;

/// The kinds that have a driver here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Network card.
    Net,
    /// Block device.
    Block,
    /// Console, and ports.
    Console,
    /// Streams to the host and from it.
    Vsock,
    /// Source of random bytes.
    Rng,
    /// A folder of the host, by 9P2000.L.
    NineP,
    /// Memory that the host asks back.
    Balloon,
    /// A virtio device without a driver here.
    Other(u16),
}

impl Kind {
    /// Says which kind `identity` is; `None` if it is not virtio. A transitional function carries
    /// its kind in the subsystem id.
    ///
    /// Ref: virtio 1.2, 4.1.2 "PCI Device Discovery", and 5 "Device Types".
    pub fn of(identity: &Identity) -> Option<Self> {
        if identity.vendor != VENDOR {
            return None;
        }
        let number = match identity.device {
            0x1000..=0x103f => identity.subsystem,
            0x1040..=0x107f => identity.device - MODERN,
            _ => return None,
        };
        Some(match number {
            1 => Self::Net,
            2 => Self::Block,
            3 => Self::Console,
            4 => Self::Rng,
            5 => Self::Balloon,
            9 => Self::NineP,
            19 => Self::Vsock,
            other => Self::Other(other),
        })
    }
}

impl fmt::Display for Kind {
    /// In words, as far as virtio has words for a number.
    ///
    /// Ref: virtio 1.2, 5 "Device Types".
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Net => "network card",
            Self::Block => "disk",
            Self::Console => "console",
            Self::Rng => "source of random bytes",
            Self::NineP => "shared folder (9p)",
            Self::Balloon => "balloon",
            Self::Other(8) => "SCSI host",
            Self::Other(16) => "graphics card",
            Self::Other(18) => "input device",
            Self::Vsock => "vsock",
            Self::Other(20) => "crypto device",
            Self::Other(24) => "memory device",
            Self::Other(26) => "shared folder (virtio-fs)",
            Self::Other(27) => "persistent memory",
            Self::Other(number) => return write!(f, "virtio device of kind {number}"),
        })
    }
}
