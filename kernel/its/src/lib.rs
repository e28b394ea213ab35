//! The interrupt translation service (ITS) of a GICv3: messages of devices become LPIs.
//!
//! Made for guests whose host is not trusted, and usable by any other. The ITS and the redistributors
//! read their tables by themselves; where the host emulates them, it is the host who reads. So all
//! tables lie in one run of [`Memory`] that is shared with it, which this crate only ever writes:
//! what an entry was is kept in private memory, and nothing that comes back decides where the next
//! store goes. What the registers say (sizes, counts, where the reader is) is checked once, and every
//! wait has a deadline. An ITS that breaks a rule is not used again: its interrupts are hints, and
//! losing them costs time.
//!
//! It serves one processor, by flat tables, with one collection. There is no unsafe code and no
//! assembly: registers, memory, barrier and clock are the caller's.
//!
//! ```
//! use clock::Clock;
//! use its::{Capacity, Error, Its, Memory, Probe, Redistributor, Registers};
//!
//! /// Gives device 8 three interrupts, and says which LPI its first message becomes.
//! fn connect<R: Registers>(
//!     its: R,
//!     redistributor: &Redistributor<R>,
//!     share: impl FnOnce(u64) -> Box<dyn Memory>,
//!     clock: &dyn Clock,
//! ) -> Result<u32, Error> {
//!     let capacity = Capacity { device_ids: 256, devices: 4, events: 4 };
//!     let probe = Probe::new(its, capacity, clock)?;
//!     let memory = share(probe.bytes());
//!     let mut its = Its::start(probe, memory, redistributor, clock)?;
//!     let lpis = its.map_device(8, 3, clock)?;
//!     // The device writes the number of an event, 0 to 2, to `its::DOORBELL` behind the ITS.
//!     Ok(lpis.start)
//! }
//! ```
//!
//! Ref: IHI0069 (GICv3 and GICv4), chapter 5 "Locality-specific Peripheral Interrupts and the ITS",
//! 12.9 "The GIC Redistributor register descriptions", 12.19 "The ITS register descriptions".
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

mod command;
mod error;
mod layout;
mod lpi;
mod probe;
mod queue;
mod service;
mod traits;

pub use error::{Error, Table};
pub use layout::{ALIGN, Capacity};
pub use lpi::Redistributor;
pub use probe::Probe;
pub use service::Its;
pub use traits::{Memory, Registers};

/// Bytes of the frame of registers that [`Registers`] of an ITS has to hold.
pub const FRAME: u64 = 0x1_0000;
/// From the first byte of an ITS to the register that devices write their messages to
/// (`GITS_TRANSLATER`). It lies behind the frame that this crate accesses.
pub const DOORBELL: u64 = 0x1_0040;
/// The first LPI.
pub const FIRST_LPI: u32 = 8192;
