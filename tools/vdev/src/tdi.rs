//! The device's interface: its state, what was fetched of it, and what the RMM keeps.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use crate::lies::Lie;
use crate::report::{Range, interface_report};
use crate::{Curve, Device, Firmware};

/// Bytes of a granule.
pub(crate) const GRANULE: u64 = 4096;

/// The state of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The host's.
    Unlocked = 0,
    /// Its configuration stands.
    Locked = 1,
    /// It works.
    Started = 2,
    /// It left the state that it was in.
    Error = 3,
}

/// What was fetched of a device: by kind, in the order of the RMM's digests.
pub(crate) const VCA: usize = 0;
pub(crate) const CERTIFICATES: usize = 1;
pub(crate) const MEASUREMENTS: usize = 2;
pub(crate) const REPORT: usize = 3;

/// What takes time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Measure,
    Report,
    SetState(u64),
}

/// A device that may be trusted, between an RMM and a host.
pub struct Tdi {
    pub(crate) id: u64,
    pub(crate) lie: Lie,
    pub(crate) state: State,
    pub(crate) nonces: [u64; 3],
    /// What the RMM took its digests of.
    pub(crate) seen: [Vec<u8>; 4],
    /// Granules of the realm's address space that lead to the device.
    pub(crate) mapped: BTreeSet<u64>,
    /// Those that the host took away.
    pub(crate) destroyed: BTreeSet<u64>,
    pub(crate) dma: bool,
    /// Registers of the device that only the realm reaches once it is locked.
    pub(crate) protected: Vec<Range>,
    /// How often the RMM told about the device since it was locked.
    pub(crate) told: u32,
    /// What the host is at, and how often it was asked to go on.
    pub(crate) pending: Option<(Operation, u32)>,
    pub(crate) was_busy: bool,
    device: Device,
    random: u64,
}

impl Tdi {
    /// The device that realm and host call `id`. Random numbers follow from `seed`.
    #[must_use]
    pub fn new(id: u64, curve: Curve, lie: Lie, seed: u64) -> Self {
        let firmware = match lie {
            Lie::OtherFirmware => Firmware::Other,
            Lie::Forged => Firmware::Forged,
            _ => Firmware::Known,
        };
        let device = Device::new(curve, firmware);
        let seen = [
            device.negotiation().to_vec(),
            device.certificates().to_vec(),
            Vec::new(),
            Vec::new(),
        ];
        Self {
            id,
            lie,
            state: State::Unlocked,
            nonces: [0; 3],
            seen,
            mapped: BTreeSet::new(),
            destroyed: BTreeSet::new(),
            dma: false,
            protected: Vec::new(),
            told: 0,
            pending: None,
            was_busy: false,
            device,
            random: seed,
        }
    }

    /// What realm and host call it.
    #[must_use]
    pub const fn id(&self) -> u64 {
        self.id
    }

    /// Its state.
    #[must_use]
    pub const fn state(&self) -> State {
        self.state
    }

    /// Whether it reaches private memory now.
    #[must_use]
    pub const fn reaches_private(&self) -> bool {
        self.dma && matches!(self.state, State::Started)
    }

    /// Whether the host is at something that it has not finished.
    #[must_use]
    pub const fn is_busy(&self) -> bool {
        self.pending.is_some()
    }

    /// Whether it is the realm's: locked, or more.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        !matches!(self.state, State::Unlocked)
    }

    /// Whether `address` belongs to registers that nobody but the realm reaches now.
    #[must_use]
    pub fn protects(&self, address: u64) -> bool {
        let inside = |range: &&Range| (range.base..range.base + range.size).contains(&address);
        self.is_held() && self.protected.iter().any(|range| inside(&range))
    }

    /// Whether the realm's access to `address`, in its protected half, gets to the device.
    #[must_use]
    pub fn answers(&self, address: u64) -> bool {
        self.state == State::Started && self.mapped.contains(&(address & !(GRANULE - 1)))
    }

    /// The state of the granule at `address`, if it is not EMPTY: 3 DEV, 2 DESTROYED.
    #[must_use]
    pub fn ripas(&self, address: u64) -> Option<u64> {
        let granule = address & !(GRANULE - 1);
        match (
            self.mapped.contains(&granule),
            self.destroyed.contains(&granule),
        ) {
            (_, true) => Some(2),
            (true, _) => Some(3),
            _ => None,
        }
    }

    /// The first granule behind `address` that is not EMPTY because of the device.
    #[must_use]
    pub fn next_granule(&self, address: u64) -> Option<u64> {
        let mapped = self.mapped.range(address..).next();
        let destroyed = self.destroyed.range(address..).next();
        mapped.into_iter().chain(destroyed).min().copied()
    }

    /// Makes granules in `base..top` EMPTY.
    pub fn release(&mut self, base: u64, top: u64) {
        self.mapped.retain(|at| !(base..top).contains(at));
        self.destroyed.retain(|at| !(base..top).contains(at));
    }

    /// Somebody changed what was locked: a BAR, the bus master bit, or a reset.
    pub fn disturb(&mut self) {
        if matches!(self.state, State::Locked | State::Started) {
            self.state = State::Error;
        }
    }

    /// Locks: its `bars` stand from here on.
    pub(crate) fn lock(&mut self, bars: &[Range]) {
        self.state = State::Locked;
        self.protected = bars.iter().copied().filter(|bar| !bar.non_tee).collect();
        let nonce = self.next();
        self.nonces[0] = nonce;
        self.told = 0;
        self.dma = false;
    }

    /// Unlocks; DMA ends first.
    pub(crate) fn unlock(&mut self) {
        self.dma = false;
        self.state = State::Unlocked;
    }

    /// Unlocks and locks again: everything is as before, but for the nonce.
    pub fn relock(&mut self) {
        let bars = core::mem::take(&mut self.protected);
        self.unlock();
        self.lock(&bars);
    }

    /// Measures, anew.
    pub(crate) fn measure(&mut self) {
        let mut nonce = [0; 32];
        for part in nonce.chunks_exact_mut(8) {
            part.copy_from_slice(&self.next().to_le_bytes());
        }
        let mut messages = self.device.measurements(nonce);
        if self.lie == Lie::Unsigned
            && let Some(last) = messages.last_mut()
        {
            *last ^= 1;
        }
        self.nonces[1] = self.next();
        self.seen[MEASUREMENTS] = messages;
    }

    /// Reports its registers, which `bars` are.
    pub(crate) fn report(&mut self, bars: &[Range]) {
        let mut bars = bars.to_vec();
        match (self.lie, bars.iter_mut().find(|bar| !bar.non_tee)) {
            (Lie::Moved, Some(bar)) => bar.base += GRANULE,
            (Lie::Elsewhere, Some(bar)) => bar.base += bar.size,
            (Lie::Overlapping, Some(bar)) => {
                let twice = *bar;
                let at = bars.iter().position(|bar| *bar == twice).unwrap_or(0);
                bars.insert(at, twice);
            }
            _ => {}
        }
        self.nonces[2] = self.next();
        self.seen[REPORT] = interface_report(&bars);
    }

    /// The next random number. Never 0.
    ///
    /// Ref: Steele, Lea, Flood, «Fast splittable pseudorandom number generators».
    fn next(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = self.random;
        let z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ z >> 31) | 1
    }
}
