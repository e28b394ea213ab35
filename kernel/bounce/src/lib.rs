//! The memory that devices reach, and above all the bounce region: the only memory that the host and
//! the realm share.
//!
//! Memory is of a [`World`]: [`Shared`] with the host, or [`Private`] to the realm and the devices that
//! it trusts. [`Window`] does every load and store of it. [`Region`] carves a window into a [`Pool`]
//! for each device; a driver leases [`Slot`]s from its pool when it starts and keeps them for life. All
//! bookkeeping is in memory of our own: nothing here is ever read back from where a device writes to
//! decide where the next access goes.
//!
//! ```
//! use bounce::{Error, Pool, Shared};
//!
//! /// Hands `frame` to a device, and says what address it is told. The one copy is counted.
//! fn lend(pool: &Pool<Shared>, frame: &[u8]) -> Result<u64, Error> {
//!     let slot = pool.lease(frame.len(), 64)?;
//!     slot.copy_out(0, frame)?;
//!     Ok(slot.address(0)?.get())
//! }
//! ```
#![no_std]
#![deny(unsafe_code)]

extern crate alloc;

mod buffer;
mod parts;
mod pool;
mod region;
mod slot;
mod spacing;
mod window;
mod world;

pub use audit::{Direction, Label, Purpose, Trace};
pub use buffer::Buffer;
pub use parts::Parts;
pub use pool::{AtRest, Counters, Outstanding, Pool, Shortage};
pub use region::Region;
pub use slot::Slot;
pub use spacing::Spacing;
pub use window::Window;
pub use world::{DeviceAddress, Private, PrivateIpa, Shared, SharedIpa, World};

/// Why the bounce region did not do what was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// No run of `wanted` bytes is free.
    Exhausted {
        /// Bytes that were asked for.
        wanted: usize,
    },
    /// An access of `len` bytes at `at` leaves the slot or the window.
    OutOfBounds {
        /// Offset of the first byte.
        at: usize,
        /// Bytes of the access.
        len: usize,
    },
    /// A word at `at` does not lie on a multiple of its size.
    Unaligned {
        /// Offset of the word.
        at: usize,
    },
}

impl core::fmt::Display for Error {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Exhausted { wanted } => {
                write!(
                    f,
                    "bounce pool has no {wanted} free bytes; give more with bounce=SIZE"
                )
            }
            Self::OutOfBounds { at, len } => {
                write!(f, "access of {len} bytes at offset {at} leaves the slot")
            }
            Self::Unaligned { at } => write!(f, "word at offset {at} is not aligned"),
        }
    }
}

impl core::error::Error for Error {}
