//! Every way in which an RMM can answer a change of page states.
//!
//! **Proved**, for three granules and any mix of the answers below in any order: the change succeeds only
//! when the RMM accepted every granule, one after the other, without a gap; nothing is ever asked for
//! outside the range, or twice; and it ends after at most 16 calls for each granule.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "a test fails by panicking, and so do its fixtures"
)]

use std::cell::RefCell;

use ipa::{GRANULE_SIZE, GranuleRange, IpaSpace};
use rsi::{Arguments, Call, Conduit, Results, Rsi, SetFlags, Version};
use untrusted::Untrusted;

const BASE: u64 = 0x8000_0000;
const GRANULES: u64 = 3;
const TOP: u64 = BASE + GRANULES * GRANULE_SIZE;
/// Calls that may change nothing, in a row.
const STALLS: usize = 16;
const ACCEPT: u64 = 0;

/// An answer: how far it says it came, and what the host said.
#[derive(Clone, Copy, Debug)]
struct Answer {
    status: u64,
    /// Granules from where it was asked to begin; `None` is an address in the middle of one.
    moved: Option<i64>,
    response: u64,
}

/// All answers, those that may go on first.
fn answers() -> Vec<Answer> {
    let moves = [Some(0), Some(1), Some(2), Some(3), Some(4), Some(-1), None];
    let mut all = Vec::new();
    for response in [ACCEPT, 1, 2] {
        all.extend(moves.map(|moved| Answer {
            status: 0,
            moved,
            response,
        }));
    }
    all.push(Answer {
        status: 1,
        moved: Some(3),
        response: ACCEPT,
    });
    all
}

/// An RMM that answers by a script, and keeps book.
#[derive(Default)]
struct Scripted(RefCell<Book>);

#[derive(Default)]
struct Book {
    script: Vec<usize>,
    calls: usize,
    /// Where it was asked to begin, in granules, and how far it accepted.
    at: u64,
    accepted: u64,
    /// It accepted what it was not asked for, or was asked wrongly.
    broken: bool,
}

impl Conduit for &Scripted {
    fn call(&self, arguments: Arguments) -> Results {
        let mut book = self.0.borrow_mut();
        if arguments[0] == Call::Version.function() {
            let version = Version::SPOKEN.raw();
            return [0, version, version, 0, 0, 0, 0, 0, 0].map(Untrusted::from_host);
        }
        let (base, top) = (arguments[1], arguments[2]);
        book.at = base.wrapping_sub(BASE) / GRANULE_SIZE;
        book.broken |= top != TOP || base != BASE + book.accepted * GRANULE_SIZE || base >= TOP;
        let answer = answers()[book.script.get(book.calls).copied().unwrap_or(0)];
        book.calls += 1;
        let claimed = match answer.moved {
            Some(granules) => base.wrapping_add_signed(granules * GRANULE_SIZE as i64),
            None => base + 1,
        };
        if answer.status == 0 && answer.response == ACCEPT && (base..=TOP).contains(&claimed) {
            book.accepted = (claimed - BASE) / GRANULE_SIZE;
        }
        let answer = [answer.status, claimed, answer.response, 0, 0, 0, 0, 0, 0];
        answer.map(Untrusted::from_host)
    }
}

/// Runs a script; says whether it succeeded, and how many answers it took.
fn run(script: &[usize]) -> (bool, usize) {
    let rmm = Scripted::default();
    rmm.0.borrow_mut().script = script.to_vec();
    let space = IpaSpace::realm(33).unwrap();
    let range = GranuleRange::new(space, BASE, TOP).unwrap();
    let done = Rsi::negotiate(&rmm)
        .unwrap()
        .set_ram(range, SetFlags::NoChangeDestroyed);
    let book = rmm.0.borrow();
    assert!(!book.broken, "{script:?}: asked for what it may not");
    assert!(
        book.calls <= STALLS * GRANULES as usize,
        "{script:?}: {} calls",
        book.calls
    );
    if done.is_ok() {
        assert_eq!(book.accepted, GRANULES, "{script:?}: not all of it");
    }
    (done.is_ok(), book.calls)
}

/// Tries every script that begins with `script`; counts the scripts, and those that succeed.
fn try_all(script: &mut Vec<usize>, counts: &mut (u64, u64)) {
    let (ok, calls) = run(script);
    if calls <= script.len() {
        *counts = (counts.0 + 1, counts.1 + u64::from(ok));
        return;
    }
    // A run of answers that move nothing is tried with few lengths: they differ in their number alone.
    let stalled = script
        .iter()
        .rev()
        .take_while(|answer| **answer == 0)
        .count();
    for answer in 0..answers().len() {
        if answer == 0 && (2..STALLS - 1).contains(&stalled) {
            let before = script.len();
            script.resize(before + STALLS - 1 - stalled, 0);
            try_all(script, counts);
            script.truncate(before);
            continue;
        }
        script.push(answer);
        try_all(script, counts);
        script.pop();
    }
}

#[test]
fn a_change_of_states_succeeds_only_when_all_of_it_was_accepted() {
    let mut counts = (0, 0);
    try_all(&mut Vec::new(), &mut counts);
    let (scripts, good) = counts;
    assert!(scripts > 2000, "{scripts}");
    assert!(good > 10 && good < scripts / 2, "{good} of {scripts}");
}
