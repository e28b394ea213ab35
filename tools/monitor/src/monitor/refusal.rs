//! Why there is no guest.

use core::fmt;

use crate::devtree;
use crate::layout::GUEST_ENTRY;
use crate::options::BadWord;
use crate::place::Place;

/// Why the monitor does not start the guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal<'a> {
    /// The machine's device tree cannot be used.
    Tree(devtree::Error),
    /// The command line has a word that is not an option.
    Option(BadWord<'a>),
    /// The machine has not as much memory as a guest needs, or more than the tables have room for.
    Memory(u64),
    /// There is no arm64 image where the guest should be.
    Image,
    /// The guest's image needs so many bytes, more than its memory has.
    ImageSize(u64),
    /// The initial RAM disk is not in guest memory, or lies over the image.
    Initrd(u64, u64),
    /// The processor has so many address bits, fewer than the realm.
    Width(u32),
    /// A pool is not in the guest's memory behind its image, or two overlap.
    Pools,
    /// The machine has no SMMU.
    NoSmmu,
    /// The SMMU does not do what it is told.
    Smmu,
    /// A virtio function would go round the SMMU.
    UnsafeDevice(u32),
    /// Devices behind this bridge would go round the SMMU.
    Bridge(u32),
    /// More functions would go round the SMMU than can be watched.
    TooMany,
    /// A function of the bus does not answer.
    Bus,
    /// There is no function at the place where one is to be trusted.
    NoDevice(u32),
}

impl fmt::Display for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tree(error) => write!(f, "{error}"),
            Self::Option(word) => write!(f, "{word}"),
            Self::Memory(size) => write!(
                f,
                "{} MiB of memory; give the guest's 4 MiB to 1 GiB, a multiple of 2 MiB, and 64 MiB more",
                size >> 20
            ),
            Self::Image => write!(
                f,
                "no arm64 Image at {GUEST_ENTRY:#x}; load one by -device loader,force-raw=on"
            ),
            Self::ImageSize(size) => {
                write!(f, "the image needs {size:#x} bytes, more than there are")
            }
            Self::Initrd(start, end) => {
                write!(
                    f,
                    "no place for the initial RAM disk at {start:#x}..{end:#x}; give more memory"
                )
            }
            Self::Width(bits) => write!(
                f,
                "the processor has {bits} address bits, too few for this realm; give -machine \
                 highmem=off, or another -cpu"
            ),
            Self::Smmu => f.write_str("the SMMU does not do what it is told"),
            Self::UnsafeDevice(stream) => write!(
                f,
                "device {} does not offer ACCESS_PLATFORM, so the SMMU cannot hold it; give it \
                 iommu_platform=on,disable-legacy=on, or set monitor.unsafe-device",
                Place(*stream)
            ),
            Self::Bridge(stream) => {
                write!(
                    f,
                    "device {} is a bridge; put all devices on bus 0",
                    Place(*stream)
                )
            }
            Self::Pools => f.write_str(
                "monitor.pool: a pool lies in the guest's memory, from 0x44800000 on, and two in one place \
                 are the same",
            ),
            Self::TooMany => f.write_str("too many devices without ACCESS_PLATFORM"),
            Self::NoDevice(stream) => {
                write!(
                    f,
                    "there is no device {} that could be trusted",
                    Place(*stream)
                )
            }
            Self::Bus => f.write_str("a PCI function does not answer"),
            Self::NoSmmu => f.write_str("the machine has no SMMU; give -machine iommu=smmuv3"),
        }
    }
}
