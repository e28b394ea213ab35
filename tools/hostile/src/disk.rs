//! What a disk does with a request.
//!
//! Ref: virtio 1.2, 5.2.6 "Device Operation".

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::content::{self, CAPACITY, SECTOR};
use crate::liar::Liar;
use crate::memory::{Memory, Run, Unreachable, gather, scatter};
use crate::place::Point;
use crate::queue::{Chain, Voice};

/// Feature: requests to flush.
pub const FLUSH: u64 = 1 << 9;
/// Sectors that are kept after a write. More are not.
const KEPT: usize = 256;
/// Bytes of one request that are looked at.
const LONGEST: usize = 2 << 20;

const READ: u32 = 0;
const WRITE: u32 = 1;
const FLUSHED: u32 = 4;
const OK: u8 = 0;
const FAILED: u8 = 1;
const UNSUPPORTED: u8 = 2;

/// A disk whose content follows from its number, as far as nobody wrote to it.
#[derive(Clone, Debug)]
pub struct Disk {
    number: u8,
    written: BTreeMap<u64, Vec<u8>>,
}

impl Disk {
    /// Disk number `number`.
    #[must_use]
    pub const fn new(number: u8) -> Self {
        Self {
            number,
            written: BTreeMap::new(),
        }
    }

    /// The device configuration: the capacity in sectors.
    #[must_use]
    pub fn config() -> [u8; 8] {
        CAPACITY.to_le_bytes()
    }

    /// Does a request; says how many bytes were written to memory.
    ///
    /// # Errors
    ///
    /// [`Unreachable`]
    pub fn serve(
        &mut self,
        memory: &mut impl Memory,
        liar: &mut Liar,
        voice: Voice,
        chain: &Chain,
    ) -> Result<u32, Unreachable> {
        let request = gather(memory, &chain.readable, LONGEST)?;
        let room = chain.room().saturating_sub(1).min(LONGEST);
        let (status, data) = match liar.misbehave(voice.place(Point::Failure)) {
            Some(_) => (FAILED, Vec::new()),
            None => self.answer(&request, room),
        };
        let data = spoil(data, liar, voice);
        let mut written = scatter(memory, &chain.writable, &data)?;
        let status = liar.say(voice.place(Point::Result), status.into(), 8);
        if let Some(last) = last_byte(&chain.writable) {
            let [byte, ..] = status.to_le_bytes();
            memory.write(last, &[byte])?;
            written += 1;
        }
        Ok(u32::try_from(written).unwrap_or(u32::MAX))
    }

    fn answer(&mut self, request: &[u8], room: usize) -> (u8, Vec<u8>) {
        let Some((&[k0, k1, k2, k3, _, _, _, _, a, b, c, d, e, f, g, h], data)) =
            request.split_first_chunk::<16>()
        else {
            return (FAILED, Vec::new());
        };
        let sector = u64::from_le_bytes([a, b, c, d, e, f, g, h]);
        match u32::from_le_bytes([k0, k1, k2, k3]) {
            READ => self.read(sector, room),
            WRITE => (self.write(sector, data), Vec::new()),
            FLUSHED => (OK, Vec::new()),
            _ => (UNSUPPORTED, Vec::new()),
        }
    }

    fn read(&self, sector: u64, room: usize) -> (u8, Vec<u8>) {
        if !room.is_multiple_of(SECTOR) || !is_inside(sector, room) {
            return (FAILED, Vec::new());
        }
        let mut data = alloc::vec![0; room];
        content::fill(self.number, sector, &mut data);
        for (at, bytes) in (sector..).zip(data.chunks_mut(SECTOR)) {
            if let Some(kept) = self.written.get(&at) {
                bytes.copy_from_slice(kept);
            }
        }
        (OK, data)
    }

    fn write(&mut self, sector: u64, data: &[u8]) -> u8 {
        if !data.len().is_multiple_of(SECTOR) || !is_inside(sector, data.len()) {
            return FAILED;
        }
        for (at, bytes) in (sector..).zip(data.chunks(SECTOR)) {
            if self.written.len() < KEPT || self.written.contains_key(&at) {
                self.written.insert(at, bytes.to_vec());
            }
        }
        OK
    }
}

/// Lies about the data: a bit of it, or how much there is.
pub(crate) fn spoil(mut data: Vec<u8>, liar: &mut Liar, voice: Voice) -> Vec<u8> {
    if data.is_empty() {
        return data;
    }
    if let Some(bit) = liar.misbehave(voice.place(Point::Content)) {
        let at = usize::try_from(bit >> 3).unwrap_or(0) % data.len();
        if let Some(byte) = data.get_mut(at) {
            *byte ^= 1 << (bit & 7);
        }
    }
    if let Some(len) = liar.misbehave(voice.place(Point::Short)) {
        let len = usize::try_from(len).unwrap_or(0) % data.len();
        data.truncate(len);
    }
    data
}

fn is_inside(sector: u64, bytes: usize) -> bool {
    let end = sector.checked_add((bytes / SECTOR) as u64);
    end.is_some_and(|end| end <= CAPACITY)
}

/// The address of the last byte that may be written.
fn last_byte(runs: &[Run]) -> Option<u64> {
    let last = runs.last().filter(|run| run.len != 0)?;
    last.address.checked_add(u64::from(last.len) - 1)
}
