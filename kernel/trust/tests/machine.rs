//! Devices, RMMs and hosts that are as they should be, and that lie.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and so do its fixtures"
)]

use std::cell::RefCell;
use std::rc::Rc;

use bounce::{AtRest, Private, Region, Shared};
use ipa::{GranuleRange, IpaSpace};
use proptest::prelude::*;
use rhi::Host;
use rsi::{Arguments, Call, Conduit, Results, Rsi, VdevId, VdevState};
use tdisp::certificates::Fault;
use tdisp::report::ReportError;
use tdisp::spdm::SpdmError;
use tdisp::{EvidenceError, Measurement, Object};
use testkit::attestation::{TickingClock, TokenPage};
use testkit::random::Seeded;
use testkit::rmm::{Behaviour, FakeRmm, SharedRun};
use testkit::shared::{private_memory, shared_memory};
use trust::{Bar, Error, FailedDevice, Line, PrivateDevice, RangeFault, SharedDevice, Witness};
use vdev::{Curve, Device, Firmware, Layout, Lie, Range, State};

const ID: VdevId = VdevId::pci(0, 0x10);
const TABLE: u64 = 0x1000_0000;
const BAR: u64 = 0x1000_4000;
const SIZE: u64 = 0x4000;

fn rmm_with(lie: Lie, behaviour: Behaviour) -> FakeRmm {
    let rmm = FakeRmm::new(behaviour);
    let range = |bar, base, size, non_tee| Range {
        bar,
        base,
        size,
        non_tee,
    };
    let bars = [range(1, TABLE, 0x1000, true), range(4, BAR, SIZE, false)];
    rmm.assign(ID.get(), Curve::P256, lie, &bars);
    rmm
}

fn rmm(lie: Lie) -> FakeRmm {
    rmm_with(lie, Behaviour::default())
}

fn granules(base: u64, size: u64) -> GranuleRange {
    GranuleRange::new(IpaSpace::realm(33).unwrap(), base, base + size).unwrap()
}

fn shared() -> SharedDevice {
    let bar = |index, range| Bar { index, range };
    let bars = vec![bar(1, granules(TABLE, 0x1000)), bar(4, granules(BAR, SIZE))];
    SharedDevice::new(ID, bars)
}

fn known() -> Measurement {
    Measurement::new(Device::new(Curve::P256, Firmware::Known).measurement())
}

/// Writes down what is trusted, and that it reaches nothing yet.
struct Log<'a>(&'a FakeRmm, Vec<Measurement>);

impl Witness for Log<'_> {
    fn record(&mut self, device: VdevId, measurement: &Measurement) -> Result<(), Error> {
        assert_eq!(device, ID);
        assert!(!self.0.device(|tdi| tdi.reaches_private()));
        self.1.push(*measurement);
        Ok(())
    }
}

/// Private memory of a driver that has ended.
fn private_rest() -> AtRest<Private> {
    let (window, _) = private_memory(1, 0x8800_0000);
    let region = Region::new(window, Rc::new(TickingClock::default())).unwrap();
    let pool = region.pool("0000:00:02.0", 4096).unwrap();
    pool.give_up().unwrap()
}

/// Shared memory of a driver that has ended.
fn shared_rest() -> AtRest<Shared> {
    let (window, _) = shared_memory(1, 0x1_8800_0000);
    let region = Region::new(window, Rc::new(TickingClock::default())).unwrap();
    let pool = region.pool("0000:00:02.0", 4096).unwrap();
    pool.give_up().unwrap()
}

/// Nobody who could write anything down.
struct Nobody;

impl Witness for Nobody {
    fn record(&mut self, _: VdevId, _: &Measurement) -> Result<(), Error> {
        Err(Error::NotMeasured)
    }
}

