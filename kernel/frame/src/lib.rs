//! What a frame leaves to a network card, and what a card says of one.
//!
//! Words that the network stack and drivers share; neither knows the other. All numbers are of the
//! frame without any header of a device, and begin at its Ethernet header.
#![no_std]
#![forbid(unsafe_code)]

/// A checksum that someone else fills in: the sum of everything from `start` on goes to
/// `start + offset`, where the sum of the pseudo-header is already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenChecksum {
    /// First byte of the TCP or UDP header.
    pub start: u16,
    /// Where the checksum is, from `start` on: 16 for TCP, 6 for UDP.
    pub offset: u16,
}

/// Version of the Internet Protocol that a frame carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpVersion {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// How a device cuts one long TCP frame into segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    /// Version of the Internet Protocol.
    pub ip: IpVersion,
    /// Bytes of Ethernet, IP and TCP headers, which each segment gets.
    pub headers: u16,
    /// Bytes of TCP payload in each segment but the last; not 0.
    pub size: u16,
}

/// What a frame that is sent leaves to the device. Nothing, by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// The checksum that the device fills in.
    pub checksum: Option<OpenChecksum>,
    /// How the device cuts the frame; then it fills in the checksums as well.
    pub segments: Option<Segments>,
}

/// A frame that was received. Nothing of it was checked but lengths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Incoming {
    /// Bytes of the frame.
    pub len: usize,
    /// A checksum that was never filled in: it lies inside the frame, and holds the sum of the
    /// pseudo-header. What a host says it has verified counts for nothing, and is not told.
    pub checksum: Option<OpenChecksum>,
    /// Bytes of TCP payload of each segment, 1 at least, if the frame was put together from several
    /// or was never cut.
    pub segment_size: Option<u16>,
}

/// What a port does for its user, agreed on when it was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offloads {
    /// Whether it fills in TCP and UDP checksums of frames that are sent.
    pub checksums: bool,
    /// Whether it cuts TCP over IPv4 that is sent.
    pub segments_v4: bool,
    /// Whether it cuts TCP over IPv6 that is sent.
    pub segments_v6: bool,
    /// Most bytes of a frame that it cuts, headers included; 0 if it cuts none.
    pub max_segment: usize,
}
