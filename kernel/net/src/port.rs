//! Where frames come from and go to.

/// Something that moves Ethernet frames. All buffers here are private memory.
pub trait FramePort {
    /// The address of the port, latched when it was started.
    fn mac(&self) -> [u8; 6];

    /// Most bytes of a frame that is sent and not cut, Ethernet header included. Received ones may
    /// be longer.
    fn max_frame(&self) -> usize;

    /// What the port does to frames that it is given to send.
    fn offloads(&self) -> Offloads {
        Offloads::default()
    }

    /// Whether `send` has room now for one frame of the greatest length that the port takes.
    /// `false` is back-pressure, and is counted.
    fn can_send(&mut self) -> bool;

    /// Queues `frame`, by one copy, and leaves to the port what `offload` says. Does nothing when
    /// there is no room.
    fn send(&mut self, frame: &[u8], offload: Offload);

    /// Copies the next received frame into `into`, once; `None` when there is none now.
    fn receive(&mut self, into: &mut [u8]) -> Option<Received>;

    /// Tells the device about everything queued, and about buffers that it may fill again, since
    /// the last call: at most one doorbell for each direction.
    fn flush(&mut self);
}

/// What a port does to frames that it is given to send.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offloads {
    /// Whether it fills in TCP and UDP checksums over the sum of the pseudo-header.
    pub checksums: bool,
    /// Most bytes of a TCP frame over IPv4 that it cuts into segments, Ethernet header included; 0
    /// if it cuts none. Only with `checksums`.
    pub segments_v4: usize,
    /// The same over IPv6.
    pub segments_v6: usize,
}

/// What the sender of a frame leaves to others. Of a received frame it is what the host says.
///
/// Ref: virtio 1.2, 5.1.6 "Device Operation", `struct virtio_net_hdr`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offload {
    /// The checksum that is to be filled in.
    pub checksum: Option<OpenChecksum>,
    /// How the frame is to be cut, or was to be.
    pub segments: Option<Segments>,
}

/// A checksum that was never there: the sum of everything from `start` on goes to `start + offset`,
/// where the sum of the pseudo-header is already. Both are bytes of the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenChecksum {
    /// First byte of the frame that is summed.
    pub start: u16,
    /// From there to the checksum.
    pub offset: u16,
}

/// One TCP frame that stands for many.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    /// What carries it.
    pub version: Version,
    /// Bytes of all headers, Ethernet to TCP, which each segment gets.
    pub headers: u16,
    /// Bytes behind the headers of each segment but the last.
    pub payload: u16,
}

/// Versions of IP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// A frame that was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    /// Bytes of the frame.
    pub len: usize,
    /// What the host says that it left open.
    pub offload: Offload,
}

impl From<usize> for Received {
    /// A frame of `len` bytes that is complete.
    fn from(len: usize) -> Self {
        let offload = Offload::default();
        Self { len, offload }
    }
}
