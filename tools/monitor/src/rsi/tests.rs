//! Claims about every call, on a realm of 16 MiB.

extern crate std;
use std::collections::BTreeMap;
use std::vec::Vec;

use super::*;
use crate::layout::GUEST_RAM;
use crate::options::{Progress, Reject};
use crate::style::Style;
use ::token::verify::{PlatformKey, Policy, PublicKey, Reason, appraise};
use ::token::{Form, Lifecycle, LifecycleState, RealmProfile, SignatureAlgorithm, test_platform};

/// Memory that remembers what was written, and which moves were made.
#[derive(Default)]
struct Fake {
    bytes: BTreeMap<u64, u8>,
    moves: Vec<(bool, Range<u64>)>,
}

impl World for Fake {
    fn read(&self, address: u64, bytes: &mut [u8]) {
        for (n, byte) in bytes.iter_mut().enumerate() {
            *byte = self.bytes.get(&(address + n as u64)).copied().unwrap_or(0);
        }
    }
    fn write(&mut self, address: u64, bytes: &[u8]) {
        for (n, byte) in bytes.iter().enumerate() {
            self.bytes.insert(address + n as u64, *byte);
        }
    }
    fn share(&mut self, range: Range<u64>) {
        self.moves.push((true, range));
    }
    fn take_back(&mut self, range: Range<u64>) {
        self.moves.push((false, range));
    }
    fn bar(&self, _stream: u32, bar: u8) -> u64 {
        0x1000_0000 + 0x4000 * u64::from(bar)
    }
}

const TOP: u64 = GUEST_RAM + (16 << 20);
const PAGE: u64 = GRANULE;

struct Bench {
    realm: Realm<'static>,
    world: Fake,
}

impl Bench {
    fn new(options: Options) -> Self {
        let states: Vec<AtomicU8> = (0..4096).map(|_| AtomicU8::new(0)).collect();
        let memory = GuestMemory::new(16 << 20).unwrap();
        let space = Space::new(41).unwrap();
        let realm = Realm::new(options, space, memory, states.leak()).unwrap();
        let mut bench = Self {
            realm,
            world: Fake::default(),
        };
        for at in crate::granules::granules(&(GUEST_RAM..TOP)) {
            bench.realm.granules.set(at, Ripas::Ram);
        }
        bench.realm.granules.start_counting();
        bench
    }

    fn call(&mut self, command: Command, given: &[u64]) -> [u64; 4] {
        let mut x = [0; 10];
        x[..given.len()].copy_from_slice(given);
        let reply = self.realm.call(command, &x, &mut self.world);
        reply.registers()[..4].try_into().unwrap()
    }

    fn set(&mut self, base: u64, top: u64, state: u64, flags: u64) -> [u64; 4] {
        self.call(Command::IpaStateSet, &[base, top, state, flags])
    }

    fn get(&mut self, base: u64, top: u64) -> [u64; 4] {
        self.call(Command::IpaStateGet, &[base, top])
    }
}

fn bench() -> Bench {
    Bench::new(Options::default())
}

fn versions(lowest: u64, highest: u64) -> Bench {
    Bench::new(Options {
        rsi: Rsi::Versions { lowest, highest },
        ..Options::default()
    })
}

#[test]
fn versions_are_answered_as_in_the_examples_of_the_specification() {
    let mut old = bench();
    assert_eq!(
        old.call(Command::Version, &[0x1_0000]),
        [0, 0x1_0000, 0x1_0000, 0]
    );
    assert_eq!(
        old.call(Command::Version, &[0x1_0001]),
        [1, 0x1_0000, 0x1_0000, 0]
    );
    assert_eq!(
        old.call(Command::Version, &[0x2_0000]),
        [1, 0x1_0000, 0x1_0000, 0]
    );
    let mut both = versions(0x1_0000, 0x1_0001);
    assert_eq!(
        both.call(Command::Version, &[0x1_0000]),
        [0, 0x1_0000, 0x1_0001, 0]
    );
    assert_eq!(
        both.call(Command::Version, &[0x2_0000]),
        [1, 0x1_0001, 0x1_0001, 0]
    );
    let mut new = versions(0x2_0000, 0x2_0000);
    assert_eq!(
        new.call(Command::Version, &[0x1_0000]),
        [1, 0x2_0000, 0x2_0000, 0]
    );
}

#[test]
fn features_are_none() {
    assert_eq!(bench().call(Command::Features, &[7]), [0; 4]);
}

