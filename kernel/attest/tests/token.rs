//! Tokens from a fake RMM that is slow, stubborn, or wrong.
#![expect(
    clippy::unwrap_used,
    reason = "a test that goes wrong should say so, loudly"
)]

use core::time::Duration;

use attest::{Budget, Challenge, Granule, Token, TokenError, retrieve, token::LONGEST_TOKEN};
use ipa::ProtectedIpa;
use rsi::{Call, Error, Rsi, Status};
use testkit::attestation::{TOKEN_PAGE, TickingClock, TokenPage};
use testkit::rmm::{Behaviour, FakeRmm};
use untrusted::Untrusted;

const CHALLENGE: Challenge = Challenge::new([0x5c; 64]);

/// A page that knows whether it was cleared.
struct Watched<'a> {
    page: TokenPage<'a>,
    cleared: bool,
}

impl Granule for Watched<'_> {
    fn address(&self) -> ProtectedIpa {
        self.page.address()
    }

    fn fill(&mut self, offset: usize, bytes: &[u8]) {
        self.page.fill(offset, bytes);
    }

    fn take_answer<'b>(&self, offset: usize, into: &'b mut [u8]) -> Untrusted<&'b mut [u8]> {
        self.page.take_answer(offset, into)
    }

    fn clear(&mut self) {
        self.page.clear();
        self.cleared = true;
    }
}

fn rmm(token: Vec<u8>, piece: usize, stalls: u32) -> FakeRmm {
    FakeRmm::new(Behaviour {
        token,
        token_piece: piece,
        token_stalls: stalls,
        ..Behaviour::default()
    })
}

fn fetch_within(rmm: &FakeRmm, budget: Budget) -> Result<Token, TokenError> {
    let mut page = Watched {
        page: TokenPage::of(rmm),
        cleared: false,
    };
    let clock = TickingClock::default();
    let rsi = Rsi::negotiate(rmm).unwrap();
    let token = retrieve(&rsi, &mut page, &CHALLENGE, budget, &clock);
    assert!(page.cleared, "the page is cleared, whatever happens");
    assert_eq!(rmm.read::<4096>(TOKEN_PAGE), [0; 4096]);
    token
}

fn fetch(rmm: &FakeRmm) -> Result<Token, TokenError> {
    let patient = Budget {
        time: Duration::from_secs(3600),
        ..Budget::default()
    };
    fetch_within(rmm, patient)
}

fn pattern(length: usize) -> Vec<u8> {
    (0..=250).cycle().take(length).collect()
}

#[test]
fn a_token_of_any_length_arrives_whole_in_pieces_of_any_size() {
    for length in [1, 255, 2124, 4095, 4096, 4097, 12_288, LONGEST_TOKEN] {
        for piece in [97, 256, 4096, usize::MAX] {
            let token = fetch(&rmm(pattern(length), piece, 0)).unwrap();
            assert_eq!(token.as_bytes(), pattern(length), "{length} by {piece}");
        }
    }
}

#[test]
fn a_call_that_brings_no_byte_is_normal() {
    let rmm = rmm(pattern(2124), 256, 5);
    assert_eq!(fetch(&rmm).unwrap().as_bytes(), pattern(2124));
    assert_eq!(rmm.count(Call::AttestationTokenContinue), 9 * 6);
}

#[test]
fn pieces_are_fetched_one_behind_the_other_and_from_the_start_when_the_page_is_full() {
    let rmm = rmm(pattern(5000), 1000, 0);
    fetch(&rmm).unwrap();
    let calls = rmm.calls();
    let fetched = calls
        .iter()
        .filter(|call| call[0] == Call::AttestationTokenContinue.function());
    let rooms: Vec<_> = fetched.map(|call| (call[2], call[3])).collect();
    let whole = [0, 1000, 2000, 3000, 4000].map(|at| (at, 4096 - at));
    assert_eq!(rooms, [&whole[..], &[(0, 4096)]].concat());
}

