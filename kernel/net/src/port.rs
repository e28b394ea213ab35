//! Where frames come from and go to.

use frame::{Incoming, Offloads, Outgoing};

/// Something that moves Ethernet frames. All buffers here are private memory.
pub trait FramePort {
    /// The address of the port, latched when it was started.
    fn mac(&self) -> [u8; 6];

    /// Most bytes of a frame that is sent and not cut, Ethernet header included. Received ones may
    /// be longer.
    fn max_frame(&self) -> usize;

    /// What the port does to frames that it is given to send, latched when it was started.
    fn offloads(&self) -> Offloads {
        Offloads::default()
    }

    /// Bytes of the longest frame that can be sent now: 0, [`Self::max_frame`], or what
    /// [`Self::offloads`] says of frames that are cut. Too little is back-pressure, and is counted.
    fn room(&mut self) -> usize;

    /// Queues the frame that `parts` make up, by one copy, and leaves to the port what `what` says.
    /// Does nothing when there is no room.
    fn send(&mut self, parts: &[&[u8]], what: Outgoing);

    /// Copies the next received frame into `into`, once; `None` when there is none now.
    fn receive(&mut self, into: &mut [u8]) -> Option<Incoming>;

    /// Tells the device about everything queued, and about buffers that it may fill again, since
    /// the last call: at most one doorbell for each direction.
    fn flush(&mut self);
}