#[test]
fn the_configuration_says_the_width_and_the_hash() {
    let options = Options {
        hash: Hash::Sha512,
        ..Options::default()
    };
    let mut bench = Bench::new(options);
    assert_eq!(bench.call(Command::RealmConfig, &[GUEST_RAM])[0], SUCCESS);
    let mut page = [0xff; 4096];
    bench.world.read(GUEST_RAM, &mut page);
    assert_eq!(
        page[..16],
        [41, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]
    );
    assert!(page[16..].iter().all(|&byte| byte == 0));
}

#[test]
fn an_operand_has_to_be_aligned_and_private() {
    let mut bench = bench();
    let shared = GUEST_RAM | 1 << 40;
    for address in [GUEST_RAM + 8, shared, 0x0900_0000, TOP, !0xfff] {
        assert_eq!(bench.call(Command::RealmConfig, &[address])[0], ERROR_INPUT);
    }
    bench.set(GUEST_RAM, GUEST_RAM + PAGE, 0, 0);
    assert_eq!(
        bench.call(Command::RealmConfig, &[GUEST_RAM])[0],
        ERROR_INPUT
    );
    assert_eq!(
        bench.call(Command::HostCall, &[GUEST_RAM + PAGE + 256])[0],
        SUCCESS
    );
    assert_eq!(
        bench.call(Command::HostCall, &[GUEST_RAM + PAGE + 128])[0],
        ERROR_INPUT
    );
}

#[test]
fn a_host_call_is_answered_as_a_service_that_is_not_there() {
    let mut bench = bench();
    bench.world.write(GUEST_RAM, &[0x55; 256]);
    bench.call(Command::HostCall, &[GUEST_RAM]);
    let mut page = [0; 48];
    bench.world.read(GUEST_RAM, &mut page);
    assert_eq!(page[..8], [0x55; 8]);
    assert_eq!(page[8..16], [0xff; 8]);
    assert_eq!(page[16..40], [0; 24]);
    assert_eq!(page[40..48], [0x55; 8]);
}

#[test]
fn sharing_moves_pages_once() {
    let mut bench = bench();
    let (base, top) = (GUEST_RAM + 4 * PAGE, GUEST_RAM + 8 * PAGE);
    assert_eq!(bench.set(base, top, 0, 1), [SUCCESS, top, 0, 0]);
    assert_eq!(bench.set(base, top, 0, 1), [SUCCESS, top, 0, 0]);
    assert_eq!(bench.world.moves, [(true, base..top)]);
    assert_eq!(bench.realm.granules.shared(), (4, 4));
    assert_eq!(bench.set(GUEST_RAM, TOP, 1, 0), [SUCCESS, TOP, 0, 0]);
    assert_eq!(bench.world.moves[1..], [(false, base..top)]);
    assert_eq!(bench.realm.granules.shared(), (0, 4));
}

#[test]
fn a_range_that_is_not_whole_private_granules_is_refused() {
    let mut bench = bench();
    let bad = [
        (GUEST_RAM + 1, TOP),
        (GUEST_RAM, TOP + 8),
        (GUEST_RAM, GUEST_RAM),
        (TOP, GUEST_RAM),
        (GUEST_RAM, (1 << 40) + PAGE),
        (1 << 40, (1 << 40) + PAGE),
    ];
    for (base, top) in bad {
        assert_eq!(
            bench.set(base, top, 1, 0)[0],
            ERROR_INPUT,
            "{base:#x}..{top:#x}"
        );
        assert_eq!(bench.get(base, top)[0], ERROR_INPUT, "{base:#x}..{top:#x}");
    }
    assert_eq!(bench.set(GUEST_RAM, TOP, 2, 0)[0], ERROR_INPUT);
    assert_eq!(bench.set(GUEST_RAM, TOP, 0, 2)[0], ERROR_INPUT);
}

#[test]
fn memory_that_the_machine_does_not_have_is_rejected() {
    let mut bench = bench();
    assert_eq!(
        bench.set(TOP - PAGE, TOP + PAGE, 1, 0),
        [SUCCESS, TOP, 0, 0]
    );
    assert_eq!(bench.set(TOP, TOP + PAGE, 1, 0), [SUCCESS, TOP, 1, 0]);
    assert_eq!(
        bench.set(TOP - PAGE, TOP + PAGE, 0, 0),
        [SUCCESS, TOP + PAGE, 0, 0]
    );
    assert_eq!(
        bench.set(TOP - PAGE, TOP + PAGE, 1, 0),
        [SUCCESS, TOP, 0, 0]
    );
}

