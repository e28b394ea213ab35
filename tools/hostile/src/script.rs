//! What a liar is told: nothing, a list of lies, a seed, or the number of a round.

use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use crate::lie::{Lie, NoLie};
use crate::seed::Seed;

/// What a liar is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Script {
    /// The truth, always.
    #[default]
    Honest,
    /// These lies, and nothing else.
    Lies(Vec<Lie>),
    /// Whatever follows from this seed.
    Random(Seed),
    /// What the round of this number of a sweep aims at; an honest round comes before.
    Sweep(u64),
}

impl FromStr for Script {
    type Err = NoLie;

    /// `honest`, `random:SEED`, `sweep:NUMBER`, or lies with commas between them.
    fn from_str(text: &str) -> Result<Self, NoLie> {
        if text == "honest" {
            return Ok(Self::Honest);
        }
        if let Some(seed) = text.strip_prefix("random:") {
            return seed.parse().map(Self::Random).map_err(|_| NoLie::Form);
        }
        if let Some(number) = text.strip_prefix("sweep:") {
            return number.parse().map(Self::Sweep).map_err(|_| NoLie::Form);
        }
        let lies = text.split(',').map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self::Lies(lies))
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Honest => f.write_str("honest"),
            Self::Random(seed) => write!(f, "random:{seed}"),
            Self::Sweep(number) => write!(f, "sweep:{number}"),
            Self::Lies(lies) => list(f, lies),
        }
    }
}

/// Writes lies with commas between them.
///
/// # Errors
///
/// Those of the formatter.
pub fn list(f: &mut fmt::Formatter<'_>, lies: &[Lie]) -> fmt::Result {
    for (n, lie) in lies.iter().enumerate() {
        if n != 0 {
            f.write_str(",")?;
        }
        write!(f, "{lie}")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::string::ToString;

    use super::*;

    #[test]
    fn a_script_reads_back() {
        for text in [
            "honest",
            "random:7",
            "random:7~12",
            "sweep:12",
            "card.isr@0=0x7,disk1.status@2=0x40",
        ] {
            let script: Script = text.parse().unwrap();
            assert_eq!(script.to_string(), text);
        }
        assert!("".parse::<Script>().is_err());
        assert!("random:x".parse::<Script>().is_err());
        assert!("sweep:-1".parse::<Script>().is_err());
    }
}
