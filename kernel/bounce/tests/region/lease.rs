//! Pools and leases.

use bounce::{Error, Shortage};
use testkit::random::Seeded;

use crate::{NET, TOLD, pool, region};

#[test]
fn what_the_host_left_is_cleared_slot_by_slot_and_nowhere_else() {
    let (region, host, _) = region(2);
    host.write(TOLD, &[0x5e; 8192]);
    let slot = region.pool(NET, 8192).unwrap().lease(4096, 1).unwrap();
    let at = slot.address(0).unwrap().get();
    assert!(host.read(at, 4096).iter().all(|byte| *byte == 0));
    let rest = host
        .read(TOLD, 8192)
        .iter()
        .filter(|byte| **byte == 0x5e)
        .count();
    assert_eq!(rest, 4096);
}

#[test]
fn pools_share_no_page() {
    let (region, _, _) = region(4);
    let one = region.pool(NET, 1).unwrap().lease(1, 1).unwrap();
    let two = region
        .pool("0000:00:02.0", 4097)
        .unwrap()
        .lease(1, 1)
        .unwrap();
    assert_eq!(one.address(0).unwrap().get(), TOLD);
    assert_eq!(two.address(0).unwrap().get(), TOLD + 4096);
    assert_eq!(region.uncarved(), 4096);
}

#[test]
fn a_region_without_room_for_a_pool_says_so_and_stays_as_it_is() {
    let (region, _, _) = region(2);
    for wanted in [8193, usize::MAX] {
        let refused = region.pool(NET, wanted).map(|_| ());
        assert_eq!(refused, Err(Error::Exhausted { wanted }));
    }
    assert!(region.pool(NET, 8192).is_ok());
    assert!(region.pool(NET, 1).is_err());
}

#[test]
fn regions_and_slots_have_bytes() {
    let (region, _, _) = region(1);
    let slot = region.pool(NET, 4096).unwrap().lease(1, 1).unwrap();
    assert!(!region.is_empty());
    assert!(!slot.is_empty());
}

#[test]
fn a_lease_is_aligned_as_devices_see_it() {
    let (_region, pool, _) = pool();
    let _odd = pool.lease(3, 1).unwrap();
    for align in [2, 4, 16, 64, 512] {
        let slot = pool.lease(5, align).unwrap();
        let told = slot.address(0).unwrap().get();
        assert!(told.is_multiple_of(align as u64), "{told:#x} for {align}");
    }
}

#[test]
fn an_alignment_that_is_no_power_of_two_and_a_lease_of_nothing_are_refused() {
    let (_region, pool, _) = pool();
    assert!(pool.lease(8, 0).is_err());
    assert!(pool.lease(8, 12).is_err());
    assert!(pool.lease(0, 1).is_err());
}

#[test]
fn exhaustion_is_an_error_and_is_counted() {
    let (_region, pool, _) = pool();
    let _all = pool.lease(4096, 1).unwrap();
    let refused = pool.lease(1, 1).map(|_| ());
    assert_eq!(refused, Err(Error::Exhausted { wanted: 1 }));
    let shortage = Shortage {
        queue: Some(1),
        wanted: 1514,
        free: 1536,
        largest: 768,
    };
    pool.note_shortage(shortage);
    assert_eq!(pool.counters().exhausted, 2);
    assert_eq!(pool.counters().shortage, Some(shortage));
}

#[test]
fn exhaustion_says_what_was_wanted_and_what_was_free() {
    let (_region, pool, _) = pool();
    let mut slots: Vec<_> = (0..4).map(|_| pool.lease(1024, 1).unwrap()).collect();
    drop((slots.remove(2), slots.remove(0)));
    assert!(pool.lease(1500, 1).is_err());
    let said = pool.counters().shortage.unwrap().to_string();
    let expected = "its driver wanted 1500 bytes, 2048 were free, 1024 in a row";
    assert_eq!(said, expected);
    drop(slots);
}

#[test]
fn a_device_without_room_takes_none_of_another() {
    let (region, _, _) = region(2);
    let hungry = region.pool(NET, 4096).unwrap();
    let other = region.pool("0000:00:02.0", 4096).unwrap();
    let _all = hungry.lease(4096, 1).unwrap();
    assert!(hungry.lease(1, 1).is_err());
    assert!(other.lease(4096, 1).is_ok());
}

