//! Copies that are counted and traced together.

/// Copies of one frame, which are counted and traced together: see [`crate::Slot::copy_in_part`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Parts {
    /// Bytes of all of them.
    pub(crate) bytes: usize,
    /// Copies.
    pub(crate) copies: u64,
}
