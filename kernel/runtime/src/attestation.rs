//! The page that tokens of the RMM come through, and when the boot arguments are measured.
// UNSAFETY: the RMM writes tokens to a page of ours.
#![expect(unsafe_code, reason = "the RMM writes tokens to a page of ours")]

use alloc::boxed::Box;
use core::ptr::NonNull;

use attest::Granule;
use ipa::{IpaSpace, PagingError, ProtectedIpa};
use plan::Arguments;
use realm::{Attestation, Error};
use untrusted::Untrusted;

use crate::rmm::Rmm;

/// Bytes of a granule.
const GRANULE_SIZE: usize = 4096;

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
    let begin = |rmm: &Rmm| {
        let (page, algorithm) = (TokenPage::new(space)?, rmm.config.hash_algorithm);
        Attestation::begin(rmm.rsi, algorithm, page, &arguments)
    };
    let attestation = rmm.map(begin).transpose()?;
    Ok((arguments, attestation))
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
        let unreachable = PagingError::OutOfReach { address };
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

    fn fill(&mut self, offset: usize, bytes: &[u8]) {
        for (at, byte) in (offset..).zip(bytes) {
            if let Some(place) = self.byte(at) {
                // SAFETY: as in `take_answer`; what the RMM reads has to be there when it is called.
                unsafe { place.write_volatile(*byte) };
            }
        }
    }

    fn take_answer<'b>(&self, offset: usize, into: &'b mut [u8]) -> Untrusted<&'b mut [u8]> {
        for (at, byte) in (offset..).zip(&mut *into) {
            // SAFETY: the byte is in the page, which nobody has a reference to. The RMM writes only
            // while a call to it is made; volatile, because the compiler does not see that it does.
            *byte = self
                .byte(at)
                .map_or(0, |byte| unsafe { byte.read_volatile() });
        }
        Untrusted::from_host(into)
    }

    fn clear(&mut self) {
        for at in 0..GRANULE_SIZE {
            if let Some(byte) = self.byte(at) {
                // SAFETY: as in `take_answer`. Volatile, because nobody reads what is written here, and
                // the compiler might leave it out.
                unsafe { byte.write_volatile(0) };
            }
        }
    }
}
