//! What the realm can say about itself: tokens, measurements, and the event log.
// UNSAFETY: the RMM writes tokens to a page of ours.
#![expect(unsafe_code, reason = "the RMM writes tokens to a page of ours")]

use alloc::boxed::Box;
use alloc::format;
use core::cell::RefCell;
use core::ptr::NonNull;

use arch::Smc;
use attest::{
    Attester, Challenge, Digest, EventLog, Granule, MeasureError, Measurements, Token, TokenError,
};
use ipa::{IpaSpace, ProtectedIpa};
use plan::Arguments;
use rand_core::CryptoRng;
use rsi::VdevId;
use trust::{Measurement, Witness};

use crate::rmm::Rmm;
use crate::{Error, Realm};

/// Bytes of a granule.
const GRANULE_SIZE: usize = 4096;

/// The RMM, the page that its tokens come through, and the event log.
pub(crate) struct Attestation(RefCell<Parts>);

struct Parts {
    attester: Attester<Smc>,
    page: TokenPage,
}

impl Attestation {
    /// Measures the boot arguments into REM 1.
    fn begin(rmm: &Rmm, space: IpaSpace, arguments: &Arguments) -> Result<Self, Error> {
        let mut attester = Attester::new(rmm.rsi, rmm.config.hash_algorithm);
        attester.measure_arguments(arguments.text())?;
        let page = TokenPage::new(space)?;
        Ok(Self(RefCell::new(Parts { attester, page })))
    }
}

/// The boot arguments, which in a realm REM 1 has by now. This is the only place of the runtime that
/// reads them, so nothing can act on one before.
///
/// # Errors
///
/// [`Error::Measure`]
pub(crate) fn measured(
    text: &str,
    rmm: Option<&Rmm>,
    space: IpaSpace,
) -> Result<(Arguments, Option<Attestation>), Error> {
    let arguments = Arguments::parse(text);
    let attestation = rmm.map(|rmm| Attestation::begin(rmm, space, &arguments));
    Ok((arguments, attestation.transpose()?))
}

/// The measurement that trusted devices extend.
const DEVICE_REM: u8 = 3;

impl Witness for &Attestation {
    fn record(&mut self, device: VdevId, measurement: &Measurement) -> Result<(), trust::Error> {
        let text = format!("trusted device {measurement}");
        let note = format!("{device} is trusted");
        let attester = &mut self.0.borrow_mut().attester;
        let measured = attester.measure(DEVICE_REM, text.as_bytes(), &note);
        measured.map(|_| ()).map_err(|error| {
            log::error!("{device}: {error}");
            trust::Error::NotMeasured
        })
    }
}

impl Realm {
    /// Has the RMM make a token over `challenge`.
    ///
    /// # Errors
    ///
    /// [`TokenError`]; `NotSupported` where this is not a realm.
    pub fn attest(&self, challenge: &Challenge) -> Result<Token, TokenError> {
        let attestation = self.attestation().ok_or(TokenError::NotSupported)?;
        let Parts { attester, page } = &mut *attestation.0.borrow_mut();
        attester.attest(challenge, page, self.clock())
    }

    /// Extends realm extensible measurement `rem` (1 to 4) by the digest of `bytes`, and notes that
    /// in the event log. The runtime has extended REM 1 by the boot arguments, and extends REM 3 for
    /// each device that is trusted; REM 2 is the payload's own.
    ///
    /// # Errors
    ///
    /// [`MeasureError`]; `NotSupported` where this is not a realm.
    pub fn measure(&self, rem: u8, bytes: &[u8]) -> Result<Digest, MeasureError> {
        let attestation = self.attestation().ok_or(MeasureError::NotSupported)?;
        let attester = &mut attestation.0.borrow_mut().attester;
        attester.measure(rem, bytes, "payload")
    }

    /// Reads the initial measurement (RIM) and the four that can be extended.
    ///
    /// # Errors
    ///
    /// [`MeasureError`]; `NotSupported` where this is not a realm.
    pub fn measurements(&self) -> Result<Measurements, MeasureError> {
        let attestation = self.attestation().ok_or(MeasureError::NotSupported)?;
        attestation.0.borrow().attester.measurements()
    }

    /// What was measured since boot, for a verifier that wants to know what is behind the numbers.
    /// Empty where this is not a realm.
    pub fn event_log(&self) -> EventLog {
        let log = |attestation: &Attestation| attestation.0.borrow().attester.log().clone();
        self.attestation().map(log).unwrap_or_default()
    }

    /// A generator of random numbers that the host has no say in, for making keys. It is cleared
    /// when it is dropped.
    ///
    /// # Errors
    ///
    /// [`Error::NoEntropy`] where the CPU has none; then make no key.
    pub fn generator(&self) -> Result<impl CryptoRng + 'static, Error> {
        self.fork()
    }
}

/// The page that tokens come through. It is leaked: there is one for the life of the realm.
pub(crate) struct TokenPage {
    bytes: NonNull<[u8; GRANULE_SIZE]>,
    address: ProtectedIpa,
}

/// One granule, where granules begin.
#[repr(C, align(4096))]
struct Page([u8; GRANULE_SIZE]);

impl TokenPage {
    /// A page of the heap, which is private and mapped where it lies.
    pub(crate) fn new(space: IpaSpace) -> Result<Self, Error> {
        let page = NonNull::from(Box::leak(Box::new(Page([0; GRANULE_SIZE]))));
        let address = page.expose_provenance().get() as u64;
        let unreachable = arch::PagingError::OutOfReach { address };
        Ok(Self {
            bytes: page.cast(),
            address: space.protected(address).ok_or(Error::Map(unreachable))?,
        })
    }

    /// The address of byte `at`, if there is one.
    fn byte(&self, at: usize) -> Option<NonNull<u8>> {
        // SAFETY: `at` is inside the page, which was allocated as a whole and is never freed.
        (at < GRANULE_SIZE).then(|| unsafe { self.bytes.cast::<u8>().add(at) })
    }
}

impl Granule for TokenPage {
    fn address(&self) -> ProtectedIpa {
        self.address
    }

    fn copy_in(&mut self, offset: usize, bytes: &[u8]) {
        for (at, byte) in (offset..).zip(bytes) {
            if let Some(place) = self.byte(at) {
                // SAFETY: as in `copy_out`; what the RMM reads has to be there when it is called.
                unsafe { place.write_volatile(*byte) };
            }
        }
    }

    fn copy_out(&self, offset: usize, into: &mut [u8]) {
        for (at, byte) in (offset..).zip(into) {
            // SAFETY: the byte is in the page, which nobody has a reference to. The RMM writes only
            // while a call to it is made; volatile, because the compiler does not see that it does.
            *byte = self
                .byte(at)
                .map_or(0, |byte| unsafe { byte.read_volatile() });
        }
    }

    fn clear(&mut self) {
        for at in 0..GRANULE_SIZE {
            if let Some(byte) = self.byte(at) {
                // SAFETY: as in `copy_out`. Volatile, because nobody reads what is written here, and
                // the compiler might leave it out.
                unsafe { byte.write_volatile(0) };
            }
        }
    }
}
