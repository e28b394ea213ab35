//! The realm's measurements: read all of them, extend four of them.

use crate::conduit::{self, Arguments};
use crate::{Call, Conduit, Error, Rsi};

/// Bytes of a measurement. A digest that is shorter is followed by zeros.
pub const MEASUREMENT_SIZE: usize = 64;

/// One of the four Realm Extensible Measurements (REM).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RemIndex(u8);

impl RemIndex {
    /// All four.
    pub const ALL: [Self; 4] = [Self(1), Self(2), Self(3), Self(4)];

    /// Takes a number from 1 to 4.
    pub const fn new(number: u8) -> Option<Self> {
        match number {
            1..=4 => Some(Self(number)),
            _ => None,
        }
    }

    /// The number, 1 to 4.
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// A measurement that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeasurementIndex {
    /// The Realm Initial Measurement (RIM): what the realm was made of.
    Rim,
    /// What was extended since.
    Rem(RemIndex),
}

impl MeasurementIndex {
    const fn get(self) -> u8 {
        match self {
            Self::Rim => 0,
            Self::Rem(rem) => rem.get(),
        }
    }
}

impl<C: Conduit> Rsi<C> {
    /// Reads a measurement.
    ///
    /// # Errors
    ///
    /// [`Error::Call`].
    ///
    /// Ref: DEN0137 1.0-rel0, B5.3.8 `RSI_MEASUREMENT_READ`.
    pub fn measurement_read(
        &self,
        index: MeasurementIndex,
    ) -> Result<[u8; MEASUREMENT_SIZE], Error> {
        let results = self.succeed(Call::MeasurementRead, &[index.get().into()])?;
        let mut measurement = [0; MEASUREMENT_SIZE];
        for (n, word) in measurement.as_chunks_mut().0.iter_mut().enumerate() {
            let said = conduit::answer(&results, n + 1);
            *word = said.any_value("whoever compares it").to_le_bytes();
        }
        Ok(measurement)
    }

    /// Extends a measurement: its new value is the hash of the old one and of `value`, 0 to 64
    /// bytes.
    ///
    /// # Errors
    ///
    /// [`Error::ValueTooLong`], [`Error::Call`].
    ///
    /// Ref: DEN0137 1.0-rel0, B5.3.7 `RSI_MEASUREMENT_EXTEND`.
    pub fn measurement_extend(&self, index: RemIndex, value: &[u8]) -> Result<(), Error> {
        let len = value.len();
        if len > MEASUREMENT_SIZE {
            return Err(Error::ValueTooLong { len });
        }
        let mut operands = [0; size_of::<Arguments>() / size_of::<u64>() - 1];
        let [first, second, words @ ..] = &mut operands;
        (*first, *second) = (index.get().into(), len as u64);
        pack(value, words);
        let _nothing_else = self.succeed(Call::MeasurementExtend, &operands)?;
        Ok(())
    }
}

/// Packs bytes into registers, the first byte lowest; the rest of the registers is zero.
pub(crate) fn pack(bytes: &[u8], registers: &mut [u64]) {
    registers.fill(0);
    for (register, chunk) in registers.iter_mut().zip(bytes.chunks(8)) {
        let mut word = [0; 8];
        for (to, from) in word.iter_mut().zip(chunk) {
            *to = *from;
        }
        *register = u64::from_le_bytes(word);
    }
}
