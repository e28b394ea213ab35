//! Where frames come from and go to.

/// Something that moves Ethernet frames. All buffers here are private memory.
pub trait FramePort {
    /// The address of the port, latched when it was started.
    fn mac(&self) -> [u8; 6];

    /// Most bytes of a frame that is sent, Ethernet header included. Received ones may be longer.
    fn max_frame(&self) -> usize;

    /// Whether the port fills in TCP and UDP checksums of frames that it sends, so that the sender
    /// leaves the sum of the pseudo-header there.
    fn checksums_sent(&self) -> bool {
        false
    }

    /// Whether `send` has room for one frame now. `false` is back-pressure, and is counted.
    fn can_send(&mut self) -> bool;

    /// Queues `frame`, by one copy. Does nothing when there is no room.
    fn send(&mut self, frame: &[u8]);

    /// Copies the next received frame into `into`, once, and says how long it is; `None` when there
    /// is none now.
    fn receive(&mut self, into: &mut [u8]) -> Option<usize>;

    /// Tells the device about everything queued, and about buffers that it may fill again, since
    /// the last call: at most one doorbell for each direction.
    fn flush(&mut self);
}
