//! In which order a virtual machine monitor builds a realm, and where it puts things.
//!
//! The same files give another RIM under another monitor: addresses, parameters and order are all
//! measured. A [`Layout`] says where a monitor puts things, [`Layout::measure`] takes the steps, and
//! an [`Event`] tells of each.

mod blob;
mod header;
mod layout;
mod lkvm;
mod monitor;
mod qemu;

pub use blob::{Blob, Pages};
pub use header::ImageHeader;
pub use layout::{Event, Layout, Order, Step};
pub use lkvm::lkvm;
pub use monitor::{MONITOR_DEBUG, MONITOR_IMAGE, MONITOR_RAM, MONITOR_TREE, monitor};
pub use qemu::qemu;

use core::fmt;

use crate::{Algorithm, RealmParams};

/// What is loaded into a realm before it starts.
#[derive(Clone, Copy, Debug)]
pub struct Files<'a> {
    /// The kernel: an arm64 `Image`, as it is in its file.
    pub image: &'a [u8],
    /// The initial file system, if there is one.
    pub initrd: Option<&'a [u8]>,
    /// The device tree, exactly as the monitor makes it.
    pub dtb: Option<&'a [u8]>,
}

/// What is measured of a machine, besides the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Machine {
    /// RAM in bytes.
    pub memory: u64,
    /// Width of the IPA space in bits; `None` lets the monitor's own rule decide.
    pub ipa_bits: Option<u8>,
    /// How the realm is measured; `None` takes the monitor's default.
    pub algorithm: Option<Algorithm>,
    /// Breakpoints as `ID_AA64DFR0_EL1.BRPs` has them: number minus 1.
    pub breakpoints: u8,
    /// Watchpoints as `ID_AA64DFR0_EL1.WRPs` has them: number minus 1.
    pub watchpoints: u8,
    /// PMU counters, if the realm has a PMU.
    pub pmu_counters: Option<u8>,
    /// SVE vector length in quadwords minus 1, if the realm has SVE.
    pub sve_vl: Option<u8>,
    /// Whether the realm may have devices of its own.
    pub devices: bool,
}

impl Machine {
    /// The measured parameters, with at least `ipa_bits`, and `algorithm` as the monitor's default.
    fn params(&self, ipa_bits: u8, algorithm: Algorithm) -> Result<RealmParams, Error> {
        let bits = self.ipa_bits.unwrap_or(ipa_bits);
        if bits < ipa_bits || bits > 52 {
            return Err(Error::IpaWidth { bits });
        }
        let sve = self.sve_vl.map_or(0, |_| RealmParams::SVE);
        let pmu = self.pmu_counters.map_or(0, |_| RealmParams::PMU);
        let devices = if self.devices {
            RealmParams::DEVICES
        } else {
            0
        };
        Ok(RealmParams {
            flags: sve | pmu | devices,
            ipa_bits: bits,
            sve_vl: self.sve_vl.unwrap_or(0),
            breakpoints: self.breakpoints,
            watchpoints: self.watchpoints,
            pmu_counters: self.pmu_counters.unwrap_or(0),
            algorithm: self.algorithm.unwrap_or(algorithm),
        })
    }
}

/// Why a RIM cannot be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// The monitor makes a device tree, and it was not given.
    DeviceTreeMissing,
    /// The device tree does not begin as one does, or is shorter than it says.
    DeviceTreeBroken,
    /// The device tree has more than the `limit` bytes that the monitor has room for.
    DeviceTreeTooBig {
        /// The most that fits, in bytes.
        limit: u64,
    },
    /// The kernel has no arm64 `Image` header.
    NotAnImage,
    /// RAM of `memory` bytes is no multiple of 2 MiB, is none at all, or has no address.
    Memory {
        /// What was asked for, in bytes.
        memory: u64,
    },
    /// Something that is loaded does not fit where the monitor would put it.
    DoesNotFit {
        /// Its address.
        at: u64,
        /// Its size in bytes.
        size: u64,
    },
    /// The IPA space of `bits` is too narrow for this machine, or wider than 52 bits.
    IpaWidth {
        /// The width in bits.
        bits: u8,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::DeviceTreeMissing => write!(f, "the device tree is measured, and is not given"),
            Self::DeviceTreeBroken => write!(f, "the device tree has no valid header"),
            Self::DeviceTreeTooBig { limit } => {
                write!(f, "the device tree is larger than {limit} bytes")
            }
            Self::NotAnImage => write!(f, "the kernel has no arm64 Image header"),
            Self::Memory { memory } => write!(f, "{memory} bytes of RAM are not possible here"),
            Self::DoesNotFit { at, size } => {
                write!(f, "{size} bytes at {at:#x} do not fit into RAM")
            }
            Self::IpaWidth { bits } => write!(f, "an IPA space of {bits} bits is not possible"),
        }
    }
}

impl core::error::Error for Error {}

#[cfg(test)]
mod tests;
