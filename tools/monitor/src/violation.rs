//! Rules that the guest broke, each with what is needed to find the place.

use core::fmt;

use crate::oracle::Leak;
use crate::place::Place;
use crate::regions::Region;

/// What pools have to do with an address that a device was kept from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Beside {
    /// Nothing.
    #[default]
    Nothing,
    /// The device has a pool, and this is not in it.
    OwnPool,
    /// It is in the pool of this device.
    PoolOf(u32),
}

impl fmt::Display for Beside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => Ok(()),
            Self::OwnPool => f.write_str(", beside its own pool"),
            Self::PoolOf(owner) => write!(f, ", in the pool of {}", Place(*owner)),
        }
    }
}

/// A broken rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// A device register was touched without the shared bit.
    PrivateDevice {
        /// Machine address.
        address: u64,
        /// Address of the instruction.
        pc: u64,
    },
    /// A device was accessed by an instruction that a host cannot repeat.
    NotRepeatable {
        /// Machine address.
        address: u64,
        /// Address of the instruction.
        pc: u64,
        /// It was a store.
        write: bool,
    },
    /// A device was accessed at an address that is not a multiple of the access.
    Unaligned {
        /// Machine address.
        address: u64,
        /// Address of the instruction.
        pc: u64,
    },
    /// PCI configuration space was accessed by 64 bits.
    WideConfig {
        /// Machine address.
        address: u64,
        /// Address of the instruction.
        pc: u64,
    },
    /// Something that is closed to realms, or does not exist, was accessed in the shared half.
    NoDevice {
        /// Machine address.
        address: u64,
        /// Address of the instruction.
        pc: u64,
    },
    /// An instruction was fetched from the shared half.
    SharedFetch {
        /// Address without the shared bit.
        address: u64,
    },
    /// Registers that a device keeps for the realm were touched in the shared half.
    HeldDevice {
        /// Machine address.
        address: u64,
        /// Address of the instruction.
        pc: u64,
    },
    /// Memory that is EMPTY, or is not there, was accessed in the protected half.
    NotRam {
        /// Address.
        address: u64,
        /// Address of the instruction.
        pc: u64,
    },
    /// The shared alias of a private page was accessed.
    Alias {
        /// Address without the shared bit.
        address: u64,
        /// Address of the instruction.
        pc: u64,
    },
    /// An address beyond the width of the realm's address space was accessed.
    BeyondWidth {
        /// Address.
        address: u64,
        /// Address of the instruction.
        pc: u64,
    },
    /// A device wanted to reach memory that is not shared.
    Dma {
        /// Stream of the device: its bus, device and function.
        stream: u32,
        /// Address that the device used.
        address: u64,
        /// The device wanted to write.
        write: bool,
        /// Type of the SMMU's record.
        kind: u8,
        /// Which pools have to do with it.
        beside: Beside,
    },
    /// The SMMU stopped more than its queue could tell.
    DmaLost,
    /// The SMMU does not do what it is told.
    SmmuBroken,
    /// The interrupt controller was given a table that is not in shared memory.
    PrivateTable {
        /// The controller.
        region: Region,
        /// First byte of the table.
        address: u64,
    },
    /// A table of the interrupt controller became private while in use.
    TableTaken {
        /// First byte of the table.
        address: u64,
    },
    /// A device that could go round the SMMU was to be started.
    UnsafeDevice {
        /// Its bus, device and function.
        stream: u32,
    },
    /// A device that the monitor is itself was told an address that is not shared.
    ToldPrivate {
        /// The address.
        address: u64,
    },
    /// A page became shared while the guest's own tables led to it, or to its alias already.
    StillMapped {
        /// Address of the page.
        address: u64,
        /// The alias was mapped, and not the page.
        alias: bool,
    },
    /// Private bytes were seen in a shared page.
    Leak(Leak),
    /// An instruction trapped that a realm's processor would have carried out.
    Trapped {
        /// Syndrome.
        esr: u64,
        /// Address of the instruction.
        pc: u64,
    },
}

