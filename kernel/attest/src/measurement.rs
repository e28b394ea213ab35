//! What the realm is made of, in numbers: read them, and add to them.

use core::fmt;

use rsi::{Conduit, HashAlgorithm, MEASUREMENT_SIZE, MeasurementIndex, RemIndex, Rsi};
use sha2::{Digest as _, Sha256};

/// A digest of the realm's hash algorithm: 32, 48 or 64 bytes. Displays in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Digest {
    bytes: [u8; MEASUREMENT_SIZE],
    size: usize,
}

impl Digest {
    /// The value of a measurement that nothing was added to yet.
    ///
    /// # Errors
    /// [`MeasureError::UnknownHash`].
    pub fn zero(algorithm: HashAlgorithm) -> Result<Self, MeasureError> {
        Self::of_measurement(algorithm, [0; MEASUREMENT_SIZE])
    }

    /// The digest of `data`.
    ///
    /// # Errors
    /// [`MeasureError::UnknownHash`].
    pub fn of(algorithm: HashAlgorithm, data: &[u8]) -> Result<Self, MeasureError> {
        Self::of_parts(algorithm, &[data])
    }

    /// The value that a measurement of the value `self` has after it was extended by `value`.
    ///
    /// # Errors
    /// [`MeasureError::UnknownHash`].
    ///
    /// Ref: DEN0137 1.0-rel0, B5.3.7 `RSI_MEASUREMENT_EXTEND`.
    pub fn extended(&self, algorithm: HashAlgorithm, value: &[u8]) -> Result<Self, MeasureError> {
        Self::of_parts(algorithm, &[self.as_bytes(), value])
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.size).unwrap_or_default()
    }

    /// The digest in the 64 bytes of a measurement.
    fn of_measurement(
        algorithm: HashAlgorithm,
        bytes: [u8; MEASUREMENT_SIZE],
    ) -> Result<Self, MeasureError> {
        let size = algorithm
            .digest_size()
            .ok_or(MeasureError::UnknownHash(algorithm))?;
        Ok(Self { bytes, size })
    }

    fn of_parts(algorithm: HashAlgorithm, parts: &[&[u8]]) -> Result<Self, MeasureError> {
        match algorithm {
            HashAlgorithm::Sha256 => {
                let mut hash = Sha256::new();
                parts.iter().for_each(|part| hash.update(part));
                Ok(Self::copied(&hash.finalize()))
            }
            // Realms with these are few and hash little: a quarter of the code of `sha2`'s.
            HashAlgorithm::Sha384 => {
                let mut hash = hmac_sha512::sha384::Hash::new();
                parts.iter().for_each(|part| hash.update(part));
                Ok(Self::copied(&hash.finalize()))
            }
            HashAlgorithm::Sha512 => {
                let mut hash = hmac_sha512::Hash::new();
                parts.iter().for_each(|part| hash.update(part));
                Ok(Self::copied(&hash.finalize()))
            }
            HashAlgorithm::Unknown(_) => Err(MeasureError::UnknownHash(algorithm)),
        }
    }

    fn copied(digest: &[u8]) -> Self {
        let mut bytes = [0; MEASUREMENT_SIZE];
        for (to, from) in bytes.iter_mut().zip(digest) {
            *to = *from;
        }
        Self {
            bytes,
            size: digest.len().min(MEASUREMENT_SIZE),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes()
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// All measurements of a realm at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measurements {
    /// Realm Initial Measurement: what the realm was made of before it ran.
    pub rim: Digest,
    /// Realm Extensible Measurements 1 to 4: what was added since.
    pub rems: [Digest; 4],
}

/// Why a measurement was not read or extended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeasureError {
    /// We do not know the hash algorithm of this realm.
    UnknownHash(HashAlgorithm),
    /// There is no such measurement: 1 to 4 can be extended.
    Index {
        /// The number that was asked for.
        number: u8,
    },
    /// This is no realm: nobody keeps measurements.
    NotSupported,
    /// The event log is full; nothing was extended.
    LogFull,
    /// The RMM refused.
    Rsi(rsi::Error),
}

