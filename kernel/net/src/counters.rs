//! What the stack counts.

/// Counts since the start. They only grow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames taken from the port.
    pub received: u64,
    /// Bytes of them, Ethernet headers included.
    pub received_bytes: u64,
    /// Frames given to the port.
    pub sent: u64,
    /// Bytes of them, Ethernet headers included.
    pub sent_bytes: u64,
    /// Received frames that were dropped because of their length.
    pub bad_length: u64,
    /// Received frames that were dropped because of their headers: fragments, hop-by-hop options.
    pub bad_header: u64,
    /// Received frames with a wrong TCP or UDP checksum.
    pub bad_checksum: u64,
    /// Received frames of which the host said that it left open what they do not have.
    pub bad_offload: u64,
    /// DHCP offers and leases that were refused because they make no sense.
    pub bad_lease: u64,
    /// DHCP answers to somebody else.
    pub strangers: u64,
    /// DHCP refusals beyond those that we listen to.
    pub excess_naks: u64,
    /// Router advertisements that were refused because they make no sense.
    pub bad_router: u64,
    /// Replies that were dropped because the port had no room.
    pub replies_dropped: u64,
    /// Times that the port had no room for a frame, which then waited.
    pub back_pressure: u64,
}

impl Counters {
    /// Received frames that were dropped before the stack saw them.
    pub const fn dropped(&self) -> u64 {
        let headers = self.bad_length + self.bad_header + self.bad_checksum + self.bad_offload;
        let leases = self.bad_lease + self.strangers + self.excess_naks;
        headers + leases + self.bad_router
    }

    /// Received frames that the stack saw.
    pub const fn accepted(&self) -> u64 {
        self.received.saturating_sub(self.dropped())
    }
}
