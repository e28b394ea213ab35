//! A chain of certificates, from a maker's root to a device's key.
//!
//! Who the root is decides a policy; here it counts that each certificate is signed by the one before,
//! may do so, and names it. Times are not looked at: a realm has no clock that the host cannot set.
//! A self-signed root proves nothing either, but one whose signature is wrong is not what its maker
//! published.
//!
//! Ref: RFC 5280, 4.1, 4.2 and 6.1; RFC 5480; RFC 5758, 3.2; DSP0274 1.2, 10.8.

mod certificate;

use core::fmt;

use crate::key::KeyError;
use crate::{Hash, PublicKey};
pub use certificate::Fault;
use certificate::{Certificate, split};

/// The most certificates of a chain.
pub const MOST_CERTIFICATES: usize = 8;

/// Why a chain is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainError {
    /// Which certificate, the root being 0.
    pub index: usize,
    /// What is wrong with it.
    pub fault: Fault,
}

impl fmt::Display for ChainError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "certificate {}: {}", self.index, self.fault)
    }
}

/// What a chain says, once it holds.
#[derive(Clone, Debug)]
pub struct Chain {
    /// SHA-256 of the root certificate.
    pub root: [u8; 32],
    /// The device's key.
    pub key: PublicKey,
    /// How many certificates there are.
    pub certificates: usize,
}

/// Verifies `bytes`: certificates one behind the other, root first, device last.
///
/// # Errors
///
/// [`ChainError`] for the first certificate that does not hold.
pub fn verify(bytes: &[u8]) -> Result<Chain, ChainError> {
    let at = |index| move |fault| ChainError { index, fault };
    let mut rest = bytes;
    let mut issuer: Option<Certificate<'_>> = None;
    let mut root = [0; 32];
    // How many more certificates the ones before allow between them and the device.
    let mut allowed = MOST_CERTIFICATES;
    for index in 0..MOST_CERTIFICATES {
        let (one, behind) = split(rest).map_err(at(index))?;
        let certificate = Certificate::parse(one).map_err(at(index))?;
        // The root has signed itself.
        let by = issuer.as_ref().unwrap_or(&certificate);
        certificate.is_by(by).map_err(at(index))?;
        if issuer.is_none() {
            let digest = Hash::Sha256.digest(&[one]);
            root = *digest.as_bytes().first_chunk().unwrap_or(&root);
        }
        if behind.is_empty() {
            certificate.may_sign_data().map_err(at(index))?;
            return Ok(Chain {
                root,
                key: certificate.key,
                certificates: index + 1,
            });
        }
        if index > 0 {
            allowed = allowed.checked_sub(1).ok_or(at(index)(Fault::TooLong))?;
        }
        let limit = certificate.may_sign_certificates().map_err(at(index))?;
        allowed = allowed.min(limit.unwrap_or(allowed));
        (issuer, rest) = (Some(certificate), behind);
    }
    Err(at(MOST_CERTIFICATES)(Fault::TooLong))
}

/// What is wrong with a signature or a key, as the fault of a certificate.
impl From<KeyError> for Fault {
    fn from(error: KeyError) -> Self {
        Self::Key(error)
    }
}
