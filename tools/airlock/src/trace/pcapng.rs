//! Frames as QEMU saw them, with what the guest says of each, in the format of Wireshark.
//!
//! Ref: IETF draft-ietf-opsawg-pcapng: section header, interface description, enhanced packet blocks.

use std::io::{self, Write};

use audit::Direction;

use crate::trace::log::{Crossing, Log};
use crate::trace::pcap::Captured;
use crate::trace::seen::Frames;

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const PACKET: u32 = 6;
/// Link type of Ethernet.
const ETHERNET: u32 = 1;
const COMMENT: u16 = 1;
const NAME: u16 = 2;
const FLAGS: u16 = 2;

/// Writes all frames, by their times.
///
/// # Errors
/// They cannot be written.
pub fn write(log: &Log, seen: &Frames, to: &mut dyn Write) -> io::Result<()> {
    let mut section = Vec::new();
    section.extend(0x1a2b_3c4d_u32.to_le_bytes());
    section.extend([1, 0, 0, 0]);
    section.extend([0xff; 8]);
    option(
        &mut section,
        COMMENT,
        b"Frames that crossed the boundary of an Airlock realm",
    );
    end(&mut section);
    block(to, SECTION, &section)?;
    let mut interface = Vec::new();
    interface.extend(ETHERNET.to_le_bytes());
    interface.extend(0_u32.to_le_bytes());
    option(&mut interface, NAME, b"card");
    end(&mut interface);
    block(to, INTERFACE, &interface)?;
    let crossings = log.frames();
    let mut all: Vec<(&Captured, Direction, Option<&Crossing>)> = Vec::new();
    for (direction, captured) in [(Direction::Out, &seen.out), (Direction::In, &seen.incoming)] {
        let mut ours = crossings
            .iter()
            .filter(|one| one.first.direction == direction);
        for frame in captured {
            let own = seen.is_own(frame, direction);
            let crossing = if own { None } else { ours.next() };
            all.push((frame, direction, crossing));
        }
    }
    all.sort_by_key(|(frame, ..)| frame.micros);
    for (frame, direction, crossing) in all {
        packet(log, to, (frame, direction), crossing)?;
    }
    Ok(())
}

fn packet(
    log: &Log,
    to: &mut dyn Write,
    (frame, direction): (&Captured, Direction),
    crossing: Option<&Crossing>,
) -> io::Result<()> {
    let mut body = Vec::new();
    let kept = u32::try_from(frame.bytes.len()).unwrap_or(u32::MAX);
    // Microseconds, in two halves, the high one first.
    let [high, low] = [frame.micros >> 32, frame.micros & 0xffff_ffff];
    for word in [0, high, low, kept.into(), frame.len.into()] {
        body.extend(u32::try_from(word).unwrap_or(0).to_le_bytes());
    }
    body.extend(&frame.bytes);
    pad(&mut body);
    let inward = match direction {
        Direction::In => 1_u32,
        Direction::Out => 2,
    };
    option(&mut body, FLAGS, &inward.to_le_bytes());
    let comment = match crossing {
        Some(crossing) => {
            let event = crossing.first;
            format!(
                "{} queue {} slot {} at {:#x}, {:.6} s after entry",
                log.name(event.device),
                event.label.queue,
                event.label.slot,
                event.address,
                log.seconds(event.at)
            )
        }
        None => "not among the events: it told of the trace itself, or came too late".to_owned(),
    };
    option(&mut body, COMMENT, comment.as_bytes());
    end(&mut body);
    block(to, PACKET, &body)
}

fn block(to: &mut dyn Write, kind: u32, body: &[u8]) -> io::Result<()> {
    let len = u32::try_from(body.len() + 12).map_err(io::Error::other)?;
    to.write_all(&kind.to_le_bytes())?;
    to.write_all(&len.to_le_bytes())?;
    to.write_all(body)?;
    to.write_all(&len.to_le_bytes())
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend(code.to_le_bytes());
    body.extend(u16::try_from(value.len()).unwrap_or(0).to_le_bytes());
    body.extend(value);
    pad(body);
}

fn end(body: &mut Vec<u8>) {
    body.extend([0; 4]);
}

fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Walks the blocks as any reader does: kind and length in front, the same length behind.
    fn blocks(bytes: &[u8]) -> Vec<(u32, Vec<u8>)> {
        let (mut rest, mut blocks) = (bytes, Vec::new());
        while let Some((kind, tail)) = rest.split_first_chunk::<4>() {
            let (len, _) = tail.split_first_chunk::<4>().unwrap();
            let len = usize::try_from(u32::from_le_bytes(*len)).unwrap();
            let (block, later) = rest.split_at(len);
            assert_eq!(block[4..8], block[len - 4..], "both lengths are the same");
            assert!(len.is_multiple_of(4));
            blocks.push((u32::from_le_bytes(*kind), block[8..len - 4].to_vec()));
            rest = later;
        }
        blocks
    }

    #[test]
    fn blocks_have_their_lengths_and_frames_their_bytes_and_order() {
        let frame = |micros, bytes: &[u8]| Captured {
            micros,
            len: 60,
            bytes: bytes.to_vec(),
        };
        let seen = Frames {
            out: vec![frame(5, b"late!")],
            incoming: vec![frame(1 << 33, b"last"), frame(3, b"first")],
            teller: None,
            end: None,
        };
        let mut out = Vec::new();
        write(&Log::default(), &seen, &mut out).unwrap();
        let blocks = blocks(&out);
        let kinds: Vec<u32> = blocks.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, [SECTION, INTERFACE, PACKET, PACKET, PACKET]);
        assert_eq!(&blocks[2].1[20..25], b"first");
        assert_eq!(&blocks[3].1[20..25], b"late!");
        assert_eq!(&blocks[4].1[4..12], [2, 0, 0, 0, 0, 0, 0, 0]);
    }
}
