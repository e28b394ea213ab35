//! The calls for devices, against an RMM in small and against one that lies.
#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, and so do its fixtures"
)]

use ipa::{GranuleRange, IpaSpace};
use rsi::{Call, Error, Nonces, Ripas, Rsi, SetFlags, Status, VdevId, VdevInfo, VdevState};
use testkit::rmm::{Behaviour, FakeRmm};
use vdev::{Curve, Layout, Lie, REGISTERS, Range, State};

const PAGE: u64 = 0x8000_0000;
const BAR: u64 = 0x1000_0000;
const ID: VdevId = VdevId::pci(0, 0x10);
const SET_TDI_STATE: u64 = 0xc500_0054;
const CONTINUE: u64 = 0xc500_0051;

fn space() -> IpaSpace {
    IpaSpace::realm(33).unwrap()
}

fn bar() -> GranuleRange {
    GranuleRange::new(space(), BAR, BAR + 0x4000).unwrap()
}

fn rmm_with(lie: Lie, behaviour: Behaviour) -> FakeRmm {
    let rmm = FakeRmm::new(behaviour);
    rmm.populate(PAGE, 0x4000);
    let range = Range {
        bar: 4,
        base: BAR,
        size: 0x4000,
        non_tee: false,
    };
    rmm.assign(ID.get(), Curve::P384, lie, &[range]);
    rmm
}

fn rmm(lie: Lie) -> FakeRmm {
    rmm_with(lie, Behaviour::default())
}

fn set_state(rmm: &FakeRmm, rsi: &Rsi<&FakeRmm>, state: u64) {
    ask(rmm, rsi, SET_TDI_STATE, state);
}

/// Asks the host for something, as `rhi` does it.
fn ask(rmm: &FakeRmm, rsi: &Rsi<&FakeRmm>, function: u64, operand: u64) {
    let mut registers = [0; REGISTERS];
    registers[..3].copy_from_slice(&[function, ID.get(), operand]);
    rmm.write(PAGE, &rsi::HostCall::new(0, registers).to_bytes());
    rsi.host_call(space().protected(PAGE).unwrap()).unwrap();
}

fn info(rmm: &FakeRmm, rsi: &Rsi<&FakeRmm>) -> VdevInfo {
    let at = space().protected(PAGE + 512).unwrap();
    rsi.vdev_get_info(ID, at).unwrap();
    VdevInfo::parse(&rmm.read(PAGE + 512)).unwrap()
}

#[test]
fn a_realm_without_devices_says_so_and_is_refused() {
    let rmm = FakeRmm::new(Behaviour::default());
    rmm.populate(PAGE, 0x1000);
    let rsi = Rsi::negotiate(&rmm).unwrap();
    assert_eq!(rsi.has_device_assignment(), Ok(false));
    let (call, status) = (Call::VdevDmaDisable, Status::State);
    assert_eq!(rsi.vdev_dma_disable(ID), Err(Error::Call { call, status }));
}

#[test]
fn a_device_goes_from_the_host_to_the_realm_and_back() {
    for layout in [Layout::WithFormat, Layout::WithoutFormat] {
        let rmm = rmm_with(
            Lie::None,
            Behaviour {
                layout,
                device_stalls: 3,
                ..Behaviour::default()
            },
        );
        let rsi = Rsi::negotiate(&rmm).unwrap();
        assert_eq!(rsi.has_device_assignment(), Ok(true));
        assert_eq!(info(&rmm, &rsi).state, VdevState::Unlocked);
        set_state(&rmm, &rsi, 1);
        let locked = info(&rmm, &rsi);
        assert_eq!(locked.state, VdevState::Locked);
        rsi.vdev_validate_mapping(ID, bar(), BAR, locked.nonces)
            .unwrap();
        let mut states = rsi.ipa_states(bar());
        assert_eq!(states.next(), Some(Ok((bar(), Ripas::Device))));
        set_state(&rmm, &rsi, 2);
        rsi.vdev_dma_enable(ID, locked.nonces).unwrap();
        assert!(rmm.device(|tdi| tdi.reaches_private()));
        rsi.vdev_dma_disable(ID).unwrap();
        assert!(!rmm.device(|tdi| tdi.reaches_private()));
        rsi.set_empty(bar(), SetFlags::ChangeDestroyed).unwrap();
        set_state(&rmm, &rsi, 0);
        assert_eq!(rmm.device(|tdi| tdi.state()), State::Unlocked);
    }
}

