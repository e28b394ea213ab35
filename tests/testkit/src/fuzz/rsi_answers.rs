//! Any bytes as the answers of an RMM.

use std::cell::RefCell;

use ipa::{GRANULE_SIZE, GranuleRange, IpaSpace, ProtectedIpa};
use rsi::{
    Arguments, Call, Conduit, MeasurementIndex, RealmConfig, RemIndex, Results, Rsi, SetFlags,
    TokenProgress, Version,
};
use untrusted::Untrusted;

const BASE: u64 = 0x8000_0000;
const GRANULES: u64 = 64;

/// Makes every call of RSI with `bytes` as the answers, and checks what each promises.
pub fn rsi_answers(bytes: &[u8]) {
    let wild = Answers::new(bytes, false);
    if let Err(error) = Rsi::negotiate(&wild) {
        assert!(!error.to_string().is_empty());
    }
    let answers = Answers::new(bytes, true);
    let rsi = Rsi::negotiate(&answers).expect("the first answer is honest");
    let space = IpaSpace::realm(33).expect("33 bits can be mapped");
    let top = BASE + GRANULES * GRANULE_SIZE;
    let range = GranuleRange::new(space, BASE, top).expect("a range of whole granules");
    let changed = [
        rsi.set_ram(range, SetFlags::NoChangeDestroyed),
        rsi.set_empty(range, SetFlags::ChangeDestroyed),
    ];
    for error in changed.into_iter().filter_map(Result::err) {
        assert!(!error.to_string().is_empty());
    }
    states(&rsi, range);
    rest(&rsi, range.base());
    let limit = 2 * 16 * GRANULES + GRANULES + 16;
    assert!(answers.0.borrow().calls <= limit, "loops have a bound");
    configuration(bytes);
}

/// The states of a range are runs without gaps, from its base on.
fn states(rsi: &Rsi<&Answers<'_>>, range: GranuleRange) {
    let mut next = range.base().get();
    for answer in rsi.ipa_states(range) {
        let Ok((run, _)) = answer else {
            return;
        };
        assert_eq!(run.base().get(), next);
        next = run.top();
    }
    assert_eq!(next, range.top(), "without an error, all of it");
}

/// The calls that are made once.
fn rest(rsi: &Rsi<&Answers<'_>>, page: ProtectedIpa) {
    let rem = RemIndex::ALL[3];
    let _ = rsi.features(0);
    let _ = rsi.measurement_read(MeasurementIndex::Rem(rem));
    let _ = rsi.measurement_extend(rem, b"value");
    let _ = rsi.realm_config(page);
    let _ = rsi.host_call(page);
    let _ = rsi.attestation_token_init(&[0; 64]);
    let progress = rsi.attestation_token_continue(page, 96, 4000);
    if let Ok(TokenProgress::Incomplete(n) | TokenProgress::Complete(n)) = progress {
        assert!(n <= 4000, "{n} bytes do not fit");
    }
}

/// Any page is a configuration, though not one of a realm that we can run in.
fn configuration(bytes: &[u8]) {
    let mut page = [0; 4096];
    for (to, from) in page.iter_mut().zip(bytes) {
        *to = *from;
    }
    let config = RealmConfig::parse(&page);
    if let Ok(space) = config.space() {
        assert_eq!(u64::from(space.width()), config.ipa_width);
    }
}

/// An RMM whose every register is what some bytes say.
#[derive(Debug)]
pub(super) struct Answers<'a>(RefCell<State<'a>>);

#[derive(Debug)]
struct State<'a> {
    bytes: &'a [u8],
    honest_version: bool,
    calls: u64,
}

impl<'a> Answers<'a> {
    pub(super) const fn new(bytes: &'a [u8], honest_version: bool) -> Self {
        Self(RefCell::new(State {
            bytes,
            honest_version,
            calls: 0,
        }))
    }
}

impl Conduit for Answers<'_> {
    fn call(&self, arguments: Arguments) -> Results {
        let mut state = self.0.borrow_mut();
        state.calls += 1;
        if state.honest_version && arguments[0] == Call::Version.function() {
            let version = Version::SPOKEN.raw();
            return [0, version, version, 0, 0, 0, 0, 0, 0].map(Untrusted::from_host);
        }
        let mut results = Results::default();
        for register in &mut results {
            *register = Untrusted::from_host(state.register(&arguments));
        }
        results
    }
}

impl State<'_> {
    /// A number that is likely to get far, or any other.
    fn register(&mut self, arguments: &Arguments) -> u64 {
        match self.byte() {
            kind @ 0..0x80 => u64::from(kind % 6),
            0x80..0xa0 => arguments[1],
            0xa0..0xc0 => arguments[2],
            0xc0..0xf0 => arguments[1].wrapping_add(u64::from(self.byte()) * GRANULE_SIZE),
            0xf0..0xf8 => u64::MAX,
            _ => u64::from_le_bytes(core::array::from_fn(|_| self.byte())),
        }
    }

    /// The next byte, and 0 for ever after the last.
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else {
            return 0;
        };
        self.bytes = rest;
        *first
    }
}