#[test]
fn a_destroyed_page_stops_a_change_unless_the_realm_allows_it() {
    let mut bench = bench();
    let destroyed = GUEST_RAM + 2 * PAGE;
    bench.realm.granules.set(destroyed, Ripas::Destroyed);
    assert_eq!(bench.set(GUEST_RAM, TOP, 1, 0), [SUCCESS, destroyed, 0, 0]);
    assert_eq!(bench.set(destroyed, TOP, 1, 0), [SUCCESS, destroyed, 0, 0]);
    assert_eq!(bench.get(destroyed, TOP), [SUCCESS, destroyed + PAGE, 2, 0]);
    assert_eq!(bench.set(GUEST_RAM, TOP, 1, 1), [SUCCESS, TOP, 0, 0]);
}

#[test]
fn progress_is_as_slow_as_told() {
    let slow = |progress| {
        Bench::new(Options {
            progress,
            ..Options::default()
        })
    };
    let base = GUEST_RAM + PAGE;
    assert_eq!(slow(Progress::Page).set(base, TOP, 0, 0)[1], base + PAGE);
    assert_eq!(
        slow(Progress::Block).set(base, TOP, 0, 0)[1],
        GUEST_RAM + (2 << 20)
    );
    assert_eq!(slow(Progress::Zero).set(base, TOP, 0, 0)[1], base);
    assert_eq!(
        slow(Progress::Block).get(base, TOP)[1],
        GUEST_RAM + (2 << 20)
    );
    assert_eq!(slow(Progress::Zero).get(base, TOP)[1], base + PAGE);
}

#[test]
fn a_change_is_rejected_when_told() {
    let mut once = Bench::new(Options {
        reject: Reject::Call(2),
        ..Options::default()
    });
    assert_eq!(once.set(GUEST_RAM, TOP, 1, 0)[2], 0);
    assert_eq!(once.set(GUEST_RAM, TOP, 1, 0), [SUCCESS, GUEST_RAM, 1, 0]);
    assert_eq!(once.set(GUEST_RAM, TOP, 1, 0)[2], 0);
    let mut always = Bench::new(Options {
        reject: Reject::Always,
        ..Options::default()
    });
    assert_eq!(always.set(GUEST_RAM, TOP, 1, 0)[2], 1);
}

#[test]
fn a_state_is_read_in_runs() {
    let mut bench = bench();
    bench.set(GUEST_RAM + PAGE, GUEST_RAM + 3 * PAGE, 0, 0);
    assert_eq!(bench.get(GUEST_RAM, TOP), [SUCCESS, GUEST_RAM + PAGE, 1, 0]);
    assert_eq!(
        bench.get(GUEST_RAM + PAGE, TOP),
        [SUCCESS, GUEST_RAM + 3 * PAGE, 0, 0]
    );
    assert_eq!(
        bench.get(0x0800_0000, 0x0801_0000),
        [SUCCESS, 0x0801_0000, 0, 0]
    );
    assert_eq!(bench.get(TOP - PAGE, TOP + PAGE), [SUCCESS, TOP, 1, 0]);
}

#[test]
fn a_piece_of_a_token_needs_a_token() {
    let mut bench = bench();
    let piece = Command::AttestationTokenContinue;
    assert_eq!(bench.call(piece, &[GUEST_RAM, 0, PAGE])[0], ERROR_STATE);
    assert_eq!(bench.call(piece, &[GUEST_RAM, PAGE, 0])[0], ERROR_INPUT);
    assert_eq!(bench.call(piece, &[GUEST_RAM, 8, PAGE])[0], ERROR_INPUT);
    assert_eq!(bench.call(piece, &[GUEST_RAM, 8, u64::MAX])[0], ERROR_INPUT);
    assert_eq!(bench.call(piece, &[GUEST_RAM + 8, 0, 8])[0], ERROR_INPUT);
}

#[test]
fn an_endless_token_is_incomplete_for_ever() {
    let mut bench = Bench::new(Options {
        incomplete: true,
        ..Options::default()
    });
    let init = bench.call(Command::AttestationTokenInit, &[]);
    assert_eq!(init[0], SUCCESS);
    for _ in 0..100 {
        let piece = bench.call(Command::AttestationTokenContinue, &[GUEST_RAM, 0, PAGE]);
        assert_eq!(piece, [INCOMPLETE, 0, 0, 0]);
    }
}

