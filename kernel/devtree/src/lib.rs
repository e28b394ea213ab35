//! Device-tree bytes to a checked description of the machine.
//!
//! The tree comes from the host: in a realm it is measured, but nobody need have looked at the
//! measurement. So each field is checked here, once, and what leaves this crate can be used as it
//! is: ranges that do not wrap, do not leave the protected half and do not overlap; bounded lists;
//! text without control characters. Nothing here needs a heap.
//!
//! Devices are looked for right below the root, where their addresses are those of the CPU; QEMU's
//! `virt` and lkvm put them there.
//!
//! Ref: Devicetree Specification v0.4.
#![no_std]
#![forbid(unsafe_code)]

mod cells;
mod chosen;
mod console;
mod error;
mod gic;
mod interrupt;
mod interrupt_map;
mod machine;
mod memory;
mod node;
mod pci;
mod psci;
mod range;
mod reserved;
mod restricted;
mod timer;
mod tokens;
mod tree;

pub use chosen::MAX_BOOT_ARGUMENTS;
pub use console::{Console, Uart};
pub use error::Error;
pub use gic::{Gic, MAX_REDISTRIBUTOR_REGIONS};
pub use interrupt::{Interrupt, Trigger};
pub use interrupt_map::{InterruptMap, MAX_MAPPINGS};
pub use machine::Machine;
pub use memory::MAX_MEMORY_RANGES;
pub use pci::{MAX_WINDOWS, PciHost, PciWindow, WindowKind};
pub use psci::PsciMethod;
pub use range::AddressRange;
pub use reserved::MAX_RESERVED;
pub use restricted::{
    Binding, MAX_POOLS, NodeName, PoolError, PoolPlace, PoolReason, RestrictedPool, RestrictedPools,
};
pub use timer::Timer;
pub use tokens::MAX_TOKENS;
pub use tree::{HEADER_SIZE, MAX_SIZE, Tree};
