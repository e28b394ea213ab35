//! Feature bits that we know. Anything else is never accepted.

use core::ops::BitOr;

/// A set of feature bits, 0 to 63. Higher ones are never read: some hosts return stale data there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Features(u64);

impl Features {
    /// The device reports exactly when it wants a doorbell, and we when we want an interrupt.
    ///
    /// Ref: virtio 1.2, 2.7.10 "Available Buffer Notification Suppression".
    pub const EVENT_IDX: Self = Self(1 << 29);
    /// The device follows virtio 1.0 or later.
    pub const VERSION_1: Self = Self(1 << 32);
    /// Addresses in descriptors are those that the platform gives out: shared pages, in a realm.
    ///
    /// Ref: virtio 1.2, 6 "Reserved Feature Bits".
    pub const ACCESS_PLATFORM: Self = Self(1 << 33);

    /// Network: the device fills in checksums of frames that we send.
    pub const NET_CSUM: Self = Self(1 << 0);
    /// Network: the device may leave checksums of received frames open.
    pub const NET_GUEST_CSUM: Self = Self(1 << 1);
    /// Network: the device may put received TCP over IPv4 together.
    pub const NET_GUEST_TSO4: Self = Self(1 << 7);
    /// Network: the device may put received TCP over IPv6 together.
    pub const NET_GUEST_TSO6: Self = Self(1 << 8);
    /// Network: the device cuts TCP over IPv4 that we send.
    pub const NET_HOST_TSO4: Self = Self(1 << 11);
    /// Network: the device cuts TCP over IPv6 that we send.
    pub const NET_HOST_TSO6: Self = Self(1 << 12);
    /// Network: the device has an address.
    pub const NET_MAC: Self = Self(1 << 5);
    /// Network: a frame may lie in several receive buffers.
    pub const NET_MRG_RXBUF: Self = Self(1 << 15);

    /// Block: the device says how many runs of data a request may have.
    pub const BLK_SEG_MAX: Self = Self(1 << 2);
    /// Block: the device takes no writes.
    pub const BLK_RO: Self = Self(1 << 5);
    /// Block: the device has a cache, and a request to flush it.
    pub const BLK_FLUSH: Self = Self(1 << 9);

    /// Console: the device has ports, and messages about them.
    pub const CONSOLE_MULTIPORT: Self = Self(1 << 1);
    /// Balloon: pages are used again only after the device was told.
    pub const BALLOON_MUST_TELL_HOST: Self = Self(1 << 0);
    /// Balloon: pages may be used again, whatever the host wants, if memory is short.
    pub const BALLOON_DEFLATE_ON_OOM: Self = Self(1 << 2);
    /// 9p: the device has a name.
    pub const NINEP_NAME: Self = Self(1 << 0);

    /// Network: everything that a card may be asked for.
    pub(crate) const EVERY_NET: Self = Self(Self::VERSION_1.0 - 1);

    pub(crate) const fn from_words(low: u32, high: u32) -> Self {
        Self((high as u64) << 32 | low as u64)
    }

    /// The bits of word 0 and word 1.
    pub(crate) const fn words(self) -> [u32; 2] {
        halves(self.0)
    }

    /// Whether every bit of `other` is in the set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The bits of both sets.
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The bits that both sets have.
    pub const fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The lowest bit of `self` that is not in `other`.
    pub(crate) fn lowest_missing(self, other: Self) -> Option<u8> {
        let missing = self.0 & !other.0;
        (missing != 0).then(|| u8::try_from(missing.trailing_zeros()).unwrap_or(u8::MAX))
    }

    /// The set without the bits of `other`.
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether the sets have a bit in common.
    pub const fn any(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The set as a number.
    pub const fn bits(self) -> u64 {
        self.0
    }
}

impl BitOr for Features {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.or(other)
    }
}

/// The low and the high half of a 64-bit register.
pub(crate) const fn halves(value: u64) -> [u32; 2] {
    let [a, b, c, d, e, f, g, h] = value.to_le_bytes();
    [
        u32::from_le_bytes([a, b, c, d]),
        u32::from_le_bytes([e, f, g, h]),
    ]
}

/// Where the driver runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// In a realm: a device without ACCESS_PLATFORM is not driven.
    Realm,
    /// In an ordinary machine.
    Machine,
}

impl Environment {
    /// What a device must offer.
    pub(crate) fn required(self) -> Features {
        match self {
            Self::Realm => Features::VERSION_1 | Features::ACCESS_PLATFORM,
            Self::Machine => Features::VERSION_1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ref: virtio 1.2, 5.1.3, 5.2.3, 5.3.3, 5.5.3 and 6 "Reserved Feature Bits"; 9p: `linux/virtio_9p.h`.
    #[test]
    fn bits_have_the_numbers_of_the_specification() {
        let numbers = [
            (Features::EVENT_IDX, 29),
            (Features::VERSION_1, 32),
            (Features::ACCESS_PLATFORM, 33),
            (Features::NET_CSUM, 0),
            (Features::NET_GUEST_CSUM, 1),
            (Features::NET_MAC, 5),
            (Features::NET_GUEST_TSO4, 7),
            (Features::NET_GUEST_TSO6, 8),
            (Features::NET_HOST_TSO4, 11),
            (Features::NET_HOST_TSO6, 12),
            (Features::NET_MRG_RXBUF, 15),
            (Features::BLK_SEG_MAX, 2),
            (Features::BLK_RO, 5),
            (Features::BLK_FLUSH, 9),
            (Features::CONSOLE_MULTIPORT, 1),
            (Features::BALLOON_MUST_TELL_HOST, 0),
            (Features::BALLOON_DEFLATE_ON_OOM, 2),
            (Features::NINEP_NAME, 0),
        ];
        for (feature, number) in numbers {
            assert_eq!(feature.bits(), 1 << number, "bit {number}");
        }
    }
}
