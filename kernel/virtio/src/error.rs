//! Why a device was not started, or was stopped.

use core::fmt;

/// Parts of the modern PCI transport, each a run of registers in a BAR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Features, status, queues.
    Common,
    /// Doorbells.
    Notify,
    /// Interrupt status.
    Isr,
    /// What is special to the kind of device.
    Device,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Common => "common configuration",
            Self::Notify => "notification",
            Self::Isr => "interrupt status",
            Self::Device => "device configuration",
        })
    }
}

/// Why a device was not started, or was stopped. All numbers are the device's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
// A tag of 64 bits: an error is handed on by whole words, and nothing is left behind a narrow one.
#[repr(u64)]
pub enum Error {
    /// The function is not a virtio device of the kind wanted.
    WrongKind,
    /// The device has only the interface from before virtio 1.0.
    LegacyOnly,
    /// A part of the transport is missing, or lies where it cannot.
    MissingPart(Part),
    /// The function could not be enabled.
    Pci(pci::Error),
    /// The pool of the device did not do what was asked.
    Bounce(bounce::Error),
    /// The pool of the device is smaller than the least that its driver works with.
    PoolTooSmall {
        /// Bytes of the pool.
        size: usize,
        /// Bytes that would do.
        least: usize,
    },
    /// The device did not reset within its deadline.
    ResetTimedOut,
    /// It was trusted, or was to be, and is no more.
    Withdrawn,
    /// Its user has brought it to rest: it has no driver.
    AtRest,
    /// The device does not offer a feature without which it is not driven.
    MissingFeature {
        /// Number of the feature bit: 32 VERSION_1, 33 ACCESS_PLATFORM.
        bit: u8,
    },
    /// The device took the `FEATURES_OK` bit back.
    FeaturesRefused,
    /// The device no longer offers what was accepted.
    FeaturesChanged,
    /// A queue has a size that is 0, not a power of two, too small or too large for us.
    QueueSize {
        /// Which queue.
        queue: u16,
        /// Entries.
        size: u16,
    },
    /// The device has no such queue, or did not enable it.
    QueueRefused {
        /// Which queue.
        queue: u16,
    },
    /// The doorbell of a queue lies outside the notification part.
    Doorbell {
        /// Which queue.
        queue: u16,
        /// Offset of the doorbell in bytes.
        at: u64,
    },
    /// A field lies outside the device configuration.
    Config {
        /// Offset of the field in bytes.
        at: u64,
    },
    /// The configuration kept changing while it was read.
    ConfigUnstable,
    /// The device's own address is no unicast address.
    BadMac,
    /// The device says that it cannot go on.
    NeedsReset,
    /// The device lost status bits that were set.
    StatusLost {
        /// The status byte.
        status: u8,
    },
    /// The used index moved further than requests are outstanding.
    UsedIndex {
        /// Entries it moved.
        moved: u16,
        /// Requests outstanding.
        outstanding: u16,
    },
    /// A completion names a descriptor that is not the head of a request in flight.
    UsedId {
        /// The descriptor.
        id: u32,
    },
    /// A completion claims more bytes than were lent.
    UsedLength {
        /// Bytes claimed.
        len: u32,
        /// Bytes lent.
        limit: u32,
    },
    /// The name of a shared folder is empty, too long, or no text.
    BadName,
    /// The head of a message does not fit the message, or what it answers.
    BadMessage,
    /// The queue has no room: a promise of ours is broken.
    QueueFull,
    /// The device did not answer within its deadline.
    TimedOut,
}

impl From<pci::Error> for Error {
    fn from(error: pci::Error) -> Self {
        Self::Pci(error)
    }
}

impl From<bounce::Error> for Error {
    fn from(error: bounce::Error) -> Self {
        Self::Bounce(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongKind => f.write_str("not a virtio device of this kind"),
            Self::LegacyOnly => {
                f.write_str("legacy virtio only; give the device disable-legacy=on")
            }
            Self::MissingPart(part) => write!(f, "no usable {part} structure"),
            Self::Pci(error) => error.fmt(f),
            Self::Bounce(error) => error.fmt(f),
            Self::PoolTooSmall { size, least } => write!(
                f,
                "has {size} bytes of memory to itself; it takes {least} at least"
            ),
            Self::Withdrawn => f.write_str("is trusted no more"),
            Self::AtRest => f.write_str("was brought to rest"),
            Self::ResetTimedOut => f.write_str("does not reset"),
            Self::MissingFeature { bit: 32 } => {
                f.write_str("does not offer VERSION_1; give the device disable-legacy=on")
            }
            Self::MissingFeature { bit: 33 } => {
                f.write_str("does not offer ACCESS_PLATFORM; give the device iommu_platform=on")
            }
            Self::MissingFeature { bit } => write!(f, "does not offer feature {bit}"),
            Self::FeaturesRefused => f.write_str("refuses the features that it offered"),
            Self::FeaturesChanged => f.write_str("changed the features that it offers"),
            Self::QueueSize { queue, size } => write!(f, "queue {queue} has a bad size, {size}"),
            Self::QueueRefused { queue } => write!(f, "queue {queue} cannot be enabled"),
            Self::Doorbell { queue, at } => {
                write!(f, "doorbell of queue {queue} at {at:#x} is out of range")
            }
            Self::Config { at } => write!(f, "device configuration ends before {at:#x}"),
            Self::ConfigUnstable => f.write_str("device configuration does not settle"),
            Self::BadMac => f.write_str("has no usable Ethernet address"),
            Self::NeedsReset => f.write_str("says that it needs a reset"),
            Self::StatusLost { status } => write!(f, "fell back to status {status:#04x}"),
            Self::UsedIndex { moved, outstanding } => {
                write!(f, "completed {moved} requests of {outstanding} outstanding")
            }
            Self::UsedId { id } => write!(f, "completed {id}, which is not in flight"),
            Self::UsedLength { len, limit } => {
                write!(f, "claims {len} bytes where {limit} were lent")
            }
            Self::BadName => f.write_str("has no usable name"),
            Self::BadMessage => f.write_str("answers with a message of a wrong size or tag"),
            Self::QueueFull => f.write_str("queue is full"),
            Self::TimedOut => f.write_str("did not answer within its deadline"),
        }
    }
}

impl core::error::Error for Error {}
