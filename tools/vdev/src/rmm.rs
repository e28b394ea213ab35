//! The RMM's side: what it says of the device, and what it lets it reach.
//!
//! Ref: DEN0137 2.0, B5.4 and B5.5.28; TF-RMM, `runtime/rsi/vdev.c`.

use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::lies::Lie;
use crate::report::Range;
use crate::tdi::{GRANULE, State, Tdi};

const SUCCESS: u64 = 0;
const ERROR_INPUT: u64 = 1;
const ERROR_DEVICE: u64 = 5;

/// Bytes of what the RMM says of a device.
pub const INFO_SIZE: usize = 512;

/// Which layout that has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Layout {
    /// With the format before the version.
    #[default]
    WithFormat,
    /// With the version at once.
    WithoutFormat,
}

/// What the realm wants mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validation {
    /// First address in the realm.
    pub base: u64,
    /// First address behind.
    pub top: u64,
    /// The same place as the report has it.
    pub registers: u64,
    /// Of lock, measurements and report.
    pub nonces: [u64; 3],
}

/// How far that came. Nothing but the status counts if that is not 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validated {
    /// The status of the call.
    pub status: u64,
    /// First address that is not mapped.
    pub progress: u64,
    /// Whether the host refused.
    pub rejected: bool,
}

impl Tdi {
    /// What the RMM says, hashed by `algorithm`: 0 SHA-256, 1 SHA-512, 2 SHA-384.
    #[must_use]
    pub fn info(&mut self, layout: Layout, algorithm: u8) -> [u8; INFO_SIZE] {
        let mut info = [0; INFO_SIZE];
        let mut put = |at: usize, bytes: &[u8]| {
            if let Some(slot) = info.get_mut(at..at + bytes.len()) {
                slot.copy_from_slice(bytes);
            }
        };
        put(0x10, &[algorithm]);
        for (at, nonce) in [0x18, 0x20, 0x28].into_iter().zip(self.nonces) {
            put(at, &nonce.to_le_bytes());
        }
        let (version, state, digests) = match layout {
            Layout::WithFormat => {
                put(0x30, &[1]);
                (0x38, 0x40, [0x80, 0xc0, 0x140, 0x180])
            }
            Layout::WithoutFormat => (0x30, 0x38, [0x40, 0x80, 0x100, 0x140]),
        };
        put(version, &0x1_0000_u64.to_le_bytes());
        put(state, &[self.state as u8]);
        for (at, object) in digests.into_iter().zip(&self.seen) {
            match (object.is_empty(), algorithm) {
                (true, _) => {}
                (false, 0) => put(at, &Sha256::digest(object)),
                (false, 1) => put(at, &Sha512::digest(object)),
                (false, _) => put(at, &Sha384::digest(object)),
            }
        }
        self.told += 1;
        if self.lie == Lie::LateRelock && self.told == 2 && self.state == State::Locked {
            self.relock();
        }
        info
    }

    /// Maps registers. `is_empty` says whether the realm uses a granule for nothing else.
    ///
    /// Addresses of the machine and of the realm are the same here, so a granule leads to the
    /// registers of its own address or the host has nothing to map.
    pub fn validate(&mut self, asked: Validation, is_empty: impl Fn(u64) -> bool) -> Validated {
        let answer = |status, progress, rejected| Validated {
            status,
            progress,
            rejected,
        };
        if !matches!(self.state, State::Locked | State::Started) {
            return answer(ERROR_INPUT, 0, false);
        }
        if asked.nonces != self.nonces {
            return answer(ERROR_DEVICE, 0, false);
        }
        let Validation { base, top, .. } = asked;
        let end = match self.lie {
            Lie::Stalled => base,
            Lie::Slow => base + GRANULE,
            _ => top,
        };
        let mut at = base;
        while at < end {
            let place = asked.registers.wrapping_add(at - base);
            let fits = place == at && self.protects(at) && is_empty(at) && self.ripas(at).is_none();
            if self.lie == Lie::Rejected || !fits {
                return answer(SUCCESS, at, true);
            }
            self.mapped.insert(at);
            at += GRANULE;
        }
        answer(SUCCESS, at, false)
    }

    /// Lets the device reach private memory; gives the status.
    pub fn enable_dma(&mut self, flags: u64, plane: u64, nonces: [u64; 3]) -> u64 {
        if plane != 0 || flags > 1 {
            return ERROR_INPUT;
        }
        if self.state != State::Started || nonces != self.nonces {
            return ERROR_DEVICE;
        }
        self.dma = true;
        match self.lie {
            Lie::Unmapped => {
                let first = self.mapped.pop_first();
                self.destroyed.extend(first);
            }
            Lie::Unlocked => {
                self.destroyed.append(&mut self.mapped);
                self.unlock();
            }
            _ => {}
        }
        SUCCESS
    }

    /// Lets the device reach private memory no more; gives the status.
    pub const fn disable_dma(&mut self) -> u64 {
        self.dma = false;
        SUCCESS
    }

    /// Registers that only the realm reaches.
    #[must_use]
    pub fn protected_ranges(&self) -> &[Range] {
        &self.protected
    }
}
