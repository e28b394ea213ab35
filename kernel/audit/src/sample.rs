//! What pools and queues are like at one moment.

/// What went through a pool so far, and what is leased.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolSample {
    /// Whose it is: its place among the names of the trace.
    pub device: u8,
    /// Bytes copied to the device, ever.
    pub bytes_out: u64,
    /// Bytes copied from the device, ever.
    pub bytes_in: u64,
    /// Copies, ever.
    pub copies: u64,
    /// Bytes of the pool.
    pub size: u64,
    /// Bytes leased now.
    pub leased: u64,
    /// Most bytes ever leased at once.
    pub high_water: u64,
    /// Times that somebody had to wait.
    pub exhausted: u64,
}

/// What a queue has lent to its device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueSample {
    /// Whose it is: its place among the names of the trace.
    pub device: u8,
    /// The queue.
    pub queue: u8,
    /// Requests that the device has.
    pub in_flight: u16,
    /// Bytes that the device has: it may read or write them now.
    pub lent: u64,
    /// Most bytes that it ever had at once.
    pub high_water: u64,
}
