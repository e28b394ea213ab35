//! Secrets that the monitor knows, and where they are seen.

use alloc::vec::Vec;
use core::fmt;

use hostile::plan::CANARY;
use hostile::random::mix;

use crate::layout::{GUEST_RAM, MAX_GUEST};

/// The first two bytes of each word of memory that the realm was given and has not written to.
const TAG: u64 = 0x9be7;
/// What the check in such a word is mixed with.
const KEY: u64 = 0x6c65_616b_206f_7261;
/// Bits of a word: tag, its place in guest memory, check.
const PLACE: u32 = 16;
const CHECK: u32 = 44;
/// Bytes that a secret has at least, so that it is not seen by chance.
pub const SHORTEST: usize = 8;
/// Bytes that are looked at at once.
const LONGEST: usize = 64;
/// How many secrets can be told.
const MOST: usize = 8;

/// The word at `address` of memory that nobody has written to since the realm was given it.
#[must_use]
pub fn seed(address: u64) -> u64 {
    let place = address.wrapping_sub(GUEST_RAM) >> 3;
    let check = mix(place ^ KEY) >> CHECK;
    TAG | place << PLACE | check << CHECK
}

/// The address that [`seed`] made `word` for.
fn seeded(word: u64) -> Option<u64> {
    let place = word >> PLACE & ((1 << (CHECK - PLACE)) - 1);
    let address = GUEST_RAM + (place << 3);
    (place < MAX_GUEST >> 3 && seed(address) == word).then_some(address)
}

/// What a secret is called: the first 16 bytes of its name.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Name([u8; 16]);

impl Name {
    fn new(name: &str) -> Self {
        let mut bytes = [0; 16];
        for (to, from) in bytes.iter_mut().zip(name.bytes()) {
            *to = from;
        }
        Self(bytes)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.0.iter().take_while(|byte| **byte != 0);
        bytes.try_for_each(|&byte| write!(f, "{}", char::from(byte)))
    }
}

/// A secret that was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secret {
    /// Private memory at this address, as the realm was given it: a stale heap, or padding.
    Memory(u64),
    /// One that has a name.
    Named(Name),
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory(address) => {
                write!(f, "stale private memory of {address:#x}")
            }
            Self::Named(name) => write!(f, "the secret `{name}`"),
        }
    }
}

/// A secret of an option, `NAME:HEX`: its name and its bytes.
///
/// `None` if it is none, or has fewer than [`SHORTEST`] bytes or more than 64.
#[must_use]
pub fn parse(value: &str) -> Option<(Name, Vec<u8>)> {
    let (name, digits) = value.split_once(':')?;
    let good = !name.is_empty() && digits.is_ascii() && digits.len().is_multiple_of(2);
    if !good || !(SHORTEST..=LONGEST).contains(&(digits.len() / 2)) {
        return None;
    }
    let byte = |pair: &[u8]| {
        let text = core::str::from_utf8(pair).ok()?;
        u8::from_str_radix(text, 16).ok()
    };
    let bytes: Option<Vec<u8>> = digits.as_bytes().chunks(2).map(byte).collect();
    Some((Name::new(name), bytes?))
}

/// All secrets, and which bytes they begin with.
#[derive(Clone, Debug)]
pub struct Secrets {
    named: Vec<(Name, Vec<u8>)>,
    begins: [bool; 256],
}

impl Secrets {
    /// What everybody knows to be secret, and `more`, of which the first few are taken.
    #[must_use]
    pub fn new(more: impl Iterator<Item = (Name, Vec<u8>)>) -> Self {
        let canary = (Name::new("canary"), Vec::from([CANARY; SHORTEST]));
        let named: Vec<_> = core::iter::once(canary).chain(more.take(MOST)).collect();
        let [tag, ..] = TAG.to_le_bytes();
        let first = |(_, bytes): &(Name, Vec<u8>)| bytes.first().copied();
        let mut begins = [false; 256];
        for byte in named.iter().filter_map(first).chain([tag]) {
            if let Some(slot) = begins.get_mut(usize::from(byte)) {
                *slot = true;
            }
        }
        Self { named, begins }
    }

    /// The first secret in `bytes`, and where it begins.
    #[must_use]
    pub fn find(&self, bytes: &[u8]) -> Option<(usize, Secret)> {
        let begins = |byte: &u8| self.begins.get(usize::from(*byte)) == Some(&true);
        let mut candidates = bytes.iter().enumerate().filter(|(_, byte)| begins(byte));
        candidates.find_map(|(at, _)| Some((at, self.at(bytes.get(at..)?)?)))
    }

    /// The secret that `bytes` begin with.
    fn at(&self, bytes: &[u8]) -> Option<Secret> {
        let word = u64::from_le_bytes(*bytes.first_chunk()?);
        if let Some(address) = seeded(word) {
            return Some(Secret::Memory(address));
        }
        let mut named = self.named.iter();
        let (name, _) = named.find(|(_, secret)| bytes.starts_with(secret))?;
        Some(Secret::Named(*name))
    }
}

impl Default for Secrets {
    fn default() -> Self {
        Self::new(core::iter::empty())
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::format;
    use std::vec;

    use super::*;

    #[test]
    fn stale_memory_is_known_at_any_place_and_says_where_it_was() {
        let secrets = Secrets::default();
        let mut bytes = vec![0; 100];
        for start in 0..40 {
            let address = GUEST_RAM + 0x12_3458 + 8 * start as u64;
            bytes.fill(7);
            bytes[start..start + 8].copy_from_slice(&seed(address).to_le_bytes());
            let found = secrets.find(&bytes);
            assert_eq!(found, Some((start, Secret::Memory(address))));
        }
    }

    #[test]
    fn what_was_never_given_is_no_stale_memory() {
        let secrets = Secrets::default();
        let mut word = seed(GUEST_RAM).to_le_bytes();
        word[7] ^= 1;
        assert_eq!(secrets.find(&word), None);
        assert_eq!(secrets.find(&seed(GUEST_RAM).to_le_bytes()[..7]), None);
        let noise: Vec<u8> = (0..1 << 20).flat_map(|n| mix(n).to_le_bytes()).collect();
        assert_eq!(secrets.find(&noise), None);
    }

    #[test]
    fn a_named_secret_is_found_by_its_name() {
        let key = parse("key:4d61792074686520").unwrap();
        let secrets = Secrets::new([key].into_iter());
        let (at, found) = secrets.find(b"xMay the force").unwrap();
        assert_eq!((at, format!("{found}")), (1, "the secret `key`".into()));
        let canary = secrets.find(&[CANARY; 9]).map(|(at, _)| at);
        assert_eq!(canary, Some(0));
    }

    #[test]
    fn a_secret_that_is_none_is_refused() {
        for text in [
            "",
            "key",
            "key:",
            ":0011223344556677",
            "key:00112233445566",
            "key:0x11223344556677",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