#[test]
fn the_challenge_arrives_at_the_rmm() {
    let rmm = rmm(pattern(10), 256, 0);
    fetch(&rmm).unwrap();
    let calls = rmm.calls();
    let init = calls
        .iter()
        .find(|call| call[0] == Call::AttestationTokenInit.function());
    assert_eq!(init.unwrap()[1..9], [0x5c5c_5c5c_5c5c_5c5c; 8]);
}

#[test]
fn an_rmm_that_never_finishes_costs_a_bounded_number_of_calls() {
    let rmm = rmm(pattern(10), 256, u32::MAX);
    let budget = Budget {
        calls: 1000,
        time: Duration::from_secs(3600),
    };
    let error = fetch_within(&rmm, budget).unwrap_err();
    assert!(
        matches!(
            error,
            TokenError::Budget {
                calls: 1000,
                bytes: 0,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(rmm.count(Call::AttestationTokenContinue), 1000);
}

#[test]
fn an_rmm_that_never_finishes_costs_a_bounded_time() {
    let rmm = rmm(pattern(10), 256, u32::MAX);
    let error = fetch_within(&rmm, Budget::default()).unwrap_err();
    let TokenError::Budget { elapsed, .. } = error else {
        panic!("{error}");
    };
    assert!(elapsed > Budget::default().time);
    assert!(elapsed < Budget::default().time + Duration::from_millis(10));
}

#[test]
fn a_token_of_more_than_64_kib_is_refused_before_a_byte_of_it_is_fetched() {
    let rmm = rmm(pattern(LONGEST_TOKEN + 1), 4096, 0);
    let error = fetch(&rmm).unwrap_err();
    assert_eq!(
        error,
        TokenError::TooLong {
            bytes: LONGEST_TOKEN as u64 + 4096,
            limit: LONGEST_TOKEN as u64
        }
    );
    assert_eq!(rmm.count(Call::AttestationTokenContinue), 0);
}

#[test]
fn a_token_that_outgrows_what_the_rmm_promised_is_refused() {
    let rmm = rmm(pattern(9000), 4096, 0);
    rmm.lie(Call::AttestationTokenInit, [0, 4096, 0, 0, 0, 0, 0, 0, 0]);
    rmm.lie(
        Call::AttestationTokenContinue,
        [3, 4096, 0, 0, 0, 0, 0, 0, 0],
    );
    assert_eq!(
        fetch(&rmm).unwrap_err(),
        TokenError::TooLong {
            bytes: 8192,
            limit: 4096
        }
    );
}

#[test]
fn a_piece_that_is_longer_than_its_room_is_refused() {
    let rmm = rmm(pattern(10), 4096, 0);
    rmm.lie(
        Call::AttestationTokenContinue,
        [0, 4097, 0, 0, 0, 0, 0, 0, 0],
    );
    assert_eq!(
        fetch(&rmm).unwrap_err(),
        TokenError::Rsi(Error::TokenOverrun {
            written: 4097,
            room: 4096
        })
    );
}

#[test]
fn a_token_without_a_byte_is_none() {
    assert_eq!(
        fetch(&rmm(Vec::new(), 4096, 0)).unwrap_err(),
        TokenError::Empty
    );
}

#[test]
fn an_rmm_without_tokens_is_told_apart_from_one_that_fails() {
    for (call, status, expected) in [
        (
            Call::AttestationTokenInit,
            u64::MAX,
            TokenError::NotSupported,
        ),
        (Call::AttestationTokenContinue, 2, TokenError::State),
        (
            Call::AttestationTokenInit,
            4,
            TokenError::Rsi(Error::Call {
                call: Call::AttestationTokenInit,
                status: Status::Unknown,
            }),
        ),
    ] {
        let rmm = rmm(pattern(10), 4096, 0);
        rmm.lie(call, [status, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(fetch(&rmm).unwrap_err(), expected);
    }
}
