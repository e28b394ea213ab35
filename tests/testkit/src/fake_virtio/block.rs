//! A disk in small.

use super::{Chain, Personality, Ring};

const SECTOR: usize = 512;
const FLUSH: u64 = 1 << 9;
const SEG_MAX: u64 = 1 << 2;
const READ_ONLY: u64 = 1 << 5;

/// A disk in memory.
pub struct FakeBlock {
    /// Its content.
    pub content: Vec<u8>,
    /// Features of the type that it offers.
    pub features: u64,
    /// What the status byte is said to be.
    pub status: fn(u8) -> Option<u8>,
    /// Whether a read writes the data at all.
    pub writes_data: bool,
    /// Whether lengths are as lkvm has them: bytes moved either way, without the status.
    pub counts_like_lkvm: bool,
    /// Whether the capacity reads 0 until FEATURES_OK, as with lkvm.
    pub shy: bool,
    /// Most runs of data in a request, as the configuration says.
    pub runs: u32,
    /// What the configuration says of the capacity instead of the content's length.
    pub capacity: Option<u64>,
    /// Requests: type and sector.
    pub log: Vec<(u32, u64)>,
    /// Flushes so far.
    pub flushes: u64,
}

impl FakeBlock {
    /// A disk of `sectors` sectors, each byte of which says where it is.
    pub fn new(sectors: usize) -> Self {
        let content = (0..sectors * SECTOR).map(|i| (i / SECTOR + i) as u8);
        Self {
            content: content.collect(),
            features: FLUSH | SEG_MAX,
            status: Some,
            writes_data: true,
            counts_like_lkvm: false,
            shy: false,
            runs: 126,
            capacity: None,
            log: Vec::new(),
            flushes: 0,
        }
    }

    /// The same, for reading alone.
    #[must_use]
    pub fn read_only(mut self) -> Self {
        self.features |= READ_ONLY;
        self
    }

    /// Does one request; the status byte and the data bytes moved.
    fn request(&mut self, ring: &mut Ring<'_>, chain: &Chain) -> (u8, usize) {
        let bytes = ring.read(chain);
        let Some((header, data)) = bytes.split_first_chunk::<16>() else {
            return (1, 0);
        };
        let kind = u32::from_le_bytes([header[0], header[1], header[2], header[3]]);
        let sector = header[8..]
            .iter()
            .rev()
            .fold(0, |s, b| s << 8 | u64::from(*b));
        self.log.push((kind, sector));
        if self.has_too_many_runs(chain) {
            return (1, 0);
        }
        let at = sector.saturating_mul(SECTOR as u64) as usize;
        match kind {
            0 => self.read(ring, chain, at),
            1 => self.write(at, data),
            4 => {
                self.flushes += 1;
                (0, 0)
            }
            _ => (2, 0),
        }
    }

    /// Whether a request has more runs of data, between head and status, than it was said to take.
    fn has_too_many_runs(&self, chain: &Chain) -> bool {
        let runs = chain.readable.len() + chain.writable.len();
        let says = self.features & SEG_MAX != 0;
        says && runs.saturating_sub(2) > self.runs.max(1) as usize
    }

    fn read(&self, ring: &mut Ring<'_>, chain: &Chain, at: usize) -> (u8, usize) {
        let room: usize = chain.writable.iter().map(|r| r.len as usize).sum();
        let len = room.saturating_sub(1);
        match self.content.get(at..at.saturating_add(len)) {
            Some(data) if self.writes_data => (0, ring.write(chain, data)),
            Some(_) => (0, len),
            None => (1, 0),
        }
    }

    fn write(&mut self, at: usize, data: &[u8]) -> (u8, usize) {
        match self.content.get_mut(at..at.saturating_add(data.len())) {
            Some(place) => {
                place.copy_from_slice(data);
                (0, data.len())
            }
            None => (1, 0),
        }
    }
}

impl Personality for FakeBlock {
    fn kind(&self) -> u16 {
        2
    }

    fn class(&self) -> u32 {
        0x01_8000
    }

    fn features(&self) -> u64 {
        self.features
    }

    fn queues(&self) -> usize {
        1
    }

    fn config(&self, at: u64, ready: bool) -> u8 {
        let capacity = self
            .capacity
            .unwrap_or((self.content.len() / SECTOR) as u64);
        let shown = if self.shy && !ready { 0 } else { capacity };
        let bytes = [
            shown.to_le_bytes(),
            (u64::from(self.runs) << 32).to_le_bytes(),
        ];
        bytes.as_flattened().get(at as usize).copied().unwrap_or(0)
    }

    fn process(&mut self, _index: usize, ring: &mut Ring<'_>) {
        while let Some(chain) = ring.take() {
            let writes = chain.writable.len() > 1;
            let (honest, moved) = self.request(ring, &chain);
            let last = chain.writable.last();
            if let (Some(status), Some(run)) = ((self.status)(honest), last) {
                let end = run.address.wrapping_add(run.len.into());
                ring.write_byte(end.wrapping_sub(1), status);
            }
            let len = match (self.counts_like_lkvm, writes) {
                (true, _) => moved,
                (false, true) => moved + 1,
                (false, false) => 1,
            };
            ring.complete(&chain, len as u32);
        }
    }
}