#[test]
fn a_new_owner_finds_nothing_of_the_old_one_nor_of_the_host() {
    let (_region, pool, host) = pool();
    let slot = pool.lease(64, 16).unwrap();
    let at = slot.address(0).unwrap().get();
    slot.copy_out(0, &[0x5e; 64]).unwrap();
    drop(slot);
    host.write(at + 32, &[0x66; 32]);
    let slot = pool.lease(64, 16).unwrap();
    assert_eq!(slot.address(0).unwrap().get(), at, "the same bytes");
    assert_eq!(host.read(at, 64), [0; 64]);
}

#[test]
fn an_access_stays_inside_its_slot() {
    let (_region, pool, host) = pool();
    let before = pool.lease(16, 16).unwrap();
    let slot = pool.lease(16, 16).unwrap();
    let behind = pool.lease(16, 16).unwrap();
    let mut bytes = [1; 9];
    for at in [8, 16, usize::MAX] {
        let refused = Err(Error::OutOfBounds { at, len: 9 });
        assert_eq!(slot.copy_out(at, &bytes), refused);
        assert_eq!(slot.copy_in(at, &mut bytes).map(drop), refused);
        assert_eq!(slot.clear_range(at, 9), refused);
    }
    let (at, len) = (16, 4);
    assert_eq!(slot.store_u32(16, 9), Err(Error::OutOfBounds { at, len }));
    assert!(slot.address(16).is_err());
    slot.copy_out(0, &[0xff; 16]).unwrap();
    for neighbour in [before, behind] {
        let at = neighbour.address(0).unwrap().get();
        assert_eq!(host.read(at, 16), [0; 16]);
    }
}

#[test]
fn slots_that_come_back_join_into_one_free_run() {
    for seed in 0..if cfg!(miri) { 1 } else { 200 } {
        let (_region, pool, _) = pool();
        let mut random = Seeded::new(seed);
        let mut slots = Vec::new();
        for _ in 0..if cfg!(miri) { 20 } else { 400 } {
            let align = 1 << random.below(8);
            match pool.lease(1 + random.below(300), align) {
                Ok(slot) if random.below(3) != 0 => slots.push(slot),
                Ok(_) => {}
                Err(_) => drop(slots.swap_remove(random.below(slots.len()))),
            }
            assert_disjoint(&slots);
        }
        slots.clear();
        assert_eq!(pool.counters().leased, 0);
        let all = pool.lease(4096, 4096).map(|slot| slot.len());
        assert_eq!(all, Ok(4096), "seed {seed}");
    }
}

fn assert_disjoint(slots: &[bounce::Slot]) {
    let first = |slot: &bounce::Slot| slot.address(0).unwrap().get();
    let mut runs: Vec<_> = slots
        .iter()
        .map(|s| (first(s), first(s) + s.len() as u64))
        .collect();
    runs.sort_unstable();
    assert!(runs.is_sorted_by(|one, next| one.1 <= next.0));
}

#[test]
fn a_slot_outlives_the_handles_to_its_pool() {
    let (region, pool, host) = pool();
    let slot = pool.lease(8, 8).unwrap();
    drop(pool);
    drop(region);
    slot.store_u64(0, 42).unwrap();
    assert_eq!(host.load_u64(TOLD), 42);
}

#[test]
fn a_pool_is_given_up_cleared_and_only_when_nothing_of_it_is_lent() {
    let (_region, pool, host) = pool();
    let slot = pool.lease(64, 1).unwrap();
    slot.copy_out(0, &[7; 64]).unwrap();
    let still_lent = pool.clone().give_up().map(|_| ());
    assert_eq!(still_lent, Err(bounce::Outstanding { bytes: 64 }));
    drop(slot);
    let clone = pool.clone();
    let rest = pool.give_up().unwrap();
    assert!(host.read(TOLD, 4096).iter().all(|byte| *byte == 0));
    assert!(clone.lease(1, 1).is_err(), "nobody leases from it");
    assert!(clone.clone().give_up().is_err(), "nor gives it up twice");
    assert_eq!(&*rest.device(), NET);
    assert!(rest.reopen().lease(4096, 1).is_ok());
}
