//! Wrapping a secret for the holder of an RSA key.

use getrandom::SysRng;
use log::warn;
use rand_core::UnwrapErr;
use rsa::traits::PublicKeyParts;
use rsa::{BoxedUint, Oaep, Pkcs1v15Encrypt, RsaPublicKey};
use sha2::Sha256;

use crate::Refusal;
use crate::encoding::from_base64url;
use crate::protocol::RsaKey;

/// Modulus sizes that are taken, in bits. The demonstration's client has 1024, which is too few to
/// keep a secret; it gets a warning in the log.
const LEAST_BITS: usize = 1024;
const MOST_BITS: usize = 4096;
const SOUND_BITS: usize = 2048;

/// How a secret is wrapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Padding {
    /// PKCS#1 v1.5.
    Pkcs1,
    /// OAEP with SHA-256, for the label as for the mask.
    Oaep,
}

impl Padding {
    /// Bytes of the modulus that are not there for the secret.
    const fn overhead(self) -> usize {
        match self {
            Self::Pkcs1 => 11,
            Self::Oaep => 2 * 32 + 2,
        }
    }
}

/// A key that wraps.
#[derive(Clone, Debug)]
pub struct WrappingKey {
    key: RsaPublicKey,
    padding: Padding,
}

impl WrappingKey {
    /// Takes the public key of a request.
    pub fn read(key: &RsaKey) -> Result<Self, Refusal> {
        let padding = match (key.kty.as_str(), key.alg.as_str()) {
            ("RSA", "RSA1_5") => Padding::Pkcs1,
            ("RSA", "RSA-OAEP") => Padding::Oaep,
            _ => return Err(Refusal::KeyType),
        };
        let modulus = number(&key.n, "modulus")?;
        let exponent = number(&key.e, "exponent")?;
        let bits = modulus.bits_vartime() as usize;
        if !(LEAST_BITS..=MOST_BITS).contains(&bits) {
            return Err(Refusal::ModulusSize);
        }
        if bits < SOUND_BITS {
            warn!("a client wants its key wrapped by RSA with {bits} bits: too few to be safe");
        }
        let key = RsaPublicKey::new(modulus, exponent).map_err(|_| Refusal::PublicKey)?;
        Ok(Self { key, padding })
    }

    /// The longest secret that it wraps, in bytes.
    pub fn capacity(&self) -> usize {
        self.key.size().saturating_sub(self.padding.overhead())
    }

    /// Wraps `secret`.
    pub fn wrap(&self, secret: &[u8]) -> Result<Vec<u8>, Refusal> {
        let mut rng = UnwrapErr(SysRng);
        let wrapped = match self.padding {
            Padding::Pkcs1 => self.key.encrypt(&mut rng, Pkcs1v15Encrypt, secret),
            Padding::Oaep => self.key.encrypt(&mut rng, Oaep::<Sha256>::new(), secret),
        };
        wrapped.map_err(|_| Refusal::SecretTooLong)
    }
}

/// Reads a big-endian number, which may not be longer than any that is taken.
fn number(text: &str, what: &'static str) -> Result<BoxedUint, Refusal> {
    let bytes = from_base64url(text).map_err(|_| Refusal::Base64 { what })?;
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let significant = bytes.get(zeros..).unwrap_or_default();
    if significant.len() * 8 > MOST_BITS {
        return Err(Refusal::ModulusSize);
    }
    Ok(BoxedUint::from_be_slice_vartime(significant))
}
