//! All that a device says, compared with what the RMM has, and then verified.

use alloc::vec::Vec;
use core::fmt;

use rsi::VdevInfo;
use subtle::ConstantTimeEq as _;

use crate::Hash;
use crate::certificates::{self, ChainError};
use crate::report::{InterfaceReport, ReportError};
use crate::spdm::{self, Block, Measurements, Negotiation, SpdmError};

/// What comes first in what a device's measurement is the digest of.
const LABEL: &[u8] = b"airlock device measurement 1\0";

/// What the host hands over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// How platform and device agreed to speak.
    Negotiation,
    /// The device's certificates.
    Certificates,
    /// The measurements.
    Measurements,
    /// The interface report.
    Report,
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Negotiation => "negotiation",
            Self::Certificates => "certificates",
            Self::Measurements => "measurements",
            Self::Report => "interface report",
        })
    }
}

/// Why what a device says is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EvidenceError {
    /// The RMM hashes with something that we do not know.
    Hash {
        /// Its number.
        code: u8,
    },
    /// The host handed over something else than the RMM saw.
    Swapped {
        /// What.
        object: Object,
    },
    /// The messages in which they agreed.
    Negotiation(SpdmError),
    /// The certificates.
    Certificates(ChainError),
    /// The measurements.
    Measurements(SpdmError),
    /// The report.
    Report(ReportError),
}

impl fmt::Display for EvidenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hash { code } => write!(f, "the RMM hashes with unknown algorithm {code}"),
            Self::Swapped { object } => write!(
                f,
                "the host's {object} are not what the RMM saw: another digest"
            ),
            Self::Negotiation(error) => write!(f, "negotiation: {error}"),
            Self::Certificates(error) => write!(f, "{error}"),
            Self::Measurements(error) => write!(f, "measurements: {error}"),
            Self::Report(error) => write!(f, "interface report: {error}"),
        }
    }
}

impl core::error::Error for EvidenceError {}

/// What the host handed over, in private memory: anything.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// How platform and device agreed to speak.
    pub negotiation: Vec<u8>,
    /// The device's certificates.
    pub certificates: Vec<u8>,
    /// The measurements.
    pub measurements: Vec<u8>,
    /// The interface report.
    pub report: Vec<u8>,
}

impl Objects {
    /// Compares each object with the digest that the RMM has of it.
    ///
    /// # Errors
    ///
    /// [`EvidenceError::Hash`], [`EvidenceError::Swapped`].
    pub fn compare(self, info: &VdevInfo) -> Result<Compared, EvidenceError> {
        let unknown = |rsi::HashError { code }| EvidenceError::Hash { code };
        let digests = info.digests().map_err(unknown)?;
        let hash = Hash::of(info.hash_algorithm).unwrap_or(Hash::Sha512);
        let objects = [
            (Object::Negotiation, &self.negotiation),
            (Object::Certificates, &self.certificates),
            (Object::Measurements, &self.measurements),
            (Object::Report, &self.report),
        ];
        for ((object, bytes), expected) in objects.into_iter().zip(digests) {
            let digest = hash.digest(&[bytes]);
            if !bool::from(digest.as_bytes().ct_eq(expected)) {
                return Err(EvidenceError::Swapped { object });
            }
        }
        Ok(Compared(self))
    }
}

/// What the RMM saw too. It is the device's word now, and no more.
#[derive(Clone, Debug)]
pub struct Compared(Objects);

impl Compared {
    /// Verifies certificates and signature, and reads the rest.
    ///
    /// # Errors
    ///
    /// [`EvidenceError`].
    pub fn verify(self) -> Result<Evidence, EvidenceError> {
        let objects = self.0;
        let negotiation =
            Negotiation::parse(&objects.negotiation).map_err(EvidenceError::Negotiation)?;
        let chain =
            certificates::verify(&objects.certificates).map_err(EvidenceError::Certificates)?;
        let measured = Measurements::verify(&objects.measurements, &negotiation, &chain.key)
            .map_err(EvidenceError::Measurements)?;
        let report = InterfaceReport::parse(&objects.report).map_err(EvidenceError::Report)?;
        Ok(Evidence {
            measurement: Measurement::of(&chain.root, measured.record),
            root: chain.root,
            record: measured.record.to_vec(),
            report,
        })
    }
}

/// What a device is known by: its maker and what it runs, as one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Measurement([u8; 32]);

impl Measurement {
    /// SHA-256 over a label, the digest of the root certificate, and the record.
    fn of(root: &[u8; 32], record: &[u8]) -> Self {
        let digest = Hash::Sha256.digest(&[LABEL, root, record]);
        Self(*digest.as_bytes().first_chunk().unwrap_or(&[0; 32]))
    }

    /// Takes its bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Measurement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What a device is, as far as its maker's word goes. Made by [`Compared::verify`] only.
#[derive(Clone, Debug)]
pub struct Evidence {
    measurement: Measurement,
    root: [u8; 32],
    record: Vec<u8>,
    report: InterfaceReport,
}

impl Evidence {
    /// Maker and firmware as one number: what policies are about.
    pub const fn measurement(&self) -> Measurement {
        self.measurement
    }

    /// SHA-256 of the maker's root certificate.
    pub const fn root(&self) -> &[u8; 32] {
        &self.root
    }

    /// What was measured, as the device signed it: blocks of DSP0274, 10.11.
    pub fn record(&self) -> &[u8] {
        &self.record
    }

    /// The same, read: each with its number, what it is about, and its value.
    pub fn blocks(&self) -> impl Iterator<Item = Block<'_>> {
        spdm::blocks(&self.record)
    }

    /// The registers that the device reports.
    pub const fn report(&self) -> &InterfaceReport {
        &self.report
    }
}
