//! Each call, against an RMM in small and against one that lies.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, and so do its fixtures"
)]

use ipa::{GranuleRange, IpaSpace};
use rsi::{
    Call, Conduit, Error, HashAlgorithm, HostCall, LayoutError, MeasurementIndex, RealmConfig,
    RemIndex, Ripas, Rsi, SetFlags, Status, TokenProgress, VdevState, Version, psci,
};
use testkit::rmm::{Behaviour, FakeRmm};
use untrusted::Untrusted;

const PAGE: u64 = 0x8000_0000;

fn rmm(behaviour: Behaviour) -> FakeRmm {
    let rmm = FakeRmm::new(behaviour);
    rmm.populate(PAGE, 0x4000);
    rmm
}

fn honest() -> FakeRmm {
    rmm(Behaviour::default())
}

fn space() -> IpaSpace {
    IpaSpace::realm(33).unwrap()
}

fn range(base: u64, top: u64) -> GranuleRange {
    GranuleRange::new(space(), base, top).unwrap()
}

fn versions(versions: &[(u16, u16)]) -> Result<Version, Error> {
    let versions = versions.iter().map(|(a, b)| Version::new(*a, *b)).collect();
    let rmm = FakeRmm::new(Behaviour {
        versions,
        ..Behaviour::default()
    });
    Rsi::negotiate(&rmm).map(|rsi| rsi.version())
}

/// 0, 1, 2 and so on, from 0 again behind 255.
fn counting<const N: usize>() -> [u8; N] {
    core::array::from_fn(|i| i.to_le_bytes()[0])
}

#[test]
fn we_speak_with_an_rmm_that_has_1_0_whatever_else_it_has() {
    assert_eq!(versions(&[(1, 0)]), Ok(Version::new(1, 0)));
    assert_eq!(versions(&[(1, 0), (1, 1)]), Ok(Version::new(1, 1)));
    assert_eq!(versions(&[(1, 0), (2, 0)]), Ok(Version::new(2, 0)));
}

#[test]
fn a_version_has_two_parts_and_is_told_by_them() {
    let version = Version::new(1, 7);
    assert_eq!((version.major(), version.minor()), (1, 7));
    assert_eq!(version.to_string(), "1.7");
    assert_eq!(format!("{version:?}"), "1.7");
}

#[test]
fn an_rmm_without_1_x_is_named_with_its_range() {
    let newer = Version::new(2, 0);
    let error = versions(&[(2, 0)]).unwrap_err();
    assert_eq!(
        error,
        Error::Incompatible {
            lower: newer,
            higher: newer
        }
    );
    assert_eq!(
        error.to_string(),
        "the RMM speaks RSI 2.0 to 2.0, and we speak 1.0"
    );
}

#[test]
fn where_nobody_answers_there_is_no_realm() {
    assert_eq!(versions(&[]), Err(Error::NotARealm));
}

#[test]
fn success_with_another_version_than_we_asked_for_is_not_believed() {
    let rmm = honest();
    rmm.lie(Call::Version, [0, 0x10001, 0x10001, 0, 0, 0, 0, 0, 0]);
    assert!(matches!(
        Rsi::negotiate(&rmm),
        Err(Error::Incompatible { .. })
    ));
}

