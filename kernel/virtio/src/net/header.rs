//! The 12 bytes before each frame.
//!
//! Ref: virtio 1.2, 5.1.6 "Device Operation", `struct virtio_net_hdr`.

use frame::{IpVersion, OpenChecksum, Outgoing};

use crate::Features;

/// Bytes of the header; of this length since virtio 1.0, whatever was negotiated.
pub(crate) const HEADER: usize = 12;
/// Bytes of an Ethernet header.
pub(crate) const ETHERNET: usize = 14;

const NEEDS_CSUM: u8 = 1;

const NO_SEGMENTS: u8 = 0;
const TCP_V4: u8 = 1;
const TCP_V6: u8 = 4;

/// Fewest bytes of payload in a segment that came. One byte each would be 1400 segments of a frame
/// that Ethernet carries in one.
const LEAST_SEGMENT: u16 = 2;

/// The header of a frame that is sent.
///
/// What the frame leaves to the device is checked against its `len`: `None` if it does not fit, or
/// was not negotiated.
pub(crate) fn outgoing(what: Outgoing, len: usize, features: Features) -> Option<[u8; HEADER]> {
    let Some(open) = what.checksum else {
        return what.segments.is_none().then_some([0; HEADER]);
    };
    if !features.contains(Features::NET_CSUM) || !is_inside(open, len) {
        return None;
    }
    let (mut kind, mut headers, mut size) = (NO_SEGMENTS, 0, 0);
    if let Some(segments) = what.segments {
        let (code, feature) = match segments.ip {
            IpVersion::V4 => (TCP_V4, Features::NET_HOST_TSO4),
            IpVersion::V6 => (TCP_V6, Features::NET_HOST_TSO6),
        };
        let is_sound = segments.size != 0 && usize::from(segments.headers) <= len;
        if !features.contains(feature) || !is_sound {
            return None;
        }
        (kind, headers, size) = (code, segments.headers, segments.size);
    }
    let ([h0, h1], [g0, g1]) = (headers.to_le_bytes(), size.to_le_bytes());
    let ([s0, s1], [o0, o1]) = (open.start.to_le_bytes(), open.offset.to_le_bytes());
    Some([NEEDS_CSUM, kind, h0, h1, g0, g1, s0, s1, o0, o1, 0, 0])
}

/// The header of a frame that came, as the device has it. Nothing of it is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    flags: u8,
    kind: u8,
    headers: u16,
    size: u16,
    open: OpenChecksum,
    /// Buffers that the frame lies in, as the device says.
    pub(crate) buffers: u16,
}

/// What a header says, after it was checked against its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claims {
    pub(crate) checksum: Option<OpenChecksum>,
    pub(crate) segment_size: Option<u16>,
}

impl Header {
    pub(crate) fn from_bytes(bytes: [u8; HEADER]) -> Self {
        let [flags, kind, h0, h1, g0, g1, s0, s1, o0, o1, n0, n1] = bytes;
        Self {
            flags,
            kind,
            headers: u16::from_le_bytes([h0, h1]),
            size: u16::from_le_bytes([g0, g1]),
            open: OpenChecksum {
                start: u16::from_le_bytes([s0, s1]),
                offset: u16::from_le_bytes([o0, o1]),
            },
            buffers: u16::from_le_bytes([n0, n1]),
        }
    }

    /// Checks the header against a frame of `len` bytes and what was negotiated; `None` drops the
    /// frame. That a host verified a checksum is not looked at: it counts for nothing.
    pub(crate) fn check(self, len: usize, features: Features) -> Option<Claims> {
        let is_open = self.flags & NEEDS_CSUM != 0;
        let checksum = is_open.then_some(self.open);
        if checksum.is_some_and(|open| !is_inside(open, len)) {
            return None;
        }
        let feature = match self.kind {
            NO_SEGMENTS => {
                let segment_size = None;
                return Some(Claims {
                    checksum,
                    segment_size,
                });
            }
            TCP_V4 => Features::NET_GUEST_TSO4,
            TCP_V6 => Features::NET_GUEST_TSO6,
            _ => return None,
        };
        let is_sound = self.size >= LEAST_SEGMENT && usize::from(self.headers) <= len;
        let segment_size = Some(self.size);
        (is_sound && features.contains(feature)).then_some(Claims {
            checksum,
            segment_size,
        })
    }
}

/// Whether a checksum lies behind the Ethernet header and inside a frame of `len` bytes.
fn is_inside(open: OpenChecksum, len: usize) -> bool {
    let start = usize::from(open.start);
    start >= ETHERNET && start + usize::from(open.offset) + 2 <= len
}

#[cfg(test)]
mod tests {
    use frame::Segments;

    use super::*;

