//! Checksums that a host left open although nobody agreed on that. All bytes here are private.

use frame::OpenChecksum;

/// Fills the checksum in that a host left open; `None` if it would lie outside the frame.
pub(crate) fn complete(frame: &mut [u8], open: OpenChecksum) -> Option<()> {
    let start = usize::from(open.start);
    let at = start + usize::from(open.offset);
    let sum = sum(frame.get(start..)?);
    let field = frame.get_mut(at..at + 2)?;
    // A UDP checksum of 0 means «none», so its equal is sent.
    let value = if sum == u16::MAX { sum } else { !sum };
    field.copy_from_slice(&value.to_be_bytes());
    Some(())
}

/// The one's complement sum of `bytes`, which are at most 64 KiB.
///
/// Ref: RFC 1071.
fn sum(bytes: &[u8]) -> u16 {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let last = rest.first().map_or(0, |b| u64::from(*b) << 8);
    let words = pairs
        .iter()
        .map(|pair| u64::from(u16::from_be_bytes(*pair)));
    let mut sum = words.sum::<u64>() + last;
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    u16::try_from(sum).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec;

    use super::*;

    #[test]
    fn an_open_checksum_is_filled_in() {
        // Pseudo-header sum 0x1234 in the field, data 0x0001: the whole sums to 0xffff after.
        let mut frame = vec![0xee, 0xee, 0x12, 0x34, 0x00, 0x01, 0x7f];
        complete(
            &mut frame,
            OpenChecksum {
                start: 2,
                offset: 0,
            },
        )
        .unwrap();
        let rest = 0x0001 + 0x7f00;
        assert_eq!(frame[2..4], (!(0x1234_u16 + rest)).to_be_bytes());
    }

    #[test]
    fn what_is_carried_out_of_16_bits_is_added_again_until_nothing_is() {
        let cases: [(&[u8], u16); 4] = [
            (&[0, 1, 0xff, 0xff, 0xff, 0xff, 0x12, 0x34], 0x1235),
            // The first carry makes another one.
            (&[0, 1, 0xff, 0xff, 0xff, 0xff], 1),
            (&[0, 2, 0xff, 0xff, 0xff], 0xff02),
            // All ones: its complement would say that there is no checksum.
            (&[0xff, 0xff], 0),
        ];
        for (bytes, sum) in cases {
            let mut frame = bytes.to_vec();
            let open = OpenChecksum {
                start: 0,
                offset: 0,
            };
            complete(&mut frame, open).unwrap();
            assert_eq!(frame[..2], (!sum).to_be_bytes(), "{bytes:x?}");
        }
    }

    #[test]
    fn a_checksum_outside_the_frame_is_refused() {
        let mut frame = [0; 20];
        for (start, offset) in [(21, 0), (0, 19), (19, 0), (u16::MAX, u16::MAX)] {
            assert_eq!(complete(&mut frame, OpenChecksum { start, offset }), None);
        }
    }
}
