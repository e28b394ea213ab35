//! The ephemeral key pair that a key comes wrapped with.

use alloc::{boxed::Box, vec::Vec};
use core::fmt;

use rand_core::CryptoRng;
use rsa::{BoxedUint, Oaep, RsaPrivateKey, hazmat, traits::PublicKeyParts};
use sha2::Sha256;
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};
use zeroize::Zeroizing;

/// The length of the modulus, in bits.
const MODULUS_BITS: usize = 2048;
/// The shortest padding of PKCS#1 v1.5 with the two bytes before it and the zero after it.
const PKCS1_OVERHEAD: usize = 11;

/// How the broker wraps the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wrapping {
    /// RSA-OAEP with SHA-256 for the label and for the mask, which the demonstration's broker means by
    /// `RSA-OAEP` (the registered name would mean SHA-1).
    #[default]
    Oaep,
    /// PKCS#1 v1.5, which the demonstration's own client asks for.
    Pkcs1v15,
}

impl Wrapping {
    /// The name that the protocol has for it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Oaep => "RSA-OAEP",
            Self::Pkcs1v15 => "RSA1_5",
        }
    }

    /// The wrapping that the protocol calls `name`.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Oaep, Self::Pkcs1v15]
            .into_iter()
            .find(|wrapping| wrapping.name() == name)
    }
}

impl fmt::Display for Wrapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// No key pair could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NoKeyPair;

/// The bytes do not open with our key: they were wrapped for somebody else, or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotForUs;

/// An RSA key pair that opens one wrapped key and is then gone.
///
/// The private half is cleared when it is dropped.
pub(crate) struct KeyPair {
    private: RsaPrivateKey,
    wrapping: Wrapping,
}

impl KeyPair {
    /// Makes a key pair from `rng`.
    pub(crate) fn make<R: CryptoRng>(wrapping: Wrapping, rng: &mut R) -> Result<Self, NoKeyPair> {
        let private = RsaPrivateKey::new(rng, MODULUS_BITS).map_err(|_| NoKeyPair)?;
        Ok(Self { private, wrapping })
    }

    /// The modulus, big-endian without leading zeros.
    pub(crate) fn modulus(&self) -> Box<[u8]> {
        self.private.n_bytes()
    }

    /// The public exponent, big-endian without leading zeros.
    pub(crate) fn exponent(&self) -> Box<[u8]> {
        self.private.e_bytes()
    }

    /// Opens a wrapped key. Consumes the pair: an answer about a second text would make an oracle.
    pub(crate) fn unwrap<R: CryptoRng>(
        self,
        wrapped: &[u8],
        rng: &mut R,
    ) -> Result<Zeroizing<Vec<u8>>, NotForUs> {
        if wrapped.len() != self.private.size() {
            return Err(NotForUs);
        }
        match self.wrapping {
            Wrapping::Oaep => self
                .private
                .decrypt_blinded(rng, Oaep::<Sha256>::new(), wrapped)
                .map(Zeroizing::new)
                .map_err(|_| NotForUs),
            Wrapping::Pkcs1v15 => self.unwrap_pkcs1(wrapped, rng),
        }
    }

    /// Opens PKCS#1 v1.5. The `rsa` crate would return made-up bytes where the padding is wrong.
    fn unwrap_pkcs1<R: CryptoRng>(
        &self,
        wrapped: &[u8],
        rng: &mut R,
    ) -> Result<Zeroizing<Vec<u8>>, NotForUs> {
        let cipher = BoxedUint::from_be_slice(wrapped, self.private.n_bits_precision())
            .map_err(|_| NotForUs)?;
        let plain = hazmat::rsa_decrypt_and_check(&self.private, Some(rng), &cipher)
            .map(Zeroizing::new)
            .map_err(|_| NotForUs)?;
        let block = Zeroizing::new(plain.to_be_bytes());
        without_padding(&block)
            .map(|message| Zeroizing::new(message.to_vec()))
            .ok_or(NotForUs)
    }
}

