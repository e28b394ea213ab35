//! A host that writes all the time. Under Miri this also shows that no access of ours is a data
//! race or goes through a reference that the host's writes would make a lie.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use testkit::shared::HostMemory;

use crate::{LOOK, NET, TOLD, region};

const ROUNDS: usize = if cfg!(miri) { 20 } else { 20_000 };

/// Runs `body` while another thread calls `scribble` over and over.
fn while_scribbling(
    host: &HostMemory,
    scribble: impl Fn(&HostMemory, u64) + Send + 'static,
    body: impl FnOnce(),
) {
    let stop = Arc::new(AtomicBool::new(false));
    let (their_stop, their_host) = (Arc::clone(&stop), host.clone());
    let thread = thread::spawn(move || {
        let mut round = 0;
        while !their_stop.load(Ordering::Relaxed) {
            scribble(&their_host, round);
            round += 1;
            thread::yield_now();
        }
    });
    body();
    stop.store(true, Ordering::Relaxed);
    thread.join().unwrap();
}

#[test]
fn a_snapshot_holds_only_what_somebody_wrote() {
    let (region, host, _) = region(1);
    let pool = region.pool(NET, 4096).unwrap();
    // Miri wants accesses that race to have one size. At an odd address all of them are bytes.
    let _odd = pool.lease(1, 1).unwrap();
    let slot = pool.lease(32, 1).unwrap();
    let ones_and_twos = |host: &HostMemory, round: u64| {
        host.write(TOLD, &[1 + (round % 2) as u8; 64]);
    };
    while_scribbling(&host, ones_and_twos, || {
        for _ in 0..ROUNDS {
            let mut snapshot = [0xee; 34];
            slot.copy_in(0, &mut snapshot[1..33]).unwrap().opaque(LOOK);
            slot.copy_out(0, &[3; 32]).unwrap();
            slot.clear();
            assert_eq!((snapshot[0], snapshot[33]), (0xee, 0xee));
            assert!(snapshot[1..33].iter().all(|byte| *byte <= 3));
        }
    });
}

#[test]
fn a_word_is_loaded_whole() {
    let (region, host, _) = region(1);
    let slot = region.pool(NET, 4096).unwrap().lease(16, 16).unwrap();
    let words = |host: &HostMemory, round: u64| {
        host.store_u32(TOLD, u32::MAX * (round % 2) as u32);
        host.store_u64(TOLD + 8, u64::MAX * (round % 2));
    };
    while_scribbling(&host, words, || {
        for _ in 0..ROUNDS {
            let short = slot.load_u32(0).unwrap().any_value(LOOK);
            let long = slot.load_u64(8).unwrap().any_value(LOOK);
            assert!([0, u32::MAX].contains(&short), "torn: {short:#x}");
            assert!([0, u64::MAX].contains(&long), "torn: {long:#x}");
        }
    });
}

#[test]
fn bookkeeping_is_out_of_the_hosts_reach() {
    let (region, host, _) = region(1);
    let pool = region.pool(NET, 4096).unwrap();
    // Whole words on both sides: Miri wants accesses that race to have one size.
    let all = |host: &HostMemory, round: u64| {
        let address = TOLD + round * 61 % 512 * 8;
        host.store_u64(address, u64::MAX);
    };
    while_scribbling(&host, all, || {
        for round in 0..ROUNDS {
            let one = pool.lease(8 * (1 + round % 6), 8).unwrap();
            let two = pool.lease(40, 8).unwrap();
            drop(one);
            assert_eq!(two.len(), 40);
        }
    });
    assert_eq!(pool.counters().leased, 0);
    assert!(pool.lease(4096, 1).is_ok());
}