impl Violation {
    /// Whether `other` is the same rule broken at the same place, as far as a reader cares: one
    /// entry per page and stream, and not one per access.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        self.key() == other.key()
    }

    fn key(&self) -> (u8, u64, u64) {
        const PAGE: u64 = !0xfff;
        match *self {
            Self::PrivateDevice { address, .. } => (0, address & PAGE, 0),
            Self::NotRepeatable { address, write, .. } => (1, address & PAGE, u64::from(write)),
            Self::Unaligned { address, .. } => (2, address & PAGE, 0),
            Self::WideConfig { address, .. } => (3, address & PAGE, 0),
            Self::NoDevice { address, .. } => (4, address & PAGE, 0),
            Self::SharedFetch { address } => (5, address & PAGE, 0),
            Self::NotRam { address, .. } => (6, address & PAGE, 0),
            Self::Alias { address, .. } => (7, address & PAGE, 0),
            Self::BeyondWidth { address, .. } => (8, address & PAGE, 0),
            Self::Dma {
                stream,
                address,
                write,
                ..
            } => (9, address & PAGE, u64::from(stream) << 1 | u64::from(write)),
            Self::PrivateTable { region, address } => (10, address, region as u64),
            Self::TableTaken { address } => (11, address, 0),
            Self::UnsafeDevice { stream } => (12, u64::from(stream), 0),
            Self::Trapped { esr, .. } => (13, esr, 0),
            Self::StillMapped { address, alias } => (17, address, u64::from(alias)),
            Self::HeldDevice { address, .. } => (18, address & PAGE, 0),
            Self::DmaLost => (14, 0, 0),
            Self::SmmuBroken => (15, 0, 0),
            Self::Leak(leak) => (19, leak.address & PAGE, leak.what.number()),
            Self::ToldPrivate { address } => (16, address & PAGE, 0),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::PrivateDevice { address, pc } => {
                write!(
                    f,
                    "device register {address:#x} touched in the private half, pc {pc:#x}"
                )
            }
            Self::NotRepeatable { address, pc, write } => {
                let verb = if write { "store to" } else { "load from" };
                write!(
                    f,
                    "{verb} device register {address:#x} has no valid syndrome (write-back, pair, \
                     vector or atomic), pc {pc:#x}"
                )
            }
            Self::Unaligned { address, pc } => {
                write!(
                    f,
                    "unaligned access to device register {address:#x}, pc {pc:#x}"
                )
            }
            Self::WideConfig { address, pc } => {
                write!(
                    f,
                    "64-bit access to PCI configuration space at {address:#x}, pc {pc:#x}"
                )
            }
            Self::NoDevice { address, pc } => {
                write!(f, "no device for realms at {address:#x}, pc {pc:#x}")
            }
            Self::SharedFetch { address } => write!(f, "code in the shared half at {address:#x}"),
            Self::NotRam { address, pc } => {
                write!(
                    f,
                    "private access to {address:#x}, which is not RAM, pc {pc:#x}"
                )
            }
            Self::HeldDevice { address, pc } => write!(
                f,
                "register {address:#x} of a locked device touched in the shared half, pc {pc:#x}"
            ),
            Self::Alias { address, pc } => {
                write!(
                    f,
                    "shared alias of private page {address:#x} accessed, pc {pc:#x}"
                )
            }
            Self::BeyondWidth { address, pc } => {
                write!(
                    f,
                    "access beyond the address width at {address:#x}, pc {pc:#x}"
                )
            }
            Self::Dma {
                stream,
                address,
                write,
                kind,
                beside,
            } => {
                let verb = if write { "write" } else { "read" };
                let place = Place(stream);
                write!(f, "device {place} ")?;
                write!(
                    f,
                    "blocked from {verb} at {address:#x}{beside} (SID {stream:#x}, event {kind:#x})"
                )
            }
            Self::DmaLost => {
                f.write_str("devices were blocked more often than the SMMU could tell")
            }
            Self::SmmuBroken => f.write_str("the SMMU does not finish a command"),
            Self::Leak(leak) => write!(f, "{leak}"),
            Self::ToldPrivate { address } => {
                write!(f, "a device was told {address:#x}, which is not shared")
            }
            Self::PrivateTable { region, address } => {
                write!(
                    f,
                    "{} table at {address:#x} is not in shared memory",
                    region.name()
                )
            }
            Self::TableTaken { address } => {
                write!(
                    f,
                    "interrupt table at {address:#x} became private while in use"
                )
            }
            Self::UnsafeDevice { stream } => {
                let place = Place(stream);
                write!(f, "device {place} started without ACCESS_PLATFORM")
            }
            Self::StillMapped { address, alias } => {
                let what = if alias { "its alias" } else { "it" };
                write!(f, "page {address:#x} became shared while {what} was mapped")
            }
            Self::Trapped { esr, pc } => {
                write!(f, "unexpected trap, syndrome {esr:#x}, pc {pc:#x}")
            }
        }
    }
}

/// How many different violations are kept; all are counted.
pub const KEPT: usize = 24;

/// The violations of a run.
#[derive(Clone, Debug, Default)]
pub struct Violations {
    list: heapless::Vec<(Violation, u64), KEPT>,
    total: u64,
}

impl Violations {
    /// No violation yet.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            list: heapless::Vec::new(),
            total: 0,
        }
    }

    /// Writes `violation` down; says whether it is the first of its kind.
    pub fn add(&mut self, violation: Violation) -> bool {
        self.total = self.total.saturating_add(1);
        if let Some((_, count)) = self
            .list
            .iter_mut()
            .find(|(kept, _)| kept.is_like(&violation))
        {
            *count = count.saturating_add(1);
            return false;
        }
        self.list.push((violation, 1)).is_ok()
    }

    /// Each violation that was kept, with how often it happened.
    pub fn iter(&self) -> impl Iterator<Item = &(Violation, u64)> {
        self.list.iter()
    }

    /// How many there were in all.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    #[test]
    fn a_repeated_violation_is_counted_and_not_listed_again() {
        let mut violations = Violations::new();
        assert!(violations.add(Violation::Alias {
            address: 0x4400_0000,
            pc: 0
        }));
        assert!(!violations.add(Violation::Alias {
            address: 0x4400_0ff8,
            pc: 8
        }));
        assert!(violations.add(Violation::Alias {
            address: 0x4400_1000,
            pc: 0
        }));
        assert_eq!(violations.total(), 3);
        assert_eq!(violations.iter().map(|(_, count)| *count).max(), Some(2));
    }

    #[test]
    fn the_list_is_bounded_and_the_count_is_not() {
        let mut violations = Violations::new();
        for page in 0..100 {
            violations.add(Violation::SharedFetch {
                address: page << 12,
            });
        }
        assert_eq!(violations.iter().count(), KEPT);
        assert_eq!(violations.total(), 100);
    }

    #[test]
    fn a_blocked_device_is_named_as_on_the_bus() {
        let dma = Violation::Dma {
            stream: 0x10,
            address: 0x4500_0000,
            write: true,
            kind: 0x10,
            beside: Beside::PoolOf(8),
        };
        let text = dma.to_string();
        assert!(text.contains("0000:00:02.0"), "{text}");
        assert!(text.contains("in the pool of 0000:00:01.0"), "{text}");
        assert!(text.contains("0x45000000"), "{text}");
    }
}