/// What `act` makes of a line to `rmm`.
fn on_line<C: Conduit, T>(rmm: &FakeRmm, conduit: C, act: impl FnOnce(&mut Line<'_, C>) -> T) -> T {
    let rsi = Rsi::negotiate(conduit).unwrap();
    let mut page = TokenPage::of(rmm);
    let (inbox, clock) = (SharedRun::of(rmm, 16384), TickingClock::default());
    act(&mut Line::new(&rsi, &mut page, &inbox, &clock))
}

fn lock_and_accept<C: Conduit>(
    line: &mut Line<'_, C>,
    rmm: &FakeRmm,
) -> Result<PrivateDevice, FailedDevice> {
    let offer = line.offer().unwrap();
    let locked = shared().lock(None, offer, line)?;
    let mut log = Log(rmm, Vec::new());
    let accepted = locked.accept(known(), &mut log, line);
    assert!(accepted.is_err() || log.1 == [known()]);
    accepted
}

/// Why a device that lies so is not accepted.
fn refusal(lie: Lie) -> Error {
    let rmm = rmm(lie);
    let failed = on_line(&rmm, &rmm, |line| lock_and_accept(line, &rmm).unwrap_err());
    is_harmless(&rmm, &failed);
    failed.error()
}

/// Whether a device that failed can do no harm.
fn is_harmless(rmm: &FakeRmm, failed: &FailedDevice) {
    assert!(failed.dma_is_off());
    rmm.device(|tdi| {
        assert!(!tdi.reaches_private());
        assert_eq!(tdi.ripas(BAR), None, "EMPTY");
    });
}

#[test]
fn a_device_is_accepted_and_given_back() {
    for layout in [Layout::WithFormat, Layout::WithoutFormat] {
        for lie in [Lie::None, Lie::Slow] {
            let behaviour = Behaviour {
                layout,
                device_hash: 2,
                device_stalls: 1,
                ..Behaviour::default()
            };
            let rmm = rmm_with(lie, behaviour);
            on_line(&rmm, &rmm, |line| {
                let device = lock_and_accept(line, &rmm).unwrap();
                assert!(rmm.device(|tdi| tdi.reaches_private()));
                assert_eq!(device.check(line), Ok(()));
                assert!(device.holds(BAR, SIZE) && !device.holds(BAR, SIZE + 1));
                assert!(!device.holds(TABLE, 4), "the host reaches these");
                let rest = private_rest();
                let shared = device.revoke(rest, line).unwrap();
                assert_eq!(rmm.device(|tdi| tdi.state()), State::Unlocked);
                assert!(!rmm.device(|tdi| tdi.reaches_private()));
                assert_eq!(rmm.device(|tdi| tdi.ripas(BAR)), None);
                assert_eq!(shared.id(), ID);
            });
        }
    }
}

/// Has the host of `rmm` do something to the device, unasked.
fn by_host(rmm: &FakeRmm, act: impl FnOnce(&mut Host<'_, &FakeRmm>) -> Result<(), rhi::Error>) {
    let rsi = Rsi::negotiate(rmm).unwrap();
    let mut page = TokenPage::of(rmm);
    let (inbox, clock) = (SharedRun::of(rmm, 16384), TickingClock::default());
    act(&mut Host::new(&rsi, &mut page, &inbox, &clock)).unwrap();
}

/// What becomes of a device to which `meanwhile` happens between its evidence and the decision for it.
fn accepted_after(meanwhile: impl FnOnce(&FakeRmm)) -> Error {
    let rmm = rmm(Lie::None);
    let failed = on_line(&rmm, &rmm, |line| {
        let offer = line.offer().unwrap();
        let locked = shared().lock(Some(shared_rest()), offer, line).unwrap();
        assert_eq!(locked.evidence().measurement(), known());
        meanwhile(&rmm);
        let mut log = Log(&rmm, Vec::new());
        let failed = locked.accept(known(), &mut log, line).unwrap_err();
        assert!(log.1.is_empty(), "it is not even measured");
        failed
    });
    is_harmless(&rmm, &failed);
    assert_eq!(rmm.count(Call::VdevDmaEnable), 0);
    failed.error()
}

#[test]
fn what_happens_between_evidence_and_decision_ends_in_its_own_error() {
    let relocked = accepted_after(|rmm| rmm.device(vdev::Tdi::relock));
    assert_eq!(relocked, Error::Changed);
    let state = |found| Error::State {
        wanted: VdevState::Locked,
        found,
    };
    let disturbed = accepted_after(|rmm| rmm.device(vdev::Tdi::disturb));
    assert_eq!(disturbed, state(VdevState::Error));
    // Another report, or other measurements, for whatever the decision was about.
    let renewed = [
        |host: &mut Host<'_, &FakeRmm>| host.get_measurements(ID),
        |host: &mut Host<'_, &FakeRmm>| host.get_interface_report(ID),
    ];
    for renew in renewed {
        assert_eq!(accepted_after(|rmm| by_host(rmm, renew)), Error::Changed);
    }
}

#[test]
fn a_device_that_is_given_back_unaccepted_has_the_memory_that_it_had_and_can_be_asked_again() {
    let rmm = rmm(Lie::None);
    on_line(&rmm, &rmm, |line| {
        let (mut device, mut rest) = (shared(), Some(shared_rest()));
        for _ in 0..3 {
            let offer = line.offer().unwrap();
            assert_eq!(device.probe(offer, line), Ok(()));
            let pool = rest.take().unwrap().reopen();
            let slot = pool.lease(4096, 64).unwrap();
            assert!(pool.clone().give_up().is_err(), "its driver has it");
            drop(slot);
            let locked = device.lock(Some(pool.give_up().unwrap()), offer, line);
            (device, rest) = locked.unwrap().release(line).unwrap();
        }
        assert_eq!(rmm.device(|tdi| tdi.state()), State::Unlocked);
    });
    assert_eq!(rmm.count(Call::VdevDmaEnable), 0);
}

#[test]
fn a_device_that_nobody_knows_is_not_locked_to_find_that_out() {
    let rmm = rmm(Lie::None);
    on_line(&rmm, &rmm, |line| {
        let offer = line.offer().unwrap();
        let stranger = SharedDevice::new(VdevId::pci(0, 0x18), Vec::new());
        assert!(matches!(stranger.probe(offer, line), Err(Error::Rsi(_))));
    });
    assert_eq!(rmm.device(|tdi| tdi.state()), State::Unlocked);
}

#[test]
fn evidence_is_there_before_anything_is_decided_and_a_device_can_be_given_back_unaccepted() {
    let rmm = rmm(Lie::None);
    on_line(&rmm, &rmm, |line| {
        let offer = line.offer().unwrap();
        let locked = shared().lock(None, offer, line).unwrap();
        assert_eq!(locked.evidence().measurement(), known());
        assert_eq!(rmm.device(|tdi| tdi.state()), State::Locked);
        assert!(locked.release(line).is_ok());
        assert_eq!(rmm.device(|tdi| tdi.state()), State::Unlocked);
    });
    assert_eq!(rmm.count(Call::VdevDmaEnable), 0);
    assert_eq!(rmm.count(Call::VdevValidateMapping), 0);
}

#[test]
fn each_lie_of_the_host_ends_in_its_own_error() {
    let swapped = |object| Error::Evidence(EvidenceError::Swapped { object });
    assert_eq!(refusal(Lie::Swapped), swapped(Object::Certificates));
    assert_eq!(refusal(Lie::Flipped), swapped(Object::Measurements));
    let host = |lie| match refusal(lie) {
        Error::Host(error) => error,
        other => panic!("{lie:?}: {other}"),
    };
    assert!(matches!(host(Lie::Short), rhi::Error::Short { .. }));
    assert!(matches!(host(Lie::Overrun), rhi::Error::Short { .. }));
    assert!(matches!(host(Lie::Oversized), rhi::Error::Size { .. }));
    let call = rhi::Call::SetTdiState;
    assert_eq!(host(Lie::Busy), rhi::Error::TooSlow { call });
    assert_eq!(host(Lie::Unfinished), rhi::Error::TooSlow { call });
    let (call, status) = (rhi::Call::ObjectSize, rhi::Status::NoData);
    assert_eq!(host(Lie::Missing), rhi::Error::Refused { call, status });
    assert_eq!(refusal(Lie::Relock), Error::Changed);
    assert_eq!(refusal(Lie::LateRelock), Error::Changed);
    let stalled = rsi::Error::NoProgress { at: BAR, calls: 16 };
    assert_eq!(refusal(Lie::Stalled), Error::Rsi(stalled));
    let rejected = Error::Rsi(rsi::Error::Rejected { at: BAR });
    assert_eq!(refusal(Lie::Rejected), rejected);
    let (wanted, found) = (VdevState::Started, VdevState::Locked);
    assert_eq!(refusal(Lie::NotStarted), Error::State { wanted, found });
}

#[test]
fn each_lie_of_the_device_ends_in_its_own_error() {
    let bar = 4;
    let fault = RangeFault::Outside;
    assert_eq!(refusal(Lie::Moved), Error::Registers { bar, fault });
    // Where the BAR is, only the RMM knows.
    let elsewhere = Error::Rsi(rsi::Error::Rejected { at: BAR });
    assert_eq!(refusal(Lie::Elsewhere), elsewhere);
    let overlap = ReportError::Overlap { index: 2 };
    let overlapping = Error::Evidence(EvidenceError::Report(overlap));
    assert_eq!(refusal(Lie::Overlapping), overlapping);
    let unsigned = EvidenceError::Measurements(SpdmError::Signature);
    assert_eq!(refusal(Lie::Unsigned), Error::Evidence(unsigned));
    for (lie, firmware) in [
        (Lie::OtherFirmware, Firmware::Other),
        (Lie::Forged, Firmware::Forged),
    ] {
        let found = Measurement::new(Device::new(Curve::P256, firmware).measurement());
        let wanted = known();
        assert_eq!(refusal(lie), Error::Unknown { wanted, found });
    }
    assert!(!Fault::Form.to_string().is_empty());
}

#[test]
fn what_the_host_takes_away_after_acceptance_is_seen() {
    let seen = |lie| {
        let rmm = rmm(lie);
        on_line(&rmm, &rmm, |line| {
            let device = lock_and_accept(line, &rmm).unwrap();
            let error = device.check(line).unwrap_err();
            is_harmless(&rmm, &device.fail(error, line));
            error
        })
    };
    assert_eq!(seen(Lie::Unmapped), Error::Unmapped { at: BAR });
    let (wanted, found) = (VdevState::Started, VdevState::Unlocked);
    assert_eq!(seen(Lie::Unlocked), Error::State { wanted, found });
}

#[test]
fn a_device_that_somebody_disturbs_is_not_what_was_accepted() {
    let rmm = rmm(Lie::None);
    on_line(&rmm, &rmm, |line| {
        let device = lock_and_accept(line, &rmm).unwrap();
        rmm.device(vdev::Tdi::disturb);
        assert!(!rmm.device(|tdi| tdi.reaches_private()));
        let (wanted, found) = (VdevState::Started, VdevState::Error);
        assert_eq!(device.check(line), Err(Error::State { wanted, found }));
    });
}

#[test]
fn a_device_that_cannot_be_measured_reaches_nothing() {
    let rmm = rmm(Lie::None);
    let failed = on_line(&rmm, &rmm, |line| {
        let offer = line.offer().unwrap();
        let locked = shared().lock(None, offer, line).unwrap();
        locked.accept(known(), &mut Nobody, line).unwrap_err()
    });
    assert_eq!(failed.error(), Error::NotMeasured);
    is_harmless(&rmm, &failed);
    assert_eq!(rmm.count(Call::VdevValidateMapping), 0);
}

#[test]
fn a_realm_without_devices_offers_nothing() {
    let rmm = FakeRmm::new(Behaviour::default());
    let offered = on_line(&rmm, &rmm, |line| line.offer().map(|_| ()));
    assert_eq!(offered, Err(Error::NotOffered));
}

#[test]
fn registers_lie_in_the_bars_that_we_placed() {
    let refused = |bars: Vec<Bar>| {
        let rmm = rmm(Lie::None);
        on_line(&rmm, &rmm, |line| {
            let offer = line.offer().unwrap();
            let locked = SharedDevice::new(ID, bars).lock(None, offer, line).unwrap();
            let mut log = Log(&rmm, Vec::new());
            let failed = locked.accept(known(), &mut log, line).unwrap_err();
            assert!(log.1.is_empty(), "nothing is measured that is not mapped");
            failed.error()
        })
    };
    let bar = |index, base, size| Bar {
        index,
        range: granules(base, size),
    };
    let error = |bar, fault| Error::Registers { bar, fault };
    assert_eq!(refused(vec![]), error(1, RangeFault::NoBar));
    let small = vec![bar(1, TABLE, 0x1000), bar(4, BAR, 0x2000)];
    assert_eq!(refused(small), error(4, RangeFault::Outside));
    let same = vec![bar(1, BAR, 0x1000), bar(4, BAR, SIZE)];
    assert_eq!(refused(same), error(4, RangeFault::Overlap));
}

/// A host that answers as it likes, and an RMM that does not.
struct Wild<'a> {
    rmm: &'a FakeRmm,
    random: RefCell<Seeded>,
}

impl Wild<'_> {
    fn chance(&self, one_in: u8) -> bool {
        let [byte] = self.random.borrow_mut().bytes(1)[..] else {
            return false;
        };
        byte.is_multiple_of(one_in)
    }
}

