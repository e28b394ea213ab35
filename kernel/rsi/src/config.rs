//! What the RMM says about this realm.

use core::fmt;

use ipa::{IpaSpace, ProtectedIpa, WidthError};

use crate::field::rmm_field;
use crate::{Call, Conduit, Error, Rsi};

/// Bytes of the structure that `RSI_REALM_CONFIG` writes: one granule, at a multiple of its size.
pub const CONFIG_SIZE: usize = 4096;

const IPA_WIDTH: usize = 0;
const HASH_ALGORITHM: usize = 8;
const PERSONALIZATION_VALUE: usize = 0x200;

/// The hash that the realm's measurements are made with.
///
/// Ref: DEN0137 1.0-rel0, B5.4 `RsiHashAlgorithm`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashAlgorithm {
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
    /// SHA-384; RSI 1.1 and later.
    Sha384,
    /// A number that we know nothing about. Measurements can still be read.
    Unknown(u8),
}

impl HashAlgorithm {
    /// Takes the number in the configuration.
    pub const fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Sha256,
            1 => Self::Sha512,
            2 => Self::Sha384,
            other => Self::Unknown(other),
        }
    }

    /// Bytes of a digest, if we know the algorithm.
    pub const fn digest_size(self) -> Option<usize> {
        match self {
            Self::Sha256 => Some(32),
            Self::Sha384 => Some(48),
            Self::Sha512 => Some(64),
            Self::Unknown(_) => None,
        }
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha256 => f.write_str("sha-256"),
            Self::Sha512 => f.write_str("sha-512"),
            Self::Sha384 => f.write_str("sha-384"),
            Self::Unknown(code) => write!(f, "unknown hash {code}"),
        }
    }
}

/// What the RMM says about this realm.
///
/// Ref: DEN0137 1.0-rel0, B5.4 `RsiRealmConfig`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RealmConfig {
    /// Width of the IPA space in bits, shared bit included, as it came: see [`Self::space`].
    pub ipa_width: u64,
    /// What measurements are made with.
    pub hash_algorithm: HashAlgorithm,
    /// What the realm was personalized with by whoever made it. Not part of its measurement.
    pub personalization_value: [u8; 64],
}

impl RealmConfig {
    /// Reads the structure that [`Rsi::realm_config`] asked for. Fields that RSI 1.0 does not have
    /// are ignored.
    pub fn parse(page: &[u8; CONFIG_SIZE]) -> Self {
        let width = rmm_field(page, IPA_WIDTH).map(u64::from_le_bytes);
        let hash = rmm_field(page, HASH_ALGORITHM).map(u8::from_le_bytes);
        Self {
            ipa_width: width.any_value("Self::space refuses those that we cannot map"),
            hash_algorithm: HashAlgorithm::from_code(hash.any_value("each has a name")),
            personalization_value: rmm_field(page, PERSONALIZATION_VALUE)
                .any_value("told as it is; nothing here depends on it"),
        }
    }

    /// The address space of the realm.
    ///
    /// # Errors
    ///
    /// [`WidthError`] if we cannot map a space of this width.
    pub fn space(&self) -> Result<IpaSpace, WidthError> {
        IpaSpace::realm(self.ipa_width)
    }
}

impl<C: Conduit> Rsi<C> {
    /// Has the RMM write [`CONFIG_SIZE`] bytes to `page`, a granule of RAM, for
    /// [`RealmConfig::parse`].
    ///
    /// The width is not known before this call, so the granule is one of the image itself, as
    /// [`IpaSpace::plain`] has it: what runs is protected.
    ///
    /// # Errors
    ///
    /// [`Error::Call`]; then nothing was written.
    ///
    /// Ref: DEN0137 1.0-rel0, B5.3.9 `RSI_REALM_CONFIG`.
    pub fn realm_config(&self, page: ProtectedIpa) -> Result<(), Error> {
        let _nothing_else = self.succeed(Call::RealmConfig, &[page.get()])?;
        Ok(())
    }
}
