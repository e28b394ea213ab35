//! What the realm can say about itself: tokens, measurements, and the event log.

use alloc::boxed::Box;
use alloc::format;
use core::cell::RefCell;

use attest::{
    Attester, Challenge, Digest, EventLog, MeasureError, Measurements, Token, TokenError,
};
use clock::Clock;
use plan::Arguments;
use rsi::{Conduit, Granule, HashAlgorithm, Rsi, VdevId};
use trust::{Measurement, Witness};

use crate::Error;

/// The measurement that trusted devices extend.
const DEVICE_REM: u8 = 3;

/// The RMM, the page that its tokens come through, and the event log.
pub struct Attestation(RefCell<Box<dyn Speaker>>);

/// Who speaks with the RMM, by whatever calls that takes.
trait Speaker {
    fn attest(&mut self, challenge: &Challenge, clock: &dyn Clock) -> Result<Token, TokenError>;
    fn measure(&mut self, rem: u8, bytes: &[u8], note: &str) -> Result<Digest, MeasureError>;
    fn measurements(&self) -> Result<Measurements, MeasureError>;
    fn log(&self) -> EventLog;
}

struct Speaking<C, G> {
    attester: Attester<C>,
    page: G,
}

impl<C: Conduit, G: Granule> Speaker for Speaking<C, G> {
    fn attest(&mut self, challenge: &Challenge, clock: &dyn Clock) -> Result<Token, TokenError> {
        self.attester.attest(challenge, &mut self.page, clock)
    }

    fn measure(&mut self, rem: u8, bytes: &[u8], note: &str) -> Result<Digest, MeasureError> {
        self.attester.measure(rem, bytes, note)
    }

    fn measurements(&self) -> Result<Measurements, MeasureError> {
        self.attester.measurements()
    }

    fn log(&self) -> EventLog {
        self.attester.log().clone()
    }
}

impl Attestation {
    /// Measures the boot arguments into REM 1. Tokens come through `page`.
    ///
    /// # Errors
    ///
    /// [`Error::Measure`]
    pub fn begin<C: Conduit + 'static, G: Granule + 'static>(
        rsi: Rsi<C>,
        algorithm: HashAlgorithm,
        page: G,
        arguments: &Arguments,
    ) -> Result<Self, Error> {
        let mut attester = Attester::new(rsi, algorithm);
        attester.measure_arguments(arguments.text())?;
        let speaking = Speaking { attester, page };
        Ok(Self(RefCell::new(Box::new(speaking))))
    }

    pub(crate) fn attest(
        &self,
        challenge: &Challenge,
        clock: &dyn Clock,
    ) -> Result<Token, TokenError> {
        self.0.borrow_mut().attest(challenge, clock)
    }

    pub(crate) fn measure(
        &self,
        rem: u8,
        bytes: &[u8],
        note: &str,
    ) -> Result<Digest, MeasureError> {
        self.0.borrow_mut().measure(rem, bytes, note)
    }

    pub(crate) fn measurements(&self) -> Result<Measurements, MeasureError> {
        self.0.borrow().measurements()
    }

    pub(crate) fn log(&self) -> EventLog {
        self.0.borrow().log()
    }
}

impl Witness for &Attestation {
    fn record(&mut self, device: VdevId, measurement: &Measurement) -> Result<(), trust::Error> {
        let text = format!("trusted device {measurement}");
        let note = format!("{device} is trusted");
        let mut speaker = self.0.borrow_mut();
        let measured = speaker.measure(DEVICE_REM, text.as_bytes(), &note);
        measured.map(|_| ()).map_err(|error| {
            log::error!("{device}: {error}");
            trust::Error::NotMeasured
        })
    }
}