    const OPEN: OpenChecksum = OpenChecksum {
        start: 34,
        offset: 16,
    };

    fn all() -> Features {
        Features::NET_CSUM
            | Features::NET_HOST_TSO4
            | Features::NET_HOST_TSO6
            | Features::NET_GUEST_CSUM
            | Features::NET_GUEST_TSO4
            | Features::NET_GUEST_TSO6
    }

    fn cut(ip: IpVersion, headers: u16, size: u16) -> Outgoing {
        Outgoing {
            checksum: Some(OPEN),
            segments: Some(Segments { ip, headers, size }),
        }
    }

    fn came(kind: u8, headers: u8, size: u8) -> Header {
        Header::from_bytes([1, kind, headers, 0, size, 0, 34, 0, 16, 0, 1, 0])
    }

    #[test]
    fn a_header_says_where_the_checksum_goes_and_how_the_frame_is_cut() {
        let whole = Outgoing {
            checksum: Some(OPEN),
            segments: None,
        };
        let header = outgoing(whole, 60, all());
        assert_eq!(header, Some([1, 0, 0, 0, 0, 0, 34, 0, 16, 0, 0, 0]));
        let header = outgoing(cut(IpVersion::V4, 54, 1460), 9000, all());
        let size = 1460_u16.to_le_bytes();
        let expected = [1, 1, 54, 0, size[0], size[1], 34, 0, 16, 0, 0, 0];
        assert_eq!(header, Some(expected));
        let header = outgoing(cut(IpVersion::V6, 74, 1440), 9000, all());
        assert_eq!(header.map(|bytes| bytes[1]), Some(4));
        assert_eq!(
            outgoing(Outgoing::default(), 60, Features::default()),
            Some([0; HEADER])
        );
    }

    #[test]
    fn what_was_not_negotiated_or_does_not_fit_is_not_sent() {
        let open = |start, offset| Outgoing {
            checksum: Some(OpenChecksum { start, offset }),
            segments: None,
        };
        for what in [open(13, 16), open(34, 25), open(u16::MAX, u16::MAX)] {
            assert_eq!(outgoing(what, 60, all()), None);
        }
        assert_eq!(outgoing(open(34, 16), 60, Features::default()), None);
        for what in [
            cut(IpVersion::V4, 54, 0),
            cut(IpVersion::V4, 61, 1460),
            Outgoing {
                checksum: None,
                ..cut(IpVersion::V4, 54, 1460)
            },
        ] {
            assert_eq!(outgoing(what, 60, all()), None);
        }
        let four = Features::NET_CSUM | Features::NET_HOST_TSO4;
        assert_eq!(outgoing(cut(IpVersion::V6, 54, 100), 60, four), None);
        assert!(outgoing(cut(IpVersion::V4, 54, 100), 60, four).is_some());
    }

    #[test]
    fn segments_that_came_were_negotiated_and_have_a_size_and_headers_inside_the_frame() {
        let claims = Some(Claims {
            checksum: Some(OPEN),
            segment_size: Some(200),
        });
        assert_eq!(came(1, 54, 200).check(600, all()), claims);
        assert_eq!(came(4, 74, 200).check(600, all()), claims);
        for bad in [
            came(1, 54, 0),
            came(1, 54, 1),
            came(1, 201, 200),
            came(3, 54, 200),
            came(5, 54, 200),
            came(0x81, 54, 200),
            came(0xff, 54, 200),
        ] {
            assert_eq!(bad.check(200, all()), None, "{bad:?}");
        }
        for (kind, only) in [(4, Features::NET_GUEST_TSO4), (1, Features::NET_GUEST_TSO6)] {
            assert_eq!(came(kind, 54, 200).check(600, only), None);
        }
    }

    #[test]
    fn a_checksum_that_came_open_lies_inside_its_frame() {
        let open = |start: u16, offset: u16| {
            let ([s0, s1], [o0, o1]) = (start.to_le_bytes(), offset.to_le_bytes());
            let header = Header::from_bytes([1, 0, 0, 0, 0, 0, s0, s1, o0, o1, 1, 0]);
            header.check(100, all()).is_some()
        };
        assert!(open(34, 16) && open(14, 0) && open(98, 0));
        assert!(!open(13, 0) && !open(99, 0) && !open(14, 85) && !open(u16::MAX, u16::MAX));
    }

    #[test]
    fn a_checksum_that_the_host_verified_counts_for_nothing() {
        let verified = Header::from_bytes([2, 0, 0, 0, 0, 0, 34, 0, 16, 0, 1, 0]);
        let nothing = Claims {
            checksum: None,
            segment_size: None,
        };
        assert_eq!(verified.check(100, all()), Some(nothing));
    }
}
