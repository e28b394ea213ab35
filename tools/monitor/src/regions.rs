//! Devices of QEMU's `virt` machine: which a realm may reach, and which stay closed.

use crate::layout::Space;

/// A device, or a window that leads to devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Region {
    /// Interrupt distributor.
    Gicd,
    /// Interrupt translation service.
    Its,
    /// Redistributors.
    Gicr,
    /// PL011.
    Uart,
    /// PL031.
    Rtc,
    /// PL061.
    Gpio,
    /// PCI memory below 4 GiB.
    PciMemory,
    /// PCI I/O ports.
    PciPorts,
    /// PCI configuration space.
    PciConfig,
    /// PCI memory above 4 GiB.
    PciMemory64,
}

/// How many regions there are.
pub const COUNT: usize = 10;

/// Every region, in the order of their numbers.
pub const ALL: [Region; COUNT] = [
    Region::Gicd,
    Region::Its,
    Region::Gicr,
    Region::Uart,
    Region::Rtc,
    Region::Gpio,
    Region::PciMemory,
    Region::PciPorts,
    Region::PciConfig,
    Region::PciMemory64,
];

impl Region {
    /// The name used in the report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gicd => "gicd",
            Self::Its => "its",
            Self::Gicr => "gicr",
            Self::Uart => "uart",
            Self::Rtc => "rtc",
            Self::Gpio => "gpio",
            Self::PciMemory => "pci_memory",
            Self::PciPorts => "pci_ports",
            Self::PciConfig => "pci_config",
            Self::PciMemory64 => "pci_memory64",
        }
    }

    /// First byte and size; `high` says that configuration space lies above 4 GiB.
    ///
    /// Ref: QEMU `hw/arm/virt.c`, `base_memmap` and `extended_memmap`.
    #[must_use]
    pub const fn place(self, high: bool) -> (u64, u64) {
        match self {
            Self::Gicd => (0x0800_0000, 0x1_0000),
            Self::Its => (0x0808_0000, 0x2_0000),
            Self::Gicr => (0x080a_0000, 0xf6_0000),
            Self::Uart => (0x0900_0000, 0x1000),
            Self::Rtc => (0x0901_0000, 0x1000),
            Self::Gpio => (0x0903_0000, 0x1000),
            Self::PciMemory => (0x1000_0000, 0x2eff_0000),
            Self::PciPorts => (0x3eff_0000, 0x1_0000),
            Self::PciConfig if high => (0x40_1000_0000, 0x1000_0000),
            Self::PciConfig => (0x3f00_0000, 0x0100_0000),
            Self::PciMemory64 if high => (0x80_0000_0000, 0x80_0000_0000),
            Self::PciMemory64 => (0, 0),
        }
    }
}

/// The devices of one machine.
#[derive(Clone, Copy, Debug)]
pub struct Regions {
    high: bool,
}

impl Regions {
    /// The devices that a realm with this address space can reach.
    #[must_use]
    pub const fn new(space: Space) -> Self {
        Self {
            high: space.width() == 41,
        }
    }

    /// First byte of PCI configuration space.
    #[must_use]
    pub const fn config(&self) -> u64 {
        Region::PciConfig.place(self.high).0
    }

    /// The region at machine address `address`, and the offset in it.
    ///
    /// `None` for what stays closed: the SMMU, fw_cfg, virtio-mmio, flash, the platform bus, holes.
    #[must_use]
    pub fn find(&self, address: u64) -> Option<(Region, u64)> {
        ALL.into_iter().find_map(|region| {
            let (base, size) = region.place(self.high);
            let offset = address.checked_sub(base)?;
            (offset < size).then_some((region, offset))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wide() -> Regions {
        Regions::new(Space::new(41).unwrap())
    }

    #[test]
    fn what_could_go_round_the_smmu_is_closed() {
        for address in [
            0x0902_0000,
            0x0905_0000,
            0x0a00_0000,
            0x0c00_0000,
            0,
            0x0400_0000,
        ] {
            assert_eq!(wide().find(address), None, "{address:#x}");
        }
    }

    #[test]
    fn configuration_space_lies_where_the_width_says() {
        assert_eq!(
            wide().find(0x40_1000_8004),
            Some((Region::PciConfig, 0x8004))
        );
        assert_eq!(wide().find(0x3f00_0000), None);
        let narrow = Regions::new(Space::new(33).unwrap());
        assert_eq!(narrow.find(0x3f00_8004), Some((Region::PciConfig, 0x8004)));
        assert_eq!(narrow.find(0x40_1000_8004), None);
    }

    #[test]
    fn regions_do_not_overlap_and_stand_at_their_number() {
        for (n, region) in ALL.into_iter().enumerate() {
            assert_eq!(region as usize, n);
            let (base, size) = region.place(true);
            assert_eq!(wide().find(base), Some((region, 0)));
            assert_eq!(wide().find(base + size - 1), Some((region, size - 1)));
        }
    }
}
