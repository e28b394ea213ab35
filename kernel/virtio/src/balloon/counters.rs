//! What a balloon did.

/// What a balloon did so far, and how much memory is where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BalloonCounters {
    /// Doorbells rung.
    pub doorbells: u64,
    /// Bytes that the user allows it.
    pub most: u64,
    /// Bytes that the host wants, no more than allowed.
    pub wanted: u64,
    /// Bytes that the host has, or is about to have.
    pub out: u64,
    /// Bytes that nobody has: the host did not give them back, or did not take them as it must.
    pub lost: u64,
    /// Bytes ever given.
    pub given: u64,
    /// Bytes that ever came back.
    pub regained: u64,
    /// Blocks that were taken back because memory was short.
    pub relieved: u64,
}
