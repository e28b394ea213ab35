//! AArch64 instructions and tables, no decisions.
//!
//! [`start!`] names the functions of the program that this crate calls: when the first CPU
//! enters the image, when another starts, and when one takes an exception. The program runs with stack pointer 0 at EL1,
//! so exceptions always have a stack of their own. On the first CPU interrupts are masked for good: one
//! ends a [`cpu::wait_for_interrupt`] without running any code, and [`gic`] is then asked what it was. On the
//! others it can also end the CPU ([`stop`]).
#![no_std]

extern crate alloc;

mod call;
pub mod counter;
pub mod cpu;
mod devices;
mod entry;
pub mod exception;
mod farewell;
mod first_map;
pub mod gic;
pub mod image;
mod lock;
mod mmio;
mod paging;
mod pmu;
pub mod secondary;
pub mod stack;
pub mod stacks;
pub mod stop;

pub use call::{Hvc, Smc};
pub use devices::Devices;
pub use farewell::clear_stacks;
pub use lock::seize as seize_locks;
pub use mmio::{Mmio, accesses};
pub use paging::{AddressSpace, Content, most_tables};
pub use pmu::Instructions;
