//! One lie: where, when, and what is said.

use core::fmt;
use core::str::FromStr;

use crate::place::{NoPlace, Place};

/// At the `count`th time that something is said at `place`, from 0, `value` is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lie {
    /// Where.
    pub place: Place,
    /// When: how often something was said there before.
    pub count: u32,
    /// What.
    pub value: u64,
}

impl fmt::Display for Lie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}={:#x}", self.place, self.count, self.value)
    }
}

/// The text is no lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoLie {
    /// It is not `PLACE@COUNT=VALUE`.
    Form,
    /// There is no such place.
    Place(NoPlace),
}

impl fmt::Display for NoLie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => {
                f.write_str("not PLACE@COUNT=VALUE, such as disk.used-length@3=0xffffffff")
            }
            Self::Place(no) => no.fmt(f),
        }
    }
}

impl core::error::Error for NoLie {}

impl FromStr for Lie {
    type Err = NoLie;

    fn from_str(text: &str) -> Result<Self, NoLie> {
        let (place, rest) = text.split_once('@').ok_or(NoLie::Form)?;
        let (count, value) = rest.split_once('=').ok_or(NoLie::Form)?;
        let value = match value.strip_prefix("0x") {
            Some(digits) => u64::from_str_radix(digits, 16),
            None => value.parse(),
        };
        Ok(Self {
            place: place.parse().map_err(NoLie::Place)?,
            count: count.parse().map_err(|_| NoLie::Form)?,
            value: value.map_err(|_| NoLie::Form)?,
        })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    #[test]
    fn a_lie_reads_back() {
        let text = "disk1.used-length@3=0xffffffff";
        let lie: Lie = text.parse().unwrap();
        assert_eq!((lie.count, lie.value), (3, 0xffff_ffff));
        assert_eq!(lie.to_string(), text);
        assert_eq!("card.isr@0=7".parse::<Lie>().unwrap().value, 7);
        assert_eq!("card.isr=7".parse::<Lie>(), Err(NoLie::Form));
        assert_eq!("card.x@0=7".parse::<Lie>(), Err(NoLie::Place(NoPlace)));
    }
}
