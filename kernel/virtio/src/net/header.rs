//! The 12 bytes before each frame.
//!
//! Ref: virtio 1.2, 5.1.6 "Device Operation", `struct virtio_net_hdr`.

/// Bytes of the header; of this length since virtio 1.0, whatever was negotiated.
pub(crate) const HEADER: usize = 12;

const NEEDS_CSUM: u8 = 1;

/// A checksum that someone else is to fill in: the sum of everything from `start` on goes to
/// `start + offset`, where the sum of the pseudo-header is already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OpenChecksum {
    pub(crate) start: u16,
    pub(crate) offset: u16,
}

/// What we use of a header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) checksum: Option<OpenChecksum>,
    /// Buffers that the frame lies in; 0 in frames that are sent.
    pub(crate) buffers: u16,
}

impl Header {
    pub(crate) fn to_bytes(self) -> [u8; HEADER] {
        let Some(OpenChecksum { start, offset }) = self.checksum else {
            return [0; HEADER];
        };
        let ([s0, s1], [o0, o1]) = (start.to_le_bytes(), offset.to_le_bytes());
        [NEEDS_CSUM, 0, 0, 0, 0, 0, s0, s1, o0, o1, 0, 0]
    }

    /// Segmentation fields are ignored: a segment that the host did not cut is one large frame.
    pub(crate) fn from_bytes(bytes: [u8; HEADER]) -> Self {
        let [flags, _, _, _, _, _, s0, s1, o0, o1, n0, n1] = bytes;
        let open = OpenChecksum {
            start: u16::from_le_bytes([s0, s1]),
            offset: u16::from_le_bytes([o0, o1]),
        };
        Self {
            checksum: (flags & NEEDS_CSUM != 0).then_some(open),
            buffers: u16::from_le_bytes([n0, n1]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_says_where_the_checksum_goes() {
        let open = OpenChecksum {
            start: 34,
            offset: 16,
        };
        let header = Header {
            checksum: Some(open),
            buffers: 0,
        };
        assert_eq!(header.to_bytes(), [1, 0, 0, 0, 0, 0, 34, 0, 16, 0, 0, 0]);
        assert_eq!(Header::from_bytes(header.to_bytes()), header);
    }
}
