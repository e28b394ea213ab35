//! What QEMU saw of the same run, kept beside the trace: frames of the card, requests of the disk.

use std::net::SocketAddr;
use std::path::Path;

use anyhow::{Context, Result};
use audit::{Direction, connection, wire};

use crate::trace::pcap::{self, Captured};
use crate::trace::witness::{INCOMING, OUTGOING, REQUESTS, beside};

/// Bytes of the headers of Ethernet, of IPv4, and of TCP without options.
const ETHERNET: usize = 14;

/// Frames of the card.
#[derive(Clone, Debug, Default)]
pub struct Frames {
    /// Those that went out, those that came.
    pub out: Vec<Captured>,
    /// Those that came.
    pub incoming: Vec<Captured>,
    /// The other end of the connection that the trace itself went through.
    pub teller: Option<SocketAddr>,
    /// When the last bytes of the trace went through it, in microseconds of QEMU's clock.
    pub end: Option<u64>,
}

impl Frames {
    /// Reads what lies beside `trace`.
    ///
    /// # Errors
    /// It is not there, or cannot be read.
    pub fn read(trace: &Path) -> Result<Self> {
        let read = |what| {
            let path = beside(trace, what);
            // Without a card, there is none.
            if !path.exists() {
                return Ok(Vec::new());
            }
            pcap::read(&path)
        };
        let (out, incoming) = (read(OUTGOING)?, read(INCOMING)?);
        let teller = out.iter().find_map(|frame| teller(&frame.bytes));
        let mut told = out.iter().filter(|frame| {
            let is_own = |peer| connection::is_with(&frame.bytes, Direction::Out, peer);
            teller.is_some_and(is_own)
                && content(&frame.bytes).is_some_and(|bytes| !bytes.is_empty())
        });
        let end = told.next_back().map(|frame| frame.micros);
        Ok(Self {
            out,
            incoming,
            teller,
            end,
        })
    }

    /// Whether a frame told of the trace, and is not among its events.
    #[must_use]
    pub fn is_own(&self, frame: &Captured, direction: Direction) -> bool {
        let teller = self.teller;
        teller.is_some_and(|peer| connection::is_with(&frame.bytes, direction, peer))
    }
}

/// What TCP carries in a frame of IPv4.
fn content(frame: &[u8]) -> Option<&[u8]> {
    let packet = frame.get(ETHERNET..)?;
    let len = u16::from_be_bytes(*packet.get(2..4)?.first_chunk()?);
    let packet = packet.get(..usize::from(len))?;
    let ip = usize::from(packet.first()? & 0xf) * 4;
    let segment = packet.get(ip..)?;
    let tcp = usize::from(segment.get(12)? >> 4) * 4;
    let is_ipv4 = frame.get(12..14)? == [0x08, 0x00];
    segment.get(tcp..).filter(|_| is_ipv4)
}

/// Where a frame goes, if a trace begins in it.
fn teller(frame: &[u8]) -> Option<SocketAddr> {
    let head = [&wire::MAGIC[..], &[wire::VERSION]].concat();
    content(frame).filter(|content| content.starts_with(&head))?;
    let packet = frame.get(ETHERNET..)?;
    let segment = packet.get(usize::from(packet.first()? & 0xf) * 4..)?;
    let to = packet.get(16..20)?.first_chunk::<4>()?;
    let port = segment.get(2..4)?.first_chunk::<2>()?;
    Some((*to, u16::from_be_bytes(*port)).into())
}

/// What a disk was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// To read so many sectors.
    Read(u64),
    /// To write so many.
    Write(u64),
}

/// Reads the requests that QEMU took from its disks, in their order, by disk.
///
/// # Errors
/// The file is not there.
pub fn requests(trace: &Path) -> Result<Vec<(String, Vec<Asked>)>> {
    let path = beside(trace, REQUESTS);
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("QEMU's requests are missing: {}", path.display()))?;
    let mut disks: Vec<(String, Vec<Asked>)> = Vec::new();
    for (disk, asked) in text.lines().filter_map(request) {
        match disks.iter_mut().find(|(known, _)| known == disk) {
            Some((_, all)) => all.push(asked),
            None => disks.push((disk.to_owned(), vec![asked])),
        }
    }
    Ok(disks)
}

/// `virtio_blk_handle_write vdev 0x55.. req 0x55.. sector 8 nsectors 16`.
fn request(line: &str) -> Option<(&str, Asked)> {
    let (_, rest) = line.split_once("virtio_blk_handle_")?;
    let mut words = rest.split_whitespace();
    let kind = words.next()?;
    let disk = words.nth(1)?;
    let sectors = words.last()?.parse().ok()?;
    match kind {
        "read" => Some((disk, Asked::Read(sectors))),
        "write" => Some((disk, Asked::Write(sectors))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_as_qemu_writes_them() {
        let line = "virtio_blk_handle_write vdev 0x5582 req 0x7f0c sector 8 nsectors 16";
        assert_eq!(request(line), Some(("0x5582", Asked::Write(16))));
        let line = "9@1700000000.5:virtio_blk_handle_read vdev 0x1 req 0x2 sector 0 nsectors 1";
        assert_eq!(request(line), Some(("0x1", Asked::Read(1))));
        assert_eq!(request("virtio_blk_req_complete vdev 0x1"), None);
    }

    #[test]
    fn the_connection_of_the_trace_is_known_by_how_it_begins() {
        let mut frame = vec![0; 12];
        frame.extend([0x08, 0x00, 0x45, 0, 0, 46, 0, 0, 0, 0, 64, 6, 0, 0]);
        frame.extend([10, 0, 2, 15, 10, 0, 2, 2]);
        frame.extend([
            0xc0, 0, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0, 0, 0, 0, 0, 0, 0,
        ]);
        frame.extend(b"ALTS\x01\x01");
        assert_eq!(teller(&frame), None);
        frame.truncate(54);
        frame.extend(b"ALTR\x01\x01");
        assert_eq!(teller(&frame), "10.0.2.2:4096".parse().ok());
    }
}