#[test]
fn unused_registers_are_zero() {
    let rmm = honest();
    Rsi::negotiate(&rmm).unwrap().features(7).unwrap();
    let calls = rmm.calls();
    assert_eq!(calls[0], [0xc400_0190, 0x10000, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(calls[1], [0xc400_0191, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
}

#[test]
fn every_status_has_a_name_and_unknown_ones_are_kept() {
    let rmm = honest();
    let rsi = Rsi::negotiate(&rmm).unwrap();
    for (code, status) in [
        (1, Status::Input),
        (2, Status::State),
        (3, Status::Incomplete),
        (4, Status::Unknown),
        (5, Status::Device),
        (u64::MAX, Status::NotSupported),
        (0xdead, Status::Other(0xdead)),
    ] {
        rmm.lie(Call::Features, [code, 0, 0, 0, 0, 0, 0, 0, 0]);
        let call = Call::Features;
        assert_eq!(rsi.features(0), Err(Error::Call { call, status }));
    }
    assert_eq!(
        rsi.features(0).unwrap_err().to_string(),
        "RSI_FEATURES ended with unheard-of status 0xdead"
    );
}

#[test]
fn only_a_call_that_nobody_knows_is_unsupported() {
    let failed = |status| Error::Call {
        call: Call::Features,
        status,
    };
    assert!(Error::NotARealm.is_unsupported());
    assert!(failed(Status::NotSupported).is_unsupported());
    assert!(!failed(Status::Input).is_unsupported());
    assert!(!Error::ValueTooLong { len: 65 }.is_unsupported());
}

#[test]
fn states_and_hashes_are_told_by_name_or_by_their_number() {
    let states = [
        Ripas::Empty,
        Ripas::Ram,
        Ripas::Destroyed,
        Ripas::Device,
        Ripas::Unknown(4),
    ];
    assert_eq!(
        states.map(|state| state.to_string()),
        ["empty", "ram", "destroyed", "device", "unknown state 4"]
    );
    let devices = [
        VdevState::Unlocked,
        VdevState::Locked,
        VdevState::Started,
        VdevState::Error,
        VdevState::Unknown(9),
    ];
    assert_eq!(
        devices.map(|state| state.to_string()),
        [
            "unlocked",
            "locked",
            "started",
            "in error",
            "in unknown state 9"
        ]
    );
    let layout = LayoutError { word: 0x107 };
    let text = "RsiVdevInfo of an unknown layout: 0x107 at 0x30";
    assert_eq!(layout.to_string(), text);
    let hashes = [0, 1, 2, 3].map(|code| HashAlgorithm::from_code(code).to_string());
    assert_eq!(hashes, ["sha-256", "sha-512", "sha-384", "unknown hash 3"]);
}

#[test]
fn the_configuration_is_read_from_the_page() {
    let rmm = rmm(Behaviour {
        ipa_width: 34,
        hash_algorithm: 1,
        personalization_value: counting(),
        ..Behaviour::default()
    });
    let page = IpaSpace::plain().protected(PAGE).unwrap();
    Rsi::negotiate(&rmm).unwrap().realm_config(page).unwrap();
    let config = RealmConfig::parse(&rmm.read(PAGE));
    assert_eq!(config.space(), IpaSpace::realm(34));
    assert_eq!(config.hash_algorithm, HashAlgorithm::Sha512);
    assert_eq!(config.personalization_value[..3], [0, 1, 2]);
    assert_eq!(config.personalization_value[63], 63);
}

#[test]
fn strange_widths_and_hashes_are_kept_and_told() {
    let mut page = [0xff; 4096];
    let config = RealmConfig::parse(&page);
    assert_eq!(config.space().unwrap_err().width, u64::MAX);
    assert_eq!(config.hash_algorithm, HashAlgorithm::Unknown(0xff));
    assert_eq!(config.hash_algorithm.digest_size(), None);
    page[8] = 2;
    let config = RealmConfig::parse(&page);
    assert_eq!(config.hash_algorithm.digest_size(), Some(48));
}

#[test]
fn a_change_of_state_covers_the_whole_range_however_it_is_split() {
    for progress in [u64::MAX, 0x20_0000, 0x1000] {
        let rmm = rmm(Behaviour {
            progress,
            stalls: 3,
            ..Behaviour::default()
        });
        let rsi = Rsi::negotiate(&rmm).unwrap();
        let all = range(PAGE, PAGE + 0x40_0000);
        rsi.set_ram(all, SetFlags::NoChangeDestroyed).unwrap();
        assert!((PAGE..all.top()).step_by(4096).all(|a| rmm.is_ram(a)));
        assert!(!rmm.is_ram(all.top()));
        let steps = all.len().div_ceil(progress.min(all.len()));
        assert_eq!(rmm.count(Call::IpaStateSet) as u64, steps * 4);
    }
}

#[test]
fn a_page_that_was_ram_keeps_its_content_and_one_that_was_emptied_loses_it() {
    let rmm = honest();
    rmm.write(PAGE, b"keep");
    let rsi = Rsi::negotiate(&rmm).unwrap();
    let all = range(PAGE, PAGE + 0x4000);
    rsi.set_ram(all, SetFlags::NoChangeDestroyed).unwrap();
    assert_eq!(&rmm.read::<4>(PAGE), b"keep");
    rsi.set_empty(all, SetFlags::ChangeDestroyed).unwrap();
    rsi.set_ram(all, SetFlags::ChangeDestroyed).unwrap();
    assert_ne!(&rmm.read::<4>(PAGE), b"keep");
}

#[test]
fn a_rejection_says_where() {
    let rmm = rmm(Behaviour {
        reject_from: Some(PAGE + 0x3000),
        progress: 0x2000,
        ..Behaviour::default()
    });
    let rsi = Rsi::negotiate(&rmm).unwrap();
    let all = range(PAGE, PAGE + 0x8000);
    let rejected = rsi.set_empty(all, SetFlags::ChangeDestroyed);
    assert_eq!(rejected, Err(Error::Rejected { at: PAGE + 0x3000 }));
}

#[test]
fn standing_still_ends_after_a_few_calls() {
    let rmm = rmm(Behaviour {
        progress: 0,
        ..Behaviour::default()
    });
    let rsi = Rsi::negotiate(&rmm).unwrap();
    let stuck = rsi.set_ram(range(PAGE, PAGE + 0x4000), SetFlags::NoChangeDestroyed);
    let (at, calls) = (PAGE, 16);
    assert_eq!(stuck, Err(Error::NoProgress { at, calls }));
    assert_eq!(rmm.count(Call::IpaStateSet), 16);
}

#[test]
fn a_page_that_the_host_destroyed_stops_a_change_that_may_not_replace_it() {
    let rmm = honest();
    rmm.destroy(PAGE + 0x2000);
    let rsi = Rsi::negotiate(&rmm).unwrap();
    let all = range(PAGE, PAGE + 0x4000);
    let stuck = rsi.set_ram(all, SetFlags::NoChangeDestroyed);
    let (at, calls) = (PAGE + 0x2000, 16);
    assert_eq!(stuck, Err(Error::NoProgress { at, calls }));
    assert_eq!(rsi.set_ram(all, SetFlags::ChangeDestroyed), Ok(()));
}

#[test]
fn a_new_base_that_makes_no_sense_is_not_believed() {
    let rmm = honest();
    let rsi = Rsi::negotiate(&rmm).unwrap();
    let all = range(PAGE, PAGE + 0x4000);
    for claimed in [0, PAGE - 0x1000, PAGE + 0x800, PAGE + 0x5000, u64::MAX] {
        rmm.lie(Call::IpaStateSet, [0, claimed, 0, 0, 0, 0, 0, 0, 0]);
        let error = rsi.set_ram(all, SetFlags::NoChangeDestroyed);
        assert_eq!(error, Err(Error::Misplaced { at: PAGE, claimed }));
    }
}

#[test]
fn a_response_that_is_neither_yes_nor_no_is_an_error() {
    let rmm = honest();
    let rsi = Rsi::negotiate(&rmm).unwrap();
    rmm.lie(Call::IpaStateSet, [0, PAGE + 0x4000, 2, 0, 0, 0, 0, 0, 0]);
    let error = rsi.set_ram(range(PAGE, PAGE + 0x4000), SetFlags::NoChangeDestroyed);
    let (at, response) = (PAGE, 2);
    assert_eq!(error, Err(Error::UnknownResponse { at, response }));
}

#[test]
fn states_are_listed_to_the_end_although_the_rmm_stops_early() {
    let rmm = rmm(Behaviour {
        query: 0x3000,
        ..Behaviour::default()
    });
    rmm.destroy(PAGE + 0x1000);
    let rsi = Rsi::negotiate(&rmm).unwrap();
    let runs: Vec<_> = rsi
        .ipa_states(range(PAGE, PAGE + 0x9000))
        .map(|answer| answer.map(|(run, ripas)| (run.base().get() - PAGE, ripas)))
        .collect();
    let expected = [
        Ok((0, Ripas::Ram)),
        Ok((0x1000, Ripas::Destroyed)),
        Ok((0x2000, Ripas::Ram)),
        Ok((0x4000, Ripas::Empty)),
        Ok((0x7000, Ripas::Empty)),
    ];
    assert_eq!(runs, expected);
}

#[test]
fn a_query_that_does_not_move_ends_at_once() {
    let rmm = honest();
    rmm.lie(Call::IpaStateGet, [0, PAGE, 9, 0, 0, 0, 0, 0, 0]);
    let rsi = Rsi::negotiate(&rmm).unwrap();
    let mut states = rsi.ipa_states(range(PAGE, PAGE + 0x9000));
    let (at, claimed) = (PAGE, PAGE);
    assert_eq!(states.next(), Some(Err(Error::Misplaced { at, claimed })));
    assert_eq!(states.next(), None);
    rmm.lie(Call::IpaStateGet, [0, PAGE + 0x9000, 9, 0, 0, 0, 0, 0, 0]);
    let run = range(PAGE, PAGE + 0x9000);
    assert_eq!(rsi.ipa_state_get(run), Ok((run, Ripas::Unknown(9))));
}

#[test]
fn a_measurement_is_extended_by_the_hash_of_old_and_new() {
    let rmm = honest();
    let rsi = Rsi::negotiate(&rmm).unwrap();
    let rem = RemIndex::new(3).unwrap();
    rsi.measurement_extend(rem, b"abc").unwrap();
    let value = rsi.measurement_read(MeasurementIndex::Rem(rem)).unwrap();
    // SHA-256 of 32 zeros and "abc".
    let expected = "365aa7d8f7f9402c4b9434502b4cc89ddb09fe50d7cd95b493b834c62d5a5370";
    assert_eq!(hex(&value[..32]), expected);
    assert_eq!(value[32..], [0; 32]);
    let other = MeasurementIndex::Rem(RemIndex::new(1).unwrap());
    assert_eq!(rsi.measurement_read(other), Ok([0; 64]));
}

#[test]
fn sixty_four_bytes_fill_all_registers_and_sixty_five_are_refused() {
    let rmm = honest();
    let rsi = Rsi::negotiate(&rmm).unwrap();
    let value: [u8; 65] = counting();
    let rem = RemIndex::ALL[0];
    rsi.measurement_extend(rem, &value[..64]).unwrap();
    let arguments = *rmm.calls().last().unwrap();
    assert_eq!(arguments[1..4], [1, 64, 0x0706_0504_0302_0100]);
    assert_eq!(arguments[10], 0x3f3e_3d3c_3b3a_3938);
    let refused = rsi.measurement_extend(rem, &value);
    assert_eq!(refused, Err(Error::ValueTooLong { len: 65 }));
    assert_eq!(rmm.count(Call::MeasurementExtend), 1);
}

#[test]
fn the_initial_measurement_cannot_be_extended() {
    assert_eq!(RemIndex::new(0), None);
    assert_eq!(RemIndex::new(5), None);
    let rmm = honest();
    rmm.set_rim([7; 64]);
    let rsi = Rsi::negotiate(&rmm).unwrap();
    let rim = rsi.measurement_read(MeasurementIndex::Rim);
    assert_eq!(rim, Ok([7; 64]));
}

#[test]
fn a_token_comes_in_pieces_with_pauses() {
    let token: Vec<u8> = counting::<1000>().to_vec();
    let rmm = rmm(Behaviour {
        token: token.clone(),
        token_piece: 400,
        token_stalls: 1,
        ..Behaviour::default()
    });
    let rsi = Rsi::negotiate(&rmm).unwrap();
    let page = space().protected(PAGE).unwrap();
    let before = rsi.attestation_token_continue(page, 0, 4096);
    let (call, status) = (Call::AttestationTokenContinue, Status::State);
    assert_eq!(before, Err(Error::Call { call, status }));
    assert_eq!(rsi.attestation_token_init(&[1; 64]), Ok(4096));
    let mut at = 0;
    let mut steps = Vec::new();
    while steps.last() != Some(&TokenProgress::Complete(200)) {
        let step = rsi.attestation_token_continue(page, at, 4096 - at).unwrap();
        steps.push(step);
        let (TokenProgress::Incomplete(n) | TokenProgress::Complete(n)) = step;
        at += n;
    }
    assert_eq!(steps.len(), 6);
    assert_eq!(rmm.read::<1000>(PAGE)[..], token[..]);
}

#[test]
fn a_piece_stays_inside_its_granule_and_inside_its_room() {
    let rmm = honest();
    let rsi = Rsi::negotiate(&rmm).unwrap();
    let page = space().protected(PAGE).unwrap();
    for (offset, len) in [(4096, 0), (1, 4096), (usize::MAX, 2)] {
        let refused = rsi.attestation_token_continue(page, offset, len);
        assert_eq!(refused, Err(Error::PieceOutsideGranule { offset, len }));
    }
    for status in [0, 3] {
        rmm.lie(
            Call::AttestationTokenContinue,
            [status, 11, 0, 0, 0, 0, 0, 0, 0],
        );
        let overrun = rsi.attestation_token_continue(page, 0, 10);
        let (written, room) = (11, 10);
        assert_eq!(overrun, Err(Error::TokenOverrun { written, room }));
    }
}

#[test]
fn a_host_call_is_256_bytes_with_the_registers_at_8() {
    assert_eq!(size_of::<HostCall>(), 256);
    assert_eq!(align_of::<HostCall>(), 256);
    assert_eq!(core::mem::offset_of!(HostCall, registers), 8);
    assert_eq!(HostCall::new(3, [4; 31]).registers[30], 4);
    let rmm = honest();
    rmm.write(PAGE, &[1; 256]);
    let rsi = Rsi::negotiate(&rmm).unwrap();
    rsi.host_call(space().protected(PAGE).unwrap()).unwrap();
    assert_eq!(rmm.read::<8>(PAGE + 8), [0xff; 8]);
    assert_eq!(rmm.read::<8>(PAGE + 0x28), [1; 8]);
    let unaligned = rsi.host_call(space().protected(PAGE + 8).unwrap());
    let (call, status) = (Call::HostCall, Status::Input);
    assert_eq!(unaligned, Err(Error::Call { call, status }));
}

/// A PSCI that is version 1.1, has SYSTEM_OFF, and will not go off.
struct Stubborn;

impl Conduit for Stubborn {
    fn call(&self, arguments: rsi::Arguments) -> rsi::Results {
        let code = match (arguments[0], arguments[1]) {
            (0x8400_0000, _) => 0x10001,
            (0x8400_000a, 0x8400_0008) => 0,
            (0x8400_0008, _) => 0xffff_fffd,
            // CPU_ON: processor 1 starts, 2 is denied, any other does not exist.
            (0xc400_0003, 1) if arguments[2..4] == [0x8020_0000, 7] => 0,
            (0xc400_0003, 2) => 0xffff_fffd,
            (0xc400_0003, _) => 0xffff_fffe,
            _ => u64::MAX,
        };
        [code, 0, 0, 0, 0, 0, 0, 0, 0].map(Untrusted::from_host)
    }
}

#[test]
fn psci_says_what_it_is_and_why_it_stays_on() {
    assert_eq!(psci::version(&Stubborn), Ok(Version::new(1, 1)));
    assert!(psci::has(&Stubborn, psci::Function::SystemOff));
    assert!(!psci::has(&Stubborn, psci::Function::SystemReset));
    assert_eq!(psci::system_off(&Stubborn).code, -3);
    assert_eq!(psci::system_reset(&Stubborn).code, -1);
}

#[test]
fn a_processor_that_the_host_does_not_start_is_told_with_the_reason() {
    let start = |affinity| psci::cpu_on(&Stubborn, affinity, 0x8020_0000, 7);
    assert_eq!(start(1), Ok(()));
    assert_eq!(start(2).unwrap_err().code, -3);
    let error = start(0x100).unwrap_err();
    assert_eq!((error.function, error.code), (psci::Function::CpuOn, -2));
    assert_eq!(error.to_string(), "PSCI CpuOn returned -2");
}

#[test]
fn without_psci_there_is_no_version() {
    let nobody = FakeRmm::new(Behaviour::default());
    assert_eq!(psci::version(&nobody).unwrap_err().code, -1);
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
