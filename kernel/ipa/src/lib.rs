//! Words for addresses: the two halves of a realm's address space.
//!
//! A realm's intermediate physical address (IPA) space is `2^width` bytes. Its lower half is
//! *protected*: only the realm can reach it. Its upper half is *shared*: the same offsets with the
//! top bit set, backed by memory of the host. Outside a realm there is no such bit, and an alias is
//! the address itself.
//!
//! ```
//! let space = ipa::IpaSpace::realm(33)?;
//! let page = space.protected(0x8000_0000).expect("it is below the half");
//! assert_eq!(page.get() | space.shared_bit(), 0x1_8000_0000);
//! # Ok::<(), ipa::WidthError>(())
//! ```
//!
//! Ref: DEN0137 1.0-rel0, A5.2.1 "Realm IPA space".
#![no_std]
#![forbid(unsafe_code)]

mod paging;
mod range;
mod space;

pub use paging::PagingError;
pub use range::{GranuleRange, RangeError};
pub use space::{IpaSpace, WidthError};

/// Bytes of a granule: the unit of delegation and of RIPAS.
///
/// Ref: DEN0137 1.0-rel0, A2.2 "Granule".
pub const GRANULE_SIZE: u64 = 4096;

/// An address in the protected half, of any alignment. Made by [`IpaSpace::protected`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProtectedIpa(u64);

impl ProtectedIpa {
    /// The address as a number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// An address outside protected memory: a shared page or a device, shared bit included. Made by
/// [`IpaSpace::alias`]. Having one does not mean that anything is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AliasIpa(u64);

impl AliasIpa {
    /// The address as a number, with the shared bit in a realm.
    pub const fn get(self) -> u64 {
        self.0
    }
}
