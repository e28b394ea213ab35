//! Every RSI call, typed.
//!
//! The Realm Services Interface (RSI) is how a realm speaks with the Realm Management Monitor
//! (RMM). [`Rsi::negotiate`] finds out whether there is one, and is the only way to a [`Rsi`];
//! each of its methods is one call, or one loop of a call that may stop half-way. [`psci`] holds
//! the few power calls that go the same way. Instructions are behind [`Conduit`], so all of this
//! runs on the host too.
//!
//! ```
//! use rsi::{Arguments, Conduit, Error, Results, Rsi};
//! use untrusted::Untrusted;
//!
//! /// Where nobody knows the call; in a realm this is `smc #0`.
//! struct Machine;
//!
//! impl Conduit for Machine {
//!     fn call(&self, _: Arguments) -> Results {
//!         [Untrusted::from_host(u64::MAX); 9]
//!     }
//! }
//!
//! assert_eq!(Rsi::negotiate(Machine).err(), Some(Error::NotARealm));
//! ```
//!
//! Ref: DEN0137 1.0-rel0, B5 "Realm Services Interface".
#![no_std]
#![forbid(unsafe_code)]

mod conduit;
mod config;
mod error;
mod field;
mod granule;
mod host_call;
mod measurement;
pub mod psci;
mod ripas;
mod stepwise;
mod token;
mod vdev;
mod vdev_info;
mod version;

pub use conduit::{Arguments, Conduit, Results, answer};
pub use config::{CONFIG_SIZE, HashAlgorithm, RealmConfig};
pub use error::{Call, Error, Status};
pub use granule::Granule;
pub use host_call::{HOST_CALL_SIZE, HostCall};
pub use measurement::{MEASUREMENT_SIZE, MeasurementIndex, RemIndex};
pub use ripas::{Ripas, SetFlags, States};
pub use token::{CHALLENGE_SIZE, TokenProgress};
pub use vdev::{Nonces, VdevId};
pub use vdev_info::{
    DIGEST_FIELD, HashError, LayoutError, VDEV_INFO_ALIGN, VDEV_INFO_SIZE, VdevInfo, VdevState,
};
pub use version::Version;

/// The RMM of this realm. Made by [`Rsi::negotiate`].
#[derive(Clone, Copy, Debug)]
pub struct Rsi<C> {
    conduit: C,
    version: Version,
}

impl<C: Conduit> Rsi<C> {
    /// The highest version that the RMM has; it may be newer than the one we speak, which is
    /// [`Version::SPOKEN`].
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Reads feature register `index`. RSI 1.0 has none and answers 0.
    ///
    /// # Errors
    ///
    /// [`Error::Call`].
    ///
    /// Ref: DEN0137 1.0-rel0, B5.3.3 `RSI_FEATURES`.
    pub fn features(&self, index: u64) -> Result<u64, Error> {
        let results = self.succeed(Call::Features, &[index])?;
        let bits = conduit::answer(&results, 1);
        Ok(bits.any_value("a set: what we do not know is not used"))
    }

    /// Makes `call` and hands back all results.
    fn call(&self, call: Call, operands: &[u64]) -> (Status, Results) {
        conduit::call(&self.conduit, call, operands)
    }

    /// Makes `call`; anything but success is an error.
    fn succeed(&self, call: Call, operands: &[u64]) -> Result<Results, Error> {
        match self.call(call, operands) {
            (Status::Success, results) => Ok(results),
            (status, _) => Err(Error::Call { call, status }),
        }
    }
}
