//! What a realm can say about itself.

use clock::Clock;
use rsi::{Conduit, Granule, HashAlgorithm, RemIndex, Rsi};

use crate::{
    event_log::EventLog,
    measurement::{self, Digest, MeasureError, Measurements},
    retrieval::{Budget, retrieve},
    token::{Challenge, Token, TokenError},
};

/// The measurement that the runtime extends at boot, by the digest of the boot arguments.
const BOOT_REM: u8 = 1;

/// Speaks with the RMM about tokens and measurements, and keeps the event log.
#[derive(Debug)]
pub struct Attester<C> {
    rsi: Rsi<C>,
    algorithm: HashAlgorithm,
    log: EventLog,
}

impl<C: Conduit> Attester<C> {
    /// An attester for the realm of `rsi`, whose configuration names `algorithm`.
    pub const fn new(rsi: Rsi<C>, algorithm: HashAlgorithm) -> Self {
        Self {
            rsi,
            algorithm,
            log: EventLog::new(),
        }
    }

    /// Fetches a token over `challenge` through `granule`, which is clear afterwards.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub fn attest(
        &self,
        challenge: &Challenge,
        granule: &mut dyn Granule,
        clock: &dyn Clock,
    ) -> Result<Token, TokenError> {
        retrieve(&self.rsi, granule, challenge, Budget::default(), clock)
    }

    /// Extends REM `number` (1 to 4) by the digest of `bytes`, and notes that in the event log.
    ///
    /// The digest is made with the hash algorithm of the realm, so `bytes` may have any length. The
    /// runtime has extended REM 1 at boot; REM 2 is the payload's.
    ///
    /// # Errors
    /// See [`MeasureError`]; then nothing was extended.
    pub fn measure(
        &mut self,
        number: u8,
        bytes: &[u8],
        note: &str,
    ) -> Result<Digest, MeasureError> {
        let rem = RemIndex::new(number).ok_or(MeasureError::Index { number })?;
        if self.log.is_full() {
            return Err(MeasureError::LogFull);
        }
        let digest = Digest::of(self.algorithm, bytes)?;
        self.rsi.measurement_extend(rem, digest.as_bytes())?;
        self.log.push(rem, digest, note);
        Ok(digest)
    }

    /// Extends REM 1 by the digest of the boot arguments, byte by byte as they came.
    ///
    /// Arguments are not part of the RIM where a VMM hands them over outside the image, and decide
    /// which broker is asked for which key: a verifier wants to know them.
    ///
    /// # Errors
    /// See [`MeasureError`].
    pub fn measure_arguments(&mut self, arguments: &str) -> Result<Digest, MeasureError> {
        self.measure(BOOT_REM, arguments.as_bytes(), "boot arguments")
    }

    /// Reads all measurements.
    ///
    /// # Errors
    /// See [`MeasureError`].
    pub fn measurements(&self) -> Result<Measurements, MeasureError> {
        measurement::read_all(&self.rsi, self.algorithm)
    }

    /// The hash algorithm of the realm's measurements.
    pub const fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// What was measured since boot.
    pub const fn log(&self) -> &EventLog {
        &self.log
    }
}