impl From<rsi::Error> for MeasureError {
    fn from(error: rsi::Error) -> Self {
        if error.is_unsupported() {
            Self::NotSupported
        } else {
            Self::Rsi(error)
        }
    }
}

impl fmt::Display for MeasureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownHash(algorithm) => write!(f, "cannot measure with {algorithm}"),
            Self::Index { number } => write!(f, "REM {number} does not exist: 1 to 4 do"),
            Self::NotSupported => f.write_str("no measurements: this is not a realm"),
            Self::LogFull => f.write_str("the event log is full"),
            Self::Rsi(error) => write!(f, "{error}"),
        }
    }
}

impl core::error::Error for MeasureError {}

/// Reads one measurement.
///
/// # Errors
/// [`MeasureError::UnknownHash`], [`MeasureError::NotSupported`], [`MeasureError::Rsi`].
pub fn read<C: Conduit>(
    rsi: &Rsi<C>,
    algorithm: HashAlgorithm,
    index: MeasurementIndex,
) -> Result<Digest, MeasureError> {
    Digest::of_measurement(algorithm, rsi.measurement_read(index)?)
}

/// Reads all five measurements.
///
/// # Errors
/// As [`read`].
pub fn read_all<C: Conduit>(
    rsi: &Rsi<C>,
    algorithm: HashAlgorithm,
) -> Result<Measurements, MeasureError> {
    let rim = read(rsi, algorithm, MeasurementIndex::Rim)?;
    let mut rems = [Digest::zero(algorithm)?; 4];
    for (rem, index) in rems.iter_mut().zip(RemIndex::ALL) {
        *rem = read(rsi, algorithm, MeasurementIndex::Rem(index))?;
    }
    Ok(Measurements { rim, rems })
}

#[cfg(test)]
mod tests {
    use alloc::{format, vec::Vec};

    use super::*;

    #[test]
    fn an_extended_measurement_is_the_hash_of_the_old_value_and_the_new() {
        let sha256 = HashAlgorithm::Sha256;
        let rem = Digest::zero(sha256)
            .unwrap()
            .extended(sha256, b"abc")
            .unwrap();
        assert_eq!(
            format!("{rem}"),
            "365aa7d8f7f9402c4b9434502b4cc89ddb09fe50d7cd95b493b834c62d5a5370"
        );
    }

    #[test]
    fn digests_are_those_of_sha2_for_any_length_and_split() {
        let data: Vec<u8> = (0..=255).cycle().take(400).collect();
        for len in 0..data.len() {
            let (head, tail) = data[..len].split_at(len / 3);
            let of = |algorithm| Digest::of_parts(algorithm, &[head, tail]).unwrap();
            let whole = &data[..len];
            let expected = sha2::Sha384::digest(whole);
            assert_eq!(of(HashAlgorithm::Sha384).as_bytes(), &expected[..]);
            let expected = sha2::Sha512::digest(whole);
            assert_eq!(of(HashAlgorithm::Sha512).as_bytes(), &expected[..]);
        }
    }

    #[test]
    fn a_digest_has_the_size_of_its_algorithm() {
        for (algorithm, size) in [
            (HashAlgorithm::Sha256, 32),
            (HashAlgorithm::Sha384, 48),
            (HashAlgorithm::Sha512, 64),
        ] {
            assert_eq!(Digest::of(algorithm, b"").unwrap().as_bytes().len(), size);
            assert_eq!(Digest::zero(algorithm).unwrap().as_bytes().len(), size);
        }
    }

    #[test]
    fn an_unknown_algorithm_measures_nothing() {
        let unknown = HashAlgorithm::Unknown(9);
        assert_eq!(
            Digest::of(unknown, b""),
            Err(MeasureError::UnknownHash(unknown))
        );
    }
}
