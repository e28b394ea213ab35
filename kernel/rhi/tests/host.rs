//! Each call, against a host in small and against one that lies.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, and so do its fixtures"
)]

use rhi::{Call, Error, Host, Object, Status, TdiState};
use rsi::{Granule as _, Rsi, VdevId};
use testkit::attestation::{TickingClock, TokenPage};
use testkit::rmm::{Behaviour, FakeRmm, SharedRun};
use vdev::{Curve, Lie, Range, State};

const ID: VdevId = VdevId::pci(0, 0x10);

/// What `ask` gets from a host that lies so.
fn with<T>(lie: Lie, ask: impl FnOnce(&mut Host<'_, &FakeRmm>, &FakeRmm) -> T) -> T {
    let rmm = FakeRmm::new(Behaviour::default());
    let bar = Range {
        bar: 4,
        base: 0x1000_0000,
        size: 0x4000,
        non_tee: false,
    };
    rmm.assign(ID.get(), Curve::P256, lie, &[bar]);
    let rsi = Rsi::negotiate(&rmm).unwrap();
    let mut page = TokenPage::of(&rmm);
    let (inbox, clock) = (SharedRun::of(&rmm, 8192), TickingClock::default());
    let mut host = Host::new(&rsi, &mut page, &inbox, &clock);
    ask(&mut host, &rmm)
}

fn measurements(lie: Lie) -> Result<Vec<u8>, Error> {
    with(lie, |host, _| {
        host.set_tdi_state(ID, TdiState::Locked)?;
        host.get_measurements(ID)?;
        host.read(ID, Object::Measurements)
    })
}

#[test]
fn a_host_with_all_services_is_asked_for_everything() {
    with(Lie::None, |host, rmm| {
        host.check().unwrap();
        host.set_tdi_state(ID, TdiState::Locked).unwrap();
        host.get_interface_report(ID).unwrap();
        host.get_measurements(ID).unwrap();
        for (object, least) in [
            (Object::Negotiation, 100),
            (Object::Certificates, 600),
            (Object::Measurements, 200),
            (Object::Report, 36),
        ] {
            let bytes = host.read(ID, object).unwrap();
            assert!(bytes.len() >= least, "{object:?}: {}", bytes.len());
        }
        host.set_tdi_state(ID, TdiState::Run).unwrap();
        assert_eq!(rmm.device(|tdi| tdi.state()), State::Started);
    });
}

#[test]
fn a_host_without_services_is_one_error() {
    let rmm = FakeRmm::new(Behaviour::default());
    let rsi = Rsi::negotiate(&rmm).unwrap();
    let mut page = TokenPage::of(&rmm);
    let (inbox, clock) = (SharedRun::of(&rmm, 4096), TickingClock::default());
    let checked = Host::new(&rsi, &mut page, &inbox, &clock).check();
    let (version, features) = (u64::MAX, 0);
    assert_eq!(checked, Err(Error::NotOffered { version, features }));
}

#[test]
fn a_slow_host_is_waited_for_and_one_that_never_ends_is_not() {
    assert!(measurements(Lie::Slow).is_ok());
    let call = Call::SetTdiState;
    assert_eq!(measurements(Lie::Busy), Err(Error::TooSlow { call }));
    assert_eq!(measurements(Lie::Unfinished), Err(Error::TooSlow { call }));
}

#[test]
fn what_took_too_long_is_given_up() {
    with(Lie::Unfinished, |host, rmm| {
        assert!(host.get_measurements(ID).is_err());
        let aborted = rmm.device(|tdi| !tdi.is_busy());
        assert!(aborted, "the host still works on it");
    });
}

#[test]
fn no_object_is_larger_than_the_room_or_another_size_than_announced() {
    let (size, room) = (1 << 30, 8192);
    assert_eq!(
        measurements(Lie::Oversized),
        Err(Error::Size { size, room })
    );
    assert!(matches!(measurements(Lie::Short), Err(Error::Short { .. })));
    let copied = 8193;
    let overrun = measurements(Lie::Overrun).unwrap_err();
    assert!(matches!(overrun, Error::Short { copied: c, .. } if c == copied));
}

#[test]
fn data_that_is_not_there_is_one_error() {
    let (call, status) = (Call::ObjectSize, Status::NoData);
    let refused = Err(Error::Refused { call, status });
    assert_eq!(measurements(Lie::Missing), refused);
}

#[test]
fn another_device_is_one_error() {
    with(Lie::None, |host, _| {
        let (call, status) = (Call::SetTdiState, Status::Device);
        let refused = Err(Error::Refused { call, status });
        let other = VdevId::pci(0, 0x18);
        assert_eq!(host.set_tdi_state(other, TdiState::Locked), refused);
    });
}

#[test]
fn what_cannot_be_done_is_one_error() {
    with(Lie::None, |host, _| {
        let (call, status) = (Call::SetTdiState, Status::DeviceFailed);
        let refused = Err(Error::Refused { call, status });
        assert_eq!(host.set_tdi_state(ID, TdiState::Run), refused);
    });
}

#[test]
fn every_status_has_a_name_and_unknown_ones_are_kept() {
    for code in 0..12 {
        let status = Status::from_code(code);
        assert!(!matches!(status, Status::Other(_)), "{code}");
        assert!(!status.to_string().contains("unheard-of"));
    }
    assert_eq!(Status::from_code(u64::MAX), Status::NotImplemented);
    assert_eq!(Status::from_code(12).to_string(), "unheard-of status 0xc");
}

#[test]
fn the_page_holds_nothing_but_the_call() {
    let rmm = FakeRmm::new(Behaviour::default());
    rmm.assign(ID.get(), Curve::P256, Lie::None, &[]);
    let rsi = Rsi::negotiate(&rmm).unwrap();
    let mut page = TokenPage::of(&rmm);
    let (inbox, clock) = (SharedRun::of(&rmm, 4096), TickingClock::default());
    Host::new(&rsi, &mut page, &inbox, &clock).check().unwrap();
    let mut registers = [1; 240];
    let _told = page.take_answer(24, &mut registers[..232]);
    assert_eq!(registers[..232], [0; 232], "registers without an operand");
}
