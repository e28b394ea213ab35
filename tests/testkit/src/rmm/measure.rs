//! Measurements, by the rule of the specification.
//!
//! Ref: DEN0137 1.0-rel0, B5.3.7 `RSI_MEASUREMENT_EXTEND`.

use rsi::Arguments;
use sha2::{Digest, Sha256, Sha512};

use super::{Answer, ERROR_INPUT, SUCCESS, State, returning, status};

impl State {
    pub(super) fn measurement_read(&self, arguments: &Arguments) -> Answer {
        let index = usize::try_from(arguments[1]).unwrap_or(usize::MAX);
        let Some(measurement) = self.measurements.get(index) else {
            return status(ERROR_INPUT);
        };
        let words = measurement.as_chunks().0.iter();
        let words: Vec<u64> = words.map(|word| u64::from_le_bytes(*word)).collect();
        returning(SUCCESS, &words)
    }

    pub(super) fn measurement_extend(&mut self, arguments: &Arguments) -> Answer {
        let [_, index, size, value @ ..] = arguments;
        if !(1..=4).contains(index) || *size > 64 {
            return status(ERROR_INPUT);
        }
        let value: Vec<u8> = value.iter().flat_map(|word| word.to_le_bytes()).collect();
        let old = &mut self.measurements[*index as usize];
        let value = &value[..*size as usize];
        *old = match self.behaviour.hash_algorithm {
            0 => extended::<Sha256>(&old[..32], value),
            _ => extended::<Sha512>(&old[..64], value),
        };
        status(SUCCESS)
    }
}

fn extended<H: Digest>(old: &[u8], value: &[u8]) -> [u8; 64] {
    let digest = H::new().chain_update(old).chain_update(value).finalize();
    let mut new = [0; 64];
    new[..digest.len()].copy_from_slice(&digest);
    new
}