impl Conduit for Wild<'_> {
    fn call(&self, arguments: Arguments) -> Results {
        if self.chance(40) {
            self.rmm.device(vdev::Tdi::relock);
        }
        if self.chance(60) {
            self.rmm.device(vdev::Tdi::disturb);
        }
        let results = self.rmm.call(arguments);
        if arguments[0] == Call::HostCall.function() && self.chance(12) {
            let noise = self.random.borrow_mut().bytes(16);
            let small: Vec<u8> = noise.iter().map(|byte| byte % 12).collect();
            // Status and value: anything, or something that could be one.
            let lie = if self.chance(2) {
                noise
            } else {
                [
                    small[0], 0, 0, 0, 0, 0, 0, 0, small[8], small[9], 0, 0, 0, 0, 0, 0,
                ]
                .to_vec()
            };
            self.rmm.write(arguments[1] + 8, &lie);
        }
        results
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_a_host_does_only_the_known_device_ever_reaches_private_memory(
        seed: u64,
        lie in 0..Lie::NAMES.len(),
    ) {
        let rmm = rmm(Lie::NAMES[lie].1);
        let wild = Wild { rmm: &rmm, random: RefCell::new(Seeded::new(seed)) };
        on_line(&rmm, &wild, |line| {
            let Ok(offer) = line.offer() else {
                return;
            };
            let accepted = shared().lock(None, offer, line).and_then(|locked| {
                locked.accept(known(), &mut Log(&rmm, Vec::new()), line)
            });
            match accepted {
                Ok(device) => {
                    let told = [Lie::OtherFirmware, Lie::Forged, Lie::Unsigned];
                    assert!(!told.contains(&Lie::NAMES[lie].1));
                    // It was started and enabled; what happened since is found by asking.
                    let good = rmm.device(|tdi| tdi.reaches_private());
                    assert!(good || device.check(line).is_err());
                    let failed = device.fail(Error::Changed, line);
                    assert!(failed.dma_is_off());
                }
                Err(failed) => assert!(failed.dma_is_off()),
            }
            assert!(!rmm.device(|tdi| tdi.reaches_private()));
        });
    }
}
