//! What of a realm's and a REC's parameters is measured.

use crate::{Algorithm, Digest, Hasher};

/// Bytes of the parameter pages that the RMM hashes.
const PARAMS_SIZE: usize = 4096;

/// The measured part of `RmiRealmParams`; all else counts as zero.
///
/// Ref: DEN0137 1.0-rel0, B4.3.9.4 and B4.4.12 "RmiRealmParams type".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RealmParams {
    /// Flags word: bit 0 LPA2, bit 1 SVE, bit 2 PMU; RMM 2.0 has more.
    pub flags: u64,
    /// Width of the IPA space in bits, shared half included.
    pub ipa_bits: u8,
    /// SVE vector length in quadwords, minus 1.
    pub sve_vl: u8,
    /// Breakpoints as `ID_AA64DFR0_EL1.BRPs` has them: number minus 1.
    pub breakpoints: u8,
    /// Watchpoints as `ID_AA64DFR0_EL1.WRPs` has them: number minus 1.
    pub watchpoints: u8,
    /// PMU counters; 0 without a PMU.
    pub pmu_counters: u8,
    /// How the realm is measured.
    pub algorithm: Algorithm,
}

impl RealmParams {
    /// Flag: the realm has SVE.
    pub const SVE: u64 = 1 << 1;
    /// Flag: the realm has a PMU.
    pub const PMU: u64 = 1 << 2;
    /// Flag: the realm may have devices (TF-RMM of 2026).
    pub const DEVICES: u64 = 1 << 3;

    /// Hashes the parameter page: the first value of a RIM.
    pub(crate) fn digest(&self) -> Digest {
        let mut head = [0; 0x38];
        put(&mut head, 0x00, &self.flags.to_le_bytes());
        put(&mut head, 0x08, &[self.ipa_bits]);
        put(&mut head, 0x10, &[self.sve_vl]);
        put(&mut head, 0x18, &[self.breakpoints]);
        put(&mut head, 0x20, &[self.watchpoints]);
        put(&mut head, 0x28, &[self.pmu_counters]);
        put(&mut head, 0x30, &[self.algorithm.code()]);
        let mut hasher = Hasher::new(self.algorithm);
        hasher.update(&head);
        hasher.zeros(PARAMS_SIZE - head.len());
        hasher.finish()
    }
}

/// The measured part of `RmiRecParams`. The MPIDR is not in it.
///
/// Ref: DEN0137 1.0-rel0, B4.3.12.4 and B4.4.16 "RmiRecParams type".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecParams {
    /// Address of the first instruction.
    pub pc: u64,
    /// `x0` to `x7` at entry.
    pub gprs: [u64; 8],
}

impl RecParams {
    /// A REC that starts at `pc` with `x0`, and zero in the other registers.
    pub const fn entry(pc: u64, x0: u64) -> Self {
        Self {
            pc,
            gprs: [x0, 0, 0, 0, 0, 0, 0, 0],
        }
    }

    /// Hashes the parameter page of a runnable REC.
    pub(crate) fn digest(&self, algorithm: Algorithm) -> Digest {
        const RUNNABLE: u64 = 1;
        let mut hasher = Hasher::new(algorithm);
        hasher.update(&RUNNABLE.to_le_bytes());
        hasher.zeros(0x200 - 8);
        hasher.update(&self.pc.to_le_bytes());
        hasher.zeros(0x300 - 0x208);
        for gpr in self.gprs {
            hasher.update(&gpr.to_le_bytes());
        }
        hasher.zeros(PARAMS_SIZE - 0x340);
        hasher.finish()
    }
}

/// Copies `bytes` to `offset`, both constants of this crate.
pub(crate) fn put(buffer: &mut [u8], offset: usize, bytes: &[u8]) {
    let field = buffer
        .get_mut(offset..)
        .and_then(|tail| tail.get_mut(..bytes.len()))
        .expect("the field lies in its structure");
    field.copy_from_slice(bytes);
}
