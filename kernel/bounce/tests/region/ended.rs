//! Pools that end: what they held is cleared, and nobody leases from them again.

use crate::{TOLD, pool};

const CONTENT: [u8; 64] = [0x5e; 64];

#[test]
fn a_retired_pool_is_cleared_where_nobody_leases_it_and_the_rest_when_it_comes_back() {
    let (_region, pool, host) = pool();
    let lent = pool.lease(64, 64).unwrap();
    let returned = pool.lease(64, 64).unwrap();
    let [at_lent, at_returned] = [&lent, &returned].map(|slot| slot.address(0).unwrap().get());
    for slot in [&lent, &returned] {
        slot.copy_out(0, &CONTENT).unwrap();
    }
    drop(returned);
    assert_eq!(
        host.read(at_returned, 64),
        CONTENT,
        "a slot that comes back is cleared by who leases it next"
    );
    assert!(pool.is_open());

    pool.retire();
    assert!(!pool.is_open());
    assert!(host.read(at_returned, 64).iter().all(|byte| *byte == 0));
    assert_eq!(
        host.read(at_lent, 64),
        CONTENT,
        "a device may still be at it"
    );
    assert!(pool.lease(1, 1).is_err(), "nobody leases from it");

    drop(lent);
    assert!(host.read(TOLD, 4096).iter().all(|byte| *byte == 0));
}

#[test]
fn a_pool_that_was_given_up_is_closed_until_it_is_opened_again() {
    let (_region, pool, _) = pool();
    let clone = pool.clone();
    let rest = pool.give_up().unwrap();
    assert!(!clone.is_open());
    assert_eq!(format!("{rest:?}"), "AtRest(\"0000:00:01.0\")");
    assert!(rest.reopen().is_open());
}

#[test]
fn who_gives_a_pool_up_too_early_is_told_what_is_still_lent() {
    let (_region, pool, _) = pool();
    let _lent = pool.lease(64, 1).unwrap();
    let refused = pool.give_up().unwrap_err();
    assert_eq!(refused.to_string(), "64 bytes of its memory are still lent");
}
