//! Which kind of device a PCI function is.

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
    /// Source of random bytes.
    Rng,
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
            other => Self::Other(other),
        })
    }
}