/// The message in a block `00 02 PS 00 M`; `None` if it is no such block.
///
/// Looks at every byte whatever it finds, so that time tells the length of a message that opens, and
/// nothing else.
///
/// Ref: RFC 8017, 7.2.2.
fn without_padding(block: &[u8]) -> Option<&[u8]> {
    let (head, rest) = block.split_at_checked(2)?;
    let good = head.ct_eq(&[0, 2]);
    let mut searching = Choice::from(1);
    let mut zero_at = 0_u32;
    for (at, byte) in (2_u32..).zip(rest) {
        let found = byte.ct_eq(&0) & searching;
        zero_at.conditional_assign(&at, found);
        searching &= !found;
    }
    // Without a zero it stays where it was, before the end of any padding.
    let start = usize::try_from(zero_at).ok()?.checked_add(1)?;
    let padded = Choice::from(u8::from(start >= PKCS1_OVERHEAD));
    if bool::from(good & padded) {
        block.get(start..)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use chacha20::ChaCha20Rng;
    use rand_core::SeedableRng;
    use rsa::{Pkcs1v15Encrypt, RsaPublicKey};

    use super::*;

    const SECRET: &[u8] = b"May the force be with you.";

    fn rng() -> ChaCha20Rng {
        ChaCha20Rng::from_seed([7; 32])
    }

    fn wrap(to: &KeyPair, rng: &mut ChaCha20Rng) -> Vec<u8> {
        let public = RsaPublicKey::from(&to.private);
        match to.wrapping {
            Wrapping::Oaep => public.encrypt(rng, Oaep::<Sha256>::new(), SECRET),
            Wrapping::Pkcs1v15 => public.encrypt(rng, Pkcs1v15Encrypt, SECRET),
        }
        .unwrap()
    }

    #[test]
    fn both_wrappings_open_with_our_key_and_with_no_other() {
        let mut rng = rng();
        for wrapping in [Wrapping::Oaep, Wrapping::Pkcs1v15] {
            let ours = KeyPair::make(wrapping, &mut rng).unwrap();
            let theirs = KeyPair::make(wrapping, &mut rng).unwrap();
            let wrapped = wrap(&ours, &mut rng);
            let for_them = wrap(&theirs, &mut rng);
            assert_eq!(ours.modulus().len(), 256);
            assert_eq!(&*ours.exponent(), &[1, 0, 1]);
            assert_eq!(ours.unwrap(&wrapped, &mut rng).unwrap().as_slice(), SECRET);
            let ours = KeyPair::make(wrapping, &mut rng).unwrap();
            assert_eq!(ours.unwrap(&for_them, &mut rng), Err(NotForUs));
        }
    }

    #[test]
    fn bytes_of_another_length_or_above_the_modulus_do_not_open() {
        let mut rng = rng();
        for wrapped in [&[][..], &[1; 255], &[1; 257], &[0xff; 256]] {
            for wrapping in [Wrapping::Oaep, Wrapping::Pkcs1v15] {
                let ours = KeyPair::make(wrapping, &mut rng).unwrap();
                assert_eq!(ours.unwrap(wrapped, &mut rng), Err(NotForUs));
            }
        }
    }

    #[test]
    fn each_rule_of_the_padding_is_checked() {
        let block = |padding: usize, message: &[u8]| {
            let mut block = alloc::vec![0, 2];
            block.resize(2 + padding, 9);
            block.push(0);
            block.extend_from_slice(message);
            block
        };
        assert_eq!(without_padding(&block(8, b"key")), Some(&b"key"[..]));
        assert_eq!(without_padding(&block(8, b"a\0b")), Some(&b"a\0b"[..]));
        assert_eq!(without_padding(&block(8, b"")), Some(&b""[..]));
        assert_eq!(without_padding(&block(7, b"key")), None, "too short");
        let mut wrong = block(8, b"key");
        wrong[1] = 1;
        assert_eq!(without_padding(&wrong), None, "a signature's block");
        let mut wrong = block(8, b"key");
        wrong[0] = 1;
        assert_eq!(without_padding(&wrong), None, "first byte");
        assert_eq!(
            without_padding(&[0, 2, 9, 9, 9, 9, 9, 9, 9, 9, 9]),
            None,
            "no end"
        );
        assert_eq!(without_padding(&[0]), None, "no block");
    }

    #[test]
    fn a_wrapping_has_the_name_of_the_protocol() {
        assert_eq!(Wrapping::named("RSA-OAEP"), Some(Wrapping::Oaep));
        assert_eq!(Wrapping::named("RSA1_5"), Some(Wrapping::Pkcs1v15));
        assert_eq!(Wrapping::named("RSA"), None);
        assert_eq!(std::format!("{}", Wrapping::Oaep), "RSA-OAEP");
    }
}
