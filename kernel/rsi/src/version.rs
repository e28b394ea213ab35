//! Which RSI the RMM speaks, and whether there is one.

use core::fmt;

use crate::conduit::{self, Conduit};
use crate::{Call, Error, Rsi, Status};

/// A version as `RSI_VERSION` has it: major in bits 30 to 16, minor in bits 15 to 0. A number that
/// is no version is kept as it came.
///
/// Ref: DEN0137 1.0-rel0, B5.1 "RSI version".
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(u64);

impl Version {
    /// The version that we speak: 1.0.
    pub const SPOKEN: Self = Self::new(1, 0);

    /// The version `major.minor`; `major` below 2^15.
    pub const fn new(major: u16, minor: u16) -> Self {
        Self((((major & 0x7fff) as u64) << 16) | minor as u64)
    }

    /// Takes the number in a result register.
    pub const fn from_raw(raw: u64) -> Self {
        Self(raw)
    }

    /// The number for a register.
    pub const fn raw(self) -> u64 {
        self.0
    }

    /// The part that counts incompatible changes.
    pub const fn major(self) -> u64 {
        self.0 >> 16
    }

    /// The part that counts additions.
    pub const fn minor(self) -> u64 {
        self.0 & 0xffff
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major(), self.minor())
    }
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<C: Conduit> Rsi<C> {
    /// Asks whoever is behind `conduit` for [`Version::SPOKEN`].
    ///
    /// The other way would be to ask for the newest version that anybody has; we ask for the oldest
    /// that does what we need, because every RMM so far has it.
    ///
    /// # Errors
    ///
    /// [`Error::NotARealm`], [`Error::Incompatible`], and [`Error::Call`] for a status that the
    /// specification does not give this call.
    ///
    /// Ref: DEN0137 1.0-rel0, B5.3.10 `RSI_VERSION`.
    pub fn negotiate(conduit: C) -> Result<Self, Error> {
        const COMPARED: &str = "compared with the version that we speak";
        let call = Call::Version;
        let (status, results) = conduit::call(&conduit, call, &[Version::SPOKEN.raw()]);
        let lower = conduit::answer(&results, 1).map(Version::from_raw);
        let higher = conduit::answer(&results, 2).map(Version::from_raw);
        let (lower, higher) = (lower.any_value(COMPARED), higher.any_value(COMPARED));
        match status {
            Status::Success if lower == Version::SPOKEN && higher >= lower => Ok(Self {
                conduit,
                version: higher,
            }),
            Status::Success | Status::Input => Err(Error::Incompatible { lower, higher }),
            Status::NotSupported => Err(Error::NotARealm),
            status => Err(Error::Call { call, status }),
        }
    }
}