#[test]
fn a_mapping_comes_forward_page_by_page() {
    let rmm = rmm(Lie::Slow);
    let rsi = Rsi::negotiate(&rmm).unwrap();
    // Busy, begun, not yet, done.
    let handle = 0x7d;
    for (function, operand) in [(SET_TDI_STATE, 1), (SET_TDI_STATE, 1), (CONTINUE, handle)] {
        ask(&rmm, &rsi, function, operand);
        assert_eq!(rmm.device(|tdi| tdi.state()), State::Unlocked);
    }
    ask(&rmm, &rsi, CONTINUE, handle);
    let nonces = info(&rmm, &rsi).nonces;
    rsi.vdev_validate_mapping(ID, bar(), BAR, nonces).unwrap();
    assert_eq!(rmm.count(Call::VdevValidateMapping), 4);
    let mut states = rsi.ipa_states(bar());
    assert_eq!(states.next(), Some(Ok((bar(), Ripas::Device))));
}

#[test]
fn a_mapping_that_stands_still_or_is_refused_ends() {
    for (lie, expected) in [
        (Lie::Stalled, Error::NoProgress { at: BAR, calls: 16 }),
        (Lie::Rejected, Error::Rejected { at: BAR }),
    ] {
        let rmm = rmm(lie);
        let rsi = Rsi::negotiate(&rmm).unwrap();
        set_state(&rmm, &rsi, 1);
        let nonces = info(&rmm, &rsi).nonces;
        let mapped = rsi.vdev_validate_mapping(ID, bar(), BAR, nonces);
        assert_eq!(mapped, Err(expected), "{lie:?}");
    }
}

#[test]
fn registers_of_another_place_are_not_mapped() {
    let rmm = rmm(Lie::None);
    let rsi = Rsi::negotiate(&rmm).unwrap();
    set_state(&rmm, &rsi, 1);
    let nonces = info(&rmm, &rsi).nonces;
    let mapped = rsi.vdev_validate_mapping(ID, bar(), BAR + 0x1000, nonces);
    assert_eq!(mapped, Err(Error::Rejected { at: BAR }));
}

#[test]
fn another_nonce_is_a_device_error_and_results_beside_an_error_are_not_looked_at() {
    let rmm = rmm(Lie::None);
    let rsi = Rsi::negotiate(&rmm).unwrap();
    set_state(&rmm, &rsi, 1);
    let mut nonces = info(&rmm, &rsi).nonces;
    nonces.report ^= 1;
    let (call, status) = (Call::VdevValidateMapping, Status::Device);
    let mapped = rsi.vdev_validate_mapping(ID, bar(), BAR, nonces);
    assert_eq!(mapped, Err(Error::Call { call, status }));
    // x1 is the identity of the device here, not a progress: only x0 was written.
    let call = Call::VdevDmaEnable;
    assert_eq!(
        rsi.vdev_dma_enable(ID, Nonces::default()),
        Err(Error::Call { call, status })
    );
}

#[test]
fn progress_outside_the_range_is_named() {
    let rmm = rmm(Lie::None);
    let rsi = Rsi::negotiate(&rmm).unwrap();
    for claimed in [BAR - 0x1000, BAR + 0x5000, BAR + 8] {
        let answer = [0, claimed, 0, 0, 0, 0, 0, 0, 0];
        rmm.lie(Call::VdevValidateMapping, answer);
        let mapped = rsi.vdev_validate_mapping(ID, bar(), BAR, Nonces::default());
        assert_eq!(mapped, Err(Error::Misplaced { at: BAR, claimed }));
    }
}

#[test]
fn a_call_that_never_ends_is_given_up() {
    let rmm = rmm(Lie::None);
    let rsi = Rsi::negotiate(&rmm).unwrap();
    for call in [Call::VdevDmaEnable, Call::VdevDmaDisable, Call::VdevGetInfo] {
        rmm.lie(call, [3, 0, 0, 0, 0, 0, 0, 0, 0]);
    }
    let (call, at) = (Call::VdevDmaDisable, space().protected(PAGE).unwrap());
    assert_eq!(rsi.vdev_dma_disable(ID), Err(Error::Unfinished { call }));
    let call = Call::VdevGetInfo;
    assert_eq!(rsi.vdev_get_info(ID, at), Err(Error::Unfinished { call }));
    assert_eq!(rmm.count(Call::VdevGetInfo), 16);
}
