//! What token retrieval needs around a fake RMM: its page, and a clock that moves.

use core::cell::Cell;

use attest::{Challenge, Granule, Token, TokenError, retrieve};
use clock::{Clock, Instant};
use ipa::{IpaSpace, ProtectedIpa};
use rsi::Rsi;
use untrusted::Untrusted;

use crate::rmm::{Behaviour, FakeRmm};

/// Where the page lies.
pub const TOKEN_PAGE: u64 = 0x8000_1000;

/// The page that a fake RMM writes tokens to, as the fake keeps it.
pub struct TokenPage<'a>(&'a FakeRmm);

impl<'a> TokenPage<'a> {
    /// The page in the memory of `rmm`, which becomes RAM.
    pub fn of(rmm: &'a FakeRmm) -> Self {
        rmm.populate(TOKEN_PAGE, 4096);
        Self(rmm)
    }
}

impl Granule for TokenPage<'_> {
    fn address(&self) -> ProtectedIpa {
        let space = IpaSpace::realm(33).expect("33 is a width");
        space
            .protected(TOKEN_PAGE)
            .expect("the page is in the lower half")
    }

    fn fill(&mut self, offset: usize, bytes: &[u8]) {
        self.0.write(TOKEN_PAGE + offset as u64, bytes);
    }

    fn take_answer<'b>(&self, offset: usize, into: &'b mut [u8]) -> Untrusted<&'b mut [u8]> {
        let page: [u8; 4096] = self.0.read(TOKEN_PAGE);
        into.copy_from_slice(&page[offset..offset + into.len()]);
        Untrusted::from_host(into)
    }

    fn clear(&mut self) {
        self.0.write(TOKEN_PAGE, &[0; 4096]);
    }
}

/// A clock that moves by a millisecond whenever somebody looks, and by a tenth of a second whenever
/// somebody waits.
#[derive(Debug, Default)]
pub struct TickingClock(Cell<u64>);

impl Clock for TickingClock {
    fn now(&self) -> Instant {
        self.0.set(self.0.get() + 1_000_000);
        Instant::from_nanos(self.0.get())
    }

    fn relax(&self) {
        self.0.set(self.0.get() + 100_000_000);
    }
}

/// A token of these bytes, whatever the challenge, by way of a fake RMM.
///
/// # Errors
/// As [`retrieve`].
pub fn token_of(bytes: &[u8], challenge: &Challenge) -> Result<Token, TokenError> {
    let rmm = FakeRmm::new(Behaviour {
        token: bytes.to_vec(),
        token_piece: 256,
        token_stalls: 1,
        ..Behaviour::default()
    });
    let rsi = Rsi::negotiate(&rmm)?;
    let mut page = TokenPage::of(&rmm);
    let clock = TickingClock::default();
    retrieve(&rsi, &mut page, challenge, Default::default(), &clock)
}
