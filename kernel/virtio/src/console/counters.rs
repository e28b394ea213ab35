//! What a console did.

/// What the device did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConsoleCounters {
    /// Bytes written to ports.
    pub sent: u64,
    /// Bytes read from ports.
    pub received: u64,
    /// Messages about ports that mean nothing.
    pub ignored: u64,
    /// Doorbells rung.
    pub doorbells: u64,
}
