//! What a network card does to frames that leave something to it: it cuts them, and fills in their
//! checksums. It insists on being asked the right thing.

use frame::{IpVersion, OpenChecksum, Outgoing, Segments};

const ETHERNET: usize = 14;
const TCP: u8 = 6;
const FIN_AND_PUSH: u8 = 1 | 8;

/// Where things are in a frame of TCP or UDP, by its own words.
struct Place {
    ip: IpVersion,
    protocol: u8,
    start: usize,
}

impl Place {
    fn of(frame: &[u8]) -> Self {
        match frame[12..14] {
            [8, 0] => Self {
                ip: IpVersion::V4,
                protocol: frame[23],
                start: ETHERNET + usize::from(frame[14] & 15) * 4,
            },
            [0x86, 0xdd] => Self {
                ip: IpVersion::V6,
                protocol: frame[20],
                start: ETHERNET + 40,
            },
            _ => panic!("neither IPv4 nor IPv6 has anything to leave open"),
        }
    }

    fn field(&self) -> usize {
        self.start + if self.protocol == TCP { 16 } else { 6 }
    }

    fn pseudo_sum(&self, frame: &[u8]) -> u16 {
        let addresses = match self.ip {
            IpVersion::V4 => &frame[26..34],
            IpVersion::V6 => &frame[22..54],
        };
        let len = (frame.len() - self.start) as u32;
        let mut bytes = addresses.to_vec();
        bytes.extend(len.to_be_bytes());
        bytes.extend([0, self.protocol]);
        sum(&bytes)
    }
}

/// The one's complement sum of big-endian words.
fn sum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2);
    let mut sum: u32 = words
        .map(|pair| u32::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u32::from(*low)))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

fn put(frame: &mut [u8], at: usize, value: u16) {
    frame[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

/// The frames that a card sends when it is given `frame` and told `what`.
///
/// # Panics
///
/// When `what` does not fit the frame.
pub(super) fn finish(frame: Vec<u8>, what: Outgoing) -> Vec<Vec<u8>> {
    if let Some(segments) = what.segments {
        assert!(what.checksum.is_some(), "a cut frame has no checksum yet");
        return cut(&frame, segments);
    }
    let mut frame = frame;
    if let Some(open) = what.checksum {
        complete(&mut frame, open);
    }
    vec![frame]
}

/// Sums a TCP or UDP segment over the partial sum that is there.
fn complete(frame: &mut [u8], open: OpenChecksum) {
    let place = Place::of(frame);
    let start = usize::from(open.start);
    assert_eq!(start, place.start, "where the segment starts");
    assert_eq!(start + usize::from(open.offset), place.field());
    let pseudo = place.pseudo_sum(frame).to_be_bytes();
    assert_eq!(
        frame[place.field()..][..2],
        pseudo,
        "the pseudo-header's sum"
    );
    let sum = sum(&frame[start..]);
    let checksum = if sum == 0xffff { sum } else { !sum };
    put(frame, place.field(), checksum);
}

fn cut(frame: &[u8], segments: Segments) -> Vec<Vec<u8>> {
    let place = Place::of(frame);
    assert_eq!((place.ip, place.protocol), (segments.ip, TCP));
    let headers = place.start + usize::from(frame[place.start + 12] >> 4) * 4;
    assert_eq!(usize::from(segments.headers), headers);
    let (headers, payload) = frame.split_at(headers);
    assert!(payload.len() > segments.size.into(), "nothing to cut");
    let pieces = payload.chunks(segments.size.into());
    let last = pieces.len() - 1;
    let offsets = (0..).step_by(segments.size.into());
    let pieces = pieces.zip(offsets).enumerate();
    pieces
        .map(|(number, (piece, offset))| {
            let mut segment = [headers, piece].concat();
            renumber(&mut segment, &place, offset, number == last);
            segment
        })
        .collect()
}

/// Makes a copy of the headers those of one segment.
fn renumber(frame: &mut [u8], place: &Place, offset: u32, last: bool) {
    let len = frame.len();
    match place.ip {
        IpVersion::V4 => {
            put(frame, 16, (len - ETHERNET) as u16);
            put(frame, 24, 0);
            let header = sum(&frame[ETHERNET..place.start]);
            put(frame, 24, !header);
        }
        IpVersion::V6 => put(frame, 18, (len - place.start) as u16),
    }
    let at = place.start + 4;
    let number = u32::from_be_bytes(frame[at..at + 4].try_into().expect("four bytes"));
    frame[at..at + 4].copy_from_slice(&number.wrapping_add(offset).to_be_bytes());
    if !last {
        frame[place.start + 13] &= !FIN_AND_PUSH;
    }
    put(frame, place.field(), place.pseudo_sum(frame));
    let open = OpenChecksum {
        start: place.start as u16,
        offset: 16,
    };
    complete(frame, open);
}
