//! What the RMM says of a device, in the two layouts that are about.

use core::fmt;

use untrusted::Untrusted;

use crate::field::rmm_field;
use crate::{HashAlgorithm, Nonces};

/// Bytes of the structure that `RSI_VDEV_GET_INFO` writes.
pub const VDEV_INFO_SIZE: usize = 512;
/// What its address is a multiple of.
pub const VDEV_INFO_ALIGN: u64 = 512;
/// Bytes that are there for a digest; a shorter one is followed by zeros.
pub const DIGEST_FIELD: usize = 64;

const HASH_ALGORITHM: usize = 0x10;
const LOCK_NONCE: usize = 0x18;
const MEASUREMENT_NONCE: usize = 0x20;
const REPORT_NONCE: usize = 0x28;
/// Here the layouts part: one has a format and then a version, the other the version at once.
const FORMAT: usize = 0x30;
const FORMAT_TDISP: u64 = 1;
const VERSION_1_0: u64 = 0x1_0000;
/// TDISP's own number for version 1.0.
const MESSAGE_VERSION_1_0: u64 = 0x10;

/// Where the rest is.
struct Layout {
    state: usize,
    digests: [usize; 4],
}

/// DEN0137 2.0-bet1 and TF-RMM of 2026.
const WITH_FORMAT: Layout = Layout {
    state: 0x40,
    digests: [0x80, 0xc0, 0x140, 0x180],
};
/// DEN0137 1.1-alp17, and the guests written for it.
const WITHOUT_FORMAT: Layout = Layout {
    state: 0x38,
    digests: [0x40, 0x80, 0x100, 0x140],
};

/// The state of a device's interface, as the RMM knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VdevState {
    /// 0: the host's, and nothing is promised.
    Unlocked,
    /// 1: its configuration stands; it reaches nothing.
    Locked,
    /// 2: it works for the realm.
    Started,
    /// 3: it left the state that it was in.
    Error,
    /// A number that we know nothing about.
    Unknown(u8),
}

impl VdevState {
    const fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Unlocked,
            1 => Self::Locked,
            2 => Self::Started,
            3 => Self::Error,
            other => Self::Unknown(other),
        }
    }
}

impl fmt::Display for VdevState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unlocked => f.write_str("unlocked"),
            Self::Locked => f.write_str("locked"),
            Self::Started => f.write_str("started"),
            Self::Error => f.write_str("in error"),
            Self::Unknown(code) => write!(f, "in unknown state {code}"),
        }
    }
}

/// The structure is in no layout that we know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayoutError {
    /// The word at offset 0x30, which tells layouts apart.
    pub word: u64,
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "RsiVdevInfo of an unknown layout: {:#x} at 0x30",
            self.word
        )
    }
}

impl core::error::Error for LayoutError {}

/// The RMM hashes what it knows of the device with something that we do not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HashError {
    /// Its number.
    pub code: u8,
}

/// What the RMM says of a device. Digests are of exactly what the host has in its cache.
///
/// Ref: DEN0137 2.0, B5.5.28 `RsiVdevInfo`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VdevInfo {
    /// What the digests are made with; not what the realm's measurements are made with.
    pub hash_algorithm: HashAlgorithm,
    /// Of which lock, measurements and report this is.
    pub nonces: Nonces,
    /// The state of the interface.
    pub state: VdevState,
    vca: [u8; DIGEST_FIELD],
    certificates: [u8; DIGEST_FIELD],
    measurements: [u8; DIGEST_FIELD],
    report: [u8; DIGEST_FIELD],
}