/// Fetches a token in pieces of at most `room` bytes; counts the calls that brought nothing.
fn fetch(bench: &mut Bench, challenge: [u8; 64], room: u64) -> (Vec<u8>, usize) {
    let words: Vec<u64> = challenge
        .as_chunks()
        .0
        .iter()
        .map(|word| u64::from_le_bytes(*word))
        .collect();
    let [status, bound, ..] = bench.call(Command::AttestationTokenInit, &words);
    assert_eq!(status, SUCCESS);
    let (mut token, mut idle) = (Vec::new(), 0);
    loop {
        let piece = Command::AttestationTokenContinue;
        let [status, count, ..] = bench.call(piece, &[GUEST_RAM, 8, room]);
        let mut bytes = std::vec![0; usize::try_from(count).unwrap()];
        bench.world.read(GUEST_RAM + 8, &mut bytes);
        token.extend_from_slice(&bytes);
        idle += usize::from(count == 0);
        assert!(token.len() as u64 <= bound);
        match status {
            INCOMPLETE => {}
            SUCCESS => return (token, idle),
            other => panic!("status {other}"),
        }
    }
}

fn verdict(token: &[u8], challenge: [u8; 64], lifecycles: &[LifecycleState]) -> Option<Reason> {
    let point = test_platform::platform_public_key();
    let key = PublicKey::from_point(SignatureAlgorithm::Es384, &point).unwrap();
    let rims = [std::vec![0x11; 32]];
    let policy = Policy {
        platform_keys: &[PlatformKey::for_any(key)],
        lifecycles,
        challenge: Some(&challenge),
        rims: Some(&rims),
        rems: [None, Some(&[0; 32]), None, None],
        devices: None,
        personalization: Some(&[0; 64]),
    };
    appraise(&::token::Token::decode(token).unwrap(), &policy).refusal()
}

#[test]
fn a_token_of_each_style_passes_every_check() {
    for form in [Form::Cca, Form::Cmw] {
        for profile in [
            RealmProfile::V1_0_0,
            RealmProfile::V2_0_0,
            RealmProfile::Legacy,
        ] {
            let style = Style {
                form,
                profile,
                ..Style::default()
            };
            let mut bench = Bench::new(Options {
                token: style,
                ..Options::default()
            });
            bench.realm.measurements.set_initial([0x11; 64]);
            bench.call(Command::MeasurementExtend, &[1, 3, 0x63_6261]);
            let (token, idle) = fetch(&mut bench, [0xc5; 64], 512);
            assert_eq!(idle, 2);
            let decoded = ::token::Token::decode(&token).unwrap();
            assert_eq!(
                (decoded.form, decoded.realm_claims.profile),
                (form, profile)
            );
            assert_eq!(decoded.realm_claims.rems[0][..4], [0x36, 0x5a, 0xa7, 0xd8]);
            let secured = [LifecycleState::Secured];
            assert_eq!(verdict(&token, [0xc5; 64], &secured), None);
            assert_eq!(
                verdict(&token, [0xc6; 64], &secured),
                Some(Reason::Challenge)
            );
        }
    }
}

#[test]
fn a_platform_says_that_it_is_not_secured() {
    let mut bench = Bench::new(Options {
        token: Style {
            lifecycle: Lifecycle(0x5001),
            ..Style::default()
        },
        ..Options::default()
    });
    bench.realm.measurements.set_initial([0x11; 64]);
    let (token, _) = fetch(&mut bench, [1; 64], PAGE - 8);
    let lifecycle = Lifecycle(0x5001);
    assert_eq!(
        verdict(&token, [1; 64], &[LifecycleState::Secured]),
        Some(Reason::Lifecycle { lifecycle })
    );
    let debug = [LifecycleState::RecoverableDebug];
    assert_eq!(verdict(&token, [1; 64], &debug), None);
}

#[test]
fn behind_the_last_piece_there_is_no_more() {
    let mut bench = bench();
    let (token, _) = fetch(&mut bench, [1; 64], 100);
    assert!(token.len() > 500);
    let piece = Command::AttestationTokenContinue;
    assert_eq!(bench.call(piece, &[GUEST_RAM, 0, PAGE])[0], ERROR_STATE);
}
