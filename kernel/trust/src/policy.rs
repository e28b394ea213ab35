//! Which devices are to be trusted, as the boot arguments say it.

use alloc::vec::Vec;
use core::fmt;

use rsi::VdevId;
use tdisp::Measurement;

/// The most devices that are named.
const MOST: usize = 16;
const PREFIX: &str = "measurement=sha256:";

/// A word of the policy cannot be understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// Which word, from 1.
    pub word: usize,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "word {} is not like 0000:00:02.0:{PREFIX} and 64 hexadecimal digits",
            self.word
        )
    }
}

impl core::error::Error for PolicyError {}

/// Which devices are to be trusted. The empty one trusts none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy(Vec<(VdevId, Measurement)>);

impl Policy {
    /// Reads `0000:00:02.0:measurement=sha256:…`, and more of these behind commas; `none` is nobody.
    ///
    /// # Errors
    ///
    /// [`PolicyError`], also where a device is named twice, and for more than 16 of them.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let mut devices: Vec<(VdevId, Measurement)> = Vec::new();
        if text == "none" {
            return Ok(Self::default());
        }
        for (word, text) in (1..).zip(text.split(',')) {
            let error = PolicyError { word };
            let (id, measurement) = device(text).ok_or(error)?;
            let twice = devices.iter().any(|(known, _)| *known == id);
            if twice || devices.len() == MOST {
                return Err(error);
            }
            devices.push((id, measurement));
        }
        Ok(Self(devices))
    }

    /// What `device` has to be. `None`: it is not to be trusted.
    pub fn wanted(&self, device: VdevId) -> Option<Measurement> {
        let found = self.0.iter().find(|(id, _)| *id == device);
        found.map(|(_, measurement)| *measurement)
    }

    /// The devices that are named.
    pub fn devices(&self) -> impl Iterator<Item = VdevId> {
        self.0.iter().map(|(id, _)| *id)
    }
}

fn device(text: &str) -> Option<(VdevId, Measurement)> {
    let (place, rest) = text.split_at_checked("0000:00:00.0".len())?;
    let digits = rest.strip_prefix(':')?.strip_prefix(PREFIX)?;
    Some((id(place)?, Measurement::new(bytes(digits)?)))
}

fn id(text: &str) -> Option<VdevId> {
    let (segment, rest) = text.split_once(':')?;
    let (bus, rest) = rest.split_once(':')?;
    let (device, function) = rest.split_once('.')?;
    let number = |text: &str, digits: usize, most: u16| {
        let plain = text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit());
        let value = u16::from_str_radix(text, 16).ok();
        value.filter(|value| plain && *value <= most)
    };
    let (segment, bus) = (number(segment, 4, u16::MAX)?, number(bus, 2, 0xff)?);
    let (device, function) = (number(device, 2, 0x1f)?, number(function, 1, 7)?);
    Some(VdevId::pci(segment, bus << 8 | device << 3 | function))
}

fn bytes(digits: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if pairs.len() != bytes.len() || !rest.is_empty() {
        return None;
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = u8::try_from(digit(*high)? << 4 | digit(*low)?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::format;
    use std::string::{String, ToString};

    use super::*;

    fn word(place: &str) -> String {
        format!("{place}:measurement=sha256:{}", "0a".repeat(32))
    }

    #[test]
    fn a_policy_names_devices_and_what_they_have_to_be() {
        let text = format!("{},{}", word("0000:00:02.0"), word("0001:1f:1f.7"));
        let policy = Policy::parse(&text).unwrap();
        let known = Some(Measurement::new([0x0a; 32]));
        assert_eq!(policy.wanted(VdevId::pci(0, 0x10)), known);
        assert_eq!(policy.wanted(VdevId::pci(1, 0x1fff)), known);
        assert_eq!(policy.wanted(VdevId::pci(0, 0x18)), None);
        assert_eq!(Policy::default().wanted(VdevId::pci(0, 0x10)), None);
    }

    #[test]
    fn what_is_not_understood_is_refused_as_a_whole() {
        let good = word("0000:00:02.0");
        for bad in [
            String::new(),
            good.replace("02.0", "20.0"),
            good.replace("02.0", "02.8"),
            good.replace("02.0", "+2.0"),
            good.replace("sha256", "sha384"),
            format!("{good}0"),
            good[..good.len() - 1].to_string(),
            good.replace("0a", "0g"),
            format!("{good},"),
            format!("{good},{good}"),
        ] {
            assert!(Policy::parse(&bad).is_err(), "{bad}");
        }
        let error = Policy::parse(&format!("{good},x")).unwrap_err();
        assert_eq!(error, PolicyError { word: 2 });
    }
}
