//! Where the memory of a balloon comes from.

/// Bytes of a block: what page tables map at once, here and in the RMM.
pub const BLOCK: u64 = 2 << 20;

/// A block that is nobody's from now on: half of a change was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lost;

/// Where the memory of a balloon comes from, and goes back to.
///
/// A block is in one of two hands, and its type says so: memory of the realm is what `give` takes it from; an
/// [`Self::Out`] is the host's, and leads to no memory until `take_back` has consumed it.
pub trait Memory {
    /// A block that is out.
    type Out;

    /// Gives a block away: cleared, unmapped, and in a realm EMPTY. `None` if there is none to give.
    ///
    /// # Errors
    ///
    /// [`Lost`] if that did not work out.
    fn give(&mut self) -> Result<Option<Self::Out>, Lost>;

    /// The number of the first page of a block, as the host counts them: its address without the shared bit,
    /// in pages of 4 KiB.
    fn first_page(block: &Self::Out) -> u32;

    /// Takes a block back: in a realm RAM, mapped, cleared, and free to be used.
    ///
    /// # Errors
    ///
    /// [`Lost`] if that did not work out.
    fn take_back(&mut self, block: Self::Out) -> Result<(), Lost>;
}
