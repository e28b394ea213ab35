//! How close slots lie, and what a device finds behind the content of one.

use bounce::{Error, Region, Spacing};
use testkit::shared::{HostMemory, shared_memory};
use testkit::wire::FakeClock;

use crate::{NET, TOLD};

fn region(spacing: Spacing) -> (Region, HostMemory) {
    let (window, host) = shared_memory(4, TOLD);
    let clock = std::rc::Rc::new(FakeClock::default());
    (Region::spaced(window, clock, spacing).unwrap(), host)
}

#[test]
fn strict_slots_share_no_granule_and_packed_ones_do() {
    for (spacing, apart) in [(Spacing::Strict, 4096), (Spacing::Packed, 64)] {
        let (region, _) = region(spacing);
        let pool = region.pool(NET, 16384).unwrap();
        let [one, two] = [0, 1].map(|_| pool.lease(17, 64).unwrap());
        let at = |slot: &bounce::Slot| slot.address(0).unwrap().get();
        assert_eq!(at(&two) - at(&one), apart, "{spacing:?}");
        assert_eq!((one.len(), pool.spacing()), (17, spacing));
        assert_eq!(region.spacing(), spacing);
    }
}

#[test]
fn a_strict_slot_is_no_longer_than_what_was_leased() {
    let (region, _) = region(Spacing::Strict);
    let slot = region.pool(NET, 4096).unwrap().lease(17, 1).unwrap();
    let (at, len) = (17, 1);
    assert_eq!(slot.copy_out(17, &[1]), Err(Error::OutOfBounds { at, len }));
    assert_eq!(slot.seal(18), Err(Error::OutOfBounds { at: 0, len: 18 }));
}

#[test]
fn strict_slots_count_their_whole_granules() {
    let (region, _) = region(Spacing::Strict);
    let pool = region.pool(NET, 8192).unwrap();
    let slots = [17, 18].map(|len| pool.lease(len, 1).unwrap());
    assert_eq!((pool.counters().leased, pool.left()), (8192, 0));
    assert!(pool.lease(1, 1).is_err());
    drop(slots);
    assert_eq!((pool.counters().leased, pool.left()), (0, 8192));
}

#[test]
fn a_shorter_content_leaves_nothing_of_a_longer_one_in_a_strict_slot() {
    for (spacing, behind) in [(Spacing::Strict, 0), (Spacing::Packed, 0x5e)] {
        let (region, host) = region(spacing);
        let slot = region.pool(NET, 4096).unwrap().lease(100, 1).unwrap();
        slot.copy_out(0, &[0x5e; 60]).unwrap();
        slot.seal(60).unwrap();
        slot.copy_out(0, &[0x11; 20]).unwrap();
        slot.seal(20).unwrap();
        assert_eq!(host.read(TOLD, 20), [0x11; 20]);
        assert_eq!(host.read(TOLD + 20, 40), [behind; 40], "{spacing:?}");
    }
}

#[test]
fn what_lies_between_the_content_of_a_loan_is_cleared_in_a_strict_slot() {
    for (spacing, between) in [(Spacing::Strict, 0), (Spacing::Packed, 0x5e)] {
        let (region, host) = region(spacing);
        let slot = region.pool(NET, 4096).unwrap().lease(100, 1).unwrap();
        slot.copy_out(0, &[0x5e; 60]).unwrap();
        slot.clear_gap(20, 30).unwrap();
        assert_eq!(host.read(TOLD, 20), [0x5e; 20]);
        assert_eq!(host.read(TOLD + 20, 30), [between; 30], "{spacing:?}");
        assert_eq!(host.read(TOLD + 50, 10), [0x5e; 10]);
        let (at, len) = (90, 11);
        let beyond = slot.clear_gap(at, len);
        assert_eq!(beyond, Err(Error::OutOfBounds { at, len }));
    }
}