impl VdevInfo {
    /// Reads the structure that [`Rsi::vdev_get_info`](crate::Rsi::vdev_get_info) asked for.
    ///
    /// Nothing says which layout an RMM has, so the one place where they differ for sure decides.
    ///
    /// # Errors
    ///
    /// [`LayoutError`] if it is neither.
    pub fn parse(bytes: &[u8; VDEV_INFO_SIZE]) -> Result<Self, LayoutError> {
        let word = |at| rmm_field(bytes, at).map(u64::from_le_bytes);
        let told = (word(FORMAT), word(FORMAT + 8));
        let layout = match told {
            (format, version) if format.is(FORMAT_TDISP) && is_version_1_0(version) => WITH_FORMAT,
            (version, _) if is_version_1_0(version) => WITHOUT_FORMAT,
            (word, _) => {
                let word = word.any_value("shown in the error");
                return Err(LayoutError { word });
            }
        };
        let nonce = |at| word(at).any_value("compared with those of before and after");
        let code = |at| {
            let code = rmm_field(bytes, at).map(u8::from_le_bytes);
            code.any_value("each has a name")
        };
        let digest = |at| rmm_field(bytes, at).any_value("compared with a digest of ours");
        let [vca, certificates, measurements, report] = layout.digests;
        Ok(Self {
            hash_algorithm: HashAlgorithm::from_code(code(HASH_ALGORITHM)),
            nonces: Nonces {
                lock: nonce(LOCK_NONCE),
                measurements: nonce(MEASUREMENT_NONCE),
                report: nonce(REPORT_NONCE),
            },
            state: VdevState::from_code(code(layout.state)),
            vca: digest(vca),
            certificates: digest(certificates),
            measurements: digest(measurements),
            report: digest(report),
        })
    }

    /// The digests of VCA, certificates, measurements and report, in this order, without padding.
    ///
    /// # Errors
    ///
    /// [`HashError`] if the length of a digest is not known.
    pub fn digests(&self) -> Result<[&[u8]; 4], HashError> {
        let HashAlgorithm::Unknown(code) = self.hash_algorithm else {
            let size = self.hash_algorithm.digest_size().unwrap_or(DIGEST_FIELD);
            let fields = [
                &self.vca,
                &self.certificates,
                &self.measurements,
                &self.report,
            ];
            return Ok(fields.map(|field| field.get(..size).unwrap_or(field)));
        };
        Err(HashError { code })
    }
}

/// Whether this is version 1.0, in TDISP's way or in the RMM's.
fn is_version_1_0(version: Untrusted<u64>) -> bool {
    version.is(VERSION_1_0) || version.is(MESSAGE_VERSION_1_0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn structure(layout: &Layout, head: [(usize, u8); 2]) -> [u8; VDEV_INFO_SIZE] {
        let mut bytes = [0; VDEV_INFO_SIZE];
        bytes[HASH_ALGORITHM] = 2;
        (
            bytes[LOCK_NONCE],
            bytes[MEASUREMENT_NONCE],
            bytes[REPORT_NONCE],
        ) = (1, 2, 3);
        bytes[layout.state] = 2;
        for (at, value) in layout.digests.into_iter().zip(0xa0..) {
            bytes[at..at + 48].fill(value);
        }
        for (at, value) in head {
            bytes[at] = value;
        }
        bytes
    }

    #[test]
    fn both_layouts_say_the_same() {
        let with = structure(&WITH_FORMAT, [(0x30, 1), (0x3a, 1)]);
        let without = structure(&WITHOUT_FORMAT, [(0x32, 1), (0x33, 0)]);
        let short = structure(&WITHOUT_FORMAT, [(0x30, 0x10), (0x33, 0)]);
        let info = VdevInfo::parse(&with).unwrap();
        assert_eq!(VdevInfo::parse(&without), Ok(info));
        assert_eq!(VdevInfo::parse(&short), Ok(info));
        assert_eq!(info.state, VdevState::Started);
        assert_eq!(info.hash_algorithm, HashAlgorithm::Sha384);
        let nonces = Nonces {
            lock: 1,
            measurements: 2,
            report: 3,
        };
        assert_eq!(info.nonces, nonces);
        let digests = info.digests().unwrap();
        assert_eq!(
            digests,
            [&[0xa0; 48][..], &[0xa1; 48], &[0xa2; 48], &[0xa3; 48]]
        );
    }

    #[test]
    fn any_other_layout_is_refused() {
        for head in [
            [(0x30, 0), (0x38, 0)],
            [(0x30, 1), (0x38, 7)],
            [(0x30, 2), (0x3a, 1)],
        ] {
            let bytes = structure(&WITH_FORMAT, head);
            assert!(VdevInfo::parse(&bytes).is_err(), "{head:?}");
        }
    }

    #[test]
    fn a_hash_that_nobody_knows_has_no_digests() {
        let mut bytes = structure(&WITH_FORMAT, [(0x30, 1), (0x3a, 1)]);
        bytes[HASH_ALGORITHM] = 9;
        let info = VdevInfo::parse(&bytes).unwrap();
        assert_eq!(info.digests(), Err(HashError { code: 9 }));
    }
}
